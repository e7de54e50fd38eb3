//! A disk that fails, and a log that grows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_durable::store::{Claim, ClaimMode, Store};
use actor_durable::{ActorType, DurableId, Epoch, OwnerId};

use super::log::Disk;
use super::*;

const OWNER: OwnerId = OwnerId::new(1);

fn claim() -> Claim {
    let id = DurableId::new("a").expect("a good id");
    let target = Target { id, actor_type: ActorType::new("counter").expect("a good name") };
    Claim { target, owner: OWNER, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree }
}

/// Fails when it is told to.
#[derive(Clone, Debug, Default)]
struct Failing {
    writes: Arc<AtomicBool>,
    syncs: Arc<AtomicBool>,
}

impl Disk for Failing {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        if self.writes.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.syncs.load(Ordering::Relaxed) { Err(io::Error::other("it is gone")) } else { Ok(()) }
    }
}

async fn store(disk: &Failing) -> LogStore {
    let log = Log::on(Box::new(disk.clone()), 0);
    let store = LogStore::on(Tables::new(Executor::tokio()), log, None).expect("a thread");
    store.renew(OWNER, Duration::from_secs(3600)).await.expect("leases are not written");
    store
}

#[tokio::test]
async fn a_write_or_a_sync_that_fails_leaves_it_unknown_and_closes_the_store() {
    for which in [0, 1] {
        let disk = Failing::default();
        let store = store(&disk).await;
        store.acquire(claim()).await.expect("the disk is good");
        [&disk.writes, &disk.syncs][which].store(true, Ordering::Relaxed);
        let error = store.acquire(claim()).await.expect_err("the disk fails");
        assert!(matches!(error, StoreError::Unknown(_)), "{error}");
        // That the disk is well again is no reason to go on.
        [&disk.writes, &disk.syncs][which].store(false, Ordering::Relaxed);
        let error = store.acquire(claim()).await.expect_err("it has closed");
        assert!(matches!(error, StoreError::NotApplied(Refusal::Closed(_))), "{error}");
        let error = store.head(&claim().target.id).await.expect_err("it does not know");
        assert!(matches!(error, StoreError::NotApplied(Refusal::Closed(_))), "{error}");
    }
}

#[tokio::test]
async fn what_is_refused_writes_nothing() {
    let disk = Failing::default();
    let store = store(&disk).await;
    disk.writes.store(true, Ordering::Relaxed);
    let epoch = Epoch(1);
    let error = store.release(&claim().target.id, epoch).await.expect_err("there is no such actor");
    assert!(matches!(error, StoreError::NotApplied(Refusal::NoSuchActor)), "{error}");
    assert_eq!(store.head(&claim().target.id).await.expect("it is open"), None);
}
