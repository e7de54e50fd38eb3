//! A leaky bucket: so many jobs at once, and so many more in each interval.

use std::time::Duration;

use actor_core::Instant;

use crate::factory::settings::RateLimit;

/// How many jobs may come now.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    left: u32,
    /// Up to when it was refilled.
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        Self { limit, left: limit.initial.min(limit.max), filled: now }
    }

    /// Lets one job in, if one may come.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let is_open = self.left > 0;
        self.left -= u32::from(is_open);
        is_open
    }

    fn refill(&mut self, now: Instant) {
        let interval = self.limit.interval.as_nanos().max(1);
        let intervals = now.saturating_since(self.filled).as_nanos() / interval;
        let more = u128::from(self.limit.refill).saturating_mul(intervals);
        let left = u128::from(self.left).saturating_add(more).min(u128::from(self.limit.max));
        self.left = u32::try_from(left).unwrap_or(u32::MAX);
        // Only whole intervals count, so none is lost between two looks.
        let counted = Duration::from_nanos(u64::try_from(intervals * interval).unwrap_or(u64::MAX));
        self.filled = self.filled + counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_elapsed(Duration::from_millis(ms))
    }

    #[test]
    fn so_many_at_once_and_so_many_in_each_interval() {
        let limit = RateLimit { max: 5, refill: 2, interval: Duration::from_millis(100), initial: 3 };
        let mut bucket = Bucket::new(limit, at(50));
        let mut taken = |ms: u64| (0..20).filter(|_| bucket.take(at(ms))).count();
        // When, and how many of twenty are let in.
        let table = [(50, 3), (149, 0), (150, 2), (249, 0), (260, 2), (350, 2), (349, 0), (100_000, 5)];
        for (ms, expected) in table {
            assert_eq!(taken(ms), expected, "at {ms}");
        }
    }

    #[test]
    fn more_than_fits_is_as_much_as_fits() {
        let limit = RateLimit { max: 5, refill: u32::MAX, interval: Duration::from_nanos(1), initial: 9 };
        let mut bucket = Bucket::new(limit, Instant::ZERO);
        assert_eq!((0..20).filter(|_| bucket.take(Instant::ZERO)).count(), 5);
        assert_eq!((0..20).filter(|_| bucket.take(Instant::FAR)).count(), 5);
    }
}
