//! Random days of a pool against a naive model of it: a list of jobs and where each is, which
//! is looked through at every step.

#![expect(clippy::cast_possible_truncation, reason = "all numbers here are small")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actor_core::{Backoff, Instant};

use super::{Arrangement, Order, Outcome, Pool, Refusal, Route, Rules, Tags};
use crate::factory::settings::{DeadMan, RateLimit, ShedMode};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0)).copied()
    }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    InHand { worker: u32, ticket: u64 },
    Done,
    Lost,
    Discarded(Refusal),
}

#[derive(Clone, Copy, Debug)]
struct Job {
    tags: Tags,
    place: Place,
}

/// What a worker's actor is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Launching,
    Up,
    /// It lost its job by dying, and the pool has heard of that alone.
    Dying,
    Down,
    Starting,
}

struct Model {
    random: Random,
    pool: Pool<usize>,
    route: Route,
    arrangement: Arrangement,
    now: Instant,
    jobs: Vec<Job>,
    lives: BTreeMap<u32, Life>,
    /// Tickets that were given to a life that has ended.
    orphans: BTreeSet<u64>,
    refused: u64,
    returned: u64,
    drained: u32,
}

const MS: Duration = Duration::from_millis(1);

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let routes = [Route::Key, Route::Idle, Route::Sticky, Route::Turn, Route::Least, Route::Picked];
        let ageing = [None, Some(std::num::NonZeroU32::MIN)];
        let arrangements = [
            Arrangement::Fifo,
            Arrangement::Fifo,
            Arrangement::Levels(3, ageing[usize::from(random.one_in(2))]),
            Arrangement::Ranked,
        ];
        let route = random.pick(&routes).unwrap();
        let arrangement = random.pick(&arrangements).unwrap();
        let limits =
            [None, Some((0, ShedMode::Newest)), Some((3, ShedMode::Newest)), Some((3, ShedMode::Oldest))];
        let rate = RateLimit { max: 9, refill: 3, interval: 5 * MS, initial: 4 };
        let backoffs = [Backoff::NONE, Backoff::exponential(2 * MS, 9 * MS)];
        let rules = Rules {
            route,
            in_a_row_max: 1 + random.below(3) as u32,
            arrangement,
            limit: random.pick(&limits).unwrap(),
            rate: random.one_in(4).then_some(rate),
            dead_man: random.one_in(3).then_some(DeadMan { timeout: 7 * MS, is_killing: true }),
            backoff: random.pick(&backoffs).unwrap(),
        };
        let pool = Pool::new(rules, random.draw() >> 1, Instant::ZERO);
        Self {
            random,
            pool,
            route,
            arrangement,
            now: Instant::ZERO,
            jobs: Vec::new(),
            lives: BTreeMap::new(),
            orphans: BTreeSet::new(),
            refused: 0,
            returned: 0,
            drained: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=6 => self.submit(),
            7..=12 => self.finish(),
            13 | 14 => self.answer_launches(),
            15 => self.end_somebody(),
            16 => {
                self.now = self.now + MS * u32::try_from(self.random.below(5)).unwrap();
                self.pool.handle_timeout(self.now);
            }
            17 if self.random.one_in(3) => self.pool.resize(self.random.below(6) as usize, self.now),
            18 if self.random.one_in(9) => {
                let dead_man =
                    self.random.one_in(2).then_some(DeadMan { timeout: 3 * MS, is_killing: false });
                self.pool.set_dead_man(dead_man, self.now);
            }
            _ => self.finish(),
        }
        self.obey();
        self.check();
    }

    fn submit(&mut self) {
        let random = &mut self.random;
        let expires_at =
            if random.one_in(5) { self.now + MS * (random.below(6) as u32) } else { Instant::FAR };
        let tags = Tags {
            number: 0,
            pick: random.below(7).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            rank: random.below(4) as i64,
            level: random.below(3) as u8,
            is_discardable: !random.one_in(4),
            expires_at,
        };
        let job = self.jobs.len();
        self.jobs.push(Job { tags, place: Place::Waiting });
        if let Err((back, refusal)) = self.pool.submit(job, tags, self.now) {
            assert_eq!(back, job);
            assert!(refusal != Refusal::Shed || tags.is_discardable, "{tags:?} must stay");
            self.jobs[job].place = Place::Discarded(refusal);
            self.refused += 1;
        }
    }

    fn in_hand(&self) -> Vec<(usize, u32, u64)> {
        let of = |(job, it): (usize, &Job)| match it.place {
            Place::InHand { worker, ticket } => Some((job, worker, ticket)),
            _ => None,
        };
        self.jobs.iter().enumerate().filter_map(of).collect()
    }

    /// A worker that has a job does something with it.
    fn finish(&mut self) {
        let in_hand = self.in_hand();
        let Some((job, worker, ticket)) = self.random.pick(&in_hand) else { return };
        let is_up = self.lives[&worker] == Life::Up;
        let outcome = match self.random.below(12) {
            0 => Outcome::Lost,
            1 if is_up => Outcome::Fatal,
            _ => Outcome::Done,
        };
        // A job that lay in the worker's mailbox from life to life says nothing of this life.
        if outcome == Outcome::Fatal && !self.orphans.contains(&ticket) {
            self.lives.insert(worker, Life::Dying);
        }
        if outcome != Outcome::Done && self.random.one_in(2) {
            self.jobs[job].place = Place::Waiting;
            let tags = self.jobs[job].tags;
            self.returned += 1;
            assert_eq!(self.pool.handle_returned(worker, ticket, (job, tags), outcome, self.now), Ok(()));
        } else {
            self.jobs[job].place = if outcome == Outcome::Done { Place::Done } else { Place::Lost };
            assert!(self.pool.handle_finished(worker, ticket, outcome, self.now).is_some());
        }
        assert!(self.pool.handle_finished(worker, ticket, Outcome::Done, self.now).is_none(), "twice");
    }

    fn at(&self, wanted: &[Life]) -> Vec<u32> {
        self.lives.iter().filter(|(_, life)| wanted.contains(life)).map(|(worker, _)| *worker).collect()
    }

    fn answer_launches(&mut self) {
        let random = self.random.draw();
        let launching = self.at(&[Life::Launching, Life::Starting]);
        let Some(worker) = self.random.pick(&launching) else { return };
        let has_started = !self.random.one_in(6);
        let former = self.lives.insert(worker, if has_started { Life::Up } else { Life::Down });
        if !has_started {
            self.orphans.extend(self.in_hand().iter().filter(|(_, busy, _)| *busy == worker).map(|it| it.2));
        }
        let has_begun = match (former, has_started) {
            (Some(Life::Launching), _) => self.pool.handle_launched(worker, has_started, self.now, random),
            (_, true) => self.pool.handle_started(worker, self.now),
            (_, false) => {
                self.pool.handle_ended(worker, self.random.one_in(2), self.now, random);
                false
            }
        };
        assert_eq!(has_begun, has_started);
        assert!(!has_started || !self.pool.handle_started(worker, self.now), "it is no news");
    }

    fn end_somebody(&mut self) {
        let dying = self.at(&[Life::Dying, Life::Up]);
        let Some(worker) = self.random.pick(&dying) else { return };
        self.lives.insert(worker, Life::Down);
        self.orphans.extend(self.in_hand().iter().filter(|(_, busy, _)| *busy == worker).map(|it| it.2));
        let (is_gone, random) = (self.random.one_in(3), self.random.draw());
        self.pool.handle_ended(worker, is_gone, self.now, random);
    }

    fn obey(&mut self) {
        while let Some(order) = self.pool.poll_order() {
            match order {
                Order::Assign { worker, ticket, job, tags } => self.obey_assign(worker, ticket, job, tags),
                Order::Discard { job, refusal } => {
                    assert_eq!(self.jobs[job].place, Place::Waiting);
                    assert!(refusal != Refusal::Shed || self.jobs[job].tags.is_discardable, "it must stay");
                    assert!(refusal != Refusal::Expired || self.jobs[job].tags.expires_at <= self.now);
                    self.jobs[job].place = Place::Discarded(refusal);
                }
                Order::Launch(worker) => {
                    let former = self.lives.insert(worker, Life::Launching);
                    assert!(matches!(former, None | Some(Life::Down)), "{former:?}");
                }
                Order::Restart(worker) => {
                    assert_eq!(self.lives.insert(worker, Life::Starting), Some(Life::Down));
                }
                Order::Kill(worker) => {
                    assert!(self.in_hand().iter().any(|(_, busy, _)| *busy == worker), "it was idle");
                }
                Order::Stuck(_, since) => assert!(since >= 3 * MS),
                Order::Retire(worker) => {
                    assert!(self.in_hand().iter().all(|(_, busy, _)| *busy != worker), "it has a job");
                    assert!(self.lives.remove(&worker).is_some());
                }
                Order::Drained => self.drained += 1,
            }
        }
        // Of one that never got an actor nothing is said when it goes.
        let target = self.pool.target() as u32;
        self.lives
            .retain(|worker, life| *life != Life::Down || *worker < target || !self.pool.is_vacant(*worker));
    }

    fn obey_assign(&mut self, worker: u32, ticket: u64, job: usize, tags: Tags) {
        let it = self.jobs[job];
        assert_eq!(it.place, Place::Waiting, "{job} runs twice");
        assert!(it.tags.expires_at > self.now, "it has expired");
        assert_eq!(self.lives[&worker], Life::Up, "worker {worker}");
        let in_hand = self.in_hand();
        assert!(in_hand.iter().all(|(_, busy, _)| *busy != worker), "worker {worker} has a job");
        if matches!(self.route, Route::Key | Route::Sticky) {
            let of_key = |other: usize| self.jobs[other].tags.pick == tags.pick;
            assert!(in_hand.iter().all(|(other, ..)| !of_key(*other)), "two of one key");
            if self.arrangement == Arrangement::Fifo {
                let is_passed = |other: usize| of_key(other) && self.jobs[other].place == Place::Waiting;
                assert!((0..job).all(|other| !is_passed(other)), "an older job of the key waits");
            }
        }
        self.jobs[job] = Job { tags, place: Place::InHand { worker, ticket } };
    }

    fn check(&self) {
        let count = |wanted: fn(&Place) -> bool| self.jobs.iter().filter(|job| wanted(&job.place)).count();
        let counts = self.pool.counts();
        let done = counts.completed + counts.lost + counts.discarded;
        let places = [
            (counts.waiting, count(|place| *place == Place::Waiting)),
            (counts.in_hand, count(|place| matches!(place, Place::InHand { .. }))),
            (counts.completed as usize, count(|place| *place == Place::Done)),
            (counts.lost as usize, count(|place| *place == Place::Lost)),
            (counts.waiting + counts.in_hand + done as usize, counts.accepted as usize),
            (counts.shed as usize, count(|place| *place == Place::Discarded(Refusal::Shed))),
            (counts.expired as usize, count(|place| *place == Place::Discarded(Refusal::Expired))),
            (counts.rate_limited as usize, count(|place| *place == Place::Discarded(Refusal::RateLimited))),
            (counts.accepted as usize, self.jobs.len() - self.refused as usize),
            (counts.refused as usize, self.refused as usize),
            (counts.returned as usize, self.returned as usize),
        ];
        for (index, (said, is)) in places.into_iter().enumerate() {
            assert_eq!(said, is, "count {index}: {counts:?}");
        }
        let in_hand = self.in_hand();
        let is_idle = |worker: u32| {
            self.lives.get(&worker) == Some(&Life::Up) && in_hand.iter().all(|(_, busy, _)| *busy != worker)
        };
        let idle = (0..self.pool.target() as u32).filter(|worker| is_idle(*worker)).count();
        assert_eq!(counts.idle, idle, "{:?}", self.lives);
        if matches!(self.route, Route::Idle | Route::Least) && idle > 0 {
            // Those that are down may have jobs of their own.
            let own: usize =
                (0..8).filter(|worker| !is_idle(*worker)).map(|worker| self.pool.load(worker as usize)).sum();
            assert!(counts.waiting + in_hand.len() <= own || counts.waiting == 0, "{counts:?} {own}");
        }
    }

    /// Everybody is there again and does what there is.
    fn settle(&mut self) {
        self.pool.resize(self.pool.target().max(1), self.now);
        self.obey();
        if self.random.one_in(2) {
            self.pool.drain();
            self.obey();
        }
        for _ in 0..10_000 {
            let random = self.random.draw();
            self.now = self.now + 20 * MS;
            for worker in self.at(&[Life::Dying]) {
                self.lives.insert(worker, Life::Down);
                self.pool.handle_ended(worker, false, self.now, random);
            }
            self.pool.handle_timeout(self.now);
            self.obey();
            for worker in self.at(&[Life::Launching, Life::Starting]) {
                let former = self.lives.insert(worker, Life::Up);
                _ = match former {
                    Some(Life::Launching) => self.pool.handle_launched(worker, true, self.now, random),
                    _ => self.pool.handle_started(worker, self.now),
                };
                self.obey();
            }
            for (job, worker, ticket) in self.in_hand() {
                self.jobs[job].place = Place::Done;
                assert!(self.pool.handle_finished(worker, ticket, Outcome::Done, self.now).is_some());
                self.obey();
            }
            self.check();
            let is_done = self.pool.counts().waiting == 0 && self.in_hand().is_empty();
            if is_done && self.lives.values().all(|life| *life == Life::Up) {
                break;
            }
        }
        let counts = self.pool.counts();
        assert_eq!((counts.waiting, counts.in_hand), (0, 0), "{:?}", self.route);
        assert!(self.pool.groups.is_empty() && self.pool.pinned.is_empty(), "a key without jobs is kept");
        assert_eq!(counts.idle, self.pool.target());
        assert_eq!(self.lives.len(), self.pool.target(), "{:?}", self.lives);
        if !self.pool.is_draining() {
            self.pool.drain();
            self.obey();
        }
        assert_eq!(self.drained, 1);
    }
}

#[test]
fn a17_random_days_lose_no_job_and_run_none_twice() {
    for seed in 0..1_000 {
        // Shown if the test fails: the last one is the one.
        eprintln!("seed {seed}");
        let mut model = Model::new(seed);
        model.pool.resize(usize::try_from(seed % 5).unwrap(), Instant::ZERO);
        for _ in 0..200 {
            model.step();
        }
        model.settle();
    }
}
