//! The actor behind a factory: it tells the pool what happened and does what the pool says.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{
    Actor, ActorCell, ActorError, ActorId, ActorRef, ActorSystem, Attachment, Executor, Instant, SpawnError,
    Status, SupervisionEvent, limits,
};

use super::builder::{FactoryBuilder, Make};
use super::hooks::{FactoryEvent, FactoryHooks, FactoryObserver};
use super::job::DiscardReason;
use super::message::{FactoryMessage, Request};
use super::orders::replace;
use super::parcel::{Assignment, Parcel, Shared};
use super::pool::{Arrangement, Outcome, Pool, Refusal, Route, Rules, Tags};
use super::reference::{FactoryRef, FactoryStats};
use super::settings::{Controller, LookAtWorkers, Queueing, Rank, Router, Routing, Workers};
use crate::contain::contained;

/// A factory, as an actor: for a [`ChildSpec`](actor_core::ChildSpec), see
/// [`FactoryBuilder::into_child`]. To start one by itself, use [`FactoryBuilder::spawn`].
pub struct Factory<K, M, A> {
    types: PhantomData<fn(K, M, A)>,
}

/// All that a factory knows.
pub struct FactoryState<K: Send + 'static, M: Send + 'static, A: Actor> {
    pub(super) myself: ActorRef<FactoryMessage<K, M>>,
    pub(super) system: ActorSystem,
    pub(super) executor: Executor,
    pub(super) shared: Arc<Shared<K, M>>,
    pub(super) pool: Pool<Parcel<K, M>>,
    pub(super) make: Make<K, M, A>,
    /// By number.
    pub(super) crew: Vec<Option<ActorRef<A::Msg>>>,
    pub(super) numbers: HashMap<ActorId, u32>,
    /// Of the hashes of keys.
    seed: u64,
    route: Route,
    router: Option<Box<dyn Router<K, M>>>,
    rank: Option<Rank<K, M>>,
    pub(super) hooks: Option<Arc<dyn FactoryHooks<K, M>>>,
    pub(super) observer: Option<Arc<dyn FactoryObserver>>,
    /// Since when there is one. What happened before has no time.
    pub(super) observed_since: Instant,
    pub(super) limit_update: Option<Regular>,
    pub(super) capacity: Option<Regular>,
    pub(super) timer: Option<(Instant, Attachment)>,
    pub(super) stop_timeout: Duration,
    /// What is being taken from beside the mailbox.
    late: Vec<FactoryMessage<K, M>>,
    /// It is to drain when so many messages have left the mailbox.
    pub(super) drain_behind: Option<u64>,
}

/// What is asked at intervals.
pub(super) struct Regular {
    pub(super) interval: Duration,
    pub(super) ask: Controller,
    pub(super) due: Instant,
}

/// A factory did not start, because a worker did not.
#[derive(Debug, thiserror::Error)]
#[error("worker {number} did not start")]
struct WorkerNotStarted {
    number: u32,
    source: SpawnError,
}

impl<K, M, A> Factory<K, M, A> {
    pub(super) fn new() -> Self {
        Self { types: PhantomData }
    }
}

