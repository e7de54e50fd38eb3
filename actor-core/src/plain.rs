//! What `#[actor]` builds on, as a user meets it: starting a plain struct, its typed
//! reference, and the context that a method may ask for.
//!
//! ```text
//!  Counter::default().spawn() ─► Spawning ── .name(..) .supervisor(..) .on(..) ── .await
//!                                                                    or .instant()  │
//!  fn inc(&mut self, ctx: &Context<CounterRef>, ..) ◄── the actor ◄── CounterRef ◄──┘
//! ```

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{ActorCell, ActorRef};
use crate::error::SpawnError;
use crate::mailbox::{Capacity, Overflow};
use crate::runtime::{Colocation, SpawnOptions, Starting};
use crate::system::ActorSystem;
use crate::time::Instant;

/// A reference to an actor with a method for each of its messages, such as the
/// `CounterRef` that `#[actor]` generates. It dereferences to the [`ActorRef`] it
/// stands on and is made of it, wherever the actor lives:
///
/// ```ignore
/// let counter = CounterRef::from(node.find::<CounterMessage>("counter")?);
/// ```
pub trait TypedRef: From<ActorRef<Self::Message>> + Deref<Target = ActorRef<Self::Message>> {
    /// What the actor takes.
    type Message: Send + 'static;
}

/// What a method of an `#[actor]` may ask for as its first argument: the actor it runs
/// in, and the call it answers.
///
/// It is borrowed and made of two words, so it costs nothing to those who do not ask.
/// It dereferences to the actor's own [`ActorRef`]: id, name, stop, cell.
///
/// ```
/// use actor_core::{Context, actor};
///
/// #[derive(Default)]
/// struct Countdown {
///     left: u32,
/// }
///
/// #[actor]
/// impl Countdown {
///     /// Counts down, and stops at zero.
///     fn tick(&mut self, ctx: &Context<'_, CountdownRef>) {
///         self.left = self.left.saturating_sub(1);
///         if self.left == 0 {
///             ctx.stop(Some("lift-off"));
///         }
///     }
/// }
/// # fn main() {}
/// ```
pub struct Context<'a, R: TypedRef> {
    myself: &'a ActorRef<R::Message>,
    deadline: Option<Instant>,
}

impl<'a, R: TypedRef> Context<'a, R> {
    /// The context of an actor; the generated code makes it, and so may a test that
    /// calls a method itself.
    pub fn new(myself: &'a ActorRef<R::Message>, deadline: Option<Instant>) -> Self {
        Self { myself, deadline }
    }

    /// The actor's own reference, to keep or to hand out. This is a clone; for
    /// everything that an [`ActorRef`] can do, the context itself is one.
    pub fn myself(&self) -> R {
        R::from(self.myself.clone())
    }

    /// When the caller of the current call stops waiting, on this system's clock;
    /// `None` if it waits for ever, or if nobody waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long the caller will still wait: what a call that is made on its behalf
    /// should have as its timeout. `None` without a deadline, zero once it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        let now = || self.myself.executor().now();
        self.deadline.map(|deadline| deadline.saturating_since(now()))
    }

    /// The system of the hook that runs on this thread, so the actor's own; outside a
    /// hook, as in a test, the process's default.
    pub fn system(&self) -> ActorSystem {
        ActorSystem::current()
    }

    /// Makes a spawn the spawn of a child: `ctx.child(Worker::default().spawn()).await?`.
    pub fn child<S: Start>(&self, spawning: Spawning<S>) -> Spawning<S> {
        spawning.supervisor(&self.myself.cell())
    }
}

impl<R: TypedRef> Deref for Context<'_, R> {
    type Target = ActorRef<R::Message>;

    fn deref(&self) -> &Self::Target {
        self.myself
    }
}

impl<R: TypedRef> fmt::Debug for Context<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("myself", &self.myself).field("deadline", &self.deadline).finish()
    }
}

/// An actor that is ready to be started. [`Spawning`] and [`LocalSpawning`] hold one.
///
/// Made by `#[actor]`, and not to be implemented: it is there to be named, where a function
/// takes any `Spawning<impl Start>`.
pub trait Start: sealed::Sealed {
    /// What the spawner gets.
    type Ref;
    /// The start itself.
    type Future: Future<Output = Result<Self::Ref, SpawnError>>;

    /// Starts the actor and waits for that.
    fn start(self, system: Option<ActorSystem>, options: SpawnOptions) -> Self::Future;

