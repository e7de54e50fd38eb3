//! Tables of what a supervisor decides. Children are `a`, `b`, `c`, … in the order they
//! were added; times are milliseconds.

use std::time::Duration;

use super::super::spec::Backoff;
use super::*;

const MS: Duration = Duration::from_millis(1);
const STOP: Shutdown = Shutdown::Stop(Duration::from_millis(50));

fn at(ms: u64) -> Instant {
    Instant::from_elapsed(Duration::from_millis(ms))
}

fn crash() -> Exit {
    Exit::Panicked("crash".into())
}

fn policy(restart: Restart) -> Policy {
    Policy { restart, shutdown: STOP, ..Policy::default() }
}

/// A roster, and what to call its children.
struct Play {
    roster: Roster,
    keys: Vec<ChildKey>,
}

impl Play {
    /// Children that are all up since the time zero.
    fn new(strategy: Strategy, policies: &[Policy]) -> Self {
        Self::within(strategy, Intensity { restarts: 9, window: 1_000 * MS }, policies)
    }

    fn within(strategy: Strategy, intensity: Intensity, policies: &[Policy]) -> Self {
        let mut play = Self { roster: Roster::new(strategy, intensity), keys: Vec::new() };
        for &policy in policies {
            play.keys.push(play.roster.add(policy));
            play.started(play.keys.len() - 1, 0);
        }
        assert_eq!(play.orders(), "");
        play
    }

    fn of(strategy: Strategy, restarts: &[Restart]) -> Self {
        let policies: Vec<_> = restarts.iter().map(|&restart| policy(restart)).collect();
        Self::new(strategy, &policies)
    }

    fn name(&self, key: ChildKey) -> char {
        let index = self.keys.iter().position(|&known| known == key).expect("a child of this play");
        char::from(b'a' + u8::try_from(index).expect("few children"))
    }

    /// What is to be done, in order.
    fn orders(&mut self) -> String {
        let mut orders = Vec::new();
        while let Some(order) = self.roster.poll_order() {
            let (what, key) = match order {
                Order::Start(key) => ("start", key),
                Order::Halt(key, Shutdown::Stop(_)) => ("stop", key),
                Order::Halt(key, Shutdown::Drain(_)) => ("drain", key),
                Order::Halt(key, Shutdown::Kill) | Order::Kill(key) => ("kill", key),
                Order::Release(key) => ("release", key),
                Order::Escalate(key, _) => ("escalate", key),
                Order::Follow(key, _) => ("follow", key),
            };
            orders.push(format!("{what} {}", self.name(key)));
        }
        orders.join(", ")
    }

    fn started(&mut self, child: usize, ms: u64) {
        self.roster.handle_started(self.keys[child], at(ms));
    }

    /// A child starts, and then this is to be done.
    fn starts(&mut self, child: usize, ms: u64) -> String {
        self.started(child, ms);
        self.orders()
    }

    /// A child's life ends, and then this is to be done.
    fn ends(&mut self, child: usize, exit: &Exit, ms: u64) -> String {
        self.roster.handle_ended(self.keys[child], exit, at(ms), 0);
        self.orders()
    }

    fn crashes(&mut self, child: usize, ms: u64) -> String {
        self.ends(child, &crash(), ms)
    }

    /// A child does as it was told.
    fn stops(&mut self, child: usize, ms: u64) -> String {
        self.ends(child, &Exit::Stopped(None), ms)
    }

    fn passes(&mut self, ms: u64) -> String {
        self.roster.handle_timeout(at(ms));
        self.orders()
    }

    fn next_ms(&self) -> Option<u128> {
        self.roster.next_timeout().map(|at| at.elapsed().as_millis())
    }

    fn stages(&self) -> Vec<Option<Stage>> {
        self.keys.iter().map(|&key| self.roster.look_up(key).map(|(stage, _)| stage)).collect()
    }
}

use Restart::{Permanent, Temporary, Transient};
use Strategy::{OneForAll, OneForOne, RestForOne};

#[test]
fn c01_one_for_one_starts_the_one_that_failed() {
    let mut play = Play::of(OneForOne, &[Permanent; 3]);
    assert_eq!(play.crashes(1, 5), "start b");
    assert_eq!(play.stages(), [Some(Stage::Up), Some(Stage::Starting), Some(Stage::Up)]);
    assert_eq!(play.starts(1, 6), "");
    // Two at once are no group.
    assert_eq!(play.crashes(2, 7), "start c");
    assert_eq!(play.crashes(0, 7), "start a");
    assert_eq!(play.next_ms(), None);
}

