//! A store in memory, for tests, and the reference that all others are compared with. Nothing outlives the process.
//!
//! ```text
//!  MemoryStore ── now ──► Tables: checks all, then changes     no clock, no lock, no task
//!       │ └── lock, clock
//!       └── arrivals ──► whoever listens, or Missed
//! ```

mod store;
pub(crate) mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_core::Executor;
use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};

use self::tables::Tables;
use crate::id::{Target, WallTime};
use crate::limits::ARRIVALS_BEHIND_MAX;
use crate::store::{Arrival, Arrivals};

/// Keeps durable actors in memory. Clones are handles to the same store, which is gone with the last of them.
///
/// All of its operations complete when they are first polled. Its clock is the executor's [`unix_time`](Executor::unix_time), so that
/// leases end in a simulation when they should.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tables: Mutex<Tables>,
    executor: Executor,
    arrivals: broadcast::Sender<Target>,
}

impl MemoryStore {
    /// An empty store with the system's clock.
    pub fn new() -> Self {
        Self::on(Executor::tokio())
    }

    /// An empty store with this executor's clock.
    pub fn on(executor: Executor) -> Self {
        let (arrivals, _) = broadcast::channel(ARRIVALS_BEHIND_MAX);
        Self { shared: Arc::new(Shared { tables: Mutex::default(), executor, arrivals }) }
    }

    /// The tables check everything before they change anything, so a panic under the lock leaves them consistent.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.shared.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> WallTime {
        WallTime::from_unix(self.shared.executor.unix_time())
    }

    fn tell(&self, target: Target) {
        // Nobody may be listening.
        drop(self.shared.arrivals.send(target));
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

struct Listener(broadcast::Receiver<Target>);

#[async_trait]
impl Arrivals for Listener {
    async fn next(&mut self) -> Arrival {
        match self.0.recv().await {
            Ok(target) => Arrival::Mail(target),
            Err(RecvError::Lagged(_)) => Arrival::Missed,
            Err(RecvError::Closed) => Arrival::Closed,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
