//! A job's way through the pool: routed, queued, given to a worker, given back.

use actor_core::Instant;

use super::{InHand, Life, Order, Outcome, Pool, Queue, Refusal, Route, Tags, number};
use crate::factory::settings::ShedMode;

/// Which queue a job is to wait in.
#[derive(Clone, Copy)]
enum Line {
    Shared,
    Own(usize),
    /// Behind the jobs of its key.
    Group(u64),
}

impl<J> Pool<J> {
    /// Takes a job in.
    ///
    /// # Errors
    ///
    /// Gives it back at once if it is not to run.
    pub(in crate::factory) fn submit(
        &mut self,
        job: J,
        mut tags: Tags,
        now: Instant,
    ) -> Result<(), (J, Refusal)> {
        self.numbers += 1;
        tags.number = self.numbers;
        let placed = match self.check(&tags, now) {
            None => self.place(job, tags, now),
            Some(refusal) => Err((job, refusal)),
        };
        match &placed {
            Ok(()) => self.counts.accepted += 1,
            Err((_, refusal)) => {
                self.counts.refused += 1;
                self.count(*refusal);
            }
        }
        placed
    }

    /// A worker is done with its job, or has lost it. Gives what was known of it; `None` if
    /// it is not that worker's job.
    pub(in crate::factory) fn handle_finished(
        &mut self,
        worker: u32,
        ticket: u64,
        outcome: Outcome,
        now: Instant,
    ) -> Option<InHand> {
        let hand = self.empty_hand(worker, ticket, outcome)?;
        match outcome {
            Outcome::Done => self.counts.completed += 1,
            Outcome::Lost | Outcome::Fatal => self.counts.lost += 1,
        }
        self.unpin(hand.pick);
        if self.rules.route == Route::Sticky {
            self.go_on_with(hand.pick, worker as usize, now);
        }
        self.feed(worker as usize, now);
        Some(hand)
    }

    /// A worker gives its job back, for it to be begun again or at all. It is the next of
    /// its queue, and keeps its place there if it may not run yet.
    pub(in crate::factory) fn handle_returned(
        &mut self,
        worker: u32,
        ticket: u64,
        (job, tags): (J, Tags),
        outcome: Outcome,
        now: Instant,
    ) -> Result<(), J> {
        if self.empty_hand(worker, ticket, outcome).is_none() {
            return Err(job);
        }
        self.counts.returned += 1;
        let is_up = self.is_up(worker as usize);
        let is_own = match self.rules.route {
            Route::Idle => false,
            // Under way elsewhere if its worker is not there.
            Route::Sticky => is_up,
            Route::Key | Route::Turn | Route::Least | Route::Picked => true,
        };
        self.begin_to_wait(&tags);
        if is_own {
            self.workers[worker as usize].queue.push_front(job, tags);
        } else {
            self.shared.push_front(job, tags);
            self.feed_idle(now);
        }
        self.feed(worker as usize, now);
        Ok(())
    }

    fn check(&mut self, tags: &Tags, now: Instant) -> Option<Refusal> {
        if self.is_draining {
            return Some(Refusal::Draining);
        }
        if tags.expires_at <= now && tags.expires_at != Instant::FAR {
            return Some(Refusal::Expired);
        }
        let is_open = self.bucket.as_mut().is_none_or(|bucket| bucket.take(now));
        (!is_open).then_some(Refusal::RateLimited)
    }

    /// Finds out whose a job is, and has it wait if that one is busy.
    fn place(&mut self, job: J, tags: Tags, now: Instant) -> Result<(), (J, Refusal)> {
        if self.rules.route == Route::Sticky {
            return self.place_by_group(job, tags, now);
        }
        let Some(worker) = self.route(&tags) else { return self.wait(Line::Shared, job, tags) };
        // First, so that a job that is shed for this one does not unpin the key.
        self.pin(tags.pick, worker);
        if self.workers[worker].is_idle {
            self.assign(worker, job, tags, now);
            return Ok(());
        }
        let placed = self.wait(Line::Own(worker), job, tags);
        if placed.is_err() {
            self.unpin(tags.pick);
        }
        self.weigh(worker);
        placed
    }

