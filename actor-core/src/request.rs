//! One message of many: how a part of an actor's message type is sent, called and
//! forwarded. Built on the public operations of [`ActorRef`]; no queue is known here.
//!
//! ```text
//!                  Accepts::wrap            ┌─ .cast()          now, or Full
//!  M, a struct ──► N, the actor's enum ──►──┼─ .send().await    waits for room
//!                  Answers::wrap_call       ├─ .await           … and for the answer
//!                  with a ReplyPort<T>      └─ .forward_to(p)   the answer goes to p
//!
//!  SendError<M> ◄── Accepts::take_back ── SendError<N>   a refused message comes back
//! ```
//!
//! [`Call`] and [`Cast`] are what the methods of a `CounterRef` return. Their futures
//! are named types, so that awaiting one boxes nothing: a box is made only when the
//! mailbox is full and there is room to be waited for.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::address::{ActorRef, RoomWait};
use crate::error::{CallError, CallFailure, SendError};
use crate::executor::{Executor, Timeout};
use crate::key::CallKey;
use crate::reply::{ReplyFuture, ReplyPort};
use crate::system::ActorSystem;
use crate::time::Instant;

impl<M: Send + 'static> ActorRef<M> {
    /// [`call_timeout`](Self::call_timeout) with the
    /// [default](ActorSystem::call_timeout) of the [current](ActorSystem::current)
    /// system, the caller's own in its hooks.
    ///
    /// # Errors
    ///
    /// As [`call_timeout`](Self::call_timeout).
    ///
    /// # Panics
    ///
    /// As [`call_timeout`](Self::call_timeout).
    pub fn call_default_timeout<T: Send + 'static, F: FnOnce(ReplyPort<T>) -> M>(
        &self,
        message: F,
    ) -> impl Future<Output = Result<T, CallError<M>>> + use<'_, M, T, F> {
        self.call_timeout(ActorSystem::current().call_timeout(), message)
    }
}

/// An actor's message type that an `M` can be made into, and got back from.
///
/// `#[actor]` implements it for each message; by hand it is a few lines. Every
/// message type accepts itself.
///
/// ```
/// use actor_core::Accepts;
///
/// /// What is sent alone.
/// struct Add(u64);
///
/// /// What the actor takes.
/// enum Message {
///     Add(u64),
///     Reset,
/// }
///
/// impl Accepts<Add> for Message {
///     fn wrap(Add(by): Add) -> Self {
///         Message::Add(by)
///     }
///
///     fn take_back(self) -> Option<Add> {
///         match self {
///             Message::Add(by) => Some(Add(by)),
///             Message::Reset => None,
///         }
///     }
/// }
/// ```
pub trait Accepts<M>: Sized + Send + 'static {
    /// The actor's message that says the same. If it is a call, nobody waits for the
    /// answer.
    fn wrap(message: M) -> Self;

    /// Takes back what [`wrap`](Self::wrap) made; `None` for any other message.
    fn take_back(self) -> Option<M>;
}

impl<M: Send + 'static> Accepts<M> for M {
    fn wrap(message: M) -> Self {
        message
    }

    fn take_back(self) -> Option<M> {
        Some(self)
    }
}

/// An actor's message type that answers an `M` with a `T`.
pub trait Answers<M, T>: Accepts<M> {
    /// The actor's message that says the same, and answers to `port`.
    fn wrap_call(message: M, port: ReplyPort<T>) -> Self;

    /// Takes back what [`wrap_call`](Self::wrap_call) made; `None` for any other
    /// message.
    fn take_back_call(self) -> Option<(M, ReplyPort<T>)>;
}

