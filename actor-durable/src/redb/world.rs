//! What a store knows beside its file: the time, and the leases.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_core::{Executor, Instant};

use crate::id::{OwnerId, WallTime};
use crate::store::Renewal;

/// Leases are kept in memory, by the monotonic clock: only one process can have the file open, so those of an earlier process are
/// over.
#[derive(Debug)]
pub(super) struct World {
    executor: Executor,
    leases: Mutex<BTreeMap<OwnerId, Instant>>,
}

impl World {
    pub(super) fn new(executor: Executor) -> Self {
        Self { executor, leases: Mutex::default() }
    }

    pub(super) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(super) fn now(&self) -> WallTime {
        WallTime::from_unix(self.executor.unix_time())
    }

    fn leases(&self) -> MutexGuard<'_, BTreeMap<OwnerId, Instant>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins or extends a lease, and forgets those that are over.
    pub(super) fn renew(&self, owner: OwnerId, lease: Duration) -> Renewal {
        let now = self.executor.now();
        let mut leases = self.leases();
        leases.retain(|_, until| *until > now);
        match leases.insert(owner, now + lease) {
            Some(_) => Renewal::Extended,
            None => Renewal::Begun,
        }
    }

    pub(super) fn retire(&self, owner: OwnerId) {
        self.leases().remove(&owner);
    }

    /// Whether the lease of an owner is not over.
    pub(super) fn is_alive(&self, owner: OwnerId) -> bool {
        let now = self.executor.now();
        self.leases().get(&owner).is_some_and(|until| *until > now)
    }
}
