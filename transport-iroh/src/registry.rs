//! Which connections there are: being made, alive, or delivering their last
//! bytes. Lets a transport close all of them and wait until they are gone. Must
//! not live here: who may connect (`allow_list.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use actor_cluster::id::NodeId;
use actor_cluster::transport::CloseReason;
use tokio::sync::watch;

use crate::connection::Shared;

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

/// A number of things that exist, and a way to wait until none does.
pub(crate) struct Gauge {
    count: Arc<watch::Sender<usize>>,
}

impl Gauge {
    /// One more, until the guard is dropped.
    pub(crate) fn enter(&self) -> GaugeGuard {
        self.count.send_modify(|count| *count += 1);
        GaugeGuard { count: self.count.clone() }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until there is none.
    pub(crate) async fn emptied(&self) {
        // The sender is ours, so the wait cannot end for want of one.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)) }
    }
}

/// One thing that a [`Gauge`] counts.
pub(crate) struct GaugeGuard {
    count: Arc<watch::Sender<usize>>,
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}
