//! The server of the tests' own: how it begins and how it ends.

use std::os::unix::net::UnixStream;

use actor_durable::store::Store;
use store_postgres::PostgresStore;
use store_postgres::testing::{Server, or_skip};

use crate::values::{actor, own};

#[tokio::test]
async fn a_private_server_is_crashed_started_again_and_leaves_nothing() {
    let Some(server) = or_skip(Server::private()) else { return };
    let config = server.config();
    let head = own(&PostgresStore::open(config.clone()).await.expect("it runs"), "a", 1).await;
    server.stop_immediately().expect("it ran");
    let directory = server.directory().to_owned();
    assert!(UnixStream::connect(directory.join(".s.PGSQL.5432")).is_err());
    server.start().expect("it recovers");
    let store = PostgresStore::open(config).await.expect("it runs");
    assert_eq!(store.head(&actor("a")).await.expect("a store"), Some(head));
    drop(store);
    drop(server);
    assert!(!directory.exists());
}

#[test]
fn all_who_share_a_server_share_one() {
    let Some(one) = or_skip(Server::shared()) else { return };
    let Some(other) = or_skip(Server::shared()) else { return };
    assert_eq!(one.address(), other.address());
    assert_ne!(one.fresh_schema(), other.fresh_schema());
}
