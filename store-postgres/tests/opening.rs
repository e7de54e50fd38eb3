//! Stores that are opened: the first makes the tables, and a later release's are left alone.

use actor_durable::Sequence;
use actor_durable::store::{Arrival, Refusal, Store};
use sqlx::{AssertSqlSafe, Row};
use store_postgres::{PostgresConfig, PostgresStore};

use crate::place::Schema;
use crate::values::{actor, own, refusal, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_are_opened_at_once_make_the_tables_once() {
    let Some(schema) = Schema::new() else { return };
    let opened: Vec<_> = (0..6).map(|_| tokio::spawn(PostgresStore::open(schema.config.clone()))).collect();
    for store in opened {
        store.await.expect("no panic").expect("it is opened");
    }
}

#[tokio::test]
async fn schemas_on_one_server_are_stores_of_their_own() {
    let Some(one) = Schema::new() else { return };
    let Some(other) = Schema::new() else { return };
    let (one, other) = (one.store().await, other.store().await);
    let head = own(&one, "a", 1).await;
    one.commit_turn(turn(&actor("a"), head.epoch, Sequence::ZERO)).await.expect("it is owned");
    assert_eq!(other.head(&actor("a")).await.expect("a store"), None);
}

#[tokio::test]
async fn a_schema_of_a_later_release_is_refused_by_its_number() {
    let Some(schema) = Schema::new() else { return };
    drop(schema.store().await);
    schema.say("UPDATE version SET number = 7").await;
    let found = refusal(PostgresStore::open(schema.config.clone()).await);
    assert_eq!(found, Refusal::FutureVersion { what: "the schema".into(), found: 7, known: 1 });
    schema.say("DELETE FROM version").await;
    for number in [None, Some("(1), (1)"), Some("(-1)")] {
        if let Some(number) = number {
            schema.say(&format!("DELETE FROM version; INSERT INTO version (number) VALUES {number}")).await;
        }
        let found = refusal(PostgresStore::open(schema.config.clone()).await);
        assert!(matches!(found, Refusal::Damaged { .. }), "{number:?}: {found:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let nowhere = tempfile::tempdir().expect("a directory");
    let address = format!("postgres:///postgres?host={}&user=postgres", nowhere.path().display());
    let config = PostgresConfig::new(&address).expect("a good address");
    let config = config.with_connect_timeout(std::time::Duration::from_millis(100));
    let found = refusal(PostgresStore::open(config).await);
    assert!(matches!(found, Refusal::Unavailable(_)), "{found:?}");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let mut arrivals = store.arrivals();
    store.close();
    assert!(matches!(refusal(store.head(&actor("a")).await), Refusal::Closed(_)));
    assert_eq!(arrivals.next().await, Arrival::Closed);
    assert_eq!(store.arrivals().next().await, Arrival::Closed);
    // Neither a connection of the pool nor the one that listens is left.
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}'", schema.name);
    let mut eyes = schema.connection().await;
    while sqlx::query(AssertSqlSafe(count.clone()))
        .fetch_one(&mut eyes)
        .await
        .expect("the server runs")
        .get::<i64, _>(0)
        > 0
    {
        // sleep: the server tells nobody who goes.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// What is written is read-only by the server's own word.
#[tokio::test]
async fn a_database_that_takes_no_writes_is_read_and_says_so() {
    let Some(schema) = Schema::new() else { return };
    let head = own(&schema.store().await, "a", 1).await;
    let address = format!("{}&options=-c%20default_transaction_read_only%3Don", schema.server.address());
    let config = PostgresConfig::new(&address).expect("a good address");
    let store = PostgresStore::open(config.with_schema(&schema.name).expect("a good name")).await;
    let store = store.expect("it is there");
    assert_eq!(store.head(&actor("a")).await.expect("a store"), Some(head.clone()));
    let written = store.commit_turn(turn(&actor("a"), head.epoch, head.sequence)).await;
    assert!(matches!(refusal(written), Refusal::ReadOnly(_)));
}

/// The process of the server that has refused to read an actor for this reason.
async fn refuses(schema: &Schema, store: &PostgresStore, code: &str) -> String {
    schema
        .say(&format!(
            "CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN \
             RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'by ' || pg_backend_pid(); END $$"
        ))
        .await;
    let refused = store.head(&actor("a")).await.expect_err("it is refused");
    let text = refused.to_string();
    text.split("by ").last().expect("there is a last").to_owned()
}

/// As of a server that was made a standby, or that has forgotten what was prepared.
#[tokio::test]
async fn a_connection_that_is_refused_for_what_it_is_is_not_used_again() {
    let Some(schema) = Schema::new() else { return };
    let store =
        PostgresStore::open(schema.config.clone().with_connections_max(1)).await.expect("it is there");
    own(&store, "a", 1).await;
    for code in ["25006", "26000", "0A000"] {
        let (one, other) = (refuses(&schema, &store, code).await, refuses(&schema, &store, code).await);
        assert_ne!(one, other, "{code}");
    }
    let (one, other) = (refuses(&schema, &store, "22012").await, refuses(&schema, &store, "22012").await);
    assert_eq!(one, other, "it was no fault of the connection's");
}
