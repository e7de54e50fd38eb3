//! What `#[actor]` expands to calls these. Not for people: they may change without
//! notice. Must not live here: anything that a user's own code would name.

use std::any::type_name;
use std::fmt::{Debug, Display};
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::time::Duration;

use crate::actor::{Actor, LocalActor};
use crate::address::ActorRef;
use crate::error::{CallError, SendError, SpawnError};
use crate::exit::ActorError;
use crate::plain::{LocalSpawning, Spawning, Start};
use crate::reply::ReplyPort;
use crate::runtime::{LocalSpawner, SpawnOptions, Starting};
use crate::system::ActorSystem;

pub use crate::{__actor_answer as answer, __actor_conclude as conclude};

/// An actor, and the two ways to start it.
struct Startable<P, F, I> {
    parts: P,
    start: F,
    start_instant: I,
}

impl<P, F, I, R, Fut> Start for Startable<P, F, I>
where
    F: FnOnce(P, Option<ActorSystem>, SpawnOptions) -> Fut,
    Fut: Future<Output = Result<R, SpawnError>>,
    I: FnOnce(P, Option<ActorSystem>, SpawnOptions) -> Result<(R, Starting), SpawnError>,
{
    type Ref = R;
    type Future = Fut;

    fn start(self, system: Option<ActorSystem>, options: SpawnOptions) -> Fut {
        (self.start)(self.parts, system, options)
    }

    fn start_instant(
        self,
        system: Option<ActorSystem>,
        options: SpawnOptions,
    ) -> Result<(R, Starting), SpawnError> {
        (self.start_instant)(self.parts, system, options)
    }
}

/// Starts an actor anywhere in a system.
pub fn spawning<A: Actor, R: From<ActorRef<A::Msg>>>(
    actor: A,
    arguments: A::Arguments,
) -> Spawning<impl Start<Ref = R, Future: Send>> {
    Spawning::new(Startable {
        parts: (actor, arguments),
        start: |(actor, arguments), system: Option<ActorSystem>, options| {
            let system = system.unwrap_or_else(ActorSystem::current);
            let spawn = system.spawn(actor, arguments, options);
            async move { spawn.await.map(R::from) }
        },
        start_instant: |(actor, arguments), system: Option<ActorSystem>, options| {
            let system = system.unwrap_or_else(ActorSystem::current);
            let (actor, starting) = system.spawn_instant(actor, arguments, options)?;
            Ok((R::from(actor), starting))
        },
    })
}

/// Starts an actor on the thread of a `LocalSpawner`, which is not borrowed for longer than
/// the call.
pub fn local_spawning<A: LocalActor, R: From<ActorRef<A::Msg>>, B: FnOnce() -> A + Send + 'static>(
    spawner: &LocalSpawner,
    build: B,
    arguments: A::Arguments,
) -> LocalSpawning<impl Start<Ref = R, Future: Send> + use<A, R, B>> {
    LocalSpawning::new(Startable {
        parts: (spawner.clone(), build, arguments),
        start: |(spawner, build, arguments): (LocalSpawner, B, A::Arguments), _, options| async move {
            spawner.spawn(build, arguments, options).await.map(R::from)
        },
        start_instant: |(spawner, build, arguments): (LocalSpawner, B, A::Arguments), _, options| {
            let (actor, starting) = spawner.spawn_instant(build, arguments, options)?;
            Ok((R::from(actor), starting))
        },
    })
}

/// Builds a struct that cannot leave its thread, there.
pub type Build<S> = Box<dyn FnOnce() -> S + Send>;

/// An argument is moved to its actor.
pub struct SentArgument<T: Send>(PhantomData<T>);

/// A reply is moved to the caller.
pub struct SentReply<T: Send>(PhantomData<T>);

/// What is sent borrows nothing.
pub fn is_owned<T: 'static>() {}

/// What a hook returns: nothing, or a `Result` whose error ends the actor.
#[diagnostic::on_unimplemented(
    message = "a hook cannot return `{Self}`",
    label = "return nothing or `Result<(), E>`",
    note = "`E` must convert into `ActorError`: an `Error`, a `String` or a `&str` does"
)]
pub trait HookOutcome {
    /// As the `Actor` trait says it.
    fn into_result(self) -> Result<(), ActorError>;
}

impl HookOutcome for () {
    fn into_result(self) -> Result<(), ActorError> {
        Ok(())
    }
}

impl<E: Into<ActorError>> HookOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), ActorError> {
        self.map_err(Into::into)
    }
}

/// What `#[init]` returns: the struct, or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "`#[init]` cannot return `{Self}`",
    label = "return `Self` or `Result<Self, E>`",
    note = "`E` must convert into `ActorError`: an `Error`, a `String` or a `&str` does"
)]
pub trait InitOutcome<S> {
    /// As the `Actor` trait says it.
    fn into_state(self) -> Result<S, ActorError>;
}

impl<S> InitOutcome<S> for S {
    fn into_state(self) -> Result<S, ActorError> {
        Ok(self)
    }
}

impl<S, E: Into<ActorError>> InitOutcome<S> for Result<S, E> {
    fn into_state(self) -> Result<S, ActorError> {
        self.map_err(Into::into)
    }
}

/// What becomes of an actor whose fire-and-forget message failed.
#[derive(Clone, Copy, Debug)]
pub enum Policy {
    /// It is reported, and the actor goes on.
    Report,
    /// The actor fails with it.
    Stop,
}

/// What a method returned and nobody waited for.
pub struct Unclaimed<T>(pub T);

