//! What `#[actor]` expands to calls these. Not for people: they may change without
//! notice. Must not live here: anything that a user's own code would name.

use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::{Actor, LocalActor};
use crate::address::ActorRef;
use crate::error::{CallError, SendError, SpawnError};
use crate::exit::{ActorError, ErrorAction};
use crate::mailbox::Priority;
use crate::plain::sealed::Sealed;
use crate::plain::{LocalSpawning, Spawning, Start};
use crate::reply::ReplyPort;
use crate::runtime::{LocalSpawner, SpawnOptions, Starting};
use crate::supervisor::ChildSpec;
use crate::system::ActorSystem;
use crate::time::Instant;

pub use crate::{__actor_answer as answer, __actor_conclude as conclude};

/// An actor, and the two ways to start it.
struct Startable<P, F, I> {
    parts: P,
    start: F,
    start_instant: I,
}

impl<P, F, I> Sealed for Startable<P, F, I> {}

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

/// A child whose lives begin with what `make` gives.
///
/// `ChildSpec::new` with no bound on the message but the actor's own: where a message is not
/// `Send`, it would add an error of its own to those that say so.
pub fn child<A: Actor>(
    id: impl Into<Arc<str>>,
    make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
) -> ChildSpec<A::Msg> {
    ChildSpec::new(id, make)
}

/// A child whose struct cannot leave its thread: `make` gives one for each life, there.
pub fn local_child<S: 'static, A: LocalActor<Arguments = Build<S>>>(
    id: impl Into<Arc<str>>,
    spawner: &LocalSpawner,
    build: impl Fn() -> A + Send + Sync + 'static,
    make: impl Fn() -> S + Send + Sync + 'static,
) -> ChildSpec<A::Msg> {
    let make = Arc::new(make);
    ChildSpec::local(id, spawner, move || {
        let make = make.clone();
        (build(), Box::new(move || make()) as Build<S>)
    })
}

/// An argument that says how urgent its message is.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` does not say how urgent a message is",
    label = "an argument marked `#[priority]` is a `Priority`"
)]
pub trait Urgent {
    /// As `Sorting::priority` wants it.
    fn urgency(&self) -> Priority;
}

impl Urgent for Priority {
    fn urgency(&self) -> Priority {
        *self
    }
}

/// An argument that says until when its message is wanted.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` does not say until when a message is wanted",
    label = "an argument marked `#[expires]` is an `actor_core::Instant`, or an `Option` of one",
    note = "it is the moment itself, on the clock of the actor's system: `ActorSystem::current().executor().now() + after`"
)]
pub trait Expiring {
    /// As `Sorting::expires_at` wants it.
    fn expires_at(&self) -> Option<Instant>;
}

impl Expiring for Instant {
    fn expires_at(&self) -> Option<Instant> {
        Some(*self)
    }
}

impl Expiring for Option<Instant> {
    fn expires_at(&self) -> Option<Instant> {
        *self
    }
}

/// Until when a call is wanted that expires with its caller: it is over for one who has gone.
/// Of a call that nobody ever waited for, somebody wants what it does.
pub fn with_caller<T>(port: &ReplyPort<T>) -> Option<Instant> {
    if port.is_closed() && !port.is_nobody() { Some(Instant::ZERO) } else { port.deadline() }
}

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

/// What `#[on_error]` returns.
#[diagnostic::on_unimplemented(
    message = "`#[on_error]` cannot return `{Self}`",
    label = "return an `ErrorAction`",
    note = "it says what becomes of the actor: `Resume`, `Restart`, `Stop` or `Escalate`"
)]
pub trait Decision {
    /// As the `Actor` trait says it.
    fn into_action(self) -> ErrorAction;
}

