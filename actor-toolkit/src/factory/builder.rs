//! What a factory is made with.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorSystem, Backoff, Capacity, SpawnError, SpawnOptions, limits};

use super::actor::Factory;
use super::hooks::{FactoryHooks, FactoryObserver};
use super::job::{DiscardHandler, Handler};
use super::parcel::{Assignment, Shared};
use super::reference::FactoryRef;
use super::settings::{
    CapacityController, DeadMan, Discard, Queueing, RateLimit, Routing, SettingsError, check_backoff,
    check_workers,
};
use super::worker::{ClosureWorker, Place, Worker, WorkerActor};

/// Makes the actor of a worker, and what it starts from.
pub(super) type Make<K, M, A> = Arc<dyn Fn(Place<K, M>) -> (A, <A as Actor>::Arguments) + Send + Sync>;

/// What a factory is made with: who works, and how jobs get there.
///
/// ```
/// use std::time::Duration;
/// use actor_toolkit::factory::{Discard, FactoryBuilder, Routing, ShedMode};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let printers = FactoryBuilder::closure(|page: u32, text: String| async move {
///         println!("{page}: {text}");
///         Ok(())
///     })
///     .workers(4)
///     .routing(Routing::KeyPersistent)
///     .discard(Discard::Static { limit: 100, mode: ShedMode::Oldest })
///     .on_discard(|job| eprintln!("not printed: {job:?}"))
///     .spawn()
///     .await?;
/// printers.dispatch(1, "hello".to_owned())?;
/// printers.drain_and_wait(None).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "no factory is made unless it is spawned"]
pub struct FactoryBuilder<K: Send + 'static, M: Send + 'static, A: Actor> {
    pub(super) make: Make<K, M, A>,
    pub(super) workers: usize,
    pub(super) routing: Routing<K, M>,
    pub(super) queueing: Queueing<K, M>,
    pub(super) discard: Discard,
    pub(super) handler: Handler<K, M>,
    pub(super) rate: Option<RateLimit>,
    pub(super) dead_man: Option<DeadMan>,
    pub(super) capacity: Option<CapacityController>,
    pub(super) backoff: Backoff,
    pub(super) hooks: Option<Arc<dyn FactoryHooks<K, M>>>,
    pub(super) observer: Option<Arc<dyn FactoryObserver>>,
    pub(super) stop_timeout: Duration,
    is_traced: bool,
    options: SpawnOptions,
    /// What the address has already that is given when the factory is there.
    pub(super) shared: Option<Arc<Shared<K, M>>>,
}

impl<W: Worker> FactoryBuilder<W::Key, W::Message, WorkerActor<W>> {
    /// A factory of such workers. The closure makes one for each life; if it panics, that life
    /// does not begin.
    pub fn new(make: impl Fn() -> W + Send + Sync + 'static) -> Self {
        Self::actors(move |place| (WorkerActor(make()), place))
    }
}

impl<K, M, F, R> FactoryBuilder<K, M, WorkerActor<ClosureWorker<K, M, F>>>
where
    K: Clone + Send + Sync + 'static,
    M: Send + 'static,
    F: Fn(K, M) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<(), ActorError>> + Send + 'static,
{
    /// A factory whose workers call a closure, which gets a clone of the key.
    pub fn closure(work: F) -> Self {
        Self::new(move || ClosureWorker::new(work.clone()))
    }
}

impl<K: Send + 'static, M: Send + 'static, A> FactoryBuilder<K, M, A>
where
    A: Actor,
    A::Msg: From<Assignment<K, M>>,
{
    /// A factory whose workers are actors of any kind that take an [`Assignment`] among their
    /// messages. The closure makes one for each life. An error that one of them
    /// [escalates](actor_core::ErrorAction::Escalate) fails the factory.
    ///
    /// The factory starts them and starts them again. Their mailboxes are unbounded: of the
    /// factory they hold one job at most, what others send them is theirs to bound.
    pub fn actors(make: impl Fn(Place<K, M>) -> (A, A::Arguments) + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            workers: 1,
            routing: Routing::Queuer,
            queueing: Queueing::Fifo,
            discard: Discard::default(),
            handler: None,
            rate: None,
            dead_man: None,
            capacity: None,
            backoff: Backoff::exponential(BACKOFF_FIRST, BACKOFF_CAP),
            hooks: None,
            observer: None,
            stop_timeout: limits::CHILD_STOP_TIMEOUT_DEFAULT,
            is_traced: false,
            options: SpawnOptions::new(),
            shared: None,
        }
    }
}

impl<K: Send + 'static, M: Send + 'static, A: Actor> FactoryBuilder<K, M, A> {
    /// How many workers there are, one unless said otherwise. They start one after another, and the
    /// factory has started when the last has. With none, jobs wait until the
    /// pool is [resized](FactoryRef::resize). At most [`WORKERS_MAX`](super::WORKERS_MAX).
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// How the worker for a job is found; [`Routing::Queuer`] unless said otherwise.
    pub fn routing(self, routing: Routing<K, M>) -> Self {
        Self { routing, ..self }
    }

    /// In which order waiting jobs run; first in, first out, unless said otherwise.
    pub fn queueing(self, queueing: Queueing<K, M>) -> Self {
        Self { queueing, ..self }
    }

