//! A factory does what its pool says, and what it is told to change.

use std::hash::Hash;
use std::time::Duration;

use actor_core::{
    Actor, ActorCell, ActorError, ActorRef, Capacity, Exit, Instant, MailboxStats, SendError, SpawnError,
    SpawnOptions,
};

use super::actor::{FactoryState, Regular, reason};
use super::hooks::FactoryEvent;
use super::message::{FactoryMessage, Request};
use super::parcel::Assignment;
use super::pool::Order;
use super::reference::FactoryUpdate;
use super::settings::{
    CapacityController, Controller, DeadMan, Discard, RateLimit, SettingsError, check_backoff, check_workers,
};
use super::worker::Place;
use super::{ORDERS_PER_MESSAGE, WORKERS_MAX};
use crate::contain::contained;

impl Regular {
    pub(super) fn new(interval: Duration, ask: Controller, now: Instant) -> Self {
        Self { interval, ask, due: now + interval }
    }

    /// Of a limit that changes.
    pub(super) fn of_discard(discard: Discard, now: Instant) -> Option<Self> {
        match discard {
            Discard::Dynamic { interval, update, .. } => Some(Self::new(interval, update, now)),
            Discard::Never | Discard::Static { .. } => None,
        }
    }
}

impl<K, M, A> FactoryState<K, M, A>
where
    K: Hash + Send + Sync + 'static,
    M: Send + 'static,
    A: Actor,
    A::Msg: From<Assignment<K, M>>,
{
    /// Does what the pool says, until it has nothing more to say for now. After
    /// [`ORDERS_PER_MESSAGE`] the rest waits for the next message, if there will be one.
    pub(super) fn carry_out(&mut self) -> Result<(), ActorError> {
        let mut orders = 0;
        while let Some(order) = self.pool.poll_order() {
            orders += 1;
            match order {
                Order::Assign { worker, ticket, job, tags } => {
                    self.tell(|| {
                        let waited = self.executor.now().saturating_since(self.seen(job.since()));
                        FactoryEvent::Assigned { worker: worker as usize, waited }
                    });
                    self.assign(worker, Assignment::new(job, tags, worker, ticket));
                }
                Order::Discard { job, refusal } => {
                    let reason = reason(refusal);
                    self.tell(|| FactoryEvent::Discarded(reason));
                    job.discard(reason);
                }
                Order::Launch(worker) => self.launch(worker),
                Order::Restart(worker) => self.with_worker(worker, |actor| actor.restart()),
                Order::Stuck(worker, busy_for) => {
                    tracing::warn!(factory = %self.myself.id(), worker, ?busy_for, "a worker is stuck");
                    self.tell(|| FactoryEvent::WorkerStuck { worker: worker as usize, busy_for });
                }
                Order::Kill(worker) => self.with_worker(worker, |actor| actor.kill()),
                Order::Retire(worker) => self.let_go(worker),
                Order::Drained => {
                    self.tell(|| FactoryEvent::Drained);
                    self.myself.cell().drain_mailbox();
                }
            }
            if orders % ORDERS_PER_MESSAGE == 0 && self.comes_again() {
                break;
            }
        }
        self.set_timer();
        Ok(())
    }

    /// Whether another message will be handled, now that this says so.
    #[cold]
    fn comes_again(&self) -> bool {
        // A mailbox that is full has one.
        !matches!(self.myself.cast(FactoryMessage(Request::Poke)), Err(SendError::Stopped(..)))
    }

    #[inline]
    fn assign(&mut self, worker: u32, assignment: Assignment<K, M>) {
        let Some(Some(actor)) = self.crew.get(worker as usize) else { return };
        let sent = match assignment.span() {
            None => actor.cast(assignment.into()),
            Some(span) => span.in_scope(|| actor.cast(assignment.into())),
        };
        // What a worker does not take comes back by itself.
        if sent.is_err() {
            self.lose(worker);
        }
    }

    /// A worker takes nothing any more, and will not live again: its place gets another one.
    #[cold]
    pub(super) fn lose(&mut self, worker: u32) {
        let exit = self.forget(worker).and_then(|actor| actor.exit());
        self.serve_ended(worker, true, exit.unwrap_or(Exit::Stopped(None)), self.executor.now());
    }

    pub(super) fn serve_ended(&mut self, number: u32, is_gone: bool, exit: Exit, now: Instant) {
        let random = self.executor.random_u64();
        // A life that did not begin is no life.
        if self.pool.handle_ended(number, is_gone, now, random) {
            self.tell(|| FactoryEvent::WorkerEnded { worker: number as usize, exit });
        }
    }

    /// Nothing more is heard of a worker.
    pub(super) fn forget(&mut self, worker: u32) -> Option<ActorRef<A::Msg>> {
        let actor = self.crew.get_mut(worker as usize).and_then(Option::take)?;
        self.numbers.remove(&actor.id());
        Some(actor)
    }

    fn with_worker(&self, worker: u32, act: impl FnOnce(&ActorCell)) {
        if let Some(Some(actor)) = self.crew.get(worker as usize) {
            act(&actor.cell());
        }
    }

    /// Forgets a worker, which ends for good.
    fn let_go(&mut self, worker: u32) {
        let Some(actor) = self.forget(worker) else { return };
        actor.cell().release();
        actor.stop(Some("not needed any more"));
    }

    /// Starts a worker beside the factory's other work.
    fn launch(&mut self, worker: u32) {
        let launching = self.launching(worker);
        self.myself.pipe(launching, move |launched| {
            let launched = launched.map(|actor: ActorRef<A::Msg>| actor.cell()).map_err(Box::new);
            FactoryMessage(Request::Launched { worker, launched })
        });
    }

    pub(super) fn launching(
        &self,
        worker: u32,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send + use<K, M, A> {
        let (make, place) = (self.make.clone(), Place::new(worker, self.address()));
        let options = SpawnOptions::new().supervisor(&self.myself.cell()).mailbox(Capacity::Unbounded);
        let options = if self.shared.is_traced { options.traced() } else { options };
        self.system.spawn_restartable(move || make(place.clone()), options)
    }

    /// Whether this may be a worker whose launch is not known to be over.
    pub(super) fn is_launching(&self, actor: &ActorCell) -> bool {
        ActorRef::<A::Msg>::from_cell(actor.clone()).is_ok()
            && actor.supervisor().as_ref() == Some(&self.myself.cell())
    }

    /// Lets the workers finish what they have in hand, within the time for it.
    pub(super) async fn end_workers(&mut self) {
        let workers: Vec<_> = self.crew.drain(..).flatten().collect();
        for worker in &workers {
            worker.cell().release();
            worker.stop(Some("the factory stops"));
        }
        let ended = async {
            for worker in &workers {
                // Without a limit of its own there is no error.
                _ = worker.wait(None).await;
            }
        };
        // Who is late is killed with the factory.
        _ = self.executor.timeout(self.stop_timeout, ended).await;
    }

    /// Begins to drain, if that was asked and what was there before has been taken in.
    pub(super) fn drain_if_due(&mut self) -> Result<(), ActorError> {
        let Some(behind) = self.drain_behind else { return Ok(()) };
        let left = |stats: MailboxStats| stats.received + stats.dropped + stats.expired;
        if self.pool.is_draining() || self.myself.mailbox_stats().is_some_and(|stats| left(stats) < behind) {
            return Ok(());
        }
        self.tell(|| FactoryEvent::Draining);
        let hooked = self.call_hook("a factory's hook `draining`", |hooks, factory| hooks.draining(factory));
        self.pool.drain();
        hooked
    }

    pub(super) fn resize(&mut self, workers: usize) -> Result<(), SettingsError> {
        check_size(workers)?;
        self.resize_to(workers);
        Ok(())
    }

    fn resize_to(&mut self, workers: usize) {
        if workers != self.pool.target() {
            self.pool.resize(workers, self.executor.now());
            self.tell(|| FactoryEvent::Resized { workers });
        }
    }

    pub(super) fn update(&mut self, update: FactoryUpdate<K, M>) -> Result<(), SettingsError> {
        update.workers.map_or(Ok(()), check_size)?;
        update.discard.as_ref().map_or(Ok(()), Discard::check)?;
        update.rate.flatten().as_ref().map_or(Ok(()), RateLimit::check)?;
        update.dead_man.flatten().as_ref().map_or(Ok(()), DeadMan::check)?;
        update.capacity.as_ref().and_then(Option::as_ref).map_or(Ok(()), CapacityController::check)?;
        update.backoff.as_ref().map_or(Ok(()), check_backoff)?;
        let now = self.executor.now();
        if let Some(handler) = update.handler {
            self.shared.set_handler(handler);
        }
        if let Some(hooks) = update.hooks {
            replace(&mut self.hooks, hooks);
        }
        if let Some(observer) = update.observer {
            if self.observer.is_none() {
                self.observed_since = now;
            }
            replace(&mut self.observer, observer);
        }
        if let Some(discard) = update.discard {
            self.pool.set_limit(discard.limit());
            replace(&mut self.limit_update, Regular::of_discard(discard, now));
        }
        if let Some(rate) = update.rate {
            self.pool.set_rate(rate, now);
        }
        if let Some(dead_man) = update.dead_man {
            self.pool.set_dead_man(dead_man, now);
        }
        if let Some(backoff) = update.backoff {
            self.pool.set_backoff(backoff);
        }
        if let Some(capacity) = update.capacity {
            replace(&mut self.capacity, capacity.map(|it| Regular::new(it.interval, it.workers, now)));
        }
        if let Some(workers) = update.workers {
            self.resize_to(workers);
        }
        Ok(())
    }

    pub(super) fn serve_tick(&mut self) {
        let now = self.executor.now();
        // Whichever it was: one that is too early, by the clock of its runtime, is set again.
        if let Some((_, timer)) = self.timer.take() {
            timer.cancel();
        }
        self.pool.handle_timeout(now);
        let stats = self.stats();
        if let Some(limit) = ask_if_due(&mut self.limit_update, now, |ask| ask(&stats)) {
            let mode = self.pool.limit().map(|(_, mode)| mode).unwrap_or_default();
            self.pool.set_limit(Some((limit, mode)));
        }
        let workers = ask_if_due(&mut self.capacity, now, |ask| ask(&stats));
        if let Some(workers) = workers.filter(|workers| *workers > 0) {
            self.resize_to(workers.min(WORKERS_MAX));
        }
    }

    /// One timer, for whatever is due first. One that is too early is let be: it costs a look,
    /// and another one for each job would cost more.
    fn set_timer(&mut self) {
        let regular = |regular: &Option<Regular>| regular.as_ref().map(|regular| regular.due);
        let dues = [self.pool.next_timeout(), regular(&self.limit_update), regular(&self.capacity)];
        let Some(next) = dues.into_iter().flatten().min() else { return };
        if self.timer.as_ref().is_some_and(|(at, _)| *at <= next) {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            timer.cancel();
        }
        let sleep = self.executor.sleep_until(next);
        self.timer = Some((next, self.myself.pipe(sleep, |()| FactoryMessage(Request::Tick))));
    }
}

/// Sets anew what holds a user's code, whose destructor may panic.
pub(super) fn replace<T>(setting: &mut T, new: T) {
    let former = std::mem::replace(setting, new);
    contained("the destructor of a factory's former setting", || drop(former));
}

fn check_size(workers: usize) -> Result<(), SettingsError> {
    if workers == 0 {
        return Err(SettingsError::NoWorkers);
    }
    check_workers(workers)
}

/// What a controller says, if it is its time, and it does not panic.
fn ask_if_due(
    regular: &mut Option<Regular>,
    now: Instant,
    ask: impl FnOnce(&mut Controller) -> usize,
) -> Option<usize> {
    let regular = regular.as_mut().filter(|regular| regular.due <= now)?;
    // Those that were missed are left out.
    regular.due = now + regular.interval;
    contained("a factory's controller", || ask(&mut regular.ask))
}
