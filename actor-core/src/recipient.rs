//! [`Recipient`]: an address known by one message that its actor takes, whatever else
//! the actor takes.
//!
//! ```text
//!  Recipient<M> ── Arc<dyn Receive<M>> ── ActorRef<N>, N: Accepts<M>
//!      cast(M)          one virtual call      cast(N::wrap(M))
//! ```
//!
//! Whoever asks for an `impl Into<Recipient<M>>` takes a `&ActorRef<N>` and the typed
//! reference of an `#[actor]` alike.
//!
//! Making one allocates once. Sending through it allocates nothing and boxes no
//! message; only a wait for room is boxed.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{ActorCell, ActorRef, Control, RoomWait, WeakActorRef};
use crate::error::{CallError, CallFailure, SendError};
use crate::observe::Observation;
use crate::plain::TypedRef;
use crate::reply::{Bound, ReplyPort};
use crate::request::{self, Accepts, Answers, returned, returned_call};
use crate::time::Instant;
use crate::trace::Tag;

/// What stands behind a [`Recipient`].
trait Receive<M>: Send + Sync {
    fn control(&self) -> &Control;
    fn cell(&self) -> ActorCell;
    fn cast(&self, message: M) -> Result<(), SendError<M>>;
    fn send(&self, message: M) -> RoomWait<'_, M>;
    /// Waits also where others are refused.
    fn send_patiently(&self, message: M) -> RoomWait<'_, M>;
    /// The span that this thread is in, if the actor wants to know and there is one.
    fn capture(&self) -> Option<Box<Tag>>;
    /// Who is told what happens to a local actor.
    fn observation(&self) -> Option<&Observation>;
    fn downgrade(&self) -> Arc<dyn Upgrade<M>>;
}

/// What stands behind a [`CallRecipient`].
trait ReceiveCall<M, T>: Receive<M> {
    fn bound(&self) -> Bound;
    fn forward(&self, message: M, port: ReplyPort<T>) -> Result<(), SendError<(M, ReplyPort<T>)>>;
    fn send_call(&self, message: M, port: ReplyPort<T>, deadline: Instant) -> RoomWait<'_, M>;
    fn downgrade_call(&self) -> Arc<dyn UpgradeCall<M, T>>;
    fn without_calls(self: Arc<Self>) -> Arc<dyn Receive<M>>;
}

/// What stands behind a [`WeakRecipient`].
trait Upgrade<M>: Send + Sync {
    fn upgrade(&self) -> Option<Recipient<M>>;
}

/// What stands behind a [`WeakCallRecipient`].
trait UpgradeCall<M, T>: Send + Sync {
    fn upgrade(&self) -> Option<CallRecipient<M, T>>;
}

impl<M: Send + 'static, N: Accepts<M>> Receive<M> for ActorRef<N> {
    fn control(&self) -> &Control {
        self
    }

    fn cell(&self) -> ActorCell {
        ActorRef::cell(self)
    }

    fn cast(&self, message: M) -> Result<(), SendError<M>> {
        request::cast(self, message)
    }

    fn send(&self, message: M) -> RoomWait<'_, M> {
        Box::pin(
            async move { ActorRef::send(self, N::wrap(message)).await.map_err(|error| error.map(returned)) },
        )
    }

    fn send_patiently(&self, message: M) -> RoomWait<'_, M> {
        let sending = ActorRef::send_patiently(self, N::wrap(message));
        Box::pin(async move { sending.await.map_err(|error| error.map(returned)) })
    }

    fn capture(&self) -> Option<Box<Tag>> {
        ActorRef::capture(self)
    }

    fn observation(&self) -> Option<&Observation> {
        ActorRef::observation(self)
    }

    fn downgrade(&self) -> Arc<dyn Upgrade<M>> {
        Arc::new(ActorRef::downgrade(self))
    }
}

impl<M: Send + 'static, T: Send + 'static, N: Answers<M, T>> ReceiveCall<M, T> for ActorRef<N> {
    fn bound(&self) -> Bound {
        ActorRef::bound(self)
    }

    fn forward(&self, message: M, port: ReplyPort<T>) -> Result<(), SendError<(M, ReplyPort<T>)>> {
        request::forward(self, message, port)
    }