    /// Starts the actor and does not wait.
    ///
    /// # Errors
    ///
    /// As [`ActorSystem::spawn_instant`].
    fn start_instant(
        self,
        system: Option<ActorSystem>,
        options: SpawnOptions,
    ) -> Result<(Self::Ref, Starting), SpawnError>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A spawn that can be refined, and awaited for the actor's reference.
///
/// # Errors
///
/// See [`SpawnError`]; nothing of the actor is left.
///
/// # Cancellation
///
/// Dropping the future before it is ready leaves nothing behind.
///
/// # Panics
///
/// As [`ActorSystem::spawn`].
#[must_use = "nothing is spawned unless this is awaited"]
pub struct Spawning<S> {
    start: S,
    options: SpawnOptions,
    system: Option<ActorSystem>,
}

impl<S: Start> Spawning<S> {
    pub(crate) fn new(start: S) -> Self {
        Self { start, options: SpawnOptions::new(), system: None }
    }

    /// Spawns in this system. Without it: in the [current](ActorSystem::current) one.
    pub fn on(self, system: &ActorSystem) -> Self {
        Self { system: Some(system.clone()), ..self }
    }

    /// Runs the actor in the same task as the others of a [`Colocation`].
    pub fn colocate(self, place: &Colocation) -> Self {
        Self { options: self.options.colocate(place), ..self }
    }

    /// Gives the reference at once instead: messages that are sent meanwhile queue, and
    /// [`Starting`] says what became of the start.
    ///
    /// # Errors
    ///
    /// As [`ActorSystem::spawn_instant`].
    ///
    /// # Panics
    ///
    /// As [`ActorSystem::spawn`].
    pub fn instant(self) -> Result<(S::Ref, Starting), SpawnError> {
        self.start.start_instant(self.system, self.options)
    }
}

/// As [`Spawning`], on the thread of a [`LocalSpawner`](crate::LocalSpawner).
#[must_use = "nothing is spawned unless this is awaited"]
pub struct LocalSpawning<S> {
    start: S,
    options: SpawnOptions,
}

impl<S: Start> LocalSpawning<S> {
    pub(crate) fn new(start: S) -> Self {
        Self { start, options: SpawnOptions::new() }
    }

    /// As [`Spawning::instant`]; the struct is built on the thread.
    ///
    /// # Errors
    ///
    /// As [`LocalSpawner::spawn_instant`](crate::LocalSpawner::spawn_instant).
    pub fn instant(self) -> Result<(S::Ref, Starting), SpawnError> {
        self.start.start_instant(None, self.options)
    }
}

/// The options that do not depend on the place.
macro_rules! refined {
    ($name:ident) => {
        impl<S: Start> $name<S> {
            /// Gives the actor a name, which no other actor of the system may hold.
            pub fn name(self, name: impl Into<Arc<str>>) -> Self {
                Self { options: self.options.name(name), ..self }
            }

            /// Links the actor to a supervisor once it has started.
            pub fn supervisor(self, supervisor: &ActorCell) -> Self {
                Self { options: self.options.supervisor(supervisor), ..self }
            }

            /// Bounds the mailbox; see [`Capacity`].
            pub fn mailbox(self, capacity: Capacity) -> Self {
                Self { options: self.options.mailbox(capacity), ..self }
            }

            /// What becomes of a message for which there is no room; see [`Overflow`].
            pub fn overflow(self, overflow: Overflow) -> Self {
                Self { options: self.options.overflow(overflow), ..self }
            }

            /// Has each message handled inside the span that it was sent in; see
            /// [`SpawnOptions::traced`].
            pub fn traced(self) -> Self {
                Self { options: self.options.traced(), ..self }
            }

            /// Replaces all options that were given so far.
            pub fn options(self, options: SpawnOptions) -> Self {
                Self { options, ..self }
            }
        }

        impl<S> fmt::Debug for $name<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("options", &self.options).finish_non_exhaustive()
            }
        }
    };
}

refined!(Spawning);
refined!(LocalSpawning);

impl<S: Start> IntoFuture for Spawning<S> {
    type Output = Result<S::Ref, SpawnError>;
    type IntoFuture = S::Future;

    fn into_future(self) -> S::Future {
        self.start.start(self.system, self.options)
    }
}

impl<S: Start> IntoFuture for LocalSpawning<S> {
    type Output = Result<S::Ref, SpawnError>;
    type IntoFuture = S::Future;

    fn into_future(self) -> S::Future {
        self.start.start(None, self.options)
    }
}
