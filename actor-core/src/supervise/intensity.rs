//! Restarts counted in a sliding window.

use std::collections::VecDeque;

use super::spec::Intensity;
use crate::time::Instant;

/// The restarts that still count.
#[derive(Debug)]
pub(crate) struct Restarts {
    limit: Intensity,
    /// When they were, oldest first; never more than `limit.restarts`.
    counted: VecDeque<Instant>,
}

impl Restarts {
    pub(crate) fn new(limit: Intensity) -> Self {
        Self { limit, counted: VecDeque::new() }
    }

    /// Counts a restart, unless it is one too many: then `false`.
    pub(crate) fn try_count(&mut self, now: Instant) -> bool {
        while self.counted.front().is_some_and(|&at| now.saturating_since(at) >= self.limit.window) {
            self.counted.pop_front();
        }
        let is_allowed = self.counted.len() < self.limit.restarts as usize;
        if is_allowed {
            self.counted.push_back(now);
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_elapsed(Duration::from_millis(ms))
    }

    fn restarts(restarts: u32, window_ms: u64) -> Restarts {
        Restarts::new(Intensity { restarts, window: Duration::from_millis(window_ms) })
    }

    #[test]
    fn c07_one_more_than_the_limit_is_too_many() {
        let mut restarts = restarts(3, 1_000);
        let allowed = [0, 0, 999, 999].map(|ms| restarts.try_count(at(ms)));
        assert_eq!(allowed, [true, true, true, false]);
    }

    #[test]
    fn c07_a_restart_counts_for_exactly_the_window() {
        let mut restarts = restarts(1, 1_000);
        assert!(restarts.try_count(at(5)));
        assert!(!restarts.try_count(at(1_004)));
        // What was refused does not count.
        assert!(restarts.try_count(at(1_005)));
        assert!(!restarts.try_count(at(2_004)));
    }

    #[test]
    fn c07_the_window_slides() {
        let mut restarts = restarts(2, 100);
        let asked = [0, 60, 100, 120, 160, 199, 200];
        let allowed = asked.map(|ms| restarts.try_count(at(ms)));
        assert_eq!(allowed, [true, true, true, false, true, false, true]);
    }

    #[test]
    fn c07_edges_of_the_limit() {
        assert!(!restarts(0, 1_000).try_count(at(0)));
        // In no time at all nothing counts.
        let mut never_too_many = restarts(1, 0);
        assert!((0..100).all(|_| never_too_many.try_count(at(7))));
        let mut for_ever = restarts(1, u64::MAX);
        assert!(for_ever.try_count(at(0)));
        assert!(!for_ever.try_count(Instant::FAR));
    }
}
