//! How many syncs the writer makes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::script::{Script, lease, open, options, state};
use super::suite::BEGAN;
use super::{acquire, body, message, target, turn};
use crate::id::{MessageId, Sequence};
use crate::limits::WRITE_QUEUE_BYTES_MAX;
use crate::redb::error::Trouble;
use crate::redb::faulty::{DiskFault, FaultyDisk};
use crate::redb::write::{Operation, Writing};
use crate::store::{Enqueued, Refusal, Store, StoreError};

/// A store that has grown its file for what is to come: growing takes a sync of its own.
async fn warm(disk: &FaultyDisk) -> Arc<crate::RedbStore> {
    let store = open(disk).await;
    for number in 0..3 {
        let large = message("warm", MessageId::new(BEGAN, number), &"x".repeat(300_000));
        store.enqueue(large).await.expect("it is new");
    }
    Arc::new(store)
}

fn letter(number: u128) -> crate::store::Message {
    let id = MessageId::new(BEGAN, 1_000 + number);
    message(&format!("actor-{number}"), id, "hello")
}

/// Waits until so many operations are in the queue, and the next batch is these.
///
/// A task that yields once is not enough: the runtime polls 61 others at most before it is that one's turn again.
async fn are_queued(store: &crate::RedbStore, operations: usize) {
    let all = async {
        while store.queue().expect("it is open").len() < operations {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), all).await.expect("they are asked for");
}

/// Waits until the writer is in a sync that is held.
async fn is_syncing(disk: &FaultyDisk) {
    // The writer is a thread of its own: the bound is for one that never comes so far.
    timeout(Duration::from_secs(30), disk.syncing()).await.expect("the writer syncs");
}

#[tokio::test]
async fn one_operation_alone_is_one_sync() {
    let disk = FaultyDisk::new();
    let store = warm(&disk).await;
    for number in 0..10 {
        let syncs = disk.syncs();
        store.enqueue(letter(number)).await.expect("it is new");
        assert_eq!(disk.syncs(), syncs + 1);
    }
}

#[tokio::test]
async fn what_changes_nothing_is_no_sync() {
    let disk = FaultyDisk::new();
    let store = warm(&disk).await;
    store.enqueue(letter(1)).await.expect("it is new");
    let syncs = disk.syncs();
    assert_eq!(store.enqueue(letter(1)).await.expect("it is known"), Enqueued::Waiting);
    let refused = store.release(&target("nobody").id, crate::Epoch(1)).await.expect_err("it is not there");
    assert!(matches!(refused, StoreError::NotApplied(Refusal::NoSuchActor)), "{refused:?}");
    assert_eq!(disk.syncs(), syncs);
}

#[tokio::test]
async fn all_that_waits_shares_one_sync() {
    let disk = FaultyDisk::new();
    let store = warm(&disk).await;
    let syncs = disk.syncs();
    disk.hold_syncs();
    let mut asked = JoinSet::new();
    let ask = |asked: &mut JoinSet<_>, number| {
        let store = store.clone();
        asked.spawn(async move { store.enqueue(letter(number)).await });
    };
    ask(&mut asked, 0);
    is_syncing(&disk).await;
    for number in 1..=200 {
        ask(&mut asked, number);
    }
    are_queued(&store, 200).await;
    assert!(asked.try_join_next().is_none(), "nothing is answered before it is synced");
    disk.release_syncs();
    for outcome in asked.join_all().await {
        assert_eq!(outcome.expect("it is new"), Enqueued::Stored);
    }
    assert_eq!(disk.syncs(), syncs + 2, "one for the first, one for the 200 others");
    let page = store.waiting(None, 1000).await.expect("it reads");
    assert_eq!(page.len(), 202);
}