    fn send_call(&self, message: M, port: ReplyPort<T>, deadline: Instant) -> RoomWait<'_, M> {
        Box::pin(async move {
            let sent = self.send_before(N::wrap_call(message, port), deadline).await;
            sent.map_err(|error| error.map(|message| returned_call(message).0))
        })
    }

    fn downgrade_call(&self) -> Arc<dyn UpgradeCall<M, T>> {
        Arc::new(ActorRef::downgrade(self))
    }

    fn without_calls(self: Arc<Self>) -> Arc<dyn Receive<M>> {
        self
    }
}

impl<M: Send + 'static, N: Accepts<M>> Upgrade<M> for WeakActorRef<N> {
    fn upgrade(&self) -> Option<Recipient<M>> {
        Some(WeakActorRef::upgrade(self)?.recipient())
    }
}

impl<M: Send + 'static, T: Send + 'static, N: Answers<M, T>> UpgradeCall<M, T> for WeakActorRef<N> {
    fn upgrade(&self) -> Option<CallRecipient<M, T>> {
        Some(WeakActorRef::upgrade(self)?.call_recipient())
    }
}

/// An actor whose message type is made of another one.
struct Derived<N>(ActorRef<N>);

/// A message that was made of an `M` gives it back.
fn underived<M: TryFrom<N>, N>(message: N) -> M {
    M::try_from(message).unwrap_or_else(|_| panic!("what was made of a message gives it back"))
}

impl<M, N> Receive<M> for Derived<N>
where
    M: TryFrom<N> + Send + 'static,
    N: From<M> + Send + 'static,
{
    fn control(&self) -> &Control {
        &self.0
    }

    fn cell(&self) -> ActorCell {
        self.0.cell()
    }

    fn cast(&self, message: M) -> Result<(), SendError<M>> {
        self.0.cast(N::from(message)).map_err(|error| error.map(underived))
    }

    fn send(&self, message: M) -> RoomWait<'_, M> {
        Box::pin(async move { self.0.send(N::from(message)).await.map_err(|error| error.map(underived)) })
    }

    fn send_patiently(&self, message: M) -> RoomWait<'_, M> {
        let sending = self.0.send_patiently(N::from(message));
        Box::pin(async move { sending.await.map_err(|error| error.map(underived)) })
    }

    fn capture(&self) -> Option<Box<Tag>> {
        self.0.capture()
    }

    fn observation(&self) -> Option<&Observation> {
        self.0.observation()
    }

    fn downgrade(&self) -> Arc<dyn Upgrade<M>> {
        Arc::new(WeakDerived(self.0.downgrade()))
    }
}

struct WeakDerived<N>(WeakActorRef<N>);

impl<M, N> Upgrade<M> for WeakDerived<N>
where
    M: TryFrom<N> + Send + 'static,
    N: From<M> + Send + 'static,
{
    fn upgrade(&self) -> Option<Recipient<M>> {
        Some(self.0.upgrade()?.derived())
    }
}

impl<N: Send + 'static> ActorRef<N> {
    /// This address, known by a message that the actor's are made of: a shorter way to
    /// [`recipient`](Self::recipient) where the conversions exist anyway.
    ///
    /// # Panics
    ///
    /// Sending through it panics if a message that was refused does not convert back.
    pub fn derived<M: TryFrom<N> + Send + 'static>(&self) -> Recipient<M>
    where
        N: From<M>,
    {
        Recipient { to: Arc::new(Derived(self.clone())) }
    }

    /// This address, known by one message that the actor takes.
    ///
    /// ```
    /// # use actor_core::{ActorRef, Accepts, Recipient};
    /// # struct Add(u64);
    /// # enum Message { Add(u64) }
    /// # impl Accepts<Add> for Message {
    /// #     fn wrap(Add(by): Add) -> Self { Message::Add(by) }
    /// #     fn take_back(self) -> Option<Add> { let Message::Add(by) = self; Some(Add(by)) }
    /// # }
    /// # fn example(counter: ActorRef<Message>) -> Result<(), Box<dyn std::error::Error>> {
    /// let adder: Recipient<Add> = counter.recipient();
    /// adder.cast(Add(3)).map_err(|error| error.to_string())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recipient<M: Send + 'static>(&self) -> Recipient<M>
    where
        N: Accepts<M>,
    {
        Recipient { to: Arc::new(self.clone()) }
    }

    /// This address, known by one message that the actor answers.
    pub fn call_recipient<M: Send + 'static, T: Send + 'static>(&self) -> CallRecipient<M, T>
    where
        N: Answers<M, T>,
    {
        CallRecipient { to: Arc::new(self.clone()) }
    }
}

