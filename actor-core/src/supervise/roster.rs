//! The children of one supervisor and what is to become of them.
//!
//! ```text
//!            started                     a failure, here or of a sibling
//!  Starting ─────────► Up ──────────────────────────► Halting
//!     ▲                │ ended                           │ ended
//!     │ Start          ▼                                 ▼
//!     └───────────── Down ◄──────────────────────────────┘
//!       when its delay is over, and    │ not wanted any more
//!       nothing is left to be halted   ▼
//!                                     Over
//! ```
//!
//! Under `OneForAll` and `RestForOne` a failure marks the siblings it concerns. They are
//! halted one at a time, the last first; when none is up and marked, those that are down
//! are started one at a time, the first first. A failure in the midst of that marks
//! again. Under `OneForOne` each child goes its own way.

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::intensity::Restarts;
use super::spec::{Intensity, Policy, Restart, Shutdown, Strategy};
use crate::exit::Exit;
use crate::time::Instant;

/// Which child. Not used again by the same supervisor, nor by its next life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChildKey(u64);

/// Where a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was told to start.
    Starting,
    /// It runs.
    Up,
    /// It was told to stop, and is killed at that time.
    Halting(Instant),
    /// Its life has ended; another is to begin, not before that time.
    Down(Instant),
    /// It is not started again unless somebody asks.
    Over,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Let the child live again.
    Start(ChildKey),
    /// Make it stop, as its policy says.
    Halt(ChildKey, Shutdown),
    /// It has had its time to stop.
    Kill(ChildKey),
    /// It will not live again: it may end for good.
    Release(ChildKey),
    /// That was one failure too many: end all children, then fail because of this.
    Escalate(ChildKey, Exit),
    /// The child's error is the supervisor's too: end all others, then fail with it.
    Follow(ChildKey, Exit),
}

#[derive(Debug)]
struct Child {
    policy: Policy,
    stage: Stage,
    /// Whether it is over when it has ended.
    is_leaving: bool,
    /// It failed its checks and is halted for that.
    is_unhealthy: bool,
    /// Checks that failed in a row.
    checks_failed: u32,
    /// Since when this life runs, or ran; none if it never did.
    up_since: Option<Instant>,
    /// Restarts in a row, for the backoff.
    streak: u32,
    /// Restarts in all.
    restarts: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Roster {
    strategy: Strategy,
    restarts: Restarts,
    /// In the order they were added.
    children: BTreeMap<ChildKey, Child>,
    places: Places,
    keys: u64,
    orders: VecDeque<Order>,
    /// After an escalation nothing is decided any more.
    has_escalated: bool,
}

/// Which children are at some of the stages, so that not all have to be asked.
#[derive(Debug, Default)]
struct Places {
    starting: usize,
    /// When each is killed.
    halting: BTreeSet<(Instant, ChildKey)>,
    /// When each may be started.
    down: BTreeSet<(Instant, ChildKey)>,
    /// Whom a sibling's failure concerns, and who has not been halted for it yet.
    marked: BTreeSet<ChildKey>,
}

impl Places {
    fn enter(&mut self, key: ChildKey, stage: Stage) {
        match stage {
            Stage::Starting => self.starting += 1,
            Stage::Halting(kill_at) => drop(self.halting.insert((kill_at, key))),
            Stage::Down(start_at) => drop(self.down.insert((start_at, key))),
            Stage::Up | Stage::Over => {}
        }
    }

    fn leave(&mut self, key: ChildKey, stage: Stage) {
        match stage {
            Stage::Starting => self.starting -= 1,
            Stage::Halting(kill_at) => drop(self.halting.remove(&(kill_at, key))),
            Stage::Down(start_at) => drop(self.down.remove(&(start_at, key))),
            Stage::Up | Stage::Over => {}
        }
    }
}

impl Roster {
    pub(crate) fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self {
            strategy,
            restarts: Restarts::new(intensity),
            children: BTreeMap::new(),
            places: Places::default(),
            keys: 0,
            orders: VecDeque::new(),
            has_escalated: false,
        }
    }

    /// Takes other keys than the roster of another life.
    pub(crate) fn of_life(self, life: u64) -> Self {
        // As many as no life adds.
        const KEYS_PER_LIFE: u64 = 1 << 40;
        Self { keys: life.saturating_mul(KEYS_PER_LIFE), ..self }
    }

    /// Adds a child that is being started.
    pub(crate) fn add(&mut self, policy: Policy) -> ChildKey {
        self.keys += 1;
        let key = ChildKey(self.keys);
        let child = Child {
            policy,
            stage: Stage::Starting,
            is_leaving: false,
            is_unhealthy: false,
            checks_failed: 0,
            up_since: None,
            streak: 0,
            restarts: 0,
        };
        self.places.enter(key, child.stage);
        self.children.insert(key, child);
        key
    }

