//! Whether what carries a stream is alive: pings, and anything heard.
//!
//! Whoever was just asked knows that the other lives, and has no need to ask. So where both ask at the same pace they do so in turns:
//! each has its round trip measured, and where nothing else is said there is one ping in one and a quarter intervals, and not two in one.

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

impl Pace {
    /// By so much the second end waits longer, and by so much a ping may come late and the turns are still kept.
    fn slack(self) -> Duration {
        self.interval / 4
    }
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

/// The heartbeat of one session's end, on one stream or on several that share a connection.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    pace: Pace,
    /// How long after a ping of the peer's its own is due, unless it is due little earlier anyway.
    rest: Duration,
    heard: Instant,
    /// The peer is not dead before this, however long it was silent.
    grace_until: Instant,
    next_ping: Instant,
    pings: u64,
    last_ping: Option<(u64, Instant)>,
    round_trip: Option<Duration>,
}

impl Heartbeat {
    /// The two ends begin at the same time: one of them goes second, and waits a little longer.
    pub(crate) fn new(pace: Pace, is_second: bool, now: Instant) -> Self {
        // Nobody is taken for dead who was not asked: of a short timeout half is left for that.
        let longer = (pace.interval + pace.slack()).min((pace.timeout / 2).max(pace.interval));
        let rest = if is_second { longer } else { pace.interval };
        let (heard, grace_until, next_ping) = (now, now, now + rest);
        Self { pace, rest, heard, grace_until, next_ping, pings: 0, last_ping: None, round_trip: None }
    }

    /// Something came from the peer.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The peer asks whether this node lives.
    pub(crate) fn on_ping(&mut self, now: Instant) {
        let rested = now + self.rest;
        // Not for little: the task's timer is set already, and would go off at the old time for nothing.
        if rested > self.next_ping + self.pace.slack() {
            self.next_ping = rested;
        }
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
        // The peer's turn, and then this end's again. A peer with another pace may leave its turn out.
        let turns = (2 * (self.pace.interval + self.pace.slack())).min(self.pace.timeout / 2);
        self.next_ping = now + turns.max(self.pace.interval);
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

    fn first(now: Instant) -> Heartbeat {
        Heartbeat::new(PACE, false, now)
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn it_pings_on_time_and_measures() {
        let mut beat = first(at(0));
        assert_eq!(beat.next_timeout(), at(1000));
        assert_eq!(beat.handle_timeout(at(999)), Beat::Nothing);
        assert_eq!(beat.handle_timeout(at(1000)), Beat::Ping(1));
        beat.on_pong(7, at(1001));
        assert_eq!(beat.round_trip(), None, "nobody asked that");
        beat.on_heard(at(1250));
        beat.on_pong(1, at(1250));
        assert_eq!(beat.round_trip(), Some(Duration::from_millis(250)));
        assert_eq!(beat.next_timeout(), at(2500), "half of the timeout, as nobody asks it anything");
    }

    #[test]
    fn two_that_begin_at_once_take_turns() {
        let mut ends = [Heartbeat::new(PACE, false, at(0)), Heartbeat::new(PACE, true, at(0))];
        let mut pings = Vec::new();
        for ms in 0..10_000 {
            for asks in [0, 1] {
                if ends[asks].handle_timeout(at(ms)) != Beat::Nothing {
                    pings.push((asks, ms));
                    // At once: there is no way between them.
                    ends.iter_mut().for_each(|end| end.on_heard(at(ms)));
                    ends[1 - asks].on_ping(at(ms));
                }
            }
        }
        let turns = [(0, 1000), (1, 2250), (0, 3250), (1, 4500), (0, 5500), (1, 6750), (0, 7750), (1, 9000)];
        assert_eq!(pings, turns);
    }

    /// Each with a timer of its own, as its task has it, and on a way that takes now longer and now less long.
    #[test]
    fn those_that_keep_their_turns_have_nothing_to_do_between_them() {
        let pace = Pace { timeout: Duration::from_secs(5), ..PACE };
        let mut ends = [Heartbeat::new(pace, false, at(0)), Heartbeat::new(pace, true, at(0))];
        let (mut timers, mut wakes, mut pings) =
            (ends.each_ref().map(Heartbeat::next_timeout), 0, Vec::new());
        for ms in 0..60_000 {
            for asks in [0, 1] {
                if timers[asks] <= at(ms) {
                    wakes += 1;
                    if ends[asks].handle_timeout(at(ms)) != Beat::Nothing {
                        let takes = 37 * pings.len() as u64 % 100;
                        ends.iter_mut().for_each(|end| end.on_heard(at(ms + takes)));
                        ends[1 - asks].on_ping(at(ms + takes));
                        pings.push(ms);
                    }
                    timers[asks] = ends[asks].next_timeout();
                }
            }
        }
        assert_eq!(
            (wakes, pings.len()),
            (49, 48),
            "one wake for nothing: the second's first ping, put off after its timer was set"
        );
        assert!(pings.windows(2).all(|two| (1000..1500).contains(&(two[1] - two[0]))), "{pings:?}");
    }

    #[test]
    fn nobody_is_dead_who_was_not_asked() {
        let pace = Pace { interval: Duration::from_secs(1), timeout: Duration::from_millis(1200) };
        let mut second = Heartbeat::new(pace, true, at(0));
        assert_eq!(second.handle_timeout(at(1000)), Beat::Ping(1));
        second.on_heard(at(1010));
        second.on_ping(at(1010));
        assert_eq!(second.handle_timeout(at(2010)), Beat::Ping(2));
        assert_eq!(second.handle_timeout(at(2210)), Beat::Dead);
    }

    #[test]
    fn silence_is_death_at_the_exact_moment() {
        let mut beat = first(at(0));
        for (ms, ping) in [(1000, 1), (2500, 2)] {
            assert_eq!(beat.handle_timeout(at(ms)), Beat::Ping(ping));
        }
        assert_eq!(beat.handle_timeout(at(2999)), Beat::Nothing);
        assert_eq!(beat.next_timeout(), at(3000));
        assert_eq!(beat.handle_timeout(at(3000)), Beat::Dead);
    }

    #[test]
    fn a_process_that_was_stopped_does_not_blame_its_peer() {
        let mut beat = first(at(0));
        assert_eq!(beat.handle_timeout(at(1000)), Beat::Ping(1));
        assert_eq!(beat.handle_timeout(at(60_000)), Beat::Ping(2), "it was due at 2500");
        assert_eq!(beat.next_timeout(), at(61_000));
        assert_eq!(beat.handle_timeout(at(60_999)), Beat::Nothing);
        assert_eq!(beat.handle_timeout(at(61_000)), Beat::Dead, "it had its interval");
        let mut late = first(at(0));
        assert_eq!(late.handle_timeout(at(1000)), Beat::Ping(1));
        assert_eq!(late.handle_timeout(at(2999)), Beat::Ping(2), "not late enough for grace");
        assert_eq!(late.handle_timeout(at(3000)), Beat::Dead);
    }

    #[test]
    fn any_sound_keeps_it_alive() {
        let mut beat = first(at(0));
        assert_eq!(beat.handle_timeout(at(1000)), Beat::Ping(1));
        assert_eq!(beat.handle_timeout(at(2500)), Beat::Ping(2));
        beat.on_heard(at(2999));
        for (ms, ping) in [(4000, 3), (5500, 4)] {
            assert_eq!(beat.handle_timeout(at(ms)), Beat::Ping(ping));
        }
        assert_eq!(beat.handle_timeout(at(5998)), Beat::Nothing);
        assert_eq!(beat.handle_timeout(at(5999)), Beat::Dead);
    }
}