impl<K, M, A> Actor for Factory<K, M, A>
where
    K: Hash + Send + Sync + 'static,
    M: Send + 'static,
    A: Actor,
    A::Msg: From<Assignment<K, M>>,
{
    type Msg = FactoryMessage<K, M>;
    type State = FactoryState<K, M, A>;
    type Arguments = FactoryBuilder<K, M, A>;

    async fn pre_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        builder: FactoryBuilder<K, M, A>,
    ) -> Result<Self::State, ActorError> {
        builder.check()?;
        let mut state = FactoryState::new(myself, builder);
        let shared = Arc::downgrade(&state.shared);
        myself.cell().on_drain(move || {
            if let Some(shared) = shared.upgrade() {
                shared.ask_to_drain();
            }
        });
        state.launch_first().await?;
        Ok(state)
    }

    async fn post_start(&self, _: &ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorError> {
        state.call_hook("a factory's hook `started`", |hooks, factory| hooks.started(factory))?;
        state.carry_out()
    }

    fn handle(
        &self,
        _: &ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        // Done when it is called: a job is not copied into a future first.
        std::future::ready(state.serve_all(message))
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorError> {
        state.hear(event)?;
        state.carry_out()
    }

    async fn post_stop(&self, _: &ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorError> {
        state.end_workers().await;
        state.call_hook("a factory's hook `stopped`", |hooks, factory| hooks.stopped(factory))
    }
}

impl<K, M, A> FactoryState<K, M, A>
where
    K: Hash + Send + Sync + 'static,
    M: Send + 'static,
    A: Actor,
    A::Msg: From<Assignment<K, M>>,
{
    fn new(myself: &ActorRef<FactoryMessage<K, M>>, mut builder: FactoryBuilder<K, M, A>) -> Self {
        let system = ActorSystem::current();
        let executor = system.executor().clone();
        let shared = builder.shared.take().unwrap_or_else(|| Arc::new(builder.share()));
        shared.set_factory(myself, &executor);
        let (route, router) = match builder.routing {
            Routing::KeyPersistent => (Route::Key, None),
            Routing::Queuer => (Route::Idle, None),
            Routing::StickyQueuer => (Route::Sticky, None),
            Routing::RoundRobin => (Route::Turn, None),
            Routing::LeastLoaded => (Route::Least, None),
            Routing::Custom(router) => (Route::Picked, Some(router)),
        };
        let (arrangement, rank) = match builder.queueing {
            Queueing::Fifo => (Arrangement::Fifo, None),
            Queueing::Priority { levels, ageing } => (Arrangement::Levels(levels, ageing), None),
            Queueing::Ranked(rank) => (Arrangement::Ranked, Some(rank)),
        };
        let rules = Rules {
            route,
            in_a_row_max: limits::PRIORITY_AGEING_DEFAULT.get(),
            arrangement,
            limit: builder.discard.limit(),
            rate: builder.rate,
            dead_man: builder.dead_man,
            backoff: builder.backoff,
        };
        let now = executor.now();
        // What a former life's workers report is not taken for this one's.
        let mut pool = Pool::new(rules, executor.random_u64() >> 1, now);
        pool.resize(builder.workers, now);
        Self {
            myself: myself.clone(),
            system,
            shared,
            pool,
            make: builder.make,
            crew: Vec::new(),
            numbers: HashMap::new(),
            seed: executor.random_u64(),
            route,
            router,
            rank,
            hooks: builder.hooks,
            observer: builder.observer,
            observed_since: now,
            limit_update: Regular::of_discard(builder.discard, now),
            capacity: builder.capacity.map(|it| Regular::new(it.interval, it.workers, now)),
            timer: None,
            stop_timeout: builder.stop_timeout,
            late: Vec::new(),
            drain_behind: None,
            executor,
        }
    }

    /// Starts the workers that the factory begins with.
    async fn launch_first(&mut self) -> Result<(), ActorError> {
        for number in (0..).take(self.pool.target()) {
            let launched = self.launching(number).await;
            let now = self.executor.now();
            // Each was ordered when the pool was made.
            drop(self.pool.poll_order());
            match launched {
                Ok(actor) => {
                    self.settle(number, actor);
                    self.pool.handle_launched(number, true, now, 0);
                    self.tell(|| FactoryEvent::WorkerStarted { worker: number as usize });
                }
                Err(source) => {
                    self.end_workers().await;
                    return Err(WorkerNotStarted { number, source }.into());
                }
            }
        }
        Ok(())
    }

    pub(super) fn address(&self) -> FactoryRef<K, M> {
        FactoryRef::new(self.myself.clone(), self.shared.clone())
    }

    fn serve_all(&mut self, message: FactoryMessage<K, M>) -> Result<(), ActorError> {
        self.serve(message.0)?;
        self.shared.take_late(&mut self.late);
        if !self.late.is_empty() {
            self.serve_late()?;
        }
        self.drain_if_due()?;
        self.carry_out()
    }

    fn serve_late(&mut self) -> Result<(), ActorError> {
        let mut late = std::mem::take(&mut self.late);
        let served = late.drain(..).try_for_each(|message| self.serve(message.0));
        // The list is used again.
        self.late = late;
        served
    }

    fn serve(&mut self, request: Request<K, M>) -> Result<(), ActorError> {
        match request {
            Request::Dispatch(parcel) => self.take_in(parcel),
            Request::Finished { worker, ticket, outcome } => self.serve_finished(worker, ticket, outcome),
            Request::Returned { worker, ticket, outcome, job } => {
                self.serve_returned(worker, ticket, outcome, *job);
            }
            Request::Poke => {}
            Request::Launched { worker, launched } => self.serve_launched(worker, launched),
            Request::Tick => self.serve_tick(),
            Request::Stats(port) => drop(port.send(self.stats())),
            Request::Resize(workers, port) => drop(port.send(self.resize(workers))),
            Request::Update(update, port) => drop(port.send(self.update(*update))),
            Request::Drain { behind } => self.drain_behind = Some(behind),
            Request::Connect(port) => drop(port.send(self.shared.clone())),
        }
        Ok(())
    }

    /// The time, if it matters.
    fn now_if_timed(&self, is_timed: bool) -> Instant {
        if is_timed || self.observer.is_some() || self.pool.is_timed() {
            self.executor.now()
        } else {
            Instant::ZERO
        }
    }

    #[inline]
    fn take_in(&mut self, mut parcel: Parcel<K, M>) {
        let mut tags = parcel.tags();
        let now = self.now_if_timed(tags.expires_at != Instant::FAR);
        let held = parcel.held_mut();
        held.since = now;
        if !Arc::ptr_eq(&held.shared, &self.shared) {
            // It was sent to a former life.
            held.shared = self.shared.clone();
        }
        self.pick(&parcel, &mut tags);
        let accepted = parcel.take_accepted();
        match self.pool.submit(parcel, tags, now) {
            Ok(()) => {
                // Who offered it may have left, and most are offered by nobody.
                _ = accepted.send(Ok(()));
                self.tell(|| FactoryEvent::Accepted);
            }
            Err((mut parcel, refusal)) => {
                let reason = reason(refusal);
                self.tell(|| FactoryEvent::Refused(reason));
                parcel.put_accepted(accepted);
                parcel.discard(reason);
            }
        }
    }

    /// What the routing and the queue look at.
    fn pick(&mut self, parcel: &Parcel<K, M>, tags: &mut Tags) {
        match self.route {
            Route::Key | Route::Sticky => {
                let mut hasher = DefaultHasher::new();
                // Unknown to whoever chooses keys, so that nobody can have them all meet.
                hasher.write_u64(self.seed);
                let hashed = contained("the hash of a key", || parcel.key().hash(&mut hasher));
                tags.pick = if hashed.is_some() { hasher.finish() } else { 0 };
            }
            Route::Picked => {
                let (pool, router) = (&self.pool, self.router.as_mut());
                let picked = router.and_then(|router| {
                    contained("a router", || router.route(parcel.key(), parcel.message(), &Workers { pool }))
                });
                tags.pick = picked.unwrap_or(0) as u64;
            }
            Route::Idle | Route::Turn | Route::Least => {}
        }
        if let Some(rank) = &mut self.rank {
            let ranked = contained("a rank", || rank(parcel.key(), parcel.message()));
            tags.rank = ranked.unwrap_or(i64::MAX);
        }
    }

    fn serve_finished(&mut self, worker: u32, ticket: u64, outcome: Outcome) {
        let now = self.now_if_timed(false);
        let Some(hand) = self.pool.handle_finished(worker, ticket, outcome, now) else { return };
        self.tell(|| {
            let (worker, took) = (worker as usize, now.saturating_since(self.seen(hand.since)));
            match outcome {
                Outcome::Done => FactoryEvent::Completed { worker, took },
                Outcome::Lost | Outcome::Fatal => FactoryEvent::Lost { worker, took },
            }
        });
    }

    fn serve_returned(&mut self, worker: u32, ticket: u64, outcome: Outcome, job: (Parcel<K, M>, Tags)) {
        let now = self.now_if_timed(job.1.expires_at != Instant::FAR);
        match self.pool.handle_returned(worker, ticket, job, outcome, now) {
            Ok(()) => self.tell(|| FactoryEvent::Returned { worker: worker as usize }),
            // Of a worker of a former life: to this one it is new.
            Err(parcel) => self.take_in(parcel),
        }
    }

    fn serve_launched(&mut self, number: u32, launched: Result<ActorCell, Box<SpawnError>>) {
        let (now, random) = (self.executor.now(), self.executor.random_u64());
        let actor = launched.and_then(|cell| {
            ActorRef::from_cell(cell)
                .map_err(|_| Box::new(SpawnError::Options("the worker is another actor")))
        });
        match actor {
            Ok(actor) => {
                let status = actor.status();
                self.settle(number, actor);
                let has_begun = self.pool.handle_launched(number, true, now, random);
                // News of its end may have come when nobody knew whose it was. Of one that still
                // ends, they are to come.
                match status {
                    Status::Suspended => drop(self.pool.handle_ended(number, false, now, random)),
                    Status::Stopped => self.lose(number),
                    _ if has_begun => self.tell(|| FactoryEvent::WorkerStarted { worker: number as usize }),
                    _ => {}
                }
            }
            Err(error) => {
                tracing::warn!(factory = %self.myself.id(), worker = number, %error, "a worker did not start");
                self.pool.handle_launched(number, false, now, random);
            }
        }
    }

    /// A worker has an address.
    fn settle(&mut self, number: u32, actor: ActorRef<A::Msg>) {
        if self.crew.len() <= number as usize {
            self.crew.resize(number as usize + 1, None);
        }
        self.numbers.insert(actor.id(), number);
        self.crew[number as usize] = Some(actor);
    }

    fn hear(&mut self, event: SupervisionEvent) -> Result<(), ActorError> {
        let number = event.actor().and_then(|actor| self.numbers.get(&actor.id()).copied());
        let Some(number) = number else {
            return match event {
                // A gateway, perhaps, or a worker that was let go.
                SupervisionEvent::Suspended { actor, .. } if !self.is_launching(&actor) => {
                    actor.release();
                    Ok(())
                }
                _ => Ok(()),
            };
        };
        let now = self.executor.now();
        match event {
            SupervisionEvent::Started(_) => {
                let is_news = self.pool.handle_started(number, now);
                if is_news {
                    self.tell(|| FactoryEvent::WorkerStarted { worker: number as usize });
                }
            }
            SupervisionEvent::Suspended { exit, .. } => self.serve_ended(number, false, exit, now),
            SupervisionEvent::Terminated { exit, .. } | SupervisionEvent::Failed { exit, .. } => {
                self.forget(number);
                self.serve_ended(number, true, exit, now);
            }
            SupervisionEvent::Escalated { exit, .. } => {
                return Err(format!("worker {number} {exit}").into());
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn stats(&self) -> FactoryStats {
        let counts = self.pool.counts();
        FactoryStats {
            workers: self.pool.target(),
            idle: counts.idle,
            in_hand: counts.in_hand,
            waiting: counts.waiting,
            accepted: counts.accepted,
            refused: counts.refused,
            completed: counts.completed,
            lost: counts.lost,
            discarded: counts.discarded,
            returned: counts.returned,
            expired: counts.expired,
            shed: counts.shed,
            rate_limited: counts.rate_limited,
            stuck: counts.stuck,
            restarts: counts.restarts,
            is_draining: self.pool.is_draining(),
        }
    }

    /// Tells the observer, if there is one.
    #[inline]
    pub(super) fn tell(&self, event: impl FnOnce() -> FactoryEvent) {
        if let Some(observer) = &self.observer {
            contained("a factory's observer", || observer.observe(&event()));
        }
    }

    /// When something began, as far as the observer can know.
    pub(super) fn seen(&self, since: Instant) -> Instant {
        since.max(self.observed_since)
    }

    pub(super) fn call_hook(
        &self,
        what: &str,
        call: impl FnOnce(&dyn FactoryHooks<K, M>, &FactoryRef<K, M>) -> Result<(), ActorError>,
    ) -> Result<(), ActorError> {
        let Some(hooks) = &self.hooks else { return Ok(()) };
        contained(what, || call(&**hooks, &self.address())).unwrap_or(Ok(()))
    }
}

pub(super) fn reason(refusal: Refusal) -> DiscardReason {
    match refusal {
        Refusal::Expired => DiscardReason::Expired,
        Refusal::Shed => DiscardReason::Shed,
        Refusal::RateLimited => DiscardReason::RateLimited,
        Refusal::Draining => DiscardReason::Draining,
    }
}

impl<J> LookAtWorkers for Pool<J> {
    fn count(&self) -> usize {
        self.target()
    }

    fn load(&self, worker: usize) -> usize {
        self.load(worker)
    }

    fn is_idle(&self, worker: usize) -> bool {
        self.is_idle(worker)
    }
}

/// However a life of a factory ends, what it had is reported: by the jobs themselves.
impl<K: Send + 'static, M: Send + 'static, A: Actor> Drop for FactoryState<K, M, A> {
    fn drop(&mut self) {
        drop(self.shared.end());
        // One by one: two destructors that panic as the fields of one value are dropped would
        // abort the process.
        replace(&mut self.hooks, None);
        replace(&mut self.observer, None);
        replace(&mut self.limit_update, None);
        replace(&mut self.capacity, None);
        replace(&mut self.router, None);
        replace(&mut self.rank, None);
    }
}

impl<K, M, A> fmt::Debug for Factory<K, M, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Factory")
    }
}

impl<K: Send + 'static, M: Send + 'static, A: Actor> fmt::Debug for FactoryState<K, M, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactoryState").field("counts", &self.pool.counts()).finish_non_exhaustive()
    }
}
