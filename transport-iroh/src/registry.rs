//! Which connections there are: being made, alive, or delivering their last
//! bytes. Lets a transport close all of them and wait until they are gone. Must
//! not live here: who may connect (`allow_list.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::connection::Shared;
use actor_cluster::id::NodeId;
use actor_cluster::transport::CloseReason;
use actor_cluster::transport::net::Gauge;

/// The connections of one transport.
#[derive(Default)]
pub(crate) struct Registry {
    alive: Mutex<HashMap<u64, Weak<Shared>>>,
    next_key: AtomicU64,
    /// Connections that hold the transport's socket, from the start of their
    /// handshake to the end of their last stream.
    pub(crate) held: Gauge,
    /// Streams that nobody uses any more and that still deliver.
    pub(crate) lingering: Gauge,
}

impl Registry {
    /// Notes a connection that is complete, under a key for [`Self::remove`].
    pub(crate) fn add(&self, connection: Weak<Shared>) -> u64 {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(key, connection);
        key
    }

    /// Forgets a connection that is gone.
    pub(crate) fn remove(&self, key: u64) {
        self.lock().remove(&key);
    }

    /// Closes every connection.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        for connection in self.alive() {
            connection.close(reason);
        }
    }

    /// Closes every connection to such a peer.
    pub(crate) fn close_those(&self, is_one: impl Fn(NodeId) -> bool, reason: &CloseReason) {
        for connection in self.alive() {
            if is_one(connection.peer()) {
                connection.close(reason);
            }
        }
    }

    /// The connections as they are now. Out of the lock, because one that ends
    /// takes it to leave.
    fn alive(&self) -> Vec<Arc<Shared>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Shared>>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