/// A message that is to be called: await it for the answer, or say otherwise.
///
/// Nothing is sent before it is awaited, sent, cast or forwarded.
///
/// # Errors
///
/// Awaiting it fails with a [`CallError`] that says whether the call may have run,
/// and gives the message back if it never left.
///
/// # Cancellation
///
/// Dropping the future before the message was accepted sends nothing; afterwards the
/// actor's port is [closed](ReplyPort::is_closed), and the call may still run.
///
/// # Panics
///
/// When it is awaited: as [`ActorRef::call`], and as [`ActorRef::call_timeout`] with a
/// [`timeout`](Self::timeout).
#[must_use = "a call does nothing unless it is awaited, sent, cast or forwarded"]
pub struct Call<'a, N, M, T> {
    actor: &'a ActorRef<N>,
    message: M,
    timeout: Option<Duration>,
    reply: PhantomData<fn() -> T>,
}

impl<'a, N: Answers<M, T>, M, T> Call<'a, N, M, T> {
    /// A call of an actor. The methods of a `CounterRef` make it.
    pub fn new(actor: &'a ActorRef<N>, message: M) -> Self {
        Self { actor, message, timeout: None, reply: PhantomData }
    }

    /// Waits no longer than this from the first poll on, for room and answer together. The
    /// call then ends as
    /// [`CallFailure::TimedOut`], or as [`SendError::Full`] if it never left.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// [`timeout`](Self::timeout) with the [default](ActorSystem::call_timeout) of the
    /// [current](ActorSystem::current) system, the caller's own in its hooks.
    pub fn default_timeout(self) -> Self {
        self.timeout(ActorSystem::current().call_timeout())
    }

    /// Sends the message if there is room now, and wants no answer.
    ///
    /// # Errors
    ///
    /// Gives the message back; see [`ActorRef::cast`].
    pub fn cast(self) -> Result<(), SendError<M>> {
        cast(self.actor, self.message)
    }

    /// Waits for room, sends the message, and wants no answer. A
    /// [`timeout`](Self::timeout) bounds the wait, from the first poll on; if there is no
    /// room within it, [`SendError::Full`] gives the message back.
    pub fn send(self) -> SendFuture<'a, N, M> {
        SendFuture::new(self.actor, self.message, self.timeout)
    }

    /// Sends the message if there is room now; its answer goes to whoever waits at
    /// `port`. So an actor lets another one answer in its place, and does not wait.
    ///
    /// # Errors
    ///
    /// Gives the message and the port back; see [`ActorRef::cast`].
    pub fn forward_to(self, port: ReplyPort<T>) -> Result<(), SendError<(M, ReplyPort<T>)>> {
        forward(self.actor, self.message, port)
    }

    /// The same call, which may be asked again with the same key and runs once:
    /// [`ActorRef::call_once`].
    pub fn once(self, key: &'a CallKey) -> OnceCall<'a, N, M, T> {
        OnceCall { call: self, key }
    }

    /// The message.
    pub fn into_message(self) -> M {
        self.message
    }
}

/// A call that may be asked again with its key and runs once: await it for the answer.
///
/// # Errors
///
/// As [`ActorRef::call_once`].
///
/// # Cancellation
///
/// As [`Call`].
///
/// # Panics
///
/// As [`Call`].
#[must_use = "a call does nothing unless it is awaited"]
pub struct OnceCall<'a, N, M, T> {
    call: Call<'a, N, M, T>,
    key: &'a CallKey,
}

impl<N: Answers<M, T>, M, T> OnceCall<'_, N, M, T> {
    /// As [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { call: self.call.timeout(timeout), ..self }
    }

    /// As [`Call::default_timeout`].
    pub fn default_timeout(self) -> Self {
        Self { call: self.call.default_timeout(), ..self }
    }
}

impl<'a, N, M, T> IntoFuture for OnceCall<'a, N, M, T>
where
    N: Answers<M, T>,
    M: Send + 'a,
    T: Send + 'static,
{
    type Output = Result<T, CallError<M>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { call: Call { actor, message, timeout, .. }, key } = self;
        Box::pin(async move {
            let answer = actor.ask_once(key, timeout, |port| N::wrap_call(message, port)).await;
            answer.map_err(|error| error.map(|message| returned_call(message).0))
        })
    }
}

impl<N, M, T> fmt::Debug for OnceCall<'_, N, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCall").field("key", &self.key).field("timeout", &self.call.timeout).finish()
    }
}

