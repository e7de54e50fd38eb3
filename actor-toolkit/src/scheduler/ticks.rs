//! When the next tick of an interval is due. Pure.

use std::time::Duration;

use actor_core::{Instant, MissedTicks};

/// After a tick that was due then and was sent now: when the next one is due, and how many are
/// left out before that.
pub(super) fn next(missed: MissedTicks, due: Instant, now: Instant, period: Duration) -> (Instant, u64) {
    // The caller has seen to it that there is a period.
    let late = now.saturating_since(due).as_nanos() / period.as_nanos().max(1);
    let late = u64::try_from(late).unwrap_or(u64::MAX);
    match missed {
        MissedTicks::Burst => (due + period, 0),
        MissedTicks::Delay => (now + period, late),
        MissedTicks::Skip => {
            let ahead = period.as_nanos().saturating_mul(u128::from(late) + 1);
            (due + Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX)), late)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_were_missed() {
        let ms = Duration::from_millis;
        let at = |at: u64| Instant::from_elapsed(ms(at));
        let table = [
            // due, now: burst, skip, delay; and how many the last two leave out
            (10, 10, [20, 20, 20], 0),
            (10, 19, [20, 20, 29], 0),
            (10, 20, [20, 30, 30], 1),
            (10, 47, [20, 50, 57], 3),
        ];
        for (due, now, expected, left_out) in table {
            let after = |missed| next(missed, at(due), at(now), ms(10));
            let [burst, skip, delay] = expected.map(at);
            assert_eq!(after(MissedTicks::Burst), (burst, 0));
            assert_eq!(after(MissedTicks::Skip), (skip, left_out));
            assert_eq!(after(MissedTicks::Delay), (delay, left_out));
        }
        let far = next(MissedTicks::Skip, Instant::ZERO, Instant::FAR, Duration::from_nanos(1));
        assert_eq!(far, (Instant::FAR, u64::MAX));
        let longest = next(MissedTicks::Burst, at(1), at(2), Duration::MAX);
        assert_eq!(longest, (Instant::FAR, 0));
    }
}
