//! The server ends without a word, again and again, while turns are stored. What was acknowledged is there, and nothing is half there.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{Refusal, Store, StoreError};
use actor_durable::{Epoch, OwnerId, Sequence};
use store_postgres::PostgresStore;
use store_postgres::testing::{Server, or_skip};
use tokio::time::sleep;

use crate::place::Schema;
use crate::values::{LONG, actor, number, own, turn};

const ACTORS: usize = 6;
const CRASHES: usize = 4;

/// What one owner knows of its actor when the server is gone.
struct Known {
    acknowledged: Sequence,
    error: StoreError,
}

/// Commits turns until one fails.
async fn commit_on(store: Arc<PostgresStore>, id: String, epoch: Epoch, from: Sequence) -> Known {
    let mut acknowledged = from;
    loop {
        match store.commit_turn(turn(&actor(&id), epoch, acknowledged)).await {
            Ok(()) => acknowledged = acknowledged.next(),
            Err(error) => return Known { acknowledged, error },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_server_that_crashes_under_load() {
    let Some(server) = or_skip(Server::private()) else { return };
    let schema = Schema::on(server);
    // The server would acknowledge what is not on the disk, and write it there seldom; the store does not let it.
    for lazy in ["synchronous_commit = off", "wal_writer_delay = '10s'"] {
        schema.say(&format!("ALTER SYSTEM SET {lazy}")).await;
    }
    schema.say("SELECT pg_reload_conf()").await;
    let store = Arc::new(schema.store().await);
    let ids: Vec<String> = (0..ACTORS).map(|number| format!("a{number}")).collect();
    let mut committed = 0;
    for crash in 0..CRASHES {
        // Its connection for leases may be the one from before the crash.
        _ = store.renew(OwnerId::new(1), LONG).await;
        let mut tasks = Vec::new();
        for id in &ids {
            // It waits until the server has recovered.
            let head = own(&*store, id, 1).await;
            tasks.push(tokio::spawn(commit_on(Arc::clone(&store), id.clone(), head.epoch, head.sequence)));
        }
        // sleep: the crash is to come at no point in particular.
        sleep(Duration::from_millis(100 + 37 * crash as u64)).await;
        schema.server.stop_immediately().expect("it ran");
        let mut known = Vec::new();
        for task in tasks {
            known.push(task.await.expect("no panic"));
        }
        schema.server.start().expect("it recovers");
        let fresh = schema.store().await;
        for (id, known) in ids.iter().zip(known) {
            committed += check(&fresh, id, &known).await;
        }
    }
    assert!(committed > ACTORS * CRASHES, "turns were stored before each crash: {committed}");
}

/// The journal is as its owner knows, and gapless; the state is that of the last entry.
async fn check(store: &PostgresStore, id: &str, known: &Known) -> usize {
    let id = actor(id);
    let head = store.head(&id).await.expect("a store").expect("it was acknowledged");
    match &known.error {
        StoreError::Unknown(_) => {
            let possible = [known.acknowledged, known.acknowledged.next()];
            assert!(possible.contains(&head.sequence), "{id}: {} of {possible:?}", head.sequence);
        }
        StoreError::NotApplied(Refusal::Unavailable(_)) => {
            assert_eq!(head.sequence, known.acknowledged, "{id}");
        }
        error => panic!("{id}: {error}"),
    }
    let mut after = Sequence::ZERO;
    loop {
        let page = store.entries(&id, after, 100).await.expect("there is no gap");
        let Some(last) = page.last() else { break };
        after = last.sequence;
    }
    assert_eq!(after, head.sequence, "{id}");
    let found = store.load(&id, head.epoch).await.expect("it is owned");
    assert_eq!(found.snapshot.map_or(0, |snapshot| number(&snapshot.body)), head.sequence.0, "{id}");
    assert_eq!(found.handled.len() as u64, head.sequence.0, "{id}");
    usize::try_from(head.sequence.0).expect("few")
}