#[test]
fn c02_one_for_all_stops_from_the_last_and_starts_from_the_first() {
    let mut play = Play::of(OneForAll, &[Permanent; 4]);
    assert_eq!(play.crashes(1, 5), "stop d");
    assert_eq!(play.stops(3, 6), "stop c");
    assert_eq!(play.stops(2, 7), "stop a");
    assert_eq!(play.stops(0, 8), "start a");
    assert_eq!(play.starts(0, 9), "start b");
    assert_eq!(play.starts(1, 9), "start c");
    assert_eq!(play.starts(2, 9), "start d");
    assert_eq!(play.starts(3, 9), "");
    assert_eq!(play.stages(), [Some(Stage::Up); 4]);
    let restarts = play.keys.iter().map(|&key| play.roster.look_up(key).unwrap().1);
    assert!(restarts.eq([1; 4]));
}

#[test]
fn c03_rest_for_one_leaves_the_earlier_alone() {
    let mut play = Play::of(RestForOne, &[Permanent; 3]);
    assert_eq!(play.crashes(1, 5), "stop c");
    assert_eq!(play.stops(2, 6), "start b");
    assert_eq!(play.starts(1, 7), "start c");
    assert_eq!(play.starts(2, 8), "");
    assert_eq!(play.crashes(2, 9), "start c");
}

#[test]
fn c02_c03_a_failure_amid_a_restart_begins_it_anew() {
    let mut play = Play::of(RestForOne, &[Permanent; 4]);
    assert_eq!(play.crashes(2, 5), "stop d");
    // Wider than the one under way.
    assert_eq!(play.crashes(0, 6), "");
    assert_eq!(play.stops(3, 7), "stop b");
    assert_eq!(play.stops(1, 8), "start a");
    assert_eq!(play.starts(0, 9), "start b");
    // While it starts: those that are up again stop again.
    assert_eq!(play.crashes(0, 10), "stop b");
    assert_eq!(play.stops(1, 11), "start a");
    let rest: Vec<_> = (0..4).map(|child| play.starts(child, 12)).collect();
    assert_eq!(rest, ["start b", "start c", "start d", ""]);
}

#[test]
fn a_start_that_fails_counts_and_is_tried_again() {
    let intensity = Intensity { restarts: 2, window: 1_000 * MS };
    let mut play = Play::within(OneForOne, intensity, &[policy(Permanent)]);
    assert_eq!(play.crashes(0, 1), "start a");
    assert_eq!(play.crashes(0, 2), "start a");
    assert_eq!(play.crashes(0, 3), "escalate a");
}

#[test]
fn siblings_that_fail_with_it_are_not_counted() {
    let intensity = Intensity { restarts: 1, window: 1_000 * MS };
    let mut play = Play::within(OneForAll, intensity, &[policy(Permanent); 3]);
    assert_eq!(play.crashes(0, 5), "stop c");
    // By itself, not because it was told.
    assert_eq!(play.crashes(1, 5), "");
    assert_eq!(play.crashes(2, 6), "start a");
    assert_eq!((play.starts(0, 6), play.starts(1, 6), play.starts(2, 6)).1, "start c");
    assert_eq!(play.crashes(1, 7), "escalate b");
}

#[test]
fn c04_c05_c06_who_is_started_again() {
    let text = || "x".into();
    let exits = [Exit::Stopped(None), Exit::Drained, Exit::Killed, Exit::Failed(text()), crash()];
    let table = [
        (Permanent, ["start a"; 5]),
        (Transient, ["release a", "release a", "start a", "start a", "start a"]),
        (Temporary, ["release a"; 5]),
    ];
    for (restart, orders) in table {
        for (exit, expected) in exits.iter().zip(orders) {
            let mut play = Play::of(OneForOne, &[restart]);
            assert_eq!(play.ends(0, exit, 5), expected, "{restart:?} {exit}");
            let kept = if restart == Temporary { None } else { Some(Stage::Over) };
            if expected == "release a" {
                assert_eq!(play.stages(), [kept], "{restart:?} {exit}");
            }
        }
    }
}

#[test]
fn c06_a_temporary_child_is_forgotten() {
    for exit in [crash(), Exit::Killed, Exit::Stopped(None)] {
        let mut play = Play::of(OneForOne, &[Temporary, Permanent]);
        assert_eq!(play.ends(0, &exit, 5), "release a");
        assert_eq!(play.stages(), [None, Some(Stage::Up)]);
        assert!(!play.roster.begin_again(play.keys[0]));
    }
}

