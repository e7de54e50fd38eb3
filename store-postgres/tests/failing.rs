//! What the server says when it cannot, and what the store makes of it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actor_durable::store::{Head, Refusal, Store, StoreError};
use actor_durable::{OwnerId, Position, Sequence};
use sqlx::{AssertSqlSafe, Connection, Row};
use store_postgres::PostgresStore;

use crate::place::Schema;
use crate::values::{LONG, actor, message, own, refusal, turn};

async fn commit(store: &PostgresStore, head: &Head) -> Result<(), StoreError> {
    store.commit_turn(turn(&head.target.id, head.epoch, head.sequence)).await
}

/// Makes each entry that is written fail with an error of the server's.
async fn fail_with(schema: &Schema, code: &str) {
    let trigger = format!(
        "CREATE SEQUENCE failures; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('failures') <= (SELECT max(number) FROM failures_max) THEN
                RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'a test wants it';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TABLE failures_max (number bigint); INSERT INTO failures_max VALUES (1000000);
        CREATE TRIGGER fail BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    schema.say(&trigger).await;
}

const LOCK_ALL: &str = "SELECT FROM actors FOR UPDATE";

const FAIL_NO_MORE: &str =
    "DROP SEQUENCE failures; DROP TABLE failures_max; DROP TRIGGER fail ON entries; DROP FUNCTION fail";

#[tokio::test]
async fn a_full_disk_is_no_space_and_nothing_is_stored() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    fail_with(&schema, "53100").await;
    assert!(matches!(refusal(commit(&store, &head).await), Refusal::NoSpace(_)));
    assert_eq!(store.head(&actor("a")).await.expect("a store"), Some(head.clone()));
    schema.say("DROP TRIGGER fail ON entries").await;
    commit(&store, &head).await.expect("there is room again");
}

/// What the server says has a code, and each kind has its name.
#[tokio::test]
async fn what_the_server_says_is_named_by_its_kind() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let head = own(&store, "a", 1).await;
    for (code, name) in [
        ("XX001", "damaged"),
        ("XX002", "damaged"),
        ("23514", "damaged"),
        ("42P01", "damaged"),
        ("42501", "denied"),
        ("25006", "read-only"),
        ("53200", "unavailable"),
        ("P0001", "unavailable"),
    ] {
        fail_with(&schema, code).await;
        let named = match refusal(commit(&store, &head).await) {
            Refusal::Damaged { .. } => "damaged",
            Refusal::ReadOnly(_) => "read-only",
            Refusal::Denied(_) => "denied",
            Refusal::Unavailable(_) => "unavailable",
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(named, name, "{code}");
        schema.say(FAIL_NO_MORE).await;
    }
    commit(&store, &head).await.expect("nothing was stored");
}

/// The server has rolled back for the sake of another: the same is tried again, and not for ever.
#[tokio::test]
async fn what_the_server_rolls_back_for_others_is_tried_again_a_few_times() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let mut head = own(&store, "a", 1).await;
    fail_with(&schema, "40P01").await;
    assert!(matches!(refusal(commit(&store, &head).await), Refusal::Unavailable(_)));
    for (code, failures) in [("40P01", 9), ("40001", 9)] {
        schema.say(FAIL_NO_MORE).await;
        fail_with(&schema, code).await;
        schema.say(&format!("UPDATE failures_max SET number = {failures}")).await;
        commit(&store, &head).await.expect("the tenth attempt succeeds");
        head.sequence = head.sequence.next();
    }
}

