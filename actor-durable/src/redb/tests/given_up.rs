//! A file that is given up while the disk is full, and may be another process's until it is opened again.

use std::time::Duration;

use tokio::time::timeout;

use super::script::options;
use super::suite::BEGAN;
use super::verifying::id;
use super::{OWNER, acquire, message, target, turn};
use crate::id::{Epoch, OwnerId};
use crate::limits::REOPEN_PAUSE;
use crate::redb::RedbStore;
use crate::redb::faulty::{DiskFault, FaultyDisk};
use crate::store::{Arrival, Claim, ClaimMode, Head, Refusal, Renewal, Store, StoreError};
use crate::testing::WallClock;

const LEASE: Duration = Duration::from_secs(3600);

async fn open(disk: &FaultyDisk, clock: &WallClock) -> RedbStore {
    options().executor(clock.store_executor()).open_on(disk.clone()).await.expect("it opens")
}

/// A store with an actor, and the disk is full.
async fn full(disk: &FaultyDisk, clock: &WallClock) -> (RedbStore, Head) {
    let store = open(disk, clock).await;
    let head = acquire(&store, "a").await.expect("it is free");
    disk.fail_at(disk.steps(), DiskFault::NoSpace);
    let error = store.commit_turn(turn(&head, id(1), "one")).await.expect_err("it is full");
    assert!(matches!(error, StoreError::NotApplied(Refusal::NoSpace(_))), "{error:?}");
    (store, head)
}

async fn renew(store: &RedbStore, owner: OwnerId) -> Renewal {
    store.renew(owner, LEASE).await.expect("it is open")
}

#[tokio::test]
async fn a_lease_begins_anew_if_another_process_may_have_had_the_file() {
    let (disk, clock) = (FaultyDisk::new(), WallClock::at(BEGAN));
    let (store, head) = full(&disk, &clock).await;
    for _ in 0..2 {
        assert_eq!(renew(&store, OWNER).await, Renewal::Begun, "others may have the file");
    }
    disk.mend();
    let (other, owner) = (open(&disk, &clock).await, OwnerId::new(99));
    assert_eq!(renew(&other, owner).await, Renewal::Begun);
    let claim = Claim { target: target("a"), owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    let theirs = other.acquire(claim).await.expect("the leases of others are over");
    drop(other);
    clock.pass(REOPEN_PAUSE);
    let found = store.head(&head.target.id).await.expect("it is opened again").expect("it is there");
    assert_eq!(found, theirs);
    assert_eq!(renew(&store, OWNER).await, Renewal::Begun, "another had the file");
    assert_eq!(renew(&store, OWNER).await, Renewal::Extended, "and has it no more");
}

#[tokio::test]
async fn whoever_has_a_lease_keeps_it_while_the_disk_is_full() {
    let (disk, clock) = (FaultyDisk::new(), WallClock::at(BEGAN));
    let (store, head) = full(&disk, &clock).await;
    disk.mend();
    clock.pass(REOPEN_PAUSE);
    let claim = |owner| Claim { target: target("a"), owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    let other = OwnerId::new(8);
    renew(&store, other).await;
    let error = store.acquire(claim(other)).await.expect_err("its owner lives");
    assert!(matches!(error, StoreError::NotApplied(Refusal::Held { owner: OWNER })), "{error:?}");
    let again = store.acquire(claim(OWNER)).await.expect("it lives");
    assert_eq!(again.epoch, head.epoch.next());
}

#[tokio::test]
async fn whoever_listens_is_told_that_another_process_may_have_put_in_messages_meanwhile() {
    let (disk, clock) = (FaultyDisk::new(), WallClock::at(BEGAN));
    let (store, head) = full(&disk, &clock).await;
    let mut arrivals = store.arrivals();
    disk.mend();
    let other = open(&disk, &clock).await;
    other.enqueue(message("a", id(2), "theirs")).await.expect("it is new");
    drop(other);
    clock.pass(REOPEN_PAUSE);
    let found = store.head(&head.target.id).await.expect("it is opened again").expect("it is there");
    assert_eq!(found.waiting, 1);
    assert_eq!(store.waiting(None, 9).await.expect("it is open"), [], "its owner has a lease");
    let told = timeout(Duration::from_secs(30), arrivals.next()).await;
    assert_eq!(told.expect("it is told"), Arrival::Missed);
    store.enqueue(message("a", id(3), "ours")).await.expect("it is new");
    assert_eq!(arrivals.next().await, Arrival::Mail(target("a")));
}