    /// The worker of a job; `None` if it is to wait for any.
    fn route(&mut self, tags: &Tags) -> Option<usize> {
        let target = self.target as u64;
        if target == 0 {
            return None;
        }
        match self.rules.route {
            Route::Idle | Route::Sticky => self.take_idle(),
            Route::Key => match self.pinned.find(tags.pick) {
                Some((worker, _)) => Some(*worker as usize),
                None => usize::try_from(tags.pick % target).ok(),
            },
            Route::Picked => usize::try_from(tags.pick % target).ok(),
            Route::Turn => {
                let worker = if self.turn < self.target { self.turn } else { 0 };
                self.turn = worker + 1;
                Some(worker)
            }
            Route::Least => self.loads.least().map(|worker| worker as usize),
        }
    }

    fn place_by_group(&mut self, job: J, tags: Tags, now: Instant) -> Result<(), (J, Refusal)> {
        if self.groups.find(tags.pick).is_some() {
            return self.wait(Line::Group(tags.pick), job, tags);
        }
        let Some(worker) = self.route(&tags) else { return self.wait(Line::Shared, job, tags) };
        self.begin_group(tags.pick);
        self.assign(worker, job, tags, now);
        Ok(())
    }

    /// The first job of a key waits, or is under way: others of the key wait behind it.
    fn begin_group(&mut self, pick: u64) {
        if self.rules.route == Route::Sticky {
            let arrangement = self.rules.arrangement;
            self.groups.find_or(pick, || Queue::new(arrangement));
        }
    }

    /// Puts a job into a line, and sheds others if that is too long.
    fn wait(&mut self, mut line: Line, job: J, tags: Tags) -> Result<(), (J, Refusal)> {
        if let Some((limit, mode)) = self.rules.limit {
            while self.length(line) >= limit {
                if mode == ShedMode::Newest || !self.shed(line) {
                    // Nobody else can go.
                    if tags.is_discardable {
                        return Err((job, Refusal::Shed));
                    }
                    break;
                }
                // Whoever was shed may have been the last of its key.
                if matches!(line, Line::Group(pick) if self.groups.find(pick).is_none()) {
                    line = Line::Shared;
                }
            }
        }
        self.begin_to_wait(&tags);
        let queue = match line {
            Line::Own(worker) => &mut self.workers[worker].queue,
            Line::Shared => {
                self.begin_group(tags.pick);
                &mut self.shared
            }
            Line::Group(pick) => {
                let arrangement = self.rules.arrangement;
                self.groups.find_or(pick, || Queue::new(arrangement))
            }
        };
        queue.push(job, tags);
        Ok(())
    }

    fn length(&self, line: Line) -> usize {
        match line {
            Line::Own(worker) => self.workers[worker].queue.len(),
            // What waits behind a key waits for the factory as well.
            Line::Shared | Line::Group(_) => self.counts.waiting,
        }
    }

    /// Gives up the oldest that may be; `false` if there is none.
    fn shed(&mut self, line: Line) -> bool {
        if let Line::Own(worker) = line {
            let Some((job, tags)) = self.workers[worker].queue.shed() else { return false };
            self.give_up(job, tags, Refusal::Shed);
            self.unpin(tags.pick);
            self.weigh(worker);
            return true;
        }
        if let Line::Group(pick) = line
            && let Some((job, tags)) = self.groups.find(pick).and_then(Queue::shed)
        {
            self.give_up(job, tags, Refusal::Shed);
            return true;
        }
        let Some((job, tags)) = self.shared.shed() else { return false };
        self.give_up(job, tags, Refusal::Shed);
        if self.rules.route == Route::Sticky {
            self.promote(tags.pick);
        }
        true
    }

    /// The first job of a key does not wait any more, and is not under way either: the next
    /// one of the key waits in its place.
    fn promote(&mut self, pick: u64) {
        let Some(backlog) = self.groups.find(pick) else { return };
        match backlog.pop() {
            Some((job, tags)) => self.shared.push(job, tags),
            None => drop(self.groups.remove(pick)),
        }
    }