#[tokio::test]
async fn a_row_that_is_damaged_or_missing_is_said_to_be() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let mut head = own(&store, "a", 1).await;
    for _ in 0..3 {
        commit(&store, &head).await.expect("it is owned");
        head.sequence = head.sequence.next();
    }
    store.enqueue(message("a", 100)).await.expect("it is new");
    let flip = |table: &str| format!("UPDATE {table} SET row = set_byte(row, 9, get_byte(row, 9) # 1)");
    schema.say(&flip("letters")).await;
    let read = store.inbox(&actor("a"), head.epoch, Position::ZERO, 10).await;
    assert!(matches!(refusal(read), Refusal::Damaged { .. }));
    schema.say(&flip("snapshots")).await;
    assert!(matches!(refusal(store.load(&actor("a"), head.epoch).await), Refusal::Damaged { .. }));
    schema.say(&flip("snapshots")).await;
    store.load(&actor("a"), head.epoch).await.expect("it is as it was");
    for other in
        ["UPDATE actors SET snapshot = 2", "DELETE FROM snapshots", "UPDATE actors SET snapshot = NULL"]
    {
        schema.say(other).await;
        let loaded = store.load(&actor("a"), head.epoch).await;
        if other.ends_with("NULL") {
            assert_eq!(loaded.expect("there is none").snapshot, None);
        } else {
            assert!(matches!(refusal(loaded), Refusal::Damaged { .. }), "{other}");
        }
    }
    schema.say("DELETE FROM entries WHERE sequence = 2").await;
    let read = store.entries(&actor("a"), Sequence::ZERO, 10).await;
    assert!(matches!(refusal(read), Refusal::Damaged { .. }));
    schema.say("DELETE FROM entries WHERE sequence = 3").await;
    let read = store.entries(&actor("a"), Sequence(2), 10).await;
    assert!(matches!(refusal(read), Refusal::Damaged { .. }), "the last one is missed too");
    // An entry lies where the next one is to be: the head must be wrong.
    schema.say("INSERT INTO entries (actor, sequence, row) VALUES ('a', 4, '')").await;
    assert!(matches!(refusal(commit(&store, &head).await), Refusal::Damaged { .. }));
}

/// Somebody holds the actor's row, and one connection waits for it.
#[tokio::test]
async fn an_operation_that_finds_no_connection_or_waits_too_long_has_changed_nothing() {
    let Some(schema) = Schema::new() else { return };
    let head = own(&schema.store().await, "a", 1).await;
    let config =
        schema.config.clone().with_connections_max(1).with_connect_timeout(Duration::from_millis(100));
    let config = config.with_answer_timeout(Duration::from_millis(1_000));
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    let mut other = schema.connection().await;
    let mut lock = other.begin().await.expect("the server runs");
    let take = "SELECT FROM actors WHERE id = 'a' FOR UPDATE";
    sqlx::raw_sql(take).execute(&mut *lock).await.expect("it is there");
    let waits = tokio::spawn({
        let (store, head) = (Arc::clone(&store), head.clone());
        async move { commit(&store, &head).await }
    });
    // The one connection is taken as soon as the task runs.
    tokio::task::yield_now().await;
    let found = refusal(store.head(&actor("a")).await);
    assert_eq!(found.to_string(), "the store is not available: no connection is free");
    let found = refusal(waits.await.expect("no panic"));
    assert!(matches!(found, Refusal::Unavailable(_)), "{found:?}");
    lock.rollback().await.expect("the server runs");
    assert_eq!(store.head(&actor("a")).await.expect("a store"), Some(head.clone()));
    commit(&store, &head).await.expect("nobody is in the way");
}

/// However much is asked at once: so many connections, the one that listens, and the one that renews leases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_has_no_more_connections_than_it_may() {
    const MAX: usize = 3;
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_connections_max(MAX);
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    let ids: Vec<String> = (0..20).map(|number| format!("a{number}")).collect();
    for id in &ids {
        store.enqueue(message(id, 1)).await.expect("it is new");
    }
    store.renew(OwnerId::new(1), LONG).await.expect("a lease");
    let mut other = schema.connection().await;
    let mut lock = other.begin().await.expect("the server runs");
    sqlx::raw_sql(LOCK_ALL).execute(&mut *lock).await.expect("they are there");
    // All but the readers wait for a lock, each for another one.
    let tasks: Vec<_> = (0..20)
        .zip(ids)
        .map(|(number, id)| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                match number % 2 {
                    0 => store.enqueue(message(&id, 2)).await.map(drop),
                    _ => store.head(&actor(&id)).await.map(drop),
                }
            })
        })
        .collect();
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}'", schema.name);
    let mut eyes = schema.connection().await;
    let mut most = 0;
    for _ in 0..100 {
        let row = sqlx::query(AssertSqlSafe(count.clone())).fetch_one(&mut eyes).await;
        most = most.max(row.expect("the server runs").get::<i64, _>(0));
        // sleep: the server tells nobody who comes.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(most, MAX as i64 + 2);
    lock.rollback().await.expect("the server runs");
    for task in tasks {
        task.await.expect("no panic").expect("it has waited for its turn");
    }
}

