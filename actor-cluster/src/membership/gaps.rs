//! How suspicious a silence is, by what was heard so far: an accrual failure detector.
//!
//! After Hayashibara, Défago, Yared and Katayama, "The φ accrual failure detector" (2004): φ is the negative decimal logarithm of the
//! probability that a peer which lives is silent for so long. Unlike theirs, the distribution is not the normal one, whose tail is far too
//! thin for processes that wait for a processor: what comes later than it should is taken to be exponentially so. Its scale
//! is the mean of what was late, or a quarter of the latest within ten minutes if that is more: a peer that was
//! once silent for a second may be so again.

use std::f64::consts::LN_10;
use std::time::Duration;

/// How much each gap counts for in the mean.
const WEIGHT: f64 = 1.0 / 16.0;

/// How often the latest is forgotten that is not among those since the last time.
const WINDOW: Duration = Duration::from_secs(300);

/// What share of the latest the scale is at least.
const PEAK_SHARE: f64 = 0.25;

/// The least scale, in seconds: so quick is no network that it is worth while to be more suspicious.
const SCALE_LEAST: f64 = 0.046;

/// The greatest, in seconds: nobody can make itself immortal by being late.
const SCALE_MOST: f64 = 0.53;

/// How many scales more it has to refute a suspicion: then one in fifty of those that would be wrong is left.
const SLACK_SCALES: f64 = 4.0;

#[derive(Debug)]
pub(crate) struct Gaps {
    /// How often something should be heard.
    interval: f64,
    mean_excess: f64,
    peak: f64,
    peak_before: f64,
    window_began: Duration,
}

impl Gaps {
    pub(crate) fn new(interval: Duration, now: Duration) -> Self {
        let interval = interval.as_secs_f64();
        Self { interval, mean_excess: 0.0, peak: 0.0, peak_before: 0.0, window_began: now }
    }

    /// Something was heard after a silence.
    pub(crate) fn on_gap(&mut self, gap: Duration, now: Duration) {
        let excess = (gap.as_secs_f64() - self.interval).max(0.0);
        if now.saturating_sub(self.window_began) >= WINDOW {
            (self.peak_before, self.peak, self.window_began) = (self.peak, 0.0, now);
        }
        self.mean_excess += WEIGHT * (excess - self.mean_excess);
        self.peak = self.peak.max(excess);
    }

    fn scale(&self) -> f64 {
        let peak = self.peak.max(self.peak_before);
        self.mean_excess.max(PEAK_SHARE * peak).clamp(SCALE_LEAST, SCALE_MOST)
    }

    /// How much longer than others whoever is suspected has to refute it: as it was late before, it may be late with that too.
    pub(crate) fn slack(&self) -> Duration {
        Duration::from_secs_f64(SLACK_SCALES * (self.scale() - SCALE_LEAST))
    }

    /// How suspicious it is: at 1 one such silence in ten is of a peer that lives, at 8 one in a hundred million.
    pub(crate) fn phi(&self, silence: Duration) -> f64 {
        ((silence.as_secs_f64() - self.interval) / (self.scale() * LN_10)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(250);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The shortest silence, in milliseconds, at which phi reaches this.
    fn patience(gaps: &Gaps, phi: f64) -> u64 {
        (0..20_000).find(|silence| gaps.phi(ms(*silence)) >= phi).unwrap()
    }

    #[test]
    fn who_is_always_on_time_is_suspicious_soon() {
        let mut gaps = Gaps::new(INTERVAL, ms(0));
        (1..100).for_each(|beat| gaps.on_gap(ms(250), ms(250 * beat)));
        assert!(gaps.phi(ms(250)) < f64::EPSILON);
        assert_eq!((patience(&gaps, 4.0), patience(&gaps, 8.0)), (674, 1098));
    }

    #[test]
    fn who_was_late_once_is_given_more_time_for_minutes() {
        let mut gaps = Gaps::new(INTERVAL, ms(0));
        gaps.on_gap(ms(1250), ms(1000));
        assert_eq!(patience(&gaps, 8.0), 250 + 4606);
        (1..1400).for_each(|beat| gaps.on_gap(ms(250), ms(1000 + 250 * beat)));
        assert_eq!(patience(&gaps, 8.0), 250 + 4606, "for more than five minutes");
        (1400..2600).for_each(|beat| gaps.on_gap(ms(250), ms(1000 + 250 * beat)));
        assert_eq!(patience(&gaps, 8.0), 1098, "and not for more than ten");
    }

    #[test]
    fn who_was_late_has_more_time_to_refute_and_who_was_not_has_none() {
        let mut gaps = Gaps::new(INTERVAL, ms(0));
        gaps.on_gap(ms(250), ms(250));
        assert_eq!(gaps.slack(), ms(0));
        gaps.on_gap(ms(1250), ms(1500));
        assert_eq!(gaps.slack(), ms(816), "four quarters of a second, but for what everybody has");
        gaps.on_gap(ms(60_000), ms(61_500));
        assert_eq!(gaps.slack(), ms(1936));
    }

    #[test]
    fn nobody_becomes_immortal_by_being_late() {
        let mut gaps = Gaps::new(INTERVAL, ms(0));
        (1..100).for_each(|beat| gaps.on_gap(ms(60_000), ms(60_000 * beat)));
        assert!(patience(&gaps, 8.0) < 10_100);
    }
}
