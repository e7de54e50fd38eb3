//! What each mode does, and that a plan without faults changes nothing: the suite passes through it.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::MemoryStore;
use crate::id::{ActorType, DurableId, Epoch, OwnerId, Target};
use crate::store::{Claim, ClaimMode};

const OWNER: OwnerId = OwnerId::new(1);

fn claim() -> Claim {
    let id = DurableId::new("a").expect("a good id");
    let target = Target { id, actor_type: ActorType::new("counter").expect("a good name") };
    Claim { target, owner: OWNER, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree }
}

fn acquire(visit: u64, mode: FaultMode) -> Fault {
    Fault { operation: Operation::Acquire, visit, mode }
}

/// A store within, whose owner lives, and the faulty one over it.
async fn faulty(plan: &[Fault]) -> (MemoryStore, FaultStore) {
    let inner = MemoryStore::new();
    inner.renew(OWNER, Duration::from_secs(3600)).await.expect("a lease");
    let faulty = FaultStore::new(Arc::new(inner.clone()), plan.iter().copied());
    (inner, faulty)
}

/// The epoch in the store within.
async fn epoch(inner: &MemoryStore) -> Option<u64> {
    let head = inner.head(&claim().target.id).await.expect("a store");
    head.map(|head| head.epoch.0)
}

/// Whether a future waits when it is polled.
fn waits<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    matches!(std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

#[tokio::test]
async fn a_store_that_crashes_before_an_operation_has_not_done_it() {
    let (inner, faulty) = faulty(&[acquire(2, FaultMode::CrashBefore)]).await;
    faulty.acquire(claim()).await.expect("it is the first");
    let mut under_way = faulty.arrivals();
    assert!(waits(&mut faulty.acquire(claim())));
    faulty.crashed().await;
    assert_eq!(epoch(&inner).await, Some(1));
    assert!(waits(&mut faulty.renew(OWNER, Duration::ZERO)), "it is dead from then on");
    assert!(waits(&mut under_way.next()));
    assert_eq!(faulty.visits(), [(Operation::Acquire, 2)].into());
    inner.acquire(claim()).await.expect("its lease goes on");
}

#[tokio::test]
async fn a_store_that_crashes_after_an_operation_has_done_it() {
    let (inner, faulty) = faulty(&[acquire(1, FaultMode::CrashAfter)]).await;
    assert!(waits(&mut faulty.acquire(claim())));
    assert!(faulty.has_crashed());
    assert_eq!(epoch(&inner).await, Some(1));
    assert!(waits(&mut faulty.acquire(claim())));
    assert_eq!(epoch(&inner).await, Some(1));
}

#[tokio::test]
async fn an_answer_that_is_lost_is_of_something_done() {
    let read = Fault { operation: Operation::Head, visit: 1, mode: FaultMode::LoseAnswer };
    let (inner, faulty) = faulty(&[acquire(1, FaultMode::LoseAnswer), read]).await;
    let error = faulty.acquire(claim()).await.expect_err("its answer is lost");
    assert!(matches!(error, StoreError::Unknown(_)), "{error}");
    assert_eq!(epoch(&inner).await, Some(1));
    let error = faulty.head(&claim().target.id).await.expect_err("its answer is lost");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Unavailable(_))), "{error}");
    assert_eq!(faulty.acquire(claim()).await.expect("it goes on").epoch, Epoch(2));
    assert_eq!(faulty.faults_left(), []);
}

#[tokio::test]
async fn what_is_refused_is_refused_though_answers_are_lost() {
    let (inner, faulty) = faulty(&[acquire(1, FaultMode::LoseAnswer)]).await;
    inner.retire(OWNER).await.expect("it lives");
    let error = faulty.acquire(claim()).await.expect_err("it has no lease");
    assert!(matches!(error, StoreError::NotApplied(Refusal::LeaseOver { .. })), "{error}");
}

