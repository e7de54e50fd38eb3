//! The suite of stores, on files of their own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;

use crate::id::WallTime;
use crate::redb::RedbStore;
use crate::store::Store;
use crate::testing::WallClock;
use crate::testing::store_suite::Place;

/// What clocks show.
pub(super) const BEGAN: WallTime = WallTime::from_millis(1_800_000_000_000);

/// A directory with one store.
struct Directory {
    directory: TempDir,
    clock: WallClock,
}

impl Directory {
    fn new() -> Self {
        let clock = WallClock::at(BEGAN);
        Self { directory: directory(), clock }
    }
}

/// In memory where that can be had: the suites end processes and cut no power, so a sync is nothing to them but time. The long
/// form is on a disk.
fn directory() -> TempDir {
    let on_disk = || tempfile::tempdir().expect("a directory");
    if std::env::var_os("ACTOR_TEST_FULL").is_some() {
        return on_disk();
    }
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| on_disk())
}

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        let options = RedbStore::options().executor(self.clock.store_executor());
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

mod turns_of_events {
    crate::turn_suite!(super::Directory::new(), Events, drawn);
}

mod turns_of_a_wrapped_actor {
    crate::turn_suite!(super::Directory::new(), Wrapped, drawn);
}

mod turns_of_a_wrapped_service {
    crate::turn_suite!(super::Directory::new(), Service, drawn);
}
