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
mod tests;

use std::collections::VecDeque;

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
    key: ChildKey,
    policy: Policy,
    stage: Stage,
    /// A sibling's failure concerns it, and it has not been halted yet.
    is_marked: bool,
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
    children: Vec<Child>,
    keys: u64,
    orders: VecDeque<Order>,
    /// After an escalation nothing is decided any more.
    has_escalated: bool,
}

impl Roster {
    pub(crate) fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self {
            strategy,
            restarts: Restarts::new(intensity),
            children: Vec::new(),
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
        self.children.push(Child {
            key,
            policy,
            stage: Stage::Starting,
            is_marked: false,
            is_leaving: false,
            is_unhealthy: false,
            checks_failed: 0,
            up_since: None,
            streak: 0,
            restarts: 0,
        });
        key
    }

    /// Forgets a child that is over, or that never started.
    pub(crate) fn remove(&mut self, key: ChildKey, now: Instant) {
        self.children.retain(|child| child.key != key);
        self.advance(now);
    }

    /// The next thing to do; `None` when there is nothing for now.
    pub(crate) fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let kills = self.children.iter().filter_map(|child| match child.stage {
            Stage::Halting(kill_at) if kill_at < Instant::FAR => Some(kill_at),
            _ => None,
        });
        let starts = self.children.iter().filter_map(|child| match child.stage {
            Stage::Down(start_at) if self.strategy == Strategy::OneForOne => Some(start_at),
            _ => None,
        });
        kills.chain(starts).chain(self.group_start()).min().filter(|_| !self.has_escalated)
    }

    /// Does what has become due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.has_escalated {
            return;
        }
        for child in &mut self.children {
            if let Stage::Halting(kill_at) = child.stage
                && kill_at <= now
            {
                child.stage = Stage::Halting(Instant::FAR);
                self.orders.push_back(Order::Kill(child.key));
            }
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
            child.stage = Stage::Up;
            child.up_since = Some(now);
            child.checks_failed = 0;
        }
        self.advance(now);
    }

    /// A child's life has ended. `random` is uniform over all numbers.
    pub(crate) fn handle_ended(&mut self, key: ChildKey, exit: &Exit, now: Instant, random: u64) {
        if self.has_escalated {
            return;
        }
        let Some(child) = self.child(key) else { return };
        let is_unhealthy = std::mem::take(&mut child.is_unhealthy);
        let is_halting = matches!(child.stage, Stage::Halting(_)) && !is_unhealthy;
        match child.stage {
            Stage::Down(_) | Stage::Over => return,
            _ if child.is_leaving => self.let_go(key),
            // One that fails while a sibling's failure ends it has not failed once more.
            _ if is_halting || child.is_marked => child.stage = Stage::Down(now),
            _ if child.policy.restart.wants(exit) => self.restart(key, exit, now, random),
            _ if is_unhealthy && child.policy.restart == Restart::Transient => {
                self.restart(key, exit, now, random);
            }
            _ => self.let_go(key),
        }
        if let Some(child) = self.child(key) {
            child.is_marked = false;
        }
        self.advance(now);
    }

    /// A child has ended for good, with an error that it would not have handled here.
    pub(crate) fn handle_escalated(&mut self, key: ChildKey, exit: &Exit) {
        if let Some(child) = self.child(key) {
            child.stage = Stage::Over;
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
        child.is_marked = false;
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
        child.stage = Stage::Starting;
        child.is_leaving = false;
        child.streak = 0;
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
        let living = self.children.iter().rev().filter(|child| child.stage != Stage::Over);
        living.map(|child| (child.key, child.policy.shutdown)).collect()
    }

    /// Where a child is, and how often it was started again.
    pub(crate) fn look_up(&self, key: ChildKey) -> Option<(Stage, u64)> {
        let child = self.children.iter().find(|child| child.key == key)?;
        Some((child.stage, child.restarts))
    }

    fn child(&mut self, key: ChildKey) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.key == key)
    }

    /// A child ended and is wanted again.
    fn restart(&mut self, key: ChildKey, exit: &Exit, now: Instant, random: u64) {
        if !self.restarts.try_count(now) {
            return self.escalate(Order::Escalate(key, exit.clone()));
        }
        let Some(index) = self.children.iter().position(|child| child.key == key) else { return };
        self.children[index].begin_delay(now, random);
        let concerned = match self.strategy {
            Strategy::OneForOne => return,
            Strategy::OneForAll => 0..self.children.len(),
            Strategy::RestForOne => index..self.children.len(),
        };
        for child in &mut self.children[concerned] {
            child.is_marked |= matches!(child.stage, Stage::Starting | Stage::Up);
            // Who never is started again leaves with the others.
            child.is_leaving |= child.is_marked && child.policy.restart == Restart::Temporary;
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
        self.orders.push_back(Order::Release(key));
        let Some(child) = self.child(key) else { return };
        child.stage = Stage::Over;
        if child.policy.restart == Restart::Temporary {
            self.children.retain(|child| child.key != key);
        }
    }

    fn halt(&mut self, key: ChildKey, now: Instant) {
        let Some(child) = self.child(key) else { return };
        let shutdown = child.policy.shutdown;
        child.is_marked = false;
        child.stage = Stage::Halting(match shutdown {
            Shutdown::Kill => Instant::FAR,
            Shutdown::Stop(within) | Shutdown::Drain(within) => now + within,
        });
        self.orders.push_back(Order::Halt(key, shutdown));
    }

    /// Halts and starts whoever's turn it is.
    fn advance(&mut self, now: Instant) {
        if self.has_escalated {
            return;
        }
        if self.strategy == Strategy::OneForOne {
            self.start_due(now, usize::MAX);
            return;
        }
        let is_halting = self.children.iter().any(|child| matches!(child.stage, Stage::Halting(_)));
        let last_marked = self.children.iter().rfind(|child| child.is_marked).map(|child| child.key);
        match last_marked {
            Some(key) if !is_halting => self.halt(key, now),
            Some(_) => {}
            // All that are down have waited for the longest delay among them.
            None if self.group_start().is_some_and(|start_at| start_at <= now) => {
                self.start_due(Instant::FAR, 1);
            }
            None => {}
        }
    }

    /// When the first of a group may be started: `None` while one is still to be halted
    /// or is starting, and if none is down.
    fn group_start(&self) -> Option<Instant> {
        if self.strategy == Strategy::OneForOne {
            return None;
        }
        let is_busy =
            |child: &Child| child.is_marked || matches!(child.stage, Stage::Starting | Stage::Halting(_));
        if self.children.iter().any(is_busy) {
            return None;
        }
        // The delay of one that failed is the delay of all that wait for it.
        let delays = self.children.iter().filter_map(|child| match child.stage {
            Stage::Down(start_at) => Some(start_at),
            _ => None,
        });
        delays.max()
    }

    /// Starts those that are down and due, at most so many.
    fn start_due(&mut self, now: Instant, at_most: usize) {
        let is_due = |child: &&mut Child| matches!(child.stage, Stage::Down(start_at) if start_at <= now);
        for child in self.children.iter_mut().filter(is_due).take(at_most) {
            child.stage = Stage::Starting;
            child.restarts += 1;
            self.orders.push_back(Order::Start(child.key));
        }
    }
}

impl Child {
    /// Its life has ended and another is to begin.
    fn begin_delay(&mut self, now: Instant, random: u64) {
        let backoff = &self.policy.backoff;
        if self.up_since.take().is_some_and(|since| now.saturating_since(since) >= backoff.reset_after) {
            self.streak = 0;
        }
        self.streak = self.streak.saturating_add(1);
        self.stage = Stage::Down(now + backoff.delay(self.streak, random));
    }
}
