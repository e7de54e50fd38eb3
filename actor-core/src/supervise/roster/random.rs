//! Random days of a supervisor whose children come and go, fall, hang, are asked how they
//! are, ended and begun again by hand. After each step it is looked whether what is ordered
//! can be done, and in the end whether everybody is where they should be.

use std::time::Duration;

use super::super::spec::Backoff;
use super::*;

const MS: Duration = Duration::from_millis(1);

/// A child as it is, whatever the roster thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Real {
    /// It is up at this time.
    Starting(Instant),
    Up,
    /// Its life has ended, which was told.
    Ended,
}

struct Kid {
    key: ChildKey,
    restart: Restart,
    real: Real,
    /// When it ends because it was told to.
    ends_at: Option<Instant>,
    /// Somebody asked for its end.
    is_unwanted: bool,
    /// Its first start, or one that somebody asked for: if it fails, that is told to them.
    is_asked_for: bool,
}

struct Day {
    roster: Roster,
    kids: Vec<Kid>,
    now: Instant,
    state: u64,
    has_escalated: bool,
}

impl Day {
    fn random(&mut self, below: u64) -> u64 {
        // Splitmix.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.random(below as u64)).expect("below a usize")
    }

    fn later(&mut self) -> Instant {
        let steps = u32::try_from(self.random(40)).expect("a small number");
        self.now + steps * MS
    }

    fn add(&mut self) {
        let restart = [Restart::Permanent, Restart::Transient, Restart::Temporary][self.index(3)];
        let shutdown = [Shutdown::Stop(20 * MS), Shutdown::Drain(20 * MS), Shutdown::Kill];
        let backoff = [Backoff::NONE, Backoff::exponential(5 * MS, 30 * MS)];
        let policy = Policy {
            restart,
            shutdown: shutdown[self.index(3)],
            backoff: backoff[self.index(2)],
            unhealthy_after: (self.random(2) == 0).then_some(2),
        };
        let (key, real) = (self.roster.add(policy), Real::Starting(self.later()));
        let kid = Kid { key, restart, real, ends_at: None, is_unwanted: false, is_asked_for: true };
        self.kids.push(kid);
    }

    fn kid(&mut self, key: ChildKey) -> &mut Kid {
        self.kids.iter_mut().find(|kid| kid.key == key).expect("an order for a child")
    }

    /// A life ends, and the roster is told.
    fn ends(&mut self, index: usize, exit: &Exit) {
        let random = self.random(u64::MAX);
        let kid = &mut self.kids[index];
        (kid.real, kid.ends_at, kid.is_asked_for) = (Real::Ended, None, false);
        self.roster.handle_ended(kid.key, exit, self.now, random);
        self.obey();
    }

    /// One of the starts is over.
    fn starts(&mut self, index: usize) {
        let fails = self.random(8) == 0;
        let kid = &mut self.kids[index];
        let (key, is_asked_for) = (kid.key, std::mem::take(&mut kid.is_asked_for));
        if !fails {
            kid.real = Real::Up;
            self.roster.handle_started(key, self.now);
            return self.obey();
        }
        if !is_asked_for {
            return self.ends(index, &Exit::Panicked("did not start".into()));
        }
        kid.real = Real::Ended;
        if self.roster.look_up(key).is_some_and(|(_, restarts)| restarts == 0) && self.random(2) == 0 {
            self.kids.remove(index);
            self.roster.remove(key, self.now);
        } else {
            self.roster.handle_not_begun(key, self.now);
        }
        self.obey();
    }

    /// Does what is ordered, if it can be done.
    fn obey(&mut self) {
        while let Some(order) = self.roster.poll_order() {
            match order {
                Order::Start(key) => {
                    self.check_start(key);
                    let start = Real::Starting(self.later());
                    let kid = self.kid(key);
                    assert_eq!((kid.real, kid.is_unwanted), (Real::Ended, false), "{:?}", kid.key);
                    assert_ne!(kid.restart, Restart::Temporary);
                    kid.real = start;
                }
                Order::Halt(key, shutdown) => {
                    let ends = if shutdown == Shutdown::Kill { self.now } else { self.later() };
                    let kid = self.kid(key);
                    assert_ne!(kid.real, Real::Ended, "{key:?} is halted and has ended");
                    kid.ends_at = Some(ends);
                }
                Order::Kill(key) => {
                    let now = self.now;
                    let kid = self.kid(key);
                    assert!(kid.ends_at.is_some(), "{key:?} is killed without having been told");
                    kid.ends_at = Some(now);
                    // What is killed while it starts ends there.
                    kid.real = Real::Up;
                }
                Order::Release(key) => {
                    assert_eq!(self.kid(key).real, Real::Ended, "{key:?}");
                    // Its end for good is heard, and says nothing new.
                    self.roster.handle_ended(key, &Exit::Killed, self.now, 0);
                    if self.roster.look_up(key).is_none() {
                        self.kids.retain(|kid| kid.key != key);
                    }
                }
                Order::Escalate(..) | Order::Follow(..) => self.has_escalated = true,
            }
        }
        if !self.has_escalated {
            self.check_places();
        }
    }