    /// Forgets a child that is over, or that never started.
    pub(crate) fn remove(&mut self, key: ChildKey, now: Instant) {
        self.forget(key);
        self.advance(now);
    }

    /// The next thing to do; `None` when there is nothing for now.
    pub(crate) fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        if self.has_escalated {
            return None;
        }
        let kill = self.places.halting.first().map(|(kill_at, _)| *kill_at);
        let start = match self.strategy {
            Strategy::OneForOne => self.places.down.first().map(|(start_at, _)| *start_at),
            Strategy::OneForAll | Strategy::RestForOne => self.group_start(),
        };
        kill.filter(|kill_at| *kill_at < Instant::FAR).into_iter().chain(start).min()
    }

    /// Does what has become due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.has_escalated {
            return;
        }
        while let Some((kill_at, key)) = self.places.halting.first().copied()
            && kill_at <= now
        {
            self.place(key, Stage::Halting(Instant::FAR));
            self.orders.push_back(Order::Kill(key));
        }
        self.advance(now);
    }

    /// A child can be reached from now on. If it was told to stop before, it could not hear
    /// it: it is told again, and has its time from now.
    pub(crate) fn handle_launched(&mut self, key: ChildKey, now: Instant) {
        if self.child(key).is_some_and(|child| matches!(child.stage, Stage::Halting(_))) {
            self.halt(key, now);
        }
    }

    /// A child has started, and its `post_start` has ended. Somebody else may have started
    /// it before its time; it is up all the same.
    pub(crate) fn handle_started(&mut self, key: ChildKey, now: Instant) {
        if let Some(child) = self.child(key)
            && matches!(child.stage, Stage::Starting | Stage::Down(_))
        {
            child.up_since = Some(now);
            child.checks_failed = 0;
            self.place(key, Stage::Up);
        }
        self.advance(now);
    }

    /// A child's life has ended. `random` is uniform over all numbers.
    pub(crate) fn handle_ended(&mut self, key: ChildKey, exit: &Exit, now: Instant, random: u64) {
        if self.has_escalated {
            return;
        }
        let is_marked = self.places.marked.contains(&key);
        let Some(child) = self.child(key) else { return };
        let is_unhealthy = std::mem::take(&mut child.is_unhealthy);
        let is_halting = matches!(child.stage, Stage::Halting(_)) && !is_unhealthy;
        match child.stage {
            Stage::Down(_) | Stage::Over => return,
            _ if child.is_leaving => self.let_go(key),
            // One that fails while a sibling's failure ends it has not failed once more.
            _ if is_halting || is_marked => self.place(key, Stage::Down(now)),
            _ if child.policy.restart.wants(exit) => self.restart(key, exit, now, random),
            _ if is_unhealthy && child.policy.restart == Restart::Transient => {
                self.restart(key, exit, now, random);
            }
            _ => self.let_go(key),
        }
        self.places.marked.remove(&key);
        self.advance(now);
    }

    /// A child has ended for good, with an error that it would not have handled here.
    pub(crate) fn handle_escalated(&mut self, key: ChildKey, exit: &Exit) {
        if self.children.contains_key(&key) {
            self.place(key, Stage::Over);
            self.escalate(Order::Follow(key, exit.clone()));
        }
    }

    /// A health check of a child was answered in time, or not.
    pub(crate) fn handle_check(&mut self, key: ChildKey, is_healthy: bool, now: Instant) {
        let Some(child) = self.child(key) else { return };
        let Stage::Up = child.stage else { return };
        child.checks_failed = if is_healthy { 0 } else { child.checks_failed + 1 };
        if child.policy.unhealthy_after.is_some_and(|limit| child.checks_failed >= limit) {
            child.is_unhealthy = true;
            self.halt(key, now);
        }
    }

    /// Ends a child for good, whatever its policy; its place is kept.
    pub(crate) fn end(&mut self, key: ChildKey, now: Instant) {
        let Some(child) = self.child(key) else { return };
        child.is_leaving = true;
        match child.stage {
            Stage::Starting | Stage::Up => self.halt(key, now),
            Stage::Down(_) => self.let_go(key),
            Stage::Halting(_) | Stage::Over => {}
        }
        self.advance(now);
    }

    /// Starts a child again that is over. `false` if it is not.
    pub(crate) fn begin_again(&mut self, key: ChildKey) -> bool {
        let Some(child) = self.child(key).filter(|child| child.stage == Stage::Over) else { return false };
        child.is_leaving = false;
        child.streak = 0;
        self.place(key, Stage::Starting);
        true
    }

    /// A child that was to begin again did not start: it is over as before.
    pub(crate) fn handle_not_begun(&mut self, key: ChildKey, now: Instant) {
        self.let_go(key);
        self.advance(now);
    }

    /// Every child that is not over, in the order in which a supervisor that ends has to
    /// end them: the last first.
    pub(crate) fn last_to_first(&self) -> Vec<(ChildKey, Shutdown)> {
        let living = self.children.iter().rev().filter(|(_, child)| child.stage != Stage::Over);
        living.map(|(key, child)| (*key, child.policy.shutdown)).collect()
    }

    /// Where a child is, and how often it was started again.
    pub(crate) fn look_up(&self, key: ChildKey) -> Option<(Stage, u64)> {
        let child = self.children.get(&key)?;
        Some((child.stage, child.restarts))
    }

    fn child(&mut self, key: ChildKey) -> Option<&mut Child> {
        self.children.get_mut(&key)
    }

    /// Moves a child to another stage.
    fn place(&mut self, key: ChildKey, stage: Stage) {
        let Some(child) = self.children.get_mut(&key) else { return };
        self.places.leave(key, std::mem::replace(&mut child.stage, stage));
        self.places.enter(key, stage);
    }

    fn forget(&mut self, key: ChildKey) {
        let Some(child) = self.children.remove(&key) else { return };
        self.places.leave(key, child.stage);
        self.places.marked.remove(&key);
    }

    /// A child ended and is wanted again.
    fn restart(&mut self, key: ChildKey, exit: &Exit, now: Instant, random: u64) {
        if !self.restarts.try_count(now) {
            return self.escalate(Order::Escalate(key, exit.clone()));
        }
        let Some(child) = self.child(key) else { return };
        let start_at = child.begin_delay(now, random);
        self.place(key, Stage::Down(start_at));
        let concerned = match self.strategy {
            Strategy::OneForOne => return,
            Strategy::OneForAll => self.children.range_mut(..),
            Strategy::RestForOne => self.children.range_mut(key..),
        };
        for (key, child) in concerned {
            if matches!(child.stage, Stage::Starting | Stage::Up) {
                self.places.marked.insert(*key);
            }
            // Who never is started again leaves with the others.
            child.is_leaving |=
                child.policy.restart == Restart::Temporary && self.places.marked.contains(key);
        }
    }

    /// It is over: nothing but this is done any more.
    fn escalate(&mut self, order: Order) {
        self.has_escalated = true;
        self.orders.clear();
        self.orders.push_back(order);
    }

    /// A child is not started again.
    fn let_go(&mut self, key: ChildKey) {
        self.places.marked.remove(&key);
        self.orders.push_back(Order::Release(key));
        let Some(child) = self.child(key) else { return };
        if child.policy.restart == Restart::Temporary {
            self.forget(key);
        } else {
            self.place(key, Stage::Over);
        }
    }

    fn halt(&mut self, key: ChildKey, now: Instant) {
        let Some(child) = self.child(key) else { return };
        let shutdown = child.policy.shutdown;
        let kill_at = match shutdown {
            Shutdown::Kill => Instant::FAR,
            Shutdown::Stop(within) | Shutdown::Drain(within) => now + within,
        };
        self.places.marked.remove(&key);
        self.place(key, Stage::Halting(kill_at));
        self.orders.push_back(Order::Halt(key, shutdown));
    }

    /// Halts and starts whoever's turn it is.
    fn advance(&mut self, now: Instant) {
        if self.has_escalated {
            return;
        }
        if self.strategy == Strategy::OneForOne {
            while let Some((start_at, key)) = self.places.down.first().copied()
                && start_at <= now
            {
                self.start(key);
            }
            return;
        }
        match self.places.marked.last().copied() {
            Some(key) if self.places.halting.is_empty() => self.halt(key, now),
            Some(_) => {}
            // All that are down have waited for the longest delay among them.
            None if self.group_start().is_some_and(|start_at| start_at <= now) => {
                let first = self.places.down.iter().map(|(_, key)| *key).min();
                first.into_iter().for_each(|key| self.start(key));
            }
            None => {}
        }
    }

    /// When the first of a group may be started: `None` while one is still to be halted
    /// or is starting, and if none is down.
    fn group_start(&self) -> Option<Instant> {
        let Places { starting, halting, down, marked } = &self.places;
        let is_busy = *starting > 0 || !halting.is_empty() || !marked.is_empty();
        // The delay of one that failed is the delay of all that wait for it.
        down.last().map(|(start_at, _)| *start_at).filter(|_| !is_busy)
    }

    fn start(&mut self, key: ChildKey) {
        let Some(child) = self.child(key) else { return };
        child.restarts += 1;
        self.place(key, Stage::Starting);
        self.orders.push_back(Order::Start(key));
    }
}

impl Child {
    /// Its life has ended and another is to begin: from when on.
    fn begin_delay(&mut self, now: Instant, random: u64) -> Instant {
        let backoff = &self.policy.backoff;
        if self.up_since.take().is_some_and(|since| now.saturating_since(since) >= backoff.reset_after) {
            self.streak = 0;
        }
        self.streak = self.streak.saturating_add(1);
        now + backoff.delay(self.streak, random)
    }
}
