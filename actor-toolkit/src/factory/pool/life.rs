//! The workers' lives: how many there are, who ends and comes again, who is stuck.

use std::time::Duration;

use actor_core::{Backoff, Instant};

use super::{Life, Order, Pool, Queue, Refusal, Route, UNTIMED, Worker, number};
use crate::factory::settings::DeadMan;

impl<J> Pool<J> {
    /// Changes how many workers there are. Those that are too many finish what they have,
    /// and what waits for them alone.
    pub(in crate::factory) fn resize(&mut self, target: usize, now: Instant) {
        if self.rules.route == Route::Key {
            self.pin_all();
        }
        let former = std::mem::replace(&mut self.target, target);
        for worker in former..target {
            self.want(worker);
        }
        for worker in target..former {
            self.workers[worker].is_leaving = true;
            self.set_idle(worker, false);
            self.weigh(worker);
            self.leave_if_over(worker);
        }
        self.flush(now);
    }

    /// A worker was launched, or was not. Says whether a life has begun by it.
    pub(in crate::factory) fn handle_launched(
        &mut self,
        worker: u32,
        has_started: bool,
        now: Instant,
        random: u64,
    ) -> bool {
        let Some(it) = self.workers.get_mut(worker as usize) else { return false };
        it.has_actor = has_started;
        if has_started {
            return self.handle_started(worker, now);
        }
        self.fall(worker as usize, now, random);
        false
    }

    /// A life of a worker has begun. Says whether that is news: of one that was launched it is
    /// heard twice, from whoever launched it and from the worker.
    pub(in crate::factory) fn handle_started(&mut self, worker: u32, now: Instant) -> bool {
        let Some(it) = self.workers.get_mut(worker as usize) else { return false };
        let is_news = it.life == Life::Starting;
        if is_news {
            it.life = Life::Up;
            it.up_since = now;
            self.feed(worker as usize, now);
        }
        is_news
    }