    /// In a group nobody starts before a former one, nor while one has still to be halted.
    fn check_start(&self, started: ChildKey) {
        if self.roster.strategy == Strategy::OneForOne {
            return;
        }
        assert!(self.roster.places.marked.is_empty() && self.roster.places.halting.is_empty());
        for (key, child) in &self.roster.children {
            let is_before = *key < started && matches!(child.stage, Stage::Down(_) | Stage::Starting);
            assert!(!is_before, "{started:?} starts before {key:?}");
        }
    }

    /// What is kept beside the children says what they say.
    fn check_places(&self) {
        let mut places = Places::default();
        self.roster.children.iter().for_each(|(key, child)| places.enter(*key, child.stage));
        let kept = &self.roster.places;
        assert_eq!(
            (places.starting, &places.halting, &places.down),
            (kept.starting, &kept.halting, &kept.down)
        );
        for key in &kept.marked {
            let stage = self.roster.children[key].stage;
            assert!(matches!(stage, Stage::Up | Stage::Starting), "{key:?} is marked and {stage:?}");
        }
        assert_eq!(self.roster.children.len(), self.kids.len());
    }

    /// Something happens that nobody has asked for, or that somebody does.
    fn trouble(&mut self) {
        if self.kids.is_empty() || self.random(12) == 0 {
            return self.add();
        }
        let index = self.index(self.kids.len());
        let Kid { key, real, .. } = self.kids[index];
        match self.random(9) {
            0..=2 if real == Real::Up => self.ends(index, &Exit::Panicked("fell".into())),
            3 if real == Real::Up => self.ends(index, &Exit::Stopped(None)),
            4 => {
                self.roster.end(key, self.now);
                self.kids[index].is_unwanted = true;
            }
            5 if self.roster.begin_again(key) => {
                let start = Real::Starting(self.later());
                let kid = &mut self.kids[index];
                (kid.is_unwanted, kid.is_asked_for, kid.real) = (false, true, start);
            }
            6 if matches!(self.roster.look_up(key), Some((Stage::Over, _))) => {
                self.kids.remove(index);
                self.roster.remove(key, self.now);
            }
            7 | 8 => {
                let is_healthy = self.random(3) == 0;
                self.roster.handle_check(key, is_healthy, self.now);
            }
            _ => {}
        }
        self.obey();
    }

    /// A millisecond goes by.
    fn passes(&mut self) {
        self.now = self.now + MS;
        if self.roster.next_timeout().is_some_and(|at| at <= self.now) {
            self.roster.handle_timeout(self.now);
            self.obey();
        }
        let keys: Vec<_> = self.kids.iter().map(|kid| kid.key).collect();
        for key in keys {
            if self.has_escalated {
                return;
            }
            let Some(index) = self.kids.iter().position(|kid| kid.key == key) else { continue };
            match self.kids[index] {
                Kid { real: Real::Starting(at), .. } if at <= self.now => self.starts(index),
                Kid { real: Real::Up, ends_at: Some(at), .. } if at <= self.now => {
                    self.ends(index, &Exit::Stopped(None));
                }
                _ => {}
            }
        }
    }

    /// After all trouble.
    fn check_rest(&self, seed: u64) {
        for kid in &self.kids {
            let (stage, _) = self.roster.look_up(kid.key).expect("it is known");
            let is_settled = match stage {
                Stage::Up => kid.real == Real::Up && kid.ends_at.is_none() && !kid.is_unwanted,
                Stage::Over => kid.real == Real::Ended,
                _ => false,
            };
            assert!(is_settled, "seed {seed}, {:?}: {stage:?}, {:?}", kid.key, kid.real);
        }
        assert_eq!(self.roster.next_timeout(), None, "seed {seed}");
    }
}

#[test]
fn c11_random_days_end_with_everybody_in_their_place() {
    let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
    let mut escalations = 0;
    for seed in 0..1_000 {
        let strategy = strategies[usize::try_from(seed % 3).expect("a small number")];
        let restarts = if seed % 7 == 0 { 8 } else { u32::MAX };
        let roster = Roster::new(strategy, Intensity { restarts, window: 100 * MS });
        let mut day = Day { roster, kids: Vec::new(), now: Instant::ZERO, state: seed, has_escalated: false };
        (0..4).for_each(|_| day.add());
        for _ in 0..150 {
            day.trouble();
            for _ in 0..day.random(6) {
                day.passes();
            }
            if day.has_escalated {
                break;
            }
        }
        for _ in 0..4_000 {
            if day.has_escalated || day.roster.next_timeout().is_none() && day.is_at_rest() {
                break;
            }
            day.passes();
        }
        if day.has_escalated {
            escalations += 1;
        } else {
            day.check_rest(seed);
        }
    }
    assert!(escalations > 10, "{escalations}");
}

impl Day {
    fn is_at_rest(&self) -> bool {
        self.kids.iter().all(|kid| kid.ends_at.is_none() && !matches!(kid.real, Real::Starting(_)))
    }
}