    /// A job of this key is over that a worker had: the same worker has the next.
    fn go_on_with(&mut self, pick: u64, worker: usize, now: Instant) {
        let Some(backlog) = self.groups.find(pick) else { return };
        match backlog.pop() {
            Some((job, tags)) if self.is_up(worker) => self.workers[worker].queue.push(job, tags),
            Some((job, tags)) => {
                self.shared.push_front(job, tags);
                self.feed_idle(now);
            }
            None => drop(self.groups.remove(pick)),
        }
    }

    /// Gives an idle worker what is first in the factory's queue.
    pub(super) fn feed_idle(&mut self, now: Instant) {
        if let Some(worker) = self.take_idle() {
            self.set_idle(worker, false);
            self.feed(worker, now);
        }
    }

    /// A worker without a job gets its next one, or is idle, or goes.
    pub(super) fn feed(&mut self, worker: usize, now: Instant) {
        self.weigh(worker);
        let it = &self.workers[worker];
        if it.hand.is_some() {
            return;
        }
        if it.life != Life::Up {
            return self.leave_if_over(worker);
        }
        match self.next_for(worker, now) {
            Some((job, tags)) => self.assign(worker, job, tags, now),
            None if self.workers[worker].is_leaving => self.retire(worker),
            None => self.set_idle(worker, true),
        }
    }

    fn next_for(&mut self, worker: usize, now: Instant) -> Option<(J, Tags)> {
        loop {
            let (job, tags, is_own) = self.pop_for(worker)?;
            if now < tags.expires_at || tags.expires_at == Instant::FAR {
                self.end_wait(&tags);
                return Some((job, tags));
            }
            self.give_up(job, tags, Refusal::Expired);
            self.unpin(tags.pick);
            match self.rules.route {
                Route::Sticky if is_own => self.go_on_with(tags.pick, worker, now),
                Route::Sticky => self.promote(tags.pick),
                _ => {}
            }
        }
    }

    /// What is first for a worker, and whether it waited for that worker alone.
    fn pop_for(&mut self, worker: usize) -> Option<(J, Tags, bool)> {
        let it = &mut self.workers[worker];
        let is_for_anybody = match self.rules.route {
            // What waited for anybody to be there waits longest.
            Route::Least => true,
            // Or a key that always has another job would keep all others from running.
            Route::Sticky => it.in_a_row >= self.rules.in_a_row_max,
            _ => false,
        };
        if is_for_anybody
            && !it.is_leaving
            && let Some((job, tags)) = self.shared.pop()
        {
            it.in_a_row = 0;
            return Some((job, tags, false));
        }
        if let Some((job, tags)) = it.queue.pop() {
            it.in_a_row = it.in_a_row.saturating_add(1);
            return Some((job, tags, true));
        }
        it.in_a_row = 0;
        let is_shared = matches!(self.rules.route, Route::Idle | Route::Sticky) && !it.is_leaving;
        let (job, tags) = if is_shared { self.shared.pop()? } else { return None };
        Some((job, tags, false))
    }

    /// Under [`Route::Sticky`], whoever else is idle has what waited for a worker that is down.
    pub(super) fn pass_on(&mut self, worker: usize, now: Instant) {
        if self.rules.route != Route::Sticky {
            return;
        }
        let mut passed = Vec::new();
        passed.extend(std::iter::from_fn(|| self.workers[worker].queue.pop()));
        // They waited longer than what is there: the first of them is the first again.
        for (job, tags) in passed.into_iter().rev() {
            self.shared.push_front(job, tags);
            self.feed_idle(now);
        }
    }

