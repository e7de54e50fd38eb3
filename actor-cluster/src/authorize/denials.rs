//! What was denied, counted: so that a peer which is denied a million things fills no stream of events, and no log.

use std::sync::atomic::{AtomicU64, Ordering};

use actor_core::Instant;

use super::Operation;
use crate::limits::FORBIDDEN_INTERVAL;

const OPERATIONS: usize = Operation::ALL.len();

/// How often peers were denied something, by operation, since the node was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Denials([u64; OPERATIONS]);

impl Denials {
    /// How often this operation was denied.
    pub fn of(&self, operation: Operation) -> u64 {
        self.0[operation.place()]
    }

    /// How often anything was.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Counts them, of all sessions.
#[derive(Debug, Default)]
pub(crate) struct DenialCounts([AtomicU64; OPERATIONS]);

impl DenialCounts {
    pub(crate) fn count(&self, operation: Operation) {
        // Relaxed: nothing else is told by it.
        self.0[operation.place()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Denials {
        Denials(self.0.each_ref().map(|count| count.load(Ordering::Relaxed)))
    }
}

/// Decides which of the denials in one session are told: of each operation one in a [`FORBIDDEN_INTERVAL`].
#[derive(Debug, Default)]
pub(crate) struct Telling([Told; OPERATIONS]);

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// Denied since then, and not told.
    untold: u64,
}

impl Telling {
    /// Takes note of a denial. Whether it is told: then for how many it stands, itself among them.
    pub(crate) fn note(&mut self, now: Instant, operation: Operation) -> Option<u64> {
        let told = &mut self.0[operation.place()];
        told.untold += 1;
        if told.last.is_some_and(|last| now < last + FORBIDDEN_INTERVAL) {
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_operation_has_a_place_of_its_own() {
        let counts = DenialCounts::default();
        for (operation, times) in Operation::ALL.into_iter().zip(1..) {
            (0..times).for_each(|_| counts.count(operation));
        }
        let now = counts.now();
        assert_eq!(Operation::ALL.map(|operation| now.of(operation)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(now.total(), 45);
    }

    #[test]
    fn one_denial_of_an_operation_is_told_in_an_interval_and_the_next_says_how_many_were_not() {
        let mut telling = Telling::default();
        let at = |millis| Instant::ZERO + Duration::from_secs(9) + Duration::from_millis(millis);
        let interval = u64::try_from(FORBIDDEN_INTERVAL.as_millis()).unwrap();
        assert_eq!(telling.note(at(0), Operation::Cast), Some(1));
        for _ in 0..1000 {
            assert_eq!(telling.note(at(interval - 1), Operation::Cast), None);
        }
        assert_eq!(telling.note(at(interval - 1), Operation::Kill), Some(1), "another operation");
        assert_eq!(telling.note(at(interval), Operation::Cast), Some(1001));
        assert_eq!(telling.note(at(interval + 1), Operation::Cast), None);
        assert_eq!(telling.note(at(5 * interval), Operation::Cast), Some(2));
    }
}
