//! The suite of stores, on the one in memory, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::id::WallTime;
use crate::store::Store;
use crate::testing::store_suite::Place;
use crate::testing::{FaultStore, WallClock};

/// A store whose clock is moved by hand.
pub(crate) struct Memory {
    clock: WallClock,
    store: MemoryStore,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let clock = WallClock::at(WallTime::from_millis(1_800_000_000_000));
        Self { store: MemoryStore::on(clock.executor()), clock }
    }
}

#[async_trait]
impl Place for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    fn now(&self) -> WallTime {
        self.clock.now()
    }
}

mod suite {
    crate::store_suite!(super::Memory::new());
}

/// The same through a store that could fail and is not told to.
struct Faultless(Memory);

#[async_trait]
impl Place for Faultless {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(FaultStore::new(self.0.open().await, []))
    }

    async fn pass(&self, time: Duration) {
        self.0.pass(time).await;
    }

    fn now(&self) -> WallTime {
        self.0.now()
    }
}

mod without_faults {
    crate::store_suite!(super::Faultless(super::Memory::new()));
}

mod turns {
    crate::turn_suite!(super::Memory::new());
}

mod turns_of_events {
    crate::turn_suite!(super::Memory::new(), Events);
}

mod turns_of_a_wrapped_actor {
    crate::turn_suite!(super::Memory::new(), Wrapped);
}

mod turns_of_a_wrapped_service {
    crate::turn_suite!(super::Memory::new(), Service);
}
