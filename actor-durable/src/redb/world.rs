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
    leases: Mutex<Leases>,
}

#[derive(Debug)]
struct Leases {
    of: BTreeMap<OwnerId, Lease>,
    /// Whether no other process can have the file.
    is_file_ours: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    until: Instant,
    /// Whether no other process can have had the file since the last renewal.
    is_certain: bool,
}

impl World {
    /// Of a file that is open.
    pub(super) fn new(executor: Executor) -> Self {
        let leases = Leases { of: BTreeMap::new(), is_file_ours: true };
        Self { executor, leases: Mutex::new(leases) }
    }

    pub(super) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(super) fn now(&self) -> WallTime {
        WallTime::from_unix(self.executor.unix_time())
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins or extends a lease, and forgets those that are over. One during which another process may have had the file begins
    /// anew.
    pub(super) fn renew(&self, owner: OwnerId, lease: Duration) -> Renewal {
        let now = self.executor.now();
        let mut leases = self.leases();
        leases.of.retain(|_, lease| lease.until > now);
        let lease = Lease { until: now + lease, is_certain: leases.is_file_ours };
        match leases.of.insert(owner, lease) {
            Some(Lease { is_certain: true, .. }) => Renewal::Extended,
            _ => Renewal::Begun,
        }
    }

    pub(super) fn retire(&self, owner: OwnerId) {
        self.leases().of.remove(&owner);
    }

    /// Whether the lease of an owner is not over.
    pub(super) fn is_alive(&self, owner: OwnerId) -> bool {
        let now = self.executor.now();
        self.leases().of.get(&owner).is_some_and(|lease| lease.until > now)
    }

    /// The file is about to be closed, and another process may open it.
    pub(super) fn give_up_file(&self) {
        let mut leases = self.leases();
        leases.is_file_ours = false;
        leases.of.values_mut().for_each(|lease| lease.is_certain = false);
    }

    /// The file is open again.
    pub(super) fn take_file(&self) {
        self.leases().is_file_ours = true;
    }
}