#[test]
fn c05_c06_in_a_group() {
    // A transient child that is halted for a sibling comes back; a temporary one leaves.
    let mut play = Play::of(OneForAll, &[Temporary, Transient, Permanent]);
    assert_eq!(play.crashes(2, 5), "stop b");
    assert_eq!(play.stops(1, 6), "stop a");
    assert_eq!(play.stops(0, 7), "release a, start b");
    assert_eq!(play.starts(1, 8), "start c");
    assert_eq!(play.stages(), [None, Some(Stage::Up), Some(Stage::Starting)]);
    // The end of one that is not started again is no failure of the group.
    let mut play = Play::of(OneForAll, &[Temporary, Transient, Permanent]);
    assert_eq!(play.crashes(0, 5), "release a");
    assert_eq!(play.stops(1, 6), "release b");
    assert_eq!(play.stages(), [None, Some(Stage::Over), Some(Stage::Up)]);
    // Nor is it brought back by the next failure.
    assert_eq!(play.crashes(2, 7), "start c");
}

#[test]
fn c07_one_too_many_escalates_and_that_is_all() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        let intensity = Intensity { restarts: 1, window: 100 * MS };
        let mut play = Play::within(strategy, intensity, &[policy(Permanent)]);
        assert_eq!(play.crashes(0, 0), "start a");
        play.started(0, 0);
        // It has aged out.
        assert_eq!(play.crashes(0, 100), "start a");
        play.started(0, 100);
        assert_eq!(play.crashes(0, 199), "escalate a");
        assert_eq!(play.starts(0, 200), "");
        assert_eq!(play.crashes(0, 900), "");
        assert_eq!((play.passes(999), play.next_ms()), (String::new(), None));
    }
}

#[test]
fn c08_backoff_delays_and_forgives() {
    let backoff = Backoff::exponential(10 * MS, 40 * MS).jitter(0.0).reset_after(100 * MS);
    let child = Policy { backoff, ..policy(Permanent) };
    let mut play = Play::new(OneForOne, &[child, policy(Permanent)]);
    let mut now = 0;
    for delay in [10, 20, 40, 40] {
        assert_eq!(play.crashes(0, now), "");
        assert_eq!(play.next_ms(), Some(u128::from(now + delay)));
        assert_eq!(play.passes(now + delay - 1), "");
        // Meanwhile the others have what they need.
        assert_eq!(play.crashes(1, now + delay - 1), "start b");
        play.started(1, now + delay - 1);
        assert_eq!(play.passes(now + delay), "start a");
        now += delay;
        play.started(0, now);
        // Just not long enough.
        now += 99;
    }
    assert_eq!(play.crashes(0, now + 1), "");
    assert_eq!(play.next_ms(), Some(u128::from(now + 1 + 10)));
}

#[test]
fn c08_a_life_that_never_began_is_not_stable() {
    let backoff = Backoff::exponential(10 * MS, 1_000 * MS).jitter(0.0).reset_after(5 * MS);
    let mut play = Play::new(OneForOne, &[Policy { backoff, ..policy(Permanent) }]);
    assert_eq!((play.crashes(0, 3), play.next_ms()), (String::new(), Some(13)));
    assert_eq!(play.passes(13), "start a");
    // Its `pre_start` took long, and failed.
    assert_eq!((play.crashes(0, 60), play.next_ms()), (String::new(), Some(80)));
}

#[test]
fn c08_a_group_waits_for_the_one_that_failed() {
    let backoff = Backoff::exponential(100 * MS, 100 * MS).jitter(0.0);
    let slow = Policy { backoff, ..policy(Permanent) };
    let mut play = Play::new(OneForAll, &[policy(Permanent), slow]);
    // It waits as long as it takes to stop the others, and that is not added.
    assert_eq!(play.crashes(1, 5), "stop a");
    assert_eq!(play.next_ms(), Some(55));
    assert_eq!(play.stops(0, 30), "");
    assert_eq!(play.next_ms(), Some(105));
    assert_eq!(play.passes(104), "");
    assert_eq!(play.passes(105), "start a");
    assert_eq!(play.starts(0, 106), "start b");
    // The other one has no delay.
    play.started(1, 107);
    assert_eq!(play.crashes(0, 108), "stop b");
    assert_eq!(play.stops(1, 109), "start a");
}