impl Decision for ErrorAction {
    fn into_action(self) -> ErrorAction {
        self
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
    /// The actor fails with it, unless its `#[on_error]` says otherwise.
    Fail,
}

/// What a method returned and nobody waited for; there until it is settled.
pub struct Unclaimed<T>(Option<T>);

impl<T> Unclaimed<T> {
    /// What is to be settled.
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T, E> Unclaimed<Result<T, E>> {
    fn take_error(&mut self) -> Option<E> {
        self.0.take()?.err()
    }
}

/// Gives the value to whoever waits for it, or back if nobody ever did.
#[inline]
pub fn claim<T>(port: ReplyPort<T>, value: T) -> Option<Unclaimed<T>> {
    if port.is_nobody() {
        return Some(Unclaimed::new(value));
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
    fn failed(self, error: ActorError) -> Result<(), ActorError> {
        match self.policy {
            Policy::Report => {
                let (id, name) = (self.actor.id(), self.actor.name().unwrap_or_default());
                tracing::warn!(actor = ?id, name, method = self.method, %error, "a message failed; nobody waits for its outcome");
                Ok(())
            }
            Policy::Fail => Err(MethodFailed { method: self.method, error }.into()),
        }
    }
}

/// An error that nobody waited for, and whose it is.
#[derive(Debug)]
struct MethodFailed {
    method: &'static str,
    error: ActorError,
}

impl Display for MethodFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed: {}", self.method, self.error)
    }
}

impl Error for MethodFailed {
    /// The error itself is in the text already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// The error that a method returned, for `#[on_error]` to look at.
pub fn cause(error: &ActorError) -> &ActorError {
    error.downcast_ref::<MethodFailed>().map_or(error, |failed| &failed.error)
}

/// Judges what nobody waited for. There are five of these traits, and a method call on five
/// `&mut` takes the first that fits: an error that an actor can fail with as it is, one that
/// can be displayed, one that can be debugged, any other, and no `Result` at all.
pub trait SettleError<M> {
    /// An error is reported, or fails the actor.
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleError`].
pub trait SettleDisplay<M> {
    /// An error is reported, or fails the actor.
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleError`].
pub trait SettleDebug<M> {
    /// An error is reported, or fails the actor.
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleError`].
pub trait SettleOpaque<M> {
    /// An error is reported, or fails the actor.
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

/// See [`SettleError`].
pub trait SettleValue<M> {
    /// There is nothing to report.
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError>;
}

impl<M: Send + 'static, T, E: Into<ActorError>> SettleError<M>
    for &mut &mut &mut &mut Unclaimed<Result<T, E>>
{
    #[inline]
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.take_error().map_or(Ok(()), |error| origin.failed(error.into()))
    }
}

impl<M: Send + 'static, T, E: Display> SettleDisplay<M> for &mut &mut &mut Unclaimed<Result<T, E>> {
    #[inline]
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.take_error().map_or(Ok(()), |error| origin.failed(error.to_string().into()))
    }
}

impl<M: Send + 'static, T, E: Debug> SettleDebug<M> for &mut &mut Unclaimed<Result<T, E>> {
    #[inline]
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.take_error().map_or(Ok(()), |error| origin.failed(format!("{error:?}").into()))
    }
}

impl<M: Send + 'static, T, E> SettleOpaque<M> for &mut Unclaimed<Result<T, E>> {
    #[inline]
    fn settle(&mut self, origin: Origin<'_, M>) -> Result<(), ActorError> {
        self.take_error().map_or(Ok(()), |_| origin.failed(type_name::<E>().into()))
    }
}

impl<M, T> SettleValue<M> for Unclaimed<T> {
    #[inline]
    fn settle(&mut self, _: Origin<'_, M>) -> Result<(), ActorError> {
        Ok(())
    }
}

/// `answer!(policy, myself, "method", port, value)`: answers a call, or judges what
/// nobody waited for.
#[doc(hidden)]
#[macro_export]
macro_rules! __actor_answer {
    ($policy:expr, $myself:expr, $method:literal, $port:expr, $value:expr) => {{
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
    ($policy:expr, $myself:expr, $method:literal, $value:expr) => {{
        let value = $crate::macro_support::Unclaimed::new($value);
        $crate::__actor_settle!($policy, $myself, $method, value)
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __actor_settle {
    ($policy:expr, $myself:expr, $method:literal, $value:expr) => {{
        #[allow(unused_imports, reason = "one of them is what the method call finds")]
        use $crate::macro_support::{
            SettleDebug as _, SettleDisplay as _, SettleError as _, SettleOpaque as _, SettleValue as _,
        };
        let mut value = $value;
        let origin = $crate::macro_support::Origin::new($policy, $myself, $method);
        (&mut &mut &mut &mut &mut value).settle(origin)
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
