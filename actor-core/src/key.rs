//! Keys of calls that can be asked again: plain values.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::id::ActorId;

/// Names one call of one actor, so that it can be asked again without running twice.
///
/// [`Control::call_key`](crate::Control::call_key) makes one, and
/// [`ActorRef::call_once`](crate::ActorRef::call_once) calls with it. Make a new one for each call that is to run.
pub struct CallKey {
    actor: ActorId,
    number: u64,
    /// How many asks have left of which it is not known that they never ran.
    asks: AtomicU32,
}

impl CallKey {
    pub(crate) fn new(actor: ActorId, number: u64) -> Self {
        Self { actor, number, asks: AtomicU32::new(0) }
    }

    /// Whose call it is.
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// Its number among the keys that were made here for actors of the same life of a node; from 1 up. 0 if
    /// the actor is of this process.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether a handler may have seen the call, by all that is known of every time that it was asked.
    /// [`CallError::never_ran`](crate::CallError::never_ran) speaks of one time alone.
    pub fn may_have_run(&self) -> bool {
        self.asks.load(Ordering::Relaxed) > 0
    }

    // Relaxed, all: nothing else is published by it, and whoever asks twice at a time joins itself.

    pub(crate) fn note_sent(&self) {
        self.asks.fetch_add(1, Ordering::Relaxed);
    }

    /// The ask that was noted last by whoever calls never ran.
    pub(crate) fn note_never_ran(&self) {
        self.asks.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey({} of {})", self.number, self.actor)
    }
}
