//! The door for actors that may move between threads.

use std::future::Future;
use std::sync::Arc;

use super::boundary::Within;
use super::colocation::Colocation;
use super::drive::{KeepState, Unstarted, drive, start};
use super::exit::ExitGuard;
use crate::actor::{Actor, LocalActor};
use crate::address::{ActorCell, ActorRef};
use crate::error::SpawnError;
use crate::event::BoxedState;
use crate::limits::MAILBOX_CAPACITY_MAX;
use crate::mailbox::Capacity;
use crate::registry::is_usable;
use crate::system::ActorSystem;

/// How an actor is spawned: its name, its supervisor, its mailbox, its place.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SpawnOptions {
    name: Option<Arc<str>>,
    supervisor: Option<ActorCell>,
    mailbox: Option<Capacity>,
    place: Option<Colocation>,
}

impl SpawnOptions {
    /// No name, no supervisor, the system's default mailbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the actor a name, which no other actor of the system may hold.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Links the actor to a supervisor once `pre_start` has succeeded.
    pub fn supervisor(mut self, supervisor: &ActorCell) -> Self {
        self.supervisor = Some(supervisor.clone());
        self
    }

    /// Runs the actor in the same task as the others of a place. Has no effect on a
    /// [`LocalActor`](crate::LocalActor), whose place is its thread.
    pub fn colocate(mut self, place: &Colocation) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Bounds the mailbox; see [`Capacity`].
    pub fn mailbox(mut self, capacity: Capacity) -> Self {
        self.mailbox = Some(capacity);
        self
    }

    fn check(&self, capacity: Capacity) -> Result<(), SpawnError> {
        if self.name.as_deref().is_some_and(|name| !is_usable(name)) {
            return Err(SpawnError::Options("the name is empty, too long, or holds control characters"));
        }
        if matches!(capacity, Capacity::Bounded(n) if n.get() > MAILBOX_CAPACITY_MAX) {
            return Err(SpawnError::Options("the mailbox capacity is over the limit"));
        }
        Ok(())
    }

    /// Makes the actor's cell and claims its name.
    pub(super) fn unstarted<A: LocalActor>(
        self,
        system: &ActorSystem,
        actor: A,
    ) -> Result<(Unstarted<A>, Option<ActorCell>), SpawnError> {
        let capacity = self.mailbox.unwrap_or_else(|| system.default_mailbox());
        self.check(capacity)?;
        let executor = system.executor().clone();
        let (myself, inbox) = ActorRef::local(system.next_id(), self.name.clone(), executor, capacity);
        if let Some(name) = self.name {
            let claimed = system.registry().claim(name.clone(), myself.cell());
            claimed.map_err(|_| SpawnError::NameTaken(name))?;
        }
        Ok((Unstarted { actor, inbox, guard: ExitGuard::new(myself) }, self.supervisor))
    }
}

impl ActorSystem {
    /// Starts an actor and waits until its `pre_start` has succeeded, which runs
    /// in the caller's task. Dropping the future before it is ready leaves
    /// nothing behind.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; nothing of the actor is left.
    ///
    /// # Panics
    ///
    /// On [`Executor::tokio`](crate::executor::Executor::tokio), if no runtime is current
    /// and the actor is not [colocated](SpawnOptions::colocate).
    pub fn spawn<A: Actor>(
        &self,
        actor: A,
        arguments: A::Arguments,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send + use<A> {
        let system = self.clone();
        let mut options = options;
        async move {
            let place = options.place.take();
            let (unstarted, supervisor) = options.unstarted(&system, actor)?;
            let myself = unstarted.guard.myself().clone();
            let mut home = Some(system);
            let started = Within::new(&mut home, start::<A, Kept>(unstarted, arguments, supervisor)).await?;
            let system = home.expect("it is back when the future has ended");
            match place {
                None => {
                    let executor = system.executor().clone();
                    executor.spawn(drive(started, system)).detach();
                }
                Some(place) => place.spawn(drive(started, system)),
            }
            Ok(myself)
        }
    }
}

/// A state that may go to another thread may go to the supervisor.
struct Kept;

impl<S: Send + 'static> KeepState<S> for Kept {
    fn keep(state: S) -> Option<BoxedState> {
        Some(BoxedState::new(state))
    }
}

/// Short forms of [`ActorSystem::spawn`] on the [current](ActorSystem::current)
/// system: an actor's own inside its hooks, the process's default elsewhere.
pub trait Spawn: Actor {
    /// Starts the actor without a name or a supervisor.
    ///
    /// # Errors
    ///
    /// See [`ActorSystem::spawn`].
    fn spawn(
        self,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<ActorRef<Self::Msg>, SpawnError>> + Send {
        self.spawn_with(arguments, SpawnOptions::new())
    }

    /// Starts the actor under a supervisor.
    ///
    /// # Errors
    ///
    /// See [`ActorSystem::spawn`].
    fn spawn_linked(
        self,
        arguments: Self::Arguments,
        supervisor: &ActorCell,
    ) -> impl Future<Output = Result<ActorRef<Self::Msg>, SpawnError>> + Send {
        self.spawn_with(arguments, SpawnOptions::new().supervisor(supervisor))
    }

    /// Starts the actor with options.
    ///
    /// # Errors
    ///
    /// See [`ActorSystem::spawn`].
    fn spawn_with(
        self,
        arguments: Self::Arguments,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<Self::Msg>, SpawnError>> + Send {
        ActorSystem::current().spawn(self, arguments, options)
    }
}

impl<A: Actor> Spawn for A {}