impl<'a, N: Answers<M, T>, M, T: Send + 'static> IntoFuture for Call<'a, N, M, T> {
    type Output = Result<T, CallError<M>>;
    type IntoFuture = CallFuture<'a, N, M, T>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { actor, message, timeout, .. } = self;
        CallFuture { actor, timeout, message: Some(message), state: CallState::Start }
    }
}

impl<N, M, T> fmt::Debug for Call<'_, N, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A message without an answer: await it to wait for room, or [`cast`](Self::cast) it
/// now.
///
/// # Errors
///
/// Either way a message that was not accepted comes back in a [`SendError`].
///
/// # Cancellation
///
/// Dropping the future before it is ready sends nothing and takes no room.
///
/// # Panics
///
/// With a [`timeout`](Self::timeout): as [`ActorRef::call_timeout`].
#[must_use = "a message is not sent unless it is awaited or cast"]
pub struct Cast<'a, N, M> {
    actor: &'a ActorRef<N>,
    message: M,
    timeout: Option<Duration>,
}

impl<'a, N: Accepts<M>, M> Cast<'a, N, M> {
    /// A message to an actor. The methods of a `CounterRef` make it.
    pub fn new(actor: &'a ActorRef<N>, message: M) -> Self {
        Self { actor, message, timeout: None }
    }

    /// Waits for room no longer than this, from the first poll on; then
    /// [`SendError::Full`] gives the message back.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Sends the message if there is room now.
    ///
    /// # Errors
    ///
    /// Gives the message back; see [`ActorRef::cast`].
    pub fn cast(self) -> Result<(), SendError<M>> {
        cast(self.actor, self.message)
    }

    /// Waits for room and sends the message, as awaiting it does.
    pub fn send(self) -> SendFuture<'a, N, M> {
        SendFuture::new(self.actor, self.message, self.timeout)
    }

    /// The message.
    pub fn into_message(self) -> M {
        self.message
    }
}

impl<'a, N: Accepts<M>, M> IntoFuture for Cast<'a, N, M> {
    type Output = Result<(), SendError<M>>;
    type IntoFuture = SendFuture<'a, N, M>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

impl<N, M> fmt::Debug for Cast<'_, N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cast").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

pub(crate) fn cast<N: Accepts<M>, M>(actor: &ActorRef<N>, message: M) -> Result<(), SendError<M>> {
    actor.cast(N::wrap(message)).map_err(|error| error.map(returned))
}

pub(crate) fn forward<N: Answers<M, T>, M, T>(
    actor: &ActorRef<N>,
    message: M,
    port: ReplyPort<T>,
) -> Result<(), SendError<(M, ReplyPort<T>)>> {
    actor.cast(N::wrap_call(message, port)).map_err(|error| error.map(returned_call))
}

/// What a mailbox refused is what was put to it.
pub(crate) fn returned<N: Accepts<M>, M>(message: N) -> M {
    message.take_back().expect("`take_back` takes back what `wrap` made")
}

pub(crate) fn returned_call<N: Answers<M, T>, M, T>(message: N) -> (M, ReplyPort<T>) {
    message.take_back_call().expect("`take_back_call` takes back what `wrap_call` made")
}

/// What awaiting a [`Cast`] runs.
#[must_use = "futures do nothing unless they are awaited"]
pub struct SendFuture<'a, N, M> {
    actor: &'a ActorRef<N>,
    /// Until the first poll.
    message: Option<M>,
    timeout: Option<Duration>,
    sending: Option<RoomWait<'a, N>>,
}

impl<'a, N, M> SendFuture<'a, N, M> {
    fn new(actor: &'a ActorRef<N>, message: M, timeout: Option<Duration>) -> Self {
        Self { actor, message: Some(message), timeout, sending: None }
    }
}

/// The message is moved out by value; nothing in here is ever pinned in place.
impl<N, M> Unpin for SendFuture<'_, N, M> {}

