//! What a supervisor knows of a child before it is started.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::SpecError;
use crate::actor::{Actor, LocalActor};
use crate::address::{ActorCell, ActorRef};
use crate::contain::Contained;
use crate::error::SpawnError;
use crate::mailbox::{Capacity, Overflow};
use crate::registry::is_usable;
use crate::runtime::{Caught, Colocation, LocalSpawner, SpawnOptions, panicked};
use crate::supervise::{Backoff, Policy, Restart, Shutdown};
use crate::system::ActorSystem;

type Launching = Pin<Box<dyn Future<Output = Result<ActorCell, SpawnError>> + Send>>;
type Launch = Box<dyn Fn(&ActorSystem, SpawnOptions) -> Launching + Send + Sync>;
type Checking = Pin<Box<dyn Future<Output = bool> + Send>>;
pub(super) type Check = Arc<dyn Fn(ActorCell) -> Checking + Send + Sync>;

/// How a child is started, and what becomes of it when it ends.
///
/// Unless told otherwise it is [`Permanent`](Restart::Permanent), starts again at once, and
/// is given [`CHILD_STOP_TIMEOUT_DEFAULT`](crate::limits::CHILD_STOP_TIMEOUT_DEFAULT) to
/// stop.
#[must_use = "a specification does nothing by itself"]
pub struct ChildSpec<M> {
    erased: Erased,
    of: PhantomData<fn(M)>,
}

/// When a child counts as unhealthy: `threshold` checks in a row fail. Then it is ended,
/// as its [`Shutdown`] says, and started again unless it is
/// [`Temporary`](Restart::Temporary).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// From the end of a check to the beginning of the next.
    pub interval: Duration,
    /// A check that takes longer has failed.
    pub timeout: Duration,
    /// How many checks in a row have to fail.
    pub threshold: u32,
}

/// A specification without the child's message type.
pub(super) struct Erased {
    pub(super) id: Arc<str>,
    pub(super) policy: Policy,
    pub(super) options: SpawnOptions,
    pub(super) launch: Contained<Launch>,
    pub(super) health: Option<(HealthCheck, Contained<Check>)>,
}

