//! Whether a stream is alive: pings, and anything heard.

use std::time::Duration;

use actor_core::Instant;

/// When to ask, and when to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The time between two pings.
    pub(crate) interval: Duration,
    /// The silence after which the peer counts as dead.
    pub(crate) timeout: Duration,
}

/// What the time asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Nothing,
    /// Send a ping with this number.
    Ping(u64),
    /// The peer has been silent for too long.
    Dead,
}

/// The heartbeat of one session.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    pace: Pace,
    heard: Instant,
    /// The peer is not dead before this, however long it was silent.
    grace_until: Instant,
    next_ping: Instant,
    pings: u64,
    last_ping: Option<(u64, Instant)>,
    round_trip: Option<Duration>,
}

impl Heartbeat {
    pub(crate) fn new(pace: Pace, now: Instant) -> Self {
        let next_ping = now + pace.interval;
        Self { pace, heard: now, grace_until: now, next_ping, pings: 0, last_ping: None, round_trip: None }
    }

    /// Something came from the peer.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The answer to a ping.
    pub(crate) fn on_pong(&mut self, number: u64, now: Instant) {
        if let Some((_, sent)) = self.last_ping.take_if(|(last, _)| *last == number) {
            self.round_trip = Some(now - sent);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Beat {
        // Called so late, it was this process that was stopped, and nobody listened
        // meanwhile. What the peer said is still to be read, if it was not stopped too.
        if now >= self.next_timeout() + self.pace.interval {
            self.grace_until = now + self.pace.interval;
        }
        if now >= self.dead_at() {
            return Beat::Dead;
        }
        if now < self.next_ping {
            return Beat::Nothing;
        }
        self.next_ping = now + self.pace.interval;
        self.pings += 1;
        self.last_ping = Some((self.pings, now));
        Beat::Ping(self.pings)
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.next_ping.min(self.dead_at())
    }

    fn dead_at(&self) -> Instant {
        (self.heard + self.pace.timeout).max(self.grace_until)
    }

    /// How long the last answered ping took.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(3) };

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn it_pings_on_time_and_measures() {
        let mut beat = Heartbeat::new(PACE, at(0));
        assert_eq!(beat.next_timeout(), at(1000));
        assert_eq!(beat.handle_timeout(at(999)), Beat::Nothing);
        assert_eq!(beat.handle_timeout(at(1000)), Beat::Ping(1));
        beat.on_pong(7, at(1001));
        assert_eq!(beat.round_trip(), None, "nobody asked that");
        beat.on_heard(at(1250));
        beat.on_pong(1, at(1250));
        assert_eq!(beat.round_trip(), Some(Duration::from_millis(250)));
        assert_eq!(beat.next_timeout(), at(2000));
    }

    #[test]
    fn silence_is_death_at_the_exact_moment() {
        let mut beat = Heartbeat::new(PACE, at(0));
        for ping in 1..=2 {
            assert_eq!(beat.handle_timeout(at(ping * 1000)), Beat::Ping(ping));
        }
        assert_eq!(beat.handle_timeout(at(2999)), Beat::Nothing);
        assert_eq!(beat.next_timeout(), at(3000));
        assert_eq!(beat.handle_timeout(at(3000)), Beat::Dead);
    }

    #[test]
    fn a_process_that_was_stopped_does_not_blame_its_peer() {
        let mut beat = Heartbeat::new(PACE, at(0));
        assert_eq!(beat.handle_timeout(at(1000)), Beat::Ping(1));
        assert_eq!(beat.handle_timeout(at(60_000)), Beat::Ping(2), "it was due at 2000");
        assert_eq!(beat.next_timeout(), at(61_000));
        assert_eq!(beat.handle_timeout(at(60_999)), Beat::Nothing);
        assert_eq!(beat.handle_timeout(at(61_000)), Beat::Dead, "it had its interval");
        let mut late = Heartbeat::new(PACE, at(0));
        assert_eq!(late.handle_timeout(at(1000)), Beat::Ping(1));
        assert_eq!(late.handle_timeout(at(2999)), Beat::Ping(2), "not late enough for grace");
        assert_eq!(late.handle_timeout(at(3000)), Beat::Dead);
    }

    #[test]
    fn any_sound_keeps_it_alive() {
        let mut beat = Heartbeat::new(PACE, at(0));
        assert_eq!(beat.handle_timeout(at(1000)), Beat::Ping(1));
        assert_eq!(beat.handle_timeout(at(2000)), Beat::Ping(2));
        beat.on_heard(at(2999));
        for ping in 3..=5 {
            assert_eq!(beat.handle_timeout(at(ping * 1000)), Beat::Ping(ping));
        }
        assert_eq!(beat.handle_timeout(at(5998)), Beat::Nothing);
        assert_eq!(beat.handle_timeout(at(5999)), Beat::Dead);
    }
}
