//! How much of what one peer has sent is being read outside of its session's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Readings(Arc<AtomicU64>);

/// A message is being read, until this is dropped.
pub(super) struct Reading {
    of: Readings,
    bytes: u64,
}

impl Readings {
    /// Whether so much more would be more than `most`. A message by itself never is.
    pub(super) fn would_exceed(&self, most: u64, bytes: u64) -> bool {
        // Relaxed, all: nothing else is told by it. Whoever waits is woken by the end of a reading, and looks again then.
        let now = self.0.load(Ordering::Relaxed);
        now > 0 && now + bytes > most
    }

    pub(super) fn begin(&self, bytes: usize) -> Reading {
        let bytes = bytes as u64;
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Reading { of: self.clone(), bytes }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
