//! The slot under test.
//!
//! ```text
//!  states          every edge of the state machine, on one thread
//!  stress          two real threads, for the sanitizers
//!  every_schedule  of the smallest cases    --cfg actor_loom
//!  many_schedules  of larger ones           --cfg actor_shuttle
//! ```

#[cfg(actor_loom)]
mod every_schedule;
#[cfg(actor_shuttle)]
mod many_schedules;
#[cfg(not(any(actor_loom, actor_shuttle)))]
mod states;
#[cfg(not(any(actor_loom, actor_shuttle)))]
mod stress;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts how often values were dropped. Models do not see it, and need not.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn value(&self) -> Counted {
        Counted { drops: self.clone(), number: Box::new(7) }
    }
}

/// A value that owns memory, so that a sanitizer sees a copy too many.
struct Counted {
    drops: Drops,
    number: Box<u32>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert_eq!(*self.number, 7);
        self.drops.0.fetch_add(1, Ordering::Relaxed);
    }
}