    /// Has the jobs that waited for somebody to be there go where they belong.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.target == 0 || !matches!(self.rules.route, Route::Key | Route::Turn | Route::Picked) {
            return;
        }
        while let Some((job, tags)) = self.shared.pop() {
            let Some(worker) = self.route(&tags) else { return self.shared.push_front(job, tags) };
            self.pin(tags.pick, worker);
            self.workers[worker].queue.push(job, tags);
            self.feed(worker, now);
        }
    }

    fn assign(&mut self, worker: usize, job: J, tags: Tags, now: Instant) {
        self.set_idle(worker, false);
        // Another one each time: the same job may come back to the same worker.
        self.tickets += 1;
        let ticket = self.tickets;
        let number = number(worker);
        self.workers[worker].hand = Some(InHand { ticket, pick: tags.pick, since: now, is_orphan: false });
        self.counts.in_hand += 1;
        if self.rules.dead_man.is_some() {
            self.busy.put(number, 0);
        }
        self.weigh(worker);
        self.orders.push_back(Order::Assign { worker: number, ticket, job, tags });
    }

    fn empty_hand(&mut self, worker: u32, ticket: u64, outcome: Outcome) -> Option<InHand> {
        let it = self.workers.get_mut(worker as usize)?;
        let hand = it.hand.take_if(|hand| hand.ticket == ticket)?;
        // Of one whose end was heard of already nothing more is to come.
        if outcome == Outcome::Fatal && it.life == Life::Up && !hand.is_orphan {
            it.life = Life::Dying;
        }
        self.counts.in_hand -= 1;
        self.busy.take(worker);
        Some(hand)
    }

    /// Somebody who is idle, who is not idle any more for the stack.
    fn take_idle(&mut self) -> Option<usize> {
        while let Some(worker) = self.stack.pop() {
            #[cfg(test)]
            {
                self.looks += 1;
            }
            let it = &mut self.workers[worker as usize];
            it.is_stacked = false;
            if it.is_idle {
                return Some(worker as usize);
            }
        }
        None
    }

    pub(super) fn set_idle(&mut self, worker: usize, is_idle: bool) {
        let it = &mut self.workers[worker];
        if it.is_idle != is_idle {
            it.is_idle = is_idle;
            if is_idle { self.counts.idle += 1 } else { self.counts.idle -= 1 }
        }
        let is_wanted = matches!(self.rules.route, Route::Idle | Route::Sticky);
        if is_idle && is_wanted && !it.is_stacked {
            it.is_stacked = true;
            self.stack.push(number(worker));
        }
    }

    pub(super) fn is_up(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.life == Life::Up)
    }

    /// Puts a worker into the list of its load.
    pub(super) fn weigh(&mut self, worker: usize) {
        if self.rules.route != Route::Least {
            return;
        }
        let it = &self.workers[worker];
        if it.life == Life::Up && !it.is_leaving {
            self.loads.set(number(worker), it.load());
        } else {
            self.loads.remove(number(worker));
        }
    }

    /// One more job of a key that stays where it is.
    fn pin(&mut self, pick: u64, worker: usize) {
        if self.pinned.is_empty() {
            return;
        }
        if let Some((place, jobs)) = self.pinned.find(pick)
            && *place as usize == worker
        {
            *jobs += 1;
        }
    }

    fn unpin(&mut self, pick: u64) {
        if self.pinned.is_empty() {
            return;
        }
        let Some((_, jobs)) = self.pinned.find(pick) else { return };
        *jobs -= 1;
        if *jobs == 0 {
            self.pinned.remove(pick);
        }
    }

    fn begin_to_wait(&mut self, tags: &Tags) {
        self.counts.waiting += 1;
        self.mortal += usize::from(tags.expires_at != Instant::FAR);
    }

    fn end_wait(&mut self, tags: &Tags) {
        self.counts.waiting -= 1;
        self.mortal -= usize::from(tags.expires_at != Instant::FAR);
    }

    /// A job that waited will not run.
    pub(super) fn give_up(&mut self, job: J, tags: Tags, refusal: Refusal) {
        self.end_wait(&tags);
        self.counts.discarded += 1;
        self.count(refusal);
        self.orders.push_back(Order::Discard { job, refusal });
    }

    fn count(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Expired => self.counts.expired += 1,
            Refusal::Shed => self.counts.shed += 1,
            Refusal::RateLimited => self.counts.rate_limited += 1,
            Refusal::Draining => {}
        }
    }
}
