//! The lease of this process, as far as the process itself can be certain of it. Must not live here: who renews it, and when.
//!
//! ```text
//!  asked    answered     asked  answered             asked      answered
//!    ├─────── held ────────├─ ─ ─ ─│─ ─ held ─ ─┤      ├─ ─ ─ ─ ─ ─ ┆ held ─ ─►
//!    └ term 1                                   └ anybody may take  └ term 2
//!                                                 what is term 1's
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actor_core::Instant;

use crate::store::Renewal;

/// See the module. One task renews it, any may ask.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// How often it was begun.
    term: AtomicU64,
    /// Until when it certainly lasts, as nanoseconds of the executor's clock.
    until: AtomicU64,
    /// Whether a renewal was asked for and not answered. Only whoever renews looks at it.
    is_asked: AtomicBool,
}

/// A time in which a lease was held without a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Term(u64);

impl Lease {
    /// A renewal is asked for. Whether the one before was answered.
    pub(super) fn ask(&self) -> bool {
        !self.is_asked.swap(true, Ordering::Relaxed)
    }

    /// A renewal was answered: from now until then the lease is held. Counted from before it was asked for, so that nobody else can
    /// think it is over before.
    pub(super) fn renewed(&self, renewal: Renewal, now: Instant, until: Instant) {
        self.is_asked.store(false, Ordering::Relaxed);
        if renewal == Renewal::Begun || nanos(now) >= self.until.load(Ordering::Relaxed) {
            // It was over by the store's clock, or may have been, so that somebody else has had what this process has had.
            self.term.fetch_add(1, Ordering::Relaxed);
        }
        // Pairs with `is_held`: whoever sees that it lasts sees the term that does.
        self.until.fetch_max(nanos(until), Ordering::Release);
    }

    /// The term of what is taken from now on.
    pub(super) fn term(&self) -> Term {
        // Whoever reads it too early asks the store once more than is needed.
        Term(self.term.load(Ordering::Relaxed))
    }

    /// Whether what this process had in a term is certainly its own now.
    pub(super) fn is_held_since(&self, term: Term, now: Instant) -> bool {
        nanos(now) < self.until.load(Ordering::Acquire) && self.term() == term
    }
}

fn nanos(time: Instant) -> u64 {
    u64::try_from(time.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lease_that_is_renewed_in_time_is_held_since_it_began() {
        let lease = Lease::default();
        lease.renewed(Renewal::Begun, at(1), at(10));
        let term = lease.term();
        lease.renewed(Renewal::Extended, at(9), at(19));
        assert!(lease.is_held_since(term, at(18)));
        assert!(!lease.is_held_since(term, at(19)));
    }

    #[test]
    fn what_was_had_before_a_lease_was_over_is_not_held_by_the_next() {
        let lease = Lease::default();
        let before = lease.term();
        lease.renewed(Renewal::Begun, at(0), at(10));
        assert!(!lease.is_held_since(before, at(1)));
        let term = lease.term();
        lease.renewed(Renewal::Extended, at(10), at(20));
        assert!(!lease.is_held_since(term, at(11)));
        assert!(lease.is_held_since(lease.term(), at(11)));
    }

    #[test]
    fn a_renewal_that_is_answered_when_its_time_is_over_holds_nothing() {
        let lease = Lease::default();
        lease.renewed(Renewal::Begun, at(0), at(10));
        lease.renewed(Renewal::Extended, at(25), at(20));
        assert!(!lease.is_held_since(lease.term(), at(25)));
    }

    #[test]
    fn what_was_over_by_the_stores_clock_alone_is_not_held_either() {
        let lease = Lease::default();
        lease.renewed(Renewal::Begun, at(0), at(10));
        let term = lease.term();
        lease.renewed(Renewal::Begun, at(3), at(13));
        assert!(!lease.is_held_since(term, at(4)));
        assert!(lease.is_held_since(lease.term(), at(4)));
    }

    #[test]
    fn whether_the_renewal_before_was_answered_is_known() {
        let lease = Lease::default();
        assert!(lease.ask());
        assert!(!lease.ask() && !lease.ask());
        lease.renewed(Renewal::Extended, at(0), at(10));
        assert!(lease.ask());
    }
}