/// A process that waits for the database with all that it asks is not taken for dead.
#[tokio::test]
async fn a_lease_is_renewed_while_no_connection_is_free() {
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_connections_max(2);
    let config = config.with_connect_timeout(Duration::from_millis(500));
    let store = Arc::new(PostgresStore::open(config).await.expect("the server runs"));
    let (head, _) = (own(&*store, "a", 1).await, own(&*store, "b", 1).await);
    let mut other = schema.connection().await;
    let mut lock = other.begin().await.expect("the server runs");
    sqlx::raw_sql(LOCK_ALL).execute(&mut *lock).await.expect("they are there");
    let hanging = ["a", "b"].map(|id| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.enqueue(message(id, 100)).await })
    });
    // Until they have all the connections there are.
    while store.head(&actor("a")).await.is_ok() {}
    let owner = head.owner.expect("it is owned");
    store.renew(owner, Duration::from_secs(60)).await.expect("nothing is before it");
    let found = refusal(store.head(&actor("a")).await);
    assert_eq!(found.to_string(), "the store is not available: no connection is free");
    lock.rollback().await.expect("the server runs");
    for hangs in hanging {
        hangs.await.expect("no panic").expect("nobody is in the way");
    }
    store.retire(owner).await.expect("it has a lease");
    commit(&store, &head).await.expect("nobody has taken it");
}

/// The server ends the connections that are idle: the next operation says what is true, and the one after it has another.
#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_replaced() {
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_connections_max(1);
    let store = PostgresStore::open(config).await.expect("the server runs");
    let head = own(&store, "a", 1).await;
    end_others(&schema).await;
    let outcome = commit(&store, &head).await;
    let now = store.head(&actor("a")).await.expect("it has another connection").expect("it is there");
    match outcome {
        Err(StoreError::Unknown(_)) => assert_eq!(now.sequence, Sequence::ZERO),
        outcome => panic!("{outcome:?}"),
    }
    end_others(&schema).await;
    assert!(matches!(refusal(store.head(&actor("a")).await), Refusal::Unavailable(_)));
    commit(&store, &head).await.expect("it has another connection");
    end_others(&schema).await;
    // sleep: after so long a connection is asked before it is used.
    tokio::time::sleep(store_postgres::limits::IDLE_UNASKED_MAX).await;
    let next = Head { sequence: Sequence(1), ..head };
    commit(&store, &next).await.expect("one that is gone is not used");
}

/// Ends the connections of a schema's store, and waits until they are gone.
async fn end_others(schema: &Schema) {
    let mut connection = schema.connection().await;
    let end = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{}'",
        schema.name
    );
    sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut connection).await.expect("the server runs");
}

/// Futures are dropped wherever they are; the connection that one of them had gives nobody another one's answer.
#[tokio::test]
async fn a_dropped_operation_leaves_nothing_to_the_next_one() {
    let Some(schema) = Schema::new() else { return };
    let config = schema.config.clone().with_connections_max(1);
    let store = PostgresStore::open(config).await.expect("the server runs");
    for dropped_after in 0..60 {
        let id = format!("a{dropped_after}");
        let head = own(&store, &id, 1).await;
        let half = polled(dropped_after, commit(&store, &head)).await;
        let now = store.head(&actor(&id)).await.expect("a store").expect("it is there");
        assert_eq!(now.target.id, actor(&id), "the answer to this question");
        if let Some(outcome) = half {
            outcome.expect("it is owned");
            assert_eq!(now.sequence, Sequence(1), "{id}");
        }
        // Whoever drops one acquires anew, and then nothing of the old one comes any more.
        let again = own(&store, &id, 1).await;
        let entries = store.entries(&actor(&id), Sequence::ZERO, 10).await.expect("it is there");
        assert_eq!(entries.len() as u64, again.sequence.0, "{id}");
        commit(&store, &again).await.expect("it is owned");
    }
}

/// Polls a future so many times, and drops it.
async fn polled<F: Future>(times: u32, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(context).map(Some);
        // Also when nothing has come yet: the times at which it is dropped are many.
        context.waker().wake_by_ref();
        polled
    })
    .await
}
