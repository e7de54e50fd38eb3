//! The suite of stores, on files of their own.

use std::sync::Arc;
use std::time::Duration;

use actor_core::executor::{BoxTask, LocalRuntime, Runtime, RuntimeTask};
use actor_core::{Executor, Instant};
use async_trait::async_trait;
use tempfile::TempDir;

use crate::id::WallTime;
use crate::redb::RedbStore;
use crate::store::Store;
use crate::testing::WallClock;
use crate::testing::store_suite::Place;

/// What clocks show.
pub(super) const BEGAN: WallTime = WallTime::from_millis(1_800_000_000_000);

/// A runtime whose monotonic clock goes with the wall clock: leases are by the one, messages by the other.
pub(super) struct OneClock(pub(super) WallClock);

impl Runtime for OneClock {
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask> {
        Runtime::spawn(&self.0, task)
    }

    fn local(&self, name: &str) -> std::io::Result<Arc<dyn LocalRuntime>> {
        self.0.local(name)
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.unix_time())
    }

    fn sleep_until(&self, deadline: Instant) -> BoxTask {
        self.0.sleep_until(deadline)
    }

    fn unix_time(&self) -> Duration {
        self.0.unix_time()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.0.fill_random(buffer);
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        Runtime::spawn_blocking(&self.0, job);
    }
}

/// A directory with one store.
struct Directory {
    directory: TempDir,
    clock: WallClock,
}

impl Directory {
    fn new() -> Self {
        let clock = WallClock::at(BEGAN);
        Self { directory: tempfile::tempdir().expect("a directory"), clock }
    }
}

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        let executor = Executor::custom(Arc::new(OneClock(self.clock.clone())));
        let options = RedbStore::options().executor(executor);
        let store = options.open(self.directory.path().join("store.redb")).await.expect("it opens");
        Arc::new(store)
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    fn now(&self) -> WallTime {
        self.clock.now()
    }
}

mod cases {
    crate::store_suite!(super::Directory::new());
}

mod turns {
    crate::turn_suite!(super::Directory::new());
}
