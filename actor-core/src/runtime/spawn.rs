//! The door for actors that may move between threads.

use std::any::type_name;
use std::future::Future;
use std::sync::Arc;

use super::boundary::{Within, panicked};
use super::colocation::Colocation;
use super::drive::{ActorInbox, KeepState, Unstarted, drive, drive_restartable, start};
use super::exit::ExitGuard;
use crate::actor::{Actor, LocalActor};
use crate::address::{ActorCell, ActorRef};
use crate::contain::caught;
use crate::error::SpawnError;
use crate::event::BoxedState;
use crate::lifecycle::Flag;
use crate::limits::MAILBOX_CAPACITY_MAX;
use crate::mailbox::{Capacity, Mailbox, Overflow, Tags};
use crate::observe::ActorChange;
use crate::registry::is_usable;
use crate::system::ActorSystem;

/// How an actor is spawned: its name, its supervisor, its mailbox, its place, and whether it is
/// traced.
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing unless an actor is spawned with them"]
pub struct SpawnOptions {
    name: Option<Arc<str>>,
    /// Boxed: most are under nobody, and options are copied on their way.
    parent: Option<Box<Parent>>,
    mailbox: Option<Capacity>,
    overflow: Overflow,
    is_traced: bool,
    pub(super) place: Option<Colocation>,
}

/// Whom an actor is under.
#[derive(Clone, Debug)]
struct Parent {
    supervisor: ActorCell,
    /// What it calls the actor.
    child_id: Option<Arc<str>>,
}

/// What an actor has before it is built, and its supervisor.
type Place<M> = (ActorInbox<M>, ExitGuard<M>, Option<ActorCell>);

/// An actor that is ready to be started, with what, and its supervisor.
type Ready<A> = (Unstarted<A>, <A as LocalActor>::Arguments, Option<ActorCell>);

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
        self.parent = Some(Box::new(Parent { supervisor: supervisor.clone(), child_id: None }));
        self
    }

    /// The supervisor, if it has one.
    pub(crate) fn known_supervisor(&self) -> Option<ActorCell> {
        self.parent.as_ref().map(|parent| parent.supervisor.clone())
    }

    /// [`supervisor`](Self::supervisor), with what that calls the actor; part of its path.
    pub(crate) fn child_of(mut self, supervisor: &ActorCell, id: Arc<str>) -> Self {
        self.parent = Some(Box::new(Parent { supervisor: supervisor.clone(), child_id: Some(id) }));
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

    /// What becomes of a message for which there is no room; see [`Overflow`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Has each message handled inside the `tracing` span that it was sent in: the span that
    /// its sender was in when the message was put in, or when the sender began to wait for
    /// room. [`SystemBuilder::traced`](crate::SystemBuilder::traced) does the same for all
    /// actors of a system.
    ///
    /// The handler's future is polled and dropped inside the span, and
    /// [`on_error`](crate::Actor::on_error) is called there; the other hooks have no span.
    /// What is [attached](ActorCell::attach) to the actor runs inside the span that was
    /// current when it was. A message that was sent in no span is handled in none, and so is
    /// one from another node, for now.
    ///
    /// A span stays open while its message waits, while that is handled, and while what the
    /// handler attached runs. Each place in a traced mailbox takes 40 bytes more. If the
    /// subscriber panics in any of this, that is reported and the message goes its way.
    pub fn traced(mut self) -> Self {
        self.is_traced = true;
        self
    }

    fn check(&self, capacity: Capacity, is_sorted: bool) -> Result<(), SpawnError> {
        if self.name.as_deref().is_some_and(|name| !is_usable(name)) {
            return Err(SpawnError::Options("the name is empty, too long, or holds control characters"));
        }
        if matches!(capacity, Capacity::Bounded(n) if n.get() > MAILBOX_CAPACITY_MAX) {
            return Err(SpawnError::Options("the mailbox capacity is over the limit"));
        }
        if is_sorted && self.overflow == Overflow::DropOldest {
            return Err(SpawnError::Options("a mailbox that sorts cannot drop its oldest message"));
        }
        Ok(())
    }

    /// Makes an actor's cell and claims its name.
    pub(super) fn reserve<A: LocalActor>(self, system: &ActorSystem) -> Result<Place<A::Msg>, SpawnError> {
        let capacity = self.mailbox.unwrap_or_else(|| system.default_mailbox());
        self.check(capacity, A::SORTING.is_active())?;
        let executor = system.executor().clone();
        let is_traced = self.is_traced || system.is_traced();
        let tags = if is_traced { Tags::Carried } else { Tags::None };
        let mailbox = Mailbox::new(capacity, self.overflow, tags);
        let id = system.next_id();
        let observation = system.observation(id, self.name.as_ref());
        let is_observed = observation.is_some();
        if let Some(observation) = observation {
            mailbox.observe(observation);
        }
        let (myself, inbox) = ActorRef::local(id, self.name.clone(), executor, mailbox);
        let supervisor = self.parent.map(|parent| parent.told_to(&myself));
        let is_counted = system.admit(&myself)?;
        if let Some(name) = self.name
            && system.registry().claim(name.clone(), myself.cell()).is_err()
        {
            if is_counted {
                system.vacate();
                system.dismiss(id);
            }
            return Err(SpawnError::NameTaken(name));
        }
        let guard = ExitGuard::new(myself);
        if is_counted {
            guard.control().raise(Flag::Counted);
        }
        if is_traced {
            guard.control().raise(Flag::Traced);
        }
        if is_observed {
            guard.control().raise(Flag::Observed);
            guard.observe(|| ActorChange::Spawned(type_name::<A>()));
        }
        Ok((inbox, guard, supervisor))
    }

    /// [`reserve`](Self::reserve) for an actor that is built already.
    pub(super) fn unstarted<A: LocalActor>(
        self,
        system: &ActorSystem,
        actor: A,
    ) -> Result<(Unstarted<A>, Option<ActorCell>), SpawnError> {
        let (inbox, guard, supervisor) = self.reserve::<A>(system)?;
        Ok((Unstarted { actor, inbox, guard }, supervisor))
    }

    /// [`unstarted`](Self::unstarted) for an actor that lives again.
    pub(super) fn restartable<A: LocalActor>(
        self,
        system: &ActorSystem,
        make: &mut impl FnMut() -> (A, A::Arguments),
    ) -> Result<Ready<A>, SpawnError> {
        if self.parent.is_none() {
            return Err(SpawnError::Options("only an actor with a supervisor can be restartable"));
        }
        let made = caught(make).map_err(|payload| SpawnError::Startup(panicked(payload)));
        let (actor, arguments) = made?;
        let (unstarted, supervisor) = self.unstarted(system, actor)?;
        unstarted.guard.control().raise(Flag::Restartable);
        Ok((unstarted, arguments, supervisor))
    }
}