impl<N: Accepts<M>, M> Future for SendFuture<'_, N, M> {
    type Output = Result<(), SendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(message) = this.message.take() {
            let deadline = this.timeout.map(|timeout| this.actor.executor().now() + timeout);
            match this.actor.begin(N::wrap(message), deadline.unwrap_or(Instant::FAR)) {
                Ok(None) => return Poll::Ready(Ok(())),
                Ok(sending) => this.sending = sending,
                Err(error) => return Poll::Ready(Err(error.map(returned))),
            }
        }
        let sending = this.sending.as_mut().expect("a future is not polled after it was ready");
        let sent = ready!(sending.as_mut().poll(cx));
        this.sending = None;
        Poll::Ready(sent.map_err(|error| error.map(returned)))
    }
}

impl<N, M> fmt::Debug for SendFuture<'_, N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendFuture")
    }
}

pin_project_lite::pin_project! {
    /// What awaiting a [`Call`] runs.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CallFuture<'a, N, M, T> {
        actor: &'a ActorRef<N>,
        timeout: Option<Duration>,
        // Until the first poll.
        message: Option<M>,
        #[pin]
        state: CallState<'a, N, T>,
    }
}

pin_project_lite::pin_project! {
    /// Start ─► (Sending, if the mailbox is full) ─► Waiting or WaitingUntil.
    #[project = CallProjected]
    enum CallState<'a, N, T> {
        Start,
        Sending { sending: RoomWait<'a, N>, reply: Option<ReplyFuture<T>>, deadline: Option<Instant> },
        Waiting { #[pin] reply: ReplyFuture<T> },
        WaitingUntil { #[pin] reply: Timeout<ReplyFuture<T>, &'a Executor> },
    }
}

impl<'a, N, T> CallState<'a, N, T> {
    /// Once the message is in.
    fn waiting(actor: &'a ActorRef<N>, reply: ReplyFuture<T>, deadline: Option<Instant>) -> Self
    where
        N: Send + 'static,
    {
        match deadline {
            None => Self::Waiting { reply },
            Some(deadline) => Self::WaitingUntil { reply: actor.executor().until(deadline, reply) },
        }
    }
}

impl<N: Answers<M, T>, M, T: Send + 'static> Future for CallFuture<'_, N, M, T> {
    type Output = Result<T, CallError<M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let actor = *this.actor;
        let refused = |error: SendError<N>| {
            Poll::Ready(Err(CallError::NotSent(error.map(|message| returned_call(message).0))))
        };
        loop {
            let next = match this.state.as_mut().project() {
                CallProjected::Start => {
                    actor.refuse_self_call();
                    let message = this.message.take().expect("it is there until the first poll");
                    let deadline = this.timeout.map(|timeout| actor.executor().now() + timeout);
                    let (port, reply) = ReplyPort::awaited(actor.bound(), deadline, cx.waker());
                    match actor.begin(N::wrap_call(message, port), deadline.unwrap_or(Instant::FAR)) {
                        Ok(None) => CallState::waiting(actor, reply, deadline),
                        Ok(Some(sending)) => CallState::Sending { sending, reply: Some(reply), deadline },
                        Err(error) => return refused(error),
                    }
                }
                CallProjected::Sending { sending, reply, deadline } => {
                    if let Err(error) = ready!(sending.as_mut().poll(cx)) {
                        return refused(error);
                    }
                    let reply = reply.take().expect("it is there until the message is in");
                    CallState::waiting(actor, reply, *deadline)
                }
                CallProjected::Waiting { reply } => {
                    return reply.poll(cx).map_err(CallError::Failed);
                }
                CallProjected::WaitingUntil { reply } => {
                    let timeout = this.timeout.unwrap_or_default();
                    return Poll::Ready(match ready!(reply.poll(cx)) {
                        Ok(answer) => answer.map_err(CallError::Failed),
                        Err(_) => Err(CallFailure::TimedOut(timeout).into()),
                    });
                }
            };
            this.state.set(next);
        }
    }
}

impl<N, M, T> fmt::Debug for CallFuture<'_, N, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallFuture")
    }
}
