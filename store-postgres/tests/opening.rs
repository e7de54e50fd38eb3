//! Stores that are opened: the first makes the tables, and a later release's are left alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actor_durable::Sequence;
use actor_durable::store::{Arrival, Refusal, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store_postgres::{PostgresConfig, PostgresStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};

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

/// As long as for any answer, and longer than for an actor that somebody else is at.
#[tokio::test]
async fn whoever_makes_the_tables_is_waited_for() {
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_answer_timeout(Duration::from_secs(6));
    let mut connection = PgConnection::connect(&schema.server.address()).await.expect("the server runs");
    let mut made = connection.begin().await.expect("the server runs");
    // What all who make tables hold; it is so in every release.
    let lock = "SELECT pg_advisory_xact_lock(7017580666382742898)";
    sqlx::raw_sql(lock).execute(&mut *made).await.expect("good words");
    let opening = tokio::spawn(PostgresStore::open(config));
    schema.until_blocked(1).await;
    // sleep: a lock of an actor is waited for a second only.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    made.rollback().await.expect("the server runs");
    opening.await.expect("no panic").expect("nobody is in its way");
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

/// As where somebody else gives out the schemas.
#[tokio::test]
async fn whoever_may_make_no_schema_has_its_tables_in_the_one_it_was_given() {
    let Some(schema) = Schema::new() else { return };
    let Schema { server, name, .. } = &schema;
    let mut root = PgConnection::connect(&server.address()).await.expect("the server runs");
    let give = format!("CREATE ROLE {name} LOGIN; CREATE SCHEMA {name} AUTHORIZATION {name}");
    sqlx::raw_sql(AssertSqlSafe(give)).execute(&mut root).await.expect("good words");
    let address = server.address().replace("user=postgres", &format!("user={name}"));
    let config = PostgresConfig::new(&address).expect("a good address");
    let store = PostgresStore::open(config.clone().with_schema(name).expect("a good name")).await;
    own(&store.expect("it is its own"), "a", 1).await;
    let other = config.with_schema(format!("{name}_2")).expect("a good name");
    let denied = refusal(PostgresStore::open(other).await);
    assert!(denied.to_string().contains("permission denied"), "{denied}");
}

#[tokio::test]
async fn a_database_that_cannot_have_all_names_is_refused() {
    let Some(schema) = Schema::new() else { return };
    let Schema { server, name, .. } = &schema;
    let mut root = PgConnection::connect(&server.address()).await.expect("the server runs");
    for (encoding, is_refused) in [("LATIN1", true), ("SQL_ASCII", false)] {
        let make = format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0");
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut root).await.expect("good words");
        let address = server.address().replace("///postgres", &format!("///{name}"));
        let opened = PostgresStore::open(PostgresConfig::new(&address).expect("a good address")).await;
        if is_refused {
            let found = refusal(opened);
            assert_eq!(found, Refusal::Malformed("the database's encoding is neither UTF8 nor SQL_ASCII"));
        } else {
            own(&opened.expect("it keeps what it is given"), "\u{e5}\u{65e5}", 1).await;
        }
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut root).await.expect("good words");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let nowhere = tempfile::tempdir().expect("a directory");
    let address = format!("postgres:///postgres?host={}&user=postgres", nowhere.path().display());
    let config = PostgresConfig::new(&address).expect("a good address");
    let config = config.with_connect_timeout(Duration::from_millis(100));
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
        tokio::time::sleep(Duration::from_millis(1)).await;
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

/// A server that refuses a connection with each of these codes in turn, as one does that starts, stops or has too many; then
/// the one that is there.
fn reluctant(directory: &Path, server: &Path, codes: &[&'static str]) -> Arc<AtomicUsize> {
    let listener = UnixListener::bind(directory.join(".s.PGSQL.5432")).expect("a socket");
    let (server, codes) = (server.join(".s.PGSQL.5432"), codes.to_vec());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            match codes.get(count.fetch_add(1, Ordering::Relaxed)) {
                Some(code) => {
                    let fields = format!("SFATAL\0VFATAL\0C{code}\0Ma test wants it\0\0");
                    let length = u32::try_from(fields.len() + 4).expect("it is small");
                    let refusal = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
                    // Whoever is refused has said its first word.
                    _ = client.read(&mut [0; 1024]).await;
                    _ = client.write_all(&refusal).await;
                }
                None => {
                    let mut server = UnixStream::connect(&server).await.expect("the server runs");
                    tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
                }
            }
        }
    });
    asked
}

#[tokio::test]
async fn a_server_that_will_take_connections_in_a_moment_is_asked_again_and_no_other() {
    let Some(schema) = Schema::new() else { return };
    drop(schema.store().await);
    let open = async |codes: &[&'static str]| {
        let directory = tempfile::tempdir().expect("a directory");
        let asked = reluctant(directory.path(), schema.server.directory(), codes);
        let path = directory.path().display();
        let address = format!("postgres:///postgres?host={path}&port=5432&user=postgres&sslmode=disable");
        let config = PostgresConfig::new(&address).expect("a good address");
        let opened = PostgresStore::open(config.with_schema(&schema.name).expect("a good name")).await;
        (opened.map(drop), asked.load(Ordering::Relaxed))
    };
    for code in ["57P01", "57P02", "57P03", "53300"] {
        // Twice refused, then the connection of the pool and the one that listens.
        let (opened, asked) = open(&[code, code]).await;
        opened.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(asked, 4, "{code}");
    }
    // A wrong password, no such database.
    for code in ["28P01", "3D000"] {
        let (opened, asked) = open(&[code]).await;
        assert!(matches!(refusal(opened), Refusal::Unavailable(_)), "{code}");
        assert_eq!(asked, 1, "{code}");
    }
}

/// Of what it may not look into the server shows nothing, as if it were not there.
#[tokio::test]
async fn whoever_may_not_use_the_schema_is_told_so_whether_there_are_tables_or_not() {
    let Some(schema) = Schema::new() else { return };
    let Schema { server, name, .. } = &schema;
    let mut root = PgConnection::connect(&server.address()).await.expect("the server runs");
    let make = format!("CREATE ROLE {name} LOGIN; CREATE SCHEMA {name}");
    sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut root).await.expect("good words");
    let address = server.address().replace("user=postgres", &format!("user={name}"));
    let config = PostgresConfig::new(&address).expect("a good address");
    let config = config.with_schema(name).expect("a good name");
    for there in ["an empty schema", "tables"] {
        let denied = refusal(PostgresStore::open(config.clone()).await);
        assert!(matches!(denied, Refusal::Denied(_)), "{there}: {denied:?}");
        drop(schema.store().await);
    }
}

#[tokio::test]
async fn a_time_without_an_end_is_a_long_one_and_so_is_a_number_of_connections() {
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_connections_max(usize::MAX);
    let config = config.with_connect_timeout(Duration::MAX).with_answer_timeout(Duration::MAX);
    let store = PostgresStore::open(config).await.expect("it is reached");
    own(&store, "a", 1).await;
}