/// A strong address of an actor that takes an `M`, among other messages or not.
///
/// It dereferences to [`Control`], as [`ActorRef`] does, and is equal to every
/// recipient of the same actor.
pub struct Recipient<M> {
    to: Arc<dyn Receive<M>>,
}

impl<M: Send + 'static> Recipient<M> {
    /// Puts a message into the mailbox and does not wait.
    ///
    /// # Errors
    ///
    /// Gives the message back; see [`ActorRef::cast`].
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        self.to.cast(message)
    }

    /// Waits for room, then does as [`cast`](Self::cast). Dropping the future before it
    /// is ready sends nothing and takes no room.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast), but never [`SendError::Full`].
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        match self.to.cast(message) {
            Err(SendError::Full(message)) => self.to.send(message).await,
            done => done,
        }
    }

    /// [`send`](Self::send), which waits also where others are refused.
    pub(crate) fn send_patiently(&self, message: M) -> RoomWait<'_, M> {
        self.to.send_patiently(message)
    }

    /// The span that this thread is in, if the actor wants to know and there is one.
    pub(crate) fn capture(&self) -> Option<Box<Tag>> {
        self.to.capture()
    }

    /// Who is told what happens to a local actor.
    pub(crate) fn observation(&self) -> Option<&Observation> {
        self.to.observation()
    }

    /// The address without the message: to watch the actor, to link it, to let something
    /// share its life.
    pub fn cell(&self) -> ActorCell {
        self.to.cell()
    }

    /// An address that does not keep the actor's memory alive.
    pub fn downgrade(&self) -> WeakRecipient<M> {
        WeakRecipient { to: self.to.downgrade() }
    }
}

/// A strong address of an actor that answers an `M` with a `T`. As [`Recipient`], and
/// it can call.
pub struct CallRecipient<M, T> {
    to: Arc<dyn ReceiveCall<M, T>>,
}

impl<M: Send + 'static, T: Send + 'static> CallRecipient<M, T> {
    /// As [`Recipient::cast`]: the answer is not wanted.
    ///
    /// # Errors
    ///
    /// Gives the message back; see [`ActorRef::cast`].
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        self.to.cast(message)
    }

    /// As [`Recipient::send`]: the answer is not wanted.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast), but never [`SendError::Full`].
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        match self.to.cast(message) {
            Err(SendError::Full(message)) => self.to.send(message).await,
            done => done,
        }
    }

    /// Sends a message and waits for the answer, however long that takes. Nothing is
    /// sent before the future is first polled. Dropping it does what it does in
    /// [`ActorRef::call`].
    ///
    /// # Errors
    ///
    /// See [`CallError`]; it says whether the call may have run.
    ///
    /// # Panics
    ///
    /// As [`ActorRef::call`].
    pub async fn call(&self, message: M) -> Result<T, CallError<M>> {
        self.refuse_self_call();
        let (port, reply) = ReplyPort::bound(self.to.bound(), None);
        self.send_call(message, port, Instant::FAR).await?;
        Ok(reply.await?)
    }

    /// [`call`](Self::call) within a time, which covers the wait for room too.
    ///
    /// # Errors
    ///
    /// As [`ActorRef::call_timeout`].
    ///
    /// # Panics
    ///
    /// As [`ActorRef::call_timeout`].
    pub async fn call_timeout(&self, timeout: Duration, message: M) -> Result<T, CallError<M>> {
        self.refuse_self_call();
        let executor = self.executor();
        let deadline = executor.now() + timeout;
        let (port, reply) = ReplyPort::bound(self.to.bound(), Some(deadline));
        self.send_call(message, port, deadline).await?;
        match executor.until(deadline, reply).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(CallFailure::TimedOut(timeout).into()),
        }
    }

    /// Sends a message if there is room now; its answer goes to whoever waits at
    /// `port`.
    ///
    /// # Errors
    ///
    /// Gives the message and the port back; see [`ActorRef::cast`].
    pub fn forward(&self, message: M, port: ReplyPort<T>) -> Result<(), SendError<(M, ReplyPort<T>)>> {
        self.to.forward(message, port)
    }

    /// The same address, for whoever wants no answers.
    pub fn recipient(&self) -> Recipient<M> {
        Recipient { to: self.to.clone().without_calls() }
    }

    /// The address without the message: to watch the actor, to link it, to let something
    /// share its life.
    pub fn cell(&self) -> ActorCell {
        self.to.cell()
    }

    /// An address that does not keep the actor's memory alive.
    pub fn downgrade(&self) -> WeakCallRecipient<M, T> {
        WeakCallRecipient { to: self.to.downgrade_call() }
    }

    async fn send_call(&self, message: M, port: ReplyPort<T>, deadline: Instant) -> Result<(), SendError<M>> {
        match self.to.forward(message, port) {
            Err(SendError::Full((message, port))) => self.to.send_call(message, port, deadline).await,
            done => done.map_err(|error| error.map(|(message, _)| message)),
        }
    }
}

