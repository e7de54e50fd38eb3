//! How well this node itself does.
//!
//! After Dadgar, Phillips and Currey, "Lifeguard: Local Health Awareness for More Accurate Failure Detection" (2018): what looks like the
//! failure of others is often one's own. Whatever tells of that makes the node slower to accuse others, and
//! time without makes it quicker again.

use std::time::Duration;

/// The worst score; Lifeguard's own default.
const SCORE_MOST: u32 = 8;

/// After so long without trouble the score is one less.
const CALM: Duration = Duration::from_secs(1);

/// So late a call is a sign that the process gets no processor.
const LATE: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(crate) struct Health {
    score: u32,
    calm_since: Duration,
    suspected_at: Option<Duration>,
}

impl Health {
    /// The machine was called so late.
    pub(crate) fn on_late(&mut self, late: Duration, now: Duration) {
        if late >= LATE {
            self.on_trouble(now);
        }
    }

    /// A helper did not even say that it knows nothing, or this node was taken for dead.
    pub(crate) fn on_trouble(&mut self, now: Duration) {
        self.score = (self.score + 1).min(SCORE_MOST);
        self.calm_since = now;
    }

    /// Others suspected this node, and were told that it lives. That they said so more than once says nothing more.
    pub(crate) fn on_suspected(&mut self, now: Duration) {
        if self.suspected_at.is_none_or(|at| now.saturating_sub(at) >= CALM) {
            self.suspected_at = Some(now);
            self.on_trouble(now);
        }
    }

    /// Time passes. Whether the score is another.
    pub(crate) fn on_time(&mut self, now: Duration) -> bool {
        let is_better = self.score > 0 && now.saturating_sub(self.calm_since) >= CALM;
        if is_better {
            self.score -= 1;
            self.calm_since = now;
        }
        is_better
    }

    /// How much longer than usual to wait before others are accused: 1 to 9.
    pub(crate) fn multiplier(&self) -> u32 {
        1 + self.score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn suspicions_count_once_a_second() {
        let mut health = Health::default();
        (0..1000).for_each(|now| health.on_suspected(ms(now)));
        assert_eq!(health.multiplier(), 2);
        health.on_suspected(ms(1000));
        assert_eq!(health.multiplier(), 3);
    }

    #[test]
    fn trouble_makes_it_patient_and_calm_quick_again() {
        let mut health = Health::default();
        health.on_late(ms(199), ms(0));
        assert_eq!(health.multiplier(), 1, "a little late is nothing");
        (0..20).for_each(|_| health.on_late(ms(200), ms(1000)));
        assert_eq!(health.multiplier(), 9);
        assert!(!health.on_time(ms(1999)));
        assert!(health.on_time(ms(2000)));
        assert!(!health.on_time(ms(2001)), "one at a time");
        assert_eq!(health.multiplier(), 8);
        for second in 3..30 {
            health.on_time(ms(1000 * second));
        }
        assert_eq!(health.multiplier(), 1);
        assert!(!health.on_time(ms(60_000)));
    }
}
