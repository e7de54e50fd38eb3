//! How long this node has listened.
//!
//! A process that was stopped, or got no processor, heard nobody meanwhile, and nobody is to blame. So silence is measured on a
//! clock that stands still while the machine is not called although it is due: whatever kept it from listening, a busy machine, a
//! debugger, a laptop that was closed, or a clock that jumps, it declares nobody dead for it.

use std::time::Duration;

use actor_core::Instant;

/// So late is on time: timers are not exact.
const SLACK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Attention {
    last: Instant,
    /// When the machine wants to be called at the latest.
    due: Instant,
    listened: Duration,
}

impl Attention {
    pub(crate) fn new(now: Instant) -> Self {
        Self { last: now, due: now, listened: Duration::ZERO }
    }

    /// How long it has listened so far.
    pub(crate) fn listened(&self) -> Duration {
        self.listened
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Asks to be called by then.
    pub(crate) fn ask_for(&mut self, due: Instant) {
        self.due = due;
    }

    /// It is called. By how much that is too late.
    pub(crate) fn advance(&mut self, now: Instant) -> Duration {
        let in_time = self.due + SLACK;
        self.listened += now.min(in_time) - self.last;
        let late = now - in_time;
        self.last = self.last.max(now);
        if !late.is_zero() {
            self.due = now;
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn time_in_which_it_did_not_listen_does_not_count() {
        let mut attention = Attention::new(at(0));
        attention.ask_for(at(100));
        assert_eq!(attention.advance(at(60)), ms(0));
        assert_eq!(attention.advance(at(140)), ms(0), "a little late is on time");
        assert_eq!(attention.listened(), ms(140));
        attention.ask_for(at(200));
        assert_eq!(attention.advance(at(3_600_000)), ms(3_600_000 - 250), "it was asleep for an hour");
        assert_eq!(attention.listened(), ms(250));
        assert_eq!(attention.advance(at(3_600_020)), ms(0), "it listens again");
        assert_eq!(attention.listened(), ms(270));
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut attention = Attention::new(at(1000));
        attention.ask_for(at(1100));
        assert_eq!(attention.advance(at(1050)), ms(0));
        assert_eq!(attention.advance(at(10)), ms(0));
        assert_eq!(attention.advance(at(1060)), ms(0));
        assert_eq!(attention.listened(), ms(60));
    }
}