impl<M: Send + 'static> ChildSpec<M> {
    /// A child that is known to its supervisor by `id`, and whose lives each begin with
    /// what `make` gives.
    pub fn new<A: Actor<Msg = M>>(
        id: impl Into<Arc<str>>,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        Self::launched_by(id.into(), move |system, options| {
            let make = make.clone();
            let launching = system.spawn_restartable(move || make(), options);
            Box::pin(async move { launching.await.map(|actor| actor.cell()) })
        })
    }

    /// A child on the thread of a [`LocalSpawner`]; `make` is called there.
    pub fn local<A: LocalActor<Msg = M>>(
        id: impl Into<Arc<str>>,
        thread: &LocalSpawner,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self {
        let (make, thread) = (Arc::new(make), thread.clone());
        Self::launched_by(id.into(), move |_, options| {
            let (make, thread) = (make.clone(), thread.clone());
            Box::pin(async move {
                thread.spawn_restartable(move || make(), options).await.map(|actor| actor.cell())
            })
        })
    }

    /// A child that `launch` starts somewhere else, and puts under the supervisor whose address it
    /// is given: for whoever knows of other processes, such as a cluster.
    ///
    /// It has one life there, and is launched anew when that has ended, at a new address. Nothing
    /// of its name, mailbox, place or tracing is known here: what is said of them counts for
    /// nothing.
    pub fn elsewhere<F>(
        id: impl Into<Arc<str>>,
        launch: impl Fn(ActorCell) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<ActorRef<M>, SpawnError>> + Send + 'static,
    {
        Self::launched_by(id.into(), move |_, options| {
            let launching = options.known_supervisor().map(&launch);
            Box::pin(async move {
                let Some(launching) = launching else { return Err(SpawnError::SupervisorStopping) };
                launching.await.map(|actor| actor.cell())
            })
        })
    }

    fn launched_by(
        id: Arc<str>,
        launch: impl Fn(&ActorSystem, SpawnOptions) -> Launching + Send + Sync + 'static,
    ) -> Self {
        let erased = Erased {
            id,
            policy: Policy::default(),
            options: SpawnOptions::new(),
            launch: Contained::new(Box::new(launch)),
            health: None,
        };
        Self { erased, of: PhantomData }
    }

    /// When it is started again.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.erased.policy.restart = restart;
        self
    }

    /// How it is ended.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.erased.policy.shutdown = shutdown;
        self
    }

    /// How long it waits before it is started again.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.erased.policy.backoff = backoff;
        self
    }

    /// Gives it a name, which no other actor of the system may hold.
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        self.refined(|options| options.name(name))
    }

    /// Bounds its mailbox; see [`Capacity`].
    pub fn mailbox(self, capacity: Capacity) -> Self {
        self.refined(|options| options.mailbox(capacity))
    }

    /// What becomes of a message for which there is no room; see [`Overflow`].
    pub fn overflow(self, overflow: Overflow) -> Self {
        self.refined(|options| options.overflow(overflow))
    }

    /// Runs it in the same task as the others of a [`Colocation`].
    pub fn colocate(self, place: &Colocation) -> Self {
        self.refined(|options| options.colocate(place))
    }

    /// Has each message handled inside the span that it was sent in; see
    /// [`SpawnOptions::traced`].
    pub fn traced(self) -> Self {
        self.refined(SpawnOptions::traced)
    }

    fn refined(mut self, refine: impl FnOnce(SpawnOptions) -> SpawnOptions) -> Self {
        self.erased.options = refine(std::mem::take(&mut self.erased.options));
        self
    }

    /// Replaces its name, mailbox, place and tracing, whatever was said of them so far. A
    /// supervisor in the options counts for nothing: it is the one that starts the child.
    pub fn options(mut self, options: SpawnOptions) -> Self {
        self.erased.options = options;
        self
    }

    /// Asks the child regularly whether it is well: it is not if `check` says `false`, is
    /// not ready in time, or panics.
    pub fn health<F: Future<Output = bool> + Send + 'static>(
        mut self,
        health: HealthCheck,
        check: impl Fn(ActorRef<M>) -> F + Send + Sync + 'static,
    ) -> Self {
        self.erased.policy.unhealthy_after = Some(health.threshold);
        let check: Check = Arc::new(move |cell| match ActorRef::from_cell(cell) {
            Ok(actor) => Box::pin(check(actor)),
            Err(_) => Box::pin(async { false }),
        });
        self.erased.health = Some((health, Contained::new(check)));
        self
    }

    pub(super) fn erased(self) -> Erased {
        self.erased
    }
}

impl Erased {
    /// Whether all of it can be used.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let id = || self.id.clone();
        if !is_usable(&self.id) || self.id.contains('/') {
            return Err(SpecError::Id(id()));
        }
        if !self.policy.backoff.is_usable() {
            return Err(SpecError::Backoff(id()));
        }
        let is_checkable = |health: &HealthCheck| {
            health.threshold > 0 && !health.interval.is_zero() && !health.timeout.is_zero()
        };
        if self.health.as_ref().is_some_and(|(health, _)| !is_checkable(health)) {
            return Err(SpecError::HealthCheck(id()));
        }
        Ok(())
    }

    /// Starts the child under its supervisor.
    pub(super) fn launch(&self, system: &ActorSystem, supervisor: &ActorCell) -> Launching {
        let options = self.options.clone().child_of(supervisor, self.id.clone());
        let launching = (self.launch)(system, options);
        Box::pin(async move {
            // What panics on the way, such as a destructor of what was made in vain, is the
            // child's.
            #[expect(clippy::redundant_async_block, reason = "of a block nothing is left after a panic")]
            let launch = async move { launching.await };
            let launched = Caught::new(launch).await;
            launched.unwrap_or_else(|payload| Err(SpawnError::Startup(panicked(payload))))
        })
    }
}

impl<M> fmt::Debug for ChildSpec<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.erased.id)
            .field("policy", &self.erased.policy)
            .field("options", &self.erased.options)
            .field("health", &self.erased.health.as_ref().map(|(health, _)| health))
            .finish()
    }
}