    /// How many jobs may wait; [`QUEUE_JOBS_DEFAULT`](super::QUEUE_JOBS_DEFAULT) in each queue,
    /// unless said otherwise.
    pub fn discard(self, discard: Discard) -> Self {
        Self { discard, ..self }
    }

    /// Who is told of jobs that do not run; nobody unless said otherwise.
    pub fn on_discard(self, handler: impl DiscardHandler<K, M>) -> Self {
        Self { handler: Some(Arc::new(handler)), ..self }
    }

    /// How many jobs may come in a time.
    pub fn rate_limit(self, rate: RateLimit) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// When a worker counts as stuck.
    pub fn dead_man(self, dead_man: DeadMan) -> Self {
        Self { dead_man: Some(dead_man), ..self }
    }

    /// Who decides how many workers there are.
    pub fn capacity(self, controller: CapacityController) -> Self {
        Self { capacity: Some(controller), ..self }
    }

    /// How long a worker waits before it is started again: from 10 ms to 10 s, unless said
    /// otherwise.
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// What is called at the turns of the factory's life.
    pub fn hooks(self, hooks: impl FactoryHooks<K, M>) -> Self {
        Self { hooks: Some(Arc::new(hooks)), ..self }
    }

    /// Who is told what happens.
    pub fn observer(self, observer: impl FactoryObserver) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self }
    }

    /// How long a factory that stops lets its workers finish what they have in hand, all
    /// together; [`CHILD_STOP_TIMEOUT_DEFAULT`](actor_core::limits::CHILD_STOP_TIMEOUT_DEFAULT)
    /// unless said otherwise. Then they are killed.
    pub fn stop_timeout(self, timeout: Duration) -> Self {
        Self { stop_timeout: timeout, ..self }
    }

    /// Has each job run inside the `tracing` span that it was sent in, however long it waits and
    /// however often it begins again; see [`SpawnOptions::traced`]. It costs a box for each job.
    pub fn traced(self) -> Self {
        Self { is_traced: true, ..self }
    }

    /// Gives the factory a name, as [`SpawnOptions::name`] does.
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        Self { options: self.options.name(name), ..self }
    }

    /// Bounds the factory's mailbox; see [`SpawnOptions::mailbox`].
    pub fn mailbox(self, capacity: Capacity) -> Self {
        Self { options: self.options.mailbox(capacity), ..self }
    }

    /// What a [`ChildSpec`](actor_core::ChildSpec) takes, so that a factory stands under a
    /// [`Supervisor`](actor_core::Supervisor): what was said of its name and its mailbox, the
    /// specification says anew. The mailbox must not overflow by dropping, which would lose
    /// what workers report. [`FactoryRef::connect`] gives the address.
    pub fn into_child(self) -> (Factory<K, M, A>, Self) {
        (Factory::new(), self)
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_workers(self.workers)?;
        self.queueing.check()?;
        self.discard.check()?;
        self.rate.as_ref().map_or(Ok(()), RateLimit::check)?;
        self.dead_man.as_ref().map_or(Ok(()), DeadMan::check)?;
        self.capacity.as_ref().map_or(Ok(()), CapacityController::check)?;
        check_backoff(&self.backoff)
    }

    /// What the factory's addresses share, of the life that is made of this.
    pub(super) fn share(&mut self) -> Shared<K, M> {
        let priorities = match self.queueing {
            Queueing::Priority { levels, .. } => Some(levels),
            Queueing::Fifo | Queueing::Ranked(_) => None,
        };
        Shared::new(self.handler.take(), priorities, self.is_traced)
    }
}

impl<K, M, A> FactoryBuilder<K, M, A>
where
    K: Hash + Send + Sync + 'static,
    M: Send + 'static,
    A: Actor,
    A::Msg: From<Assignment<K, M>>,
{
    /// Starts the factory and its workers in the [current](ActorSystem::current) system.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]. [`SpawnError::Startup`] if a setting cannot be used, or a worker did
    /// not start: then none is left.
    pub fn spawn(self) -> impl Future<Output = Result<FactoryRef<K, M>, SpawnError>> + Send + use<K, M, A> {
        // Not an `async fn`, here and below: that it is `Send` is shown here once, and not where
        // it is awaited, where the compiler does not see it of a closure that gives a future.
        let system = ActorSystem::current();
        async move { self.spawn_in(&system).await }
    }

    /// Starts the factory and its workers in a system.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_in(
        mut self,
        system: &ActorSystem,
    ) -> impl Future<Output = Result<FactoryRef<K, M>, SpawnError>> + Send + use<'_, K, M, A> {
        let options = std::mem::take(&mut self.options);
        let shared = Arc::new(self.share());
        self.shared = Some(shared.clone());
        async move {
            let actor = system.spawn(Factory::new(), self, options).await?;
            Ok(FactoryRef::new(actor, shared))
        }
    }
}

const BACKOFF_FIRST: Duration = Duration::from_millis(10);
const BACKOFF_CAP: Duration = Duration::from_secs(10);

impl<K: Send + 'static, M: Send + 'static, A: Actor> fmt::Debug for FactoryBuilder<K, M, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactoryBuilder")
            .field("workers", &self.workers)
            .field("routing", &self.routing)
            .field("queueing", &self.queueing)
            .field("discard", &self.discard)
            .field("rate", &self.rate)
            .field("dead_man", &self.dead_man)
            .field("capacity", &self.capacity)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}
