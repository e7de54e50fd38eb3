//! [`Supervisor`]: an actor that starts its children and starts them again.
//!
//! ```text
//!  Supervisor::builder() ── .child(ChildSpec) ── .spawn() ─► SupervisorRef
//!                                                              │ start_child, end_child, …
//!  children ── SupervisionEvent ─► actor.rs ◄── messages ──────┘
//!      ▲                             │  ▲
//!      └── restart, stop, kill ◄─────┘  └─► supervise::Roster decides
//! ```

mod actor;
mod checks;
mod child;
mod family;
mod orders;
mod reference;

use std::fmt;
use std::sync::Arc;

pub use self::actor::{SupervisorMessage, SupervisorState};
use self::child::Erased;
pub use self::child::{ChildSpec, HealthCheck};
pub use self::reference::{ChildInfo, ChildState, SupervisorError, SupervisorRef};
use crate::error::SpawnError;
use crate::limits::{CHILDREN_MAX, RESTARTS_MAX};
use crate::runtime::SpawnOptions;
use crate::supervise::{Intensity, Strategy};
use crate::system::ActorSystem;

/// An actor that starts its children, in order, and starts them again when they end, as
/// its strategy and their specifications say. When it ends it ends them, the last first.
///
/// A child that is started again keeps its address, id, name, groups and the messages it
/// has accepted; see [`ActorSystem::spawn_restartable`].
///
/// It is an actor as any other, with a [`SupervisorBuilder`] for its arguments: so a
/// supervisor can be the child of another, made by
/// `ChildSpec::new("inner", || (Supervisor, Supervisor::builder()))`.
///
/// ```
/// use std::time::Duration;
///
/// use actor_core::{Backoff, ChildSpec, Intensity, Strategy, Supervisor, actor};
///
/// struct Counter(u64);
///
/// #[actor]
/// impl Counter {
///     fn add(&mut self, by: u64) -> u64 {
///         self.0 = self.0.checked_add(by).expect("a counter that does not overflow");
///         self.0
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let supervisor = Supervisor::builder()
///     .strategy(Strategy::OneForOne)
///     .intensity(Intensity { restarts: 10, window: Duration::from_secs(60) })
///     .child(ChildSpec::new("counter", || (Counter::actor(), Counter(0))))
///     .spawn()
///     .await?;
///
/// let counter = CounterRef::from(supervisor.find("counter").await?);
/// assert_eq!(counter.add(7).await?, 7);
/// assert!(counter.add(u64::MAX).await.is_err());
/// // The same reference reaches the next life.
/// assert_eq!(counter.add(1).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Supervisor;

impl Supervisor {
    /// A supervisor without children, `OneForOne`, with the default intensity.
    pub fn builder() -> SupervisorBuilder {
        SupervisorBuilder {
            strategy: Strategy::default(),
            intensity: Intensity::default(),
            children: Vec::new(),
        }
    }
}

/// What a [`Supervisor`] starts with.
#[must_use = "nothing is started unless this is spawned"]
pub struct SupervisorBuilder {
    strategy: Strategy,
    intensity: Intensity,
    children: Vec<Erased>,
}

impl SupervisorBuilder {
    /// Whom the end of a child concerns.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// How many restarts, of all children together, are too many.
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// Adds a child, to be started after those that were added before.
    pub fn child<M: Send + 'static>(mut self, spec: ChildSpec<M>) -> Self {
        self.children.push(spec.erased());
        self
    }

    /// Starts the supervisor and its children in the [current](ActorSystem::current)
    /// system.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]. If a child does not start, those that did are ended, the last
    /// first, and that is a [`SpawnError::Startup`] of the supervisor. A specification
    /// that cannot be used is one too.
    pub async fn spawn(self) -> Result<SupervisorRef, SpawnError> {
        self.spawn_with(&ActorSystem::current(), SpawnOptions::new()).await
    }

    /// Starts the supervisor in a system, with options.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_with(
        self,
        system: &ActorSystem,
        options: SpawnOptions,
    ) -> Result<SupervisorRef, SpawnError> {
        system.spawn(Supervisor, self, options).await.map(SupervisorRef::new)
    }

    /// Whether all of it can be used.
    fn check(&self) -> Result<(), SpecError> {
        if self.intensity.restarts > RESTARTS_MAX {
            return Err(SpecError::Intensity);
        }
        if self.children.len() > CHILDREN_MAX {
            return Err(SpecError::TooMany);
        }
        let mut ids: Vec<&Arc<str>> = self.children.iter().map(|child| &child.id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SpecError::Taken(twice[0].clone()));
        }
        self.children.iter().try_for_each(Erased::check)
    }
}

impl fmt::Debug for SupervisorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.children.iter().map(|child| &child.id).collect();
        f.debug_struct("SupervisorBuilder")
            .field("strategy", &self.strategy)
            .field("intensity", &self.intensity)
            .field("children", &ids)
            .finish()
    }
}

/// A specification cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A child's id is empty, too long, or holds control characters or a slash.
    #[error("the id {0:?} cannot be used: it is empty, too long, or holds a slash or a control character")]
    Id(Arc<str>),
    /// Another child of the supervisor has the id.
    #[error("the id {0:?} is taken")]
    Taken(Arc<str>),
    /// The supervisor has [`CHILDREN_MAX`](crate::limits::CHILDREN_MAX) children.
    #[error("the supervisor has {CHILDREN_MAX} children already; remove some, or start another supervisor")]
    TooMany,
    /// The intensity allows more than [`RESTARTS_MAX`](crate::limits::RESTARTS_MAX).
    #[error("the intensity allows more than {RESTARTS_MAX} restarts")]
    Intensity,
    /// A backoff's first delay is longer than its cap, or its jitter is not between 0 and 1.
    #[error(
        "the backoff of {0:?} cannot be used: its first delay is over its cap, or its jitter is not from 0 to 1"
    )]
    Backoff(Arc<str>),
    /// A health check's interval, timeout or threshold is zero.
    #[error("the health check of {0:?} cannot be used: its interval, timeout or threshold is zero")]
    HealthCheck(Arc<str>),
}