#[test]
fn c09_checks_that_fail_in_a_row_are_one_restart() {
    let checked = |restart| Policy { unhealthy_after: Some(3), ..policy(restart) };
    for (restart, then) in [(Permanent, "start a"), (Transient, "start a"), (Temporary, "release a")] {
        let mut play = Play::new(OneForOne, &[checked(restart)]);
        let a = play.keys[0];
        for is_healthy in [false, false, true, false, false] {
            play.roster.handle_check(a, is_healthy, at(5));
            assert_eq!(play.orders(), "");
        }
        play.roster.handle_check(a, false, at(6));
        assert_eq!(play.orders(), "stop a");
        // While it stops, nobody counts.
        play.roster.handle_check(a, false, at(7));
        assert_eq!(play.stops(0, 8), then);
        if restart != Temporary {
            play.started(0, 9);
            play.roster.handle_check(a, false, at(10));
            assert_eq!(play.orders(), "");
            // Its own stop is no failure any more.
            assert_eq!(play.stops(0, 11), if restart == Permanent { "start a" } else { "release a" });
        }
    }
}

#[test]
fn who_does_not_stop_in_time_is_killed() {
    let drained = Policy { shutdown: Shutdown::Drain(20 * MS), ..policy(Permanent) };
    let killed = Policy { shutdown: Shutdown::Kill, ..policy(Permanent) };
    let mut play = Play::new(OneForAll, &[killed, drained, policy(Permanent)]);
    assert_eq!(play.crashes(2, 5), "drain b");
    assert_eq!(play.next_ms(), Some(25));
    assert_eq!(
        (play.passes(24), play.passes(25), play.passes(26)),
        (String::new(), "kill b".into(), String::new())
    );
    assert_eq!(play.next_ms(), None);
    assert_eq!(play.ends(1, &Exit::Killed, 27), "kill a");
    assert_eq!(play.next_ms(), None);
    assert_eq!(play.ends(0, &Exit::Killed, 28), "start a");
}

#[test]
fn a_child_is_ended_and_begins_again() {
    let mut play = Play::of(RestForOne, &[Permanent, Permanent]);
    let [a, b] = [play.keys[0], play.keys[1]];
    assert!(!play.roster.begin_again(a));
    play.roster.end(a, at(5));
    assert_eq!(play.orders(), "stop a");
    play.roster.end(a, at(5));
    assert_eq!(play.orders(), "");
    assert_eq!(play.crashes(0, 6), "release a");
    assert_eq!(play.stages(), [Some(Stage::Over), Some(Stage::Up)]);
    assert_eq!(play.roster.last_to_first(), [(b, STOP)]);
    assert!(play.roster.begin_again(a));
    play.started(0, 7);
    assert_eq!(play.crashes(0, 8), "stop b");
    // Ended while it waits for its turn.
    play.roster.end(a, at(9));
    assert_eq!(play.orders(), "release a");
    assert_eq!(play.stops(1, 10), "start b");
    assert_eq!(play.roster.last_to_first(), [(b, STOP)]);
    play.roster.remove(a, at(11));
    assert_eq!(play.stages()[0], None);
}

#[test]
fn what_is_said_of_strangers_changes_nothing() {
    let mut play = Play::of(OneForAll, &[Permanent]);
    let gone = play.roster.add(policy(Temporary));
    play.keys.push(gone);
    play.started(1, 0);
    assert_eq!(play.crashes(1, 1), "release b");
    let before = format!("{:?}", play.roster);
    play.started(1, 2);
    play.roster.handle_check(gone, false, at(2));
    play.roster.end(gone, at(2));
    assert!(!play.roster.begin_again(gone));
    assert_eq!(play.crashes(1, 2), "");
    assert_eq!(format!("{:?}", play.roster), before);
    // Nor does news that comes twice.
    assert_eq!(play.crashes(0, 3), "start a");
    play.started(0, 3);
    let before = format!("{:?}", play.roster);
    play.started(0, 4);
    assert_eq!(format!("{:?}", play.roster), before);
}

#[test]
fn c28_an_error_that_is_escalated_is_the_supervisors() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        let mut play = Play::of(strategy, &[Permanent; 3]);
        assert_ne!(play.crashes(0, 1), "");
        play.roster.handle_escalated(play.keys[1], &crash());
        assert_eq!(play.orders(), "follow b");
        assert_eq!((play.crashes(2, 2), play.passes(99)), (String::new(), String::new()));
        let left = play.roster.last_to_first();
        assert_eq!(left, [(play.keys[2], STOP), (play.keys[0], STOP)]);
    }
}