#[tokio::test]
async fn what_is_paused_goes_on_when_it_is_told_to() {
    let (inner, faulty) = faulty(&[acquire(1, FaultMode::Pause), acquire(3, FaultMode::Pause)]).await;
    let mut first = faulty.acquire(claim());
    assert!(waits(&mut first));
    faulty.paused().await;
    assert_eq!(epoch(&inner).await, None);
    assert_eq!(faulty.acquire(claim()).await.expect("others pass it").epoch, Epoch(1));
    faulty.resume();
    assert_eq!(first.await.expect("it goes on").epoch, Epoch(2));
    assert!(matches!(faulty.late().await[..], [Late { operation: Operation::Acquire, answer: Ok(()) }]));
    faulty.stall();
    let id = claim().target.id;
    let mut read = faulty.head(&id);
    assert!(waits(&mut read), "a process that stands still does nothing");
    faulty.go_on();
    assert_eq!(read.await.expect("a store").map(|head| head.epoch), Some(Epoch(2)));
    assert_eq!(faulty.late().await.len(), 2);
    let mut third = faulty.acquire(claim());
    assert!(waits(&mut third), "it waits for its own word");
    faulty.crash();
    faulty.resume();
    assert!(waits(&mut third), "a process that has ended is not resumed");
    assert_eq!(epoch(&inner).await, Some(2));
}

#[tokio::test]
async fn a_process_that_ends_while_it_stands_still_does_nothing_more() {
    let (inner, faulty) = faulty(&[]).await;
    faulty.stall();
    let mut stalled = faulty.acquire(claim());
    assert!(waits(&mut stalled));
    faulty.crash();
    faulty.go_on();
    assert!(waits(&mut stalled));
    assert_eq!(epoch(&inner).await, None, "the store within hears nothing");
}

#[tokio::test]
async fn a_plan_says_what_it_is() {
    let fault = acquire(2, FaultMode::CrashAfter);
    assert_eq!(fault.to_string(), "CrashAfter at visit 2 of Acquire");
    let (_, faulty) = faulty(&[fault]).await;
    assert!(format!("{faulty:?}").contains("visit: 2"), "{faulty:?}");
}

/// A store in which an actor was acquired so often, and whose epochs are looked at with those of others.
async fn acquired(times: usize, epochs: &Epochs) -> FaultStore {
    let inner = MemoryStore::new();
    inner.renew(OWNER, Duration::from_secs(3600)).await.expect("a lease");
    for _ in 0..times {
        inner.acquire(claim()).await.expect("it is free");
    }
    FaultStore::watched(Arc::new(inner), None, epochs.clone())
}

/// What is said of a store that is in epoch 1 again, after another one was acquired in epoch 3.
async fn said_of_old_epoch(ask: impl AsyncFnOnce(&FaultStore)) -> Result<(), String> {
    let epochs = Epochs::default();
    let new = acquired(2, &epochs).await;
    assert_eq!(new.acquire(claim()).await.expect("it is free").epoch, Epoch(3));
    assert_eq!(epochs.check(), Ok(()));
    let old = acquired(1, &epochs).await;
    ask(&old).await;
    epochs.check()
}

#[tokio::test]
async fn a_store_that_is_in_an_old_epoch_is_seen_by_whoever_watches_it() {
    let id = claim().target.id;
    let acquired = said_of_old_epoch(async |old| {
        assert_eq!(old.acquire(claim()).await.expect("it is free").epoch, Epoch(2));
    });
    assert_eq!(acquired.await, Err("a: it was acquired in epoch 2, after epoch 3".to_owned()));
    let shown = said_of_old_epoch(async |old| {
        assert_eq!(old.head(&id).await.expect("a store").map(|head| head.epoch), Some(Epoch(1)));
    });
    assert_eq!(shown.await, Err("a: it was shown in epoch 1, after epoch 3".to_owned()));
    let done = said_of_old_epoch(async |old| old.release(&id, Epoch(1)).await.expect("it is owned"));
    assert_eq!(done.await, Err("a: something was done in epoch 1, after epoch 3".to_owned()));
}

#[tokio::test]
async fn an_epoch_that_is_handed_out_twice_is_seen_by_whoever_watches() {
    let epochs = Epochs::default();
    for _ in 0..2 {
        let store = acquired(2, &epochs).await;
        assert_eq!(store.acquire(claim()).await.expect("it is free").epoch, Epoch(3));
    }
    assert_eq!(epochs.check(), Err("a: it was acquired in epoch 3, after epoch 3".to_owned()));
}