#[tokio::test]
async fn one_that_is_refused_does_not_spoil_the_others_of_its_batch() {
    let disk = FaultyDisk::new();
    let store = warm(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    disk.hold_syncs();
    let mut asked = JoinSet::new();
    {
        let store = store.clone();
        asked.spawn(async move { store.enqueue(letter(0)).await.map(drop) });
    }
    is_syncing(&disk).await;
    let id = |number| MessageId::new(BEGAN, number);
    let mut late = turn(&head, id(51), "late");
    late.expected = Sequence(7);
    late.entries[0].sequence = Sequence(8);
    let commits = [turn(&head, id(50), "first"), late, turn(&head, id(52), "same place")];
    for commit in commits {
        let store = store.clone();
        asked.spawn(async move { store.commit_turn(commit).await });
    }
    are_queued(&store, 3).await;
    let syncs = disk.syncs();
    disk.release_syncs();
    let outcomes = asked.join_all().await;
    let refused = outcomes.iter().filter(|outcome| {
        matches!(outcome, Err(StoreError::NotApplied(Refusal::Sequence { found: Sequence(1 | 0), .. })))
    });
    assert_eq!(refused.count(), 2, "{outcomes:?}");
    assert_eq!(disk.syncs(), syncs + 2);
    let entries = store.entries(&head.target.id, Sequence(0), 9).await.expect("it reads");
    assert_eq!(entries[0].events, [body("first")]);
}

#[tokio::test]
async fn a_batch_whose_power_is_cut_is_there_whole_or_not_at_all() {
    for seed in 0..24 {
        let disk = FaultyDisk::new();
        let store = warm(&disk).await;
        disk.hold_syncs();
        let mut asked = JoinSet::new();
        let first = store.clone();
        asked.spawn(async move { first.enqueue(letter(0)).await });
        is_syncing(&disk).await;
        for number in 1..=50 {
            let store = store.clone();
            asked.spawn(async move { store.enqueue(letter(number)).await });
        }
        are_queued(&store, 50).await;
        disk.fail_at(disk.steps() + seed % 12, DiskFault::Gone);
        disk.release_syncs();
        let answers = asked.join_all().await;
        let answered = answers.iter().filter(|answer| answer.is_ok()).count();
        drop(store);
        let store = open(&disk.power_cut(seed)).await;
        let there = store.actors(None, 1000).await.expect("it reads").len() - 1;
        assert!([1, 51].contains(&there) && there >= answered, "seed {seed}: {there}, {answered} answered");
    }
}

#[tokio::test]
async fn a_caller_that_has_gone_disturbs_nobody() {
    let disk = FaultyDisk::new();
    let store = warm(&disk).await;
    disk.hold_syncs();
    let gone = tokio::spawn({
        let store = store.clone();
        async move { store.enqueue(letter(1)).await }
    });
    is_syncing(&disk).await;
    gone.abort();
    assert!(gone.await.expect_err("it is aborted").is_cancelled());
    disk.release_syncs();
    assert_eq!(store.enqueue(letter(2)).await.expect("it is new"), Enqueued::Stored);
    assert_eq!(store.enqueue(letter(1)).await.expect("it is known"), Enqueued::Waiting);
}

#[tokio::test]
async fn a_store_that_is_compacted_keeps_all() {
    let script = Script::of(3, 60).await;
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    for (act, _) in &script.acts {
        // Some are refused, as they were on the store in memory.
        drop(act.run(&store).await);
    }
    let before = disk.bytes().len();
    assert!(store.compact().await.expect("it compacts"));
    assert!(disk.bytes().len() < before);
    assert_eq!(state(&store).await, script.states[60]);
    drop(store);
    let store = options().open_on(disk).await.expect("it opens");
    lease(&store).await;
    assert_eq!(state(&store).await, script.states[60]);
}

/// Stores nothing, and takes more room than there is.
struct Huge;

impl Operation for Huge {
    type Output = ();

    fn bytes(&self) -> usize {
        WRITE_QUEUE_BYTES_MAX + 1
    }

    fn apply(&self, _: &mut Writing<'_>) -> Result<(), Trouble> {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_larger_than_the_queue_is_done_alone() {
    let store = open(&FaultyDisk::new()).await;
    let done = timeout(Duration::from_secs(30), store.queue().expect("it is open").write(Huge)).await;
    done.expect("there is room when nobody else is there").expect("nothing is wrong with it");
}
