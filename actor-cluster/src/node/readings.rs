//! How much of what a peer has sent is being read outside of its session's task.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Node;
use super::link::Link;
use crate::limits::READ_ASIDE_BYTES_LEAST;

/// A message is being read, until this is dropped.
pub(super) struct Reading {
    link: Arc<Link>,
    bytes: u64,
}

impl Link {
    pub(super) fn begin_reading(self: &Arc<Self>, bytes: usize) -> Reading {
        let bytes = bytes as u64;
        // Relaxed, all: nothing else is told by it.
        self.reading_bytes.fetch_add(bytes, Ordering::Relaxed);
        Reading { link: self.clone(), bytes }
    }

    /// Whether so much more is too much to be read at a time. A message by itself never is.
    pub(super) fn reads_enough(&self, most: u64, bytes: u64) -> bool {
        let now = self.reading_bytes.load(Ordering::Relaxed);
        now > 0 && now + bytes > most
    }
}

impl Node {
    /// Reads so many bytes: at once if they are few, else where it keeps nobody else waiting.
    pub(super) fn aside_if_long(&self, bytes: usize, read: impl FnOnce() + Send + 'static) {
        if bytes >= READ_ASIDE_BYTES_LEAST {
            drop(self.executor().spawn_blocking(read));
        } else {
            read();
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.link.reading_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        // The session's task is woken: nobody may wait for what was read here any more, and another message for its
        // turn to be read.
        self.link.waker.wake();
    }
}