    /// A life of a worker has ended, or did not begin. `is_gone` if no other can follow under
    /// the same address. Says whether it had begun, and was not known to have ended.
    pub(in crate::factory) fn handle_ended(
        &mut self,
        worker: u32,
        is_gone: bool,
        now: Instant,
        random: u64,
    ) -> bool {
        let Some(it) = self.workers.get_mut(worker as usize) else { return false };
        if is_gone {
            it.has_actor = false;
        }
        let had_begun = matches!(it.life, Life::Up | Life::Dying);
        if !matches!(it.life, Life::Vacant | Life::Down(_)) {
            self.fall(worker as usize, now, random);
        }
        had_begun
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(in crate::factory) fn next_timeout(&self) -> Option<Instant> {
        let restart = self.downs.first().map(|(at, _)| *at);
        restart.into_iter().chain(self.next_stuck().map(|(at, _)| at)).min()
    }

    /// Does what has become due.
    pub(in crate::factory) fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, worker)) = self.downs.first().copied()
            && at <= now
        {
            self.downs.pop_first();
            let it = &mut self.workers[worker as usize];
            it.life = Life::Starting;
            self.counts.restarts += 1;
            self.orders.push_back(if it.has_actor { Order::Restart(worker) } else { Order::Launch(worker) });
        }
        while let Some((at, worker)) = self.next_stuck()
            && at <= now
        {
            // Told once.
            self.busy.take(worker);
            self.counts.stuck += 1;
            let since = self.workers[worker as usize].hand.map_or(now, |hand| hand.since);
            self.orders.push_back(Order::Stuck(worker, now.saturating_since(since)));
            if self.rules.dead_man.is_some_and(|dead_man| dead_man.is_killing) {
                self.orders.push_back(Order::Kill(worker));
            }
        }
    }

    /// Changes the dead man's switch. The jobs in hand are judged by the new one; if there was
    /// none, as if they began now.
    pub(in crate::factory) fn set_dead_man(&mut self, dead_man: Option<DeadMan>, now: Instant) {
        let former = std::mem::replace(&mut self.rules.dead_man, dead_man);
        if former == dead_man {
            return;
        }
        let mut in_hand = Vec::new();
        for (worker, it) in self.workers.iter_mut().enumerate() {
            let Some(hand) = &mut it.hand else { continue };
            if former.is_none() {
                hand.since = now;
            }
            in_hand.push((hand.since, hand.ticket, number(worker)));
        }
        // By when they began, as the list is. Those that were told as stuck are there again.
        in_hand.sort_unstable();
        for (_, _, worker) in in_hand {
            self.busy.take(worker);
            if dead_man.is_some() {
                self.busy.put(worker, 0);
            }
        }
    }

    /// Lets no more jobs in; says when none is left.
    pub(in crate::factory) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Says that it is drained, if it is.
    #[cold]
    pub(super) fn end_if_drained(&mut self) {
        if self.target == 0 && self.counts.in_hand == 0 {
            // Nobody is there to run them, nor will be.
            while let Some((job, tags)) = self.shared.pop() {
                self.give_up(job, tags, Refusal::Draining);
                // And those of its key behind it.
                let mut backlog = self.groups.remove(tags.pick);
                while let Some((job, tags)) = backlog.as_mut().and_then(Queue::pop) {
                    self.give_up(job, tags, Refusal::Draining);
                }
            }
        }
        if self.counts.waiting == 0 && self.counts.in_hand == 0 {
            self.is_drained = true;
            self.orders.push_back(Order::Drained);
        }
    }

    /// Lets a worker go that has been shrunk away, if it has nothing to do.
    pub(super) fn leave_if_over(&mut self, worker: usize) {
        let it = &self.workers[worker];
        // One that is being launched is there, or is not, before it can be let go.
        let is_settled = matches!(it.life, Life::Up | Life::Down(_)) || it.has_actor;
        if it.is_leaving && it.load() == 0 && is_settled && it.life != Life::Vacant {
            self.retire(worker);
        }
    }

    pub(super) fn retire(&mut self, worker: usize) {
        let number = number(worker);
        self.set_idle(worker, false);
        let it = &mut self.workers[worker];
        if let Life::Down(at) = std::mem::replace(&mut it.life, Life::Vacant) {
            self.downs.remove(&(at, number));
        }
        it.is_leaving = false;
        it.streak = 0;
        let has_actor = std::mem::replace(&mut it.has_actor, false);
        self.weigh(worker);
        if has_actor {
            self.orders.push_back(Order::Retire(number));
        }
    }

    /// A place is to have a worker.
    fn want(&mut self, worker: usize) {
        if self.workers.len() <= worker {
            self.workers.push(Worker::vacant(self.rules.arrangement));
        }
        let it = &mut self.workers[worker];
        it.is_leaving = false;
        if it.life == Life::Vacant {
            it.life = Life::Starting;
            self.orders.push_back(Order::Launch(number(worker)));
        }
        self.weigh(worker);
    }

    /// A worker is down, for as long as its backoff says.
    fn fall(&mut self, worker: usize, now: Instant, random: u64) {
        self.set_idle(worker, false);
        let backoff = self.rules.backoff;
        let it = &mut self.workers[worker];
        if matches!(it.life, Life::Up | Life::Dying)
            && now.saturating_since(it.up_since) >= backoff.reset_after
        {
            it.streak = 0;
        }
        it.streak = it.streak.saturating_add(1);
        let at = now + delay(&backoff, it.streak, random);
        it.life = Life::Down(at);
        if let Some(hand) = &mut it.hand {
            hand.is_orphan = true;
        }
        self.downs.insert((at, number(worker)));
        self.pass_on(worker, now);
        self.weigh(worker);
        self.leave_if_over(worker);
        // Without a delay it is up again at once.
        if at <= now {
            self.handle_timeout(now);
        }
    }

    /// Who has had its job for longest, and when that is too long.
    fn next_stuck(&self) -> Option<(Instant, u32)> {
        let dead_man = self.rules.dead_man?;
        let worker = self.busy.first(0)?;
        let since = self.workers[worker as usize].hand.map_or(UNTIMED, |hand| hand.since);
        Some((since + dead_man.timeout, worker))
    }

    /// Notes where each key's jobs are, before keys go elsewhere.
    fn pin_all(&mut self) {
        self.pinned = Default::default();
        for (worker, it) in self.workers.iter().enumerate() {
            let in_hand = it.hand.iter().map(|hand| hand.pick);
            for pick in in_hand.chain(it.queue.picks()) {
                self.pinned.find_or(pick, || (number(worker), 0)).1 += 1;
            }
        }
    }
}

/// How long a worker waits before its `nth` start in a row; see [`Backoff`].
fn delay(backoff: &Backoff, nth: u32, random: u64) -> Duration {
    let doublings = nth.saturating_sub(1).min(31);
    let delay = backoff.first.saturating_mul(1 << doublings).min(backoff.cap);
    // In [0, 1): the highest 53 bits are all that a float can hold.
    let part = (random >> 11) as f64 / (1u64 << 53) as f64;
    delay.saturating_sub(delay.mul_f64(backoff.jitter * part))
}