impl Parent {
    /// The supervisor, when the actor knows what that calls it.
    fn told_to<M: Send + 'static>(self, actor: &ActorRef<M>) -> ActorCell {
        if let (Some(id), Some(local)) = (self.child_id, actor.as_local()) {
            local.set_child_id(id);
        }
        self.supervisor
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

impl ActorSystem {
    /// Starts an actor that its supervisor can [restart](ActorCell::restart): each life
    /// begins with what `make` gives, the first in the caller's task, as for
    /// [`spawn`](Self::spawn).
    ///
    /// When a life ends, however that was, the supervisor is told by
    /// [`SupervisionEvent::Suspended`](crate::SupervisionEvent::Suspended). Meanwhile the
    /// actor keeps its address, id, name, groups and messages. What the life had of its own
    /// goes: state, children, timers, watches, supervision events.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; nothing of the actor is left. A panic in `make` is a
    /// [`SpawnError::Startup`]; options without a supervisor are [`SpawnError::Options`].
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_restartable<A: Actor, F>(
        &self,
        make: F,
        options: SpawnOptions,
    ) -> impl Future<Output = Result<ActorRef<A::Msg>, SpawnError>> + Send + use<A, F>
    where
        F: FnMut() -> (A, A::Arguments) + Send + 'static,
    {
        let system = self.clone();
        let (mut make, mut options) = (make, options);
        async move {
            let place = options.place.take();
            let (unstarted, arguments, supervisor) = options.restartable(&system, &mut make)?;
            let myself = unstarted.guard.myself().clone();
            let mut home = Some(system);
            let started = Within::new(&mut home, start::<A, Kept>(unstarted, arguments, supervisor)).await?;
            let system = home.expect("it is back when the future has ended");
            match place {
                None => {
                    let executor = system.executor().clone();
                    executor.spawn(drive_restartable(started, make, system)).detach();
                }
                Some(place) => place.spawn(drive_restartable(started, make, system)),
            }
            Ok(myself)
        }
    }
}

/// A state that may go to another thread may go to the supervisor.
pub(super) struct Kept;

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