/// An address that does not keep the actor's memory alive.
pub struct WeakRecipient<M> {
    to: Arc<dyn Upgrade<M>>,
}

impl<M> WeakRecipient<M> {
    /// The strong address; see [`WeakActorRef::upgrade`].
    pub fn upgrade(&self) -> Option<Recipient<M>> {
        self.to.upgrade()
    }
}

/// An address that does not keep the actor's memory alive.
pub struct WeakCallRecipient<M, T> {
    to: Arc<dyn UpgradeCall<M, T>>,
}

impl<M, T> WeakCallRecipient<M, T> {
    /// The strong address; see [`WeakActorRef::upgrade`].
    pub fn upgrade(&self) -> Option<CallRecipient<M, T>> {
        self.to.upgrade()
    }
}

/// What both strong forms share with [`ActorRef`].
macro_rules! address {
    ($name:ident<$($parameter:ident),+>, $weak:ident) => {
        impl<$($parameter: 'static),+> Deref for $name<$($parameter),+> {
            type Target = Control;

            fn deref(&self) -> &Control {
                self.to.control()
            }
        }

        impl<$($parameter),+> Clone for $name<$($parameter),+> {
            fn clone(&self) -> Self {
                Self { to: self.to.clone() }
            }
        }

        impl<$($parameter: 'static),+> PartialEq for $name<$($parameter),+> {
            fn eq(&self, other: &Self) -> bool {
                self.id() == other.id()
            }
        }

        impl<$($parameter: 'static),+> Eq for $name<$($parameter),+> {}

        impl<$($parameter: 'static),+> Hash for $name<$($parameter),+> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.id().hash(state);
            }
        }

        impl<$($parameter: 'static),+> fmt::Debug for $name<$($parameter),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &**self)
            }
        }

        impl<$($parameter),+> Clone for $weak<$($parameter),+> {
            fn clone(&self) -> Self {
                Self { to: self.to.clone() }
            }
        }

        impl<$($parameter),+> fmt::Debug for $weak<$($parameter),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($weak))
            }
        }
    };
}

address!(Recipient<M>, WeakRecipient);
address!(CallRecipient<M, T>, WeakCallRecipient);

impl<M: Send + 'static, N: Accepts<M>> From<&ActorRef<N>> for Recipient<M> {
    fn from(actor: &ActorRef<N>) -> Self {
        actor.recipient()
    }
}

impl<M: Send + 'static, T: Send + 'static, N: Answers<M, T>> From<&ActorRef<N>> for CallRecipient<M, T> {
    fn from(actor: &ActorRef<N>) -> Self {
        actor.call_recipient()
    }
}

impl<M: Send + 'static, R: TypedRef<Message: Accepts<M>>> From<&R> for Recipient<M> {
    fn from(actor: &R) -> Self {
        actor.recipient()
    }
}

impl<M: Send + 'static, T: Send + 'static, R: TypedRef<Message: Answers<M, T>>> From<&R>
    for CallRecipient<M, T>
{
    fn from(actor: &R) -> Self {
        actor.call_recipient()
    }
}