/// Gives the value to whoever waits for it, or back if nobody ever did.
#[inline]
pub fn claim<T>(port: ReplyPort<T>, value: T) -> Option<Unclaimed<T>> {
    if port.is_nobody() {
        return Some(Unclaimed(value));
    }
    // A caller that went away meanwhile does not miss its answer.
    drop(port.send(value));
    None
}

/// Where a message came to nothing.
pub struct Origin<'a, M> {
    policy: Policy,
    actor: &'a ActorRef<M>,
    method: &'static str,
}

impl<'a, M> Origin<'a, M> {
    /// A method of an actor.
    pub fn new(policy: Policy, actor: &'a ActorRef<M>, method: &'static str) -> Self {
        Self { policy, actor, method }
    }
}

impl<M: Send + 'static> Origin<'_, M> {
    #[cold]
    fn failed(self, error: &dyn Display) -> Result<(), ActorError> {
        match self.policy {
            Policy::Report => {
                let (id, name) = (self.actor.id(), self.actor.name().unwrap_or_default());
                tracing::warn!(actor = ?id, name, method = self.method, %error, "a message failed; nobody waits for its outcome");
                Ok(())
            }
            Policy::Stop => Err(format!("`{}` failed: {error}", self.method).into()),
        }
    }
}

/// Judges what nobody waited for. There are four of these traits, and a method call on
/// `&&&&Unclaimed` takes the first that fits: an error that can be displayed, one that
/// can be debugged, any other, and no `Result` at all.
pub trait SettleDisplay<M> {
    /// An error is reported, or fails the actor.
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleDisplay`].
pub trait SettleDebug<M> {
    /// An error is reported, or fails the actor.
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleDisplay`].
pub trait SettleOpaque<M> {
    /// An error is reported, or fails the actor.
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleDisplay`].
pub trait SettleValue<M> {
    /// There is nothing to report.
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

impl<M: Send + 'static, T, E: Display> SettleDisplay<M> for &&&Unclaimed<Result<T, E>> {
    #[inline]
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.0.as_ref().err().map_or(Ok(()), |error| origin.failed(error))
    }
}

impl<M: Send + 'static, T, E: Debug> SettleDebug<M> for &&Unclaimed<Result<T, E>> {
    #[inline]
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.0.as_ref().err().map_or(Ok(()), |error| origin.failed(&format_args!("{error:?}")))
    }
}

impl<M: Send + 'static, T, E> SettleOpaque<M> for &Unclaimed<Result<T, E>> {
    #[inline]
    fn settle(&self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.0.as_ref().err().map_or(Ok(()), |_| origin.failed(&type_name::<E>()))
    }
}

impl<M, T> SettleValue<M> for Unclaimed<T> {
    #[inline]
    fn settle(&self, _: Origin<'_, M>) -> Result<(), ActorError> {
        Ok(())
    }
}

/// `answer!(policy, myself, "method", port, value)`: answers a call, or judges what
/// nobody waited for.
#[doc(hidden)]
#[macro_export]
macro_rules! __actor_answer {
    ($policy:ident, $myself:expr, $method:literal, $port:expr, $value:expr) => {{
        let value = $value;
        match $crate::macro_support::claim($port, value) {
            ::core::option::Option::None => ::core::result::Result::Ok(()),
            ::core::option::Option::Some(value) => {
                $crate::__actor_settle!($policy, $myself, $method, value)
            }
        }
    }};
}

/// `conclude!(policy, myself, "method", value)`: judges the outcome of a message that
/// has no answer.
#[doc(hidden)]
#[macro_export]
macro_rules! __actor_conclude {
    ($policy:ident, $myself:expr, $method:literal, $value:expr) => {{
        let value = $crate::macro_support::Unclaimed($value);
        $crate::__actor_settle!($policy, $myself, $method, value)
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __actor_settle {
    ($policy:ident, $myself:expr, $method:literal, $value:expr) => {{
        #[allow(unused_imports, reason = "one of them is what the method call finds")]
        use $crate::macro_support::{
            SettleDebug as _, SettleDisplay as _, SettleOpaque as _, SettleValue as _,
        };
        let origin =
            $crate::macro_support::Origin::new($crate::macro_support::Policy::$policy, $myself, $method);
        (&&&&$value).settle(origin)
    }};
}

/// What a method with a mistake in it returns, so that its uses compile.
#[must_use = "it stands for a call"]
pub struct Broken<T>(PhantomData<fn() -> T>);

impl<T> Broken<T> {
    /// The method does not compile, so this never runs.
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// See [`crate::Call::timeout`].
    pub fn timeout(self, _: Duration) -> Self {
        self
    }

    /// See [`crate::Call::cast`].
    ///
    /// # Errors
    ///
    /// Never.
    pub fn cast(self) -> Result<(), SendError<()>> {
        Ok(())
    }

    /// See [`crate::Call::send`].
    pub fn send(self) -> Ready<Result<(), SendError<()>>> {
        ready(Ok(()))
    }

    /// See [`crate::Call::forward_to`].
    ///
    /// # Errors
    ///
    /// Always.
    pub fn forward_to(self, port: ReplyPort<T>) -> Result<(), SendError<((), ReplyPort<T>)>> {
        Err(SendError::Stopped(((), port), None))
    }
}

impl<T> Default for Broken<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> IntoFuture for Broken<T> {
    type Output = Result<T, CallError<()>>;
    type IntoFuture = Ready<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        ready(Err(SendError::Stopped((), None).into()))
    }
}
