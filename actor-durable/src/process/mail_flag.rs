//! What an activation is told of its letters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether there may be letters that were not read. Shared with those who know.
#[derive(Clone, Debug)]
pub(crate) struct MailFlag(Arc<AtomicBool>);

impl MailFlag {
    /// There may be, as whoever begins does not know better.
    pub(super) fn raised() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// There may be one that was stored before this.
    pub(crate) fn raise(&self) {
        // Pairs with `take`: whoever sees the flag reads the store after it was raised.
        self.0.store(true, Ordering::Release);
    }

    /// It is up seldom, and asked for with each message.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Whether it was up; it is down now.
    pub(crate) fn take(&self) -> bool {
        self.is_raised() && self.0.swap(false, Ordering::Acquire)
    }
}
