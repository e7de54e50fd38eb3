//! [`ActorSystem`]: what the actors of one system share. Spawning is in
//! `runtime/`, which stands above.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::address::{ActorCell, ActorRef};
use crate::census::Census;
use crate::error::SpawnError;
use crate::executor::Executor;
use crate::groups::Groups;
use crate::id::{ActorId, Incarnation};
use crate::limits::CALL_TIMEOUT_DEFAULT;
use crate::mailbox::Capacity;
use crate::observe::{self, Event, Observation, Observer};
use crate::registry::Registry;
use crate::sync::{AtomicU64, Ordering};

/// An actor system: an executor, a name space, groups, and the ids of one
/// incarnation. Cloning gives another handle to the same; any number of systems
/// can live in one process and know nothing of each other.
///
/// Its actors live on when all handles are dropped. A system that ends with its owner is an
/// [`OwnedSystem`](crate::OwnedSystem).
#[derive(Clone)]
pub struct ActorSystem {
    shared: Arc<Shared>,
}

struct Shared {
    executor: Executor,
    incarnation: Incarnation,
    serials: AtomicU64,
    registry: Registry,
    groups: Groups,
    mailbox: Capacity,
    is_traced: bool,
    /// In nanoseconds. Relaxed: whoever sets it says when, if it matters.
    call_timeout: AtomicU64,
    observer: Option<Arc<dyn Observer>>,
    census: Option<Census>,
}

/// What an [`ActorSystem`] is made with.
#[must_use = "no system is made unless it is built"]
pub struct SystemBuilder {
    executor: Executor,
    mailbox: Capacity,
    call_timeout: Duration,
    actors_max: Option<usize>,
    observer: Option<Arc<dyn Observer>>,
    is_traced: bool,
}

impl SystemBuilder {
    /// What it runs on; without it, on the tokio runtime that is current whenever it
    /// spawns.
    pub fn executor(self, executor: Executor) -> Self {
        Self { executor, ..self }
    }

    /// The mailbox of actors that are spawned without one.
    pub fn mailbox(self, mailbox: Capacity) -> Self {
        Self { mailbox, ..self }
    }

    /// Has an observer told what happens in the system.
    pub fn observer(self, observer: impl Observer) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self }
    }

    /// Has each message of each actor handled inside the `tracing` span that it was sent
    /// in, as [`SpawnOptions::traced`](crate::SpawnOptions::traced) does for one actor.
    pub fn traced(self) -> Self {
        Self { is_traced: true, ..self }
    }

    /// How long calls wait that take the system's default; see
    /// [`ActorSystem::set_call_timeout`].
    pub fn call_timeout(self, timeout: Duration) -> Self {
        Self { call_timeout: timeout, ..self }
    }

    /// How many actors may live in the system at once; without it, as many as there is
    /// memory for. One more is [`SpawnError::TooManyActors`]. One counts from before its
    /// `pre_start` until it has ended: whoever hears of that may spawn in its place.
    ///
    /// The system then knows its actors, which costs each spawn and each end one short
    /// lock, shared with one in sixteen of the others.
    pub fn actors_max(self, actors_max: usize) -> Self {
        Self { actors_max: Some(actors_max), ..self }
    }

    /// Makes the system.
    pub fn build(self) -> ActorSystem {
        let census = self.actors_max.map(Census::new);
        self.build_with(census)
    }

    /// The bound on how many actors may live in it.
    pub(crate) fn bound(&self) -> Option<usize> {
        self.actors_max
    }

    /// Makes a system that knows its actors, if there is a census.
    pub(crate) fn build_with(self, census: Option<Census>) -> ActorSystem {
        let Self { executor, mailbox, call_timeout, actors_max: _, observer, is_traced } = self;
        let unix_ms = u64::try_from(executor.unix_time().as_millis()).unwrap_or(u64::MAX);
        let incarnation = Incarnation::new(unix_ms, executor.random_u64());
        let shared = Shared {
            executor,
            incarnation,
            serials: AtomicU64::new(1),
            registry: Registry::default(),
            groups: Groups::new(incarnation),
            mailbox,
            is_traced,
            observer,
            call_timeout: AtomicU64::new(nanos(call_timeout)),
            census,
        };
        ActorSystem { shared: Arc::new(shared) }
    }
}

impl fmt::Debug for SystemBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemBuilder")
            .field("executor", &self.executor)
            .field("mailbox", &self.mailbox)
            .field("call_timeout", &self.call_timeout)
            .field("actors_max", &self.actors_max)
            .field("is_observed", &self.observer.is_some())
            .field("is_traced", &self.is_traced)
            .finish()
    }
}

impl ActorSystem {
    /// A system on the tokio runtime that is current whenever it spawns.
    pub fn new() -> Self {
        Self::on(Executor::tokio())
    }

    /// A system that is not as [`new`](Self::new) makes it.
    pub fn builder() -> SystemBuilder {
        SystemBuilder {
            executor: Executor::tokio(),
            mailbox: Capacity::default(),
            call_timeout: CALL_TIMEOUT_DEFAULT,
            actors_max: None,
            observer: None,
            is_traced: false,
        }
    }

    /// A system on an executor.
    pub fn on(executor: Executor) -> Self {
        Self::builder().executor(executor).build()
    }

    /// The system of the actor whose hook is running here, or else the
    /// process's default system.
    pub fn current() -> Self {
        crate::runtime::current_system().unwrap_or_else(Self::process_default)
    }

    /// The process's default system, made when first asked for. It exists for
    /// short programs; a library takes a system as an argument.
    pub fn process_default() -> Self {
        static DEFAULT: OnceLock<ActorSystem> = OnceLock::new();
        DEFAULT.get_or_init(Self::new).clone()
    }

    /// How long calls wait that take the system's default: at first
    /// [`CALL_TIMEOUT_DEFAULT`](crate::limits::CALL_TIMEOUT_DEFAULT).
    pub fn call_timeout(&self) -> Duration {
        Duration::from_nanos(self.shared.call_timeout.load(Ordering::Relaxed))
    }

    /// Changes [`call_timeout`](Self::call_timeout) for calls that begin from now on. More
    /// than 584 years count as that.
    pub fn set_call_timeout(&self, timeout: Duration) {
        self.shared.call_timeout.store(nanos(timeout), Ordering::Relaxed);
    }

    /// What the system runs on.
    pub fn executor(&self) -> &Executor {
        &self.shared.executor
    }

    /// Which life of the process this is; part of every actor's id.
    pub fn incarnation(&self) -> Incarnation {
        self.shared.incarnation
    }

    /// The local actor that holds a name.
    pub fn where_is(&self, name: &str) -> Option<ActorCell> {
        self.shared.registry.lookup(name)
    }

    /// The local actor that holds a name, if it takes messages of type `M`.
    pub fn where_is_typed<M: Send + 'static>(&self, name: &str) -> Option<ActorRef<M>> {
        ActorRef::from_cell(self.where_is(name)?).ok()
    }

    /// The local actor at a path, as `/sup/worker-1`: the first part is a name, each
    /// further one the id or the name of a child of the actor before.
    pub fn resolve(&self, path: &str) -> Option<ActorCell> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let root = self.where_is(parts.next()?)?;
        parts.try_fold(root, |actor, part| actor.child(part))
    }

    /// Every name that is held, sorted.
    pub fn registered(&self) -> Vec<Arc<str>> {
        self.shared.registry.names()
    }

    /// The process groups.
    pub fn groups(&self) -> &Groups {
        &self.shared.groups
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Tells the system's observer what a library above this crate saw. Without an observer
    /// nothing is made and nothing happens.
    pub fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(observer) = self.observer() {
            observe::tell(observer, &event());
        }
    }

    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.shared.observer.as_deref()
    }

    /// Who is told what happens to an actor of the system.
    pub(crate) fn observation(&self, actor: ActorId, name: Option<&Arc<str>>) -> Option<Observation> {
        let observer = self.shared.observer.clone()?;
        Some(Observation::new(observer, self.executor().clone(), actor, name.cloned()))
    }

    /// Who lives here, if it has to know.
    pub(crate) fn census(&self) -> Option<&Census> {
        self.shared.census.as_ref()
    }

    /// Lets an actor in and says whether it is counted: then it is to be
    /// [dismissed](Self::dismiss).
    #[inline]
    pub(crate) fn admit<M: Send + 'static>(&self, actor: &ActorRef<M>) -> Result<bool, SpawnError> {
        let Some(census) = self.census() else { return Ok(false) };
        census.admit(actor.cell()).map(|()| true)
    }

    /// A counted actor ends: another may be let in.
    pub(crate) fn vacate(&self) {
        if let Some(census) = self.census() {
            census.vacate();
        }
    }

    /// A counted actor has ended.
    pub(crate) fn dismiss(&self, actor: ActorId) {
        if let Some(census) = self.census() {
            census.dismiss(actor);
        }
    }

    pub(crate) fn default_mailbox(&self) -> Capacity {
        self.shared.mailbox
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.shared.is_traced
    }

    pub(crate) fn next_id(&self) -> ActorId {
        // Relaxed: only uniqueness matters.
        ActorId::new(self.shared.incarnation, self.shared.serials.fetch_add(1, Ordering::Relaxed))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Default for ActorSystem {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ActorSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorSystem").field("incarnation", &self.shared.incarnation).finish_non_exhaustive()
    }
}
