//! Addresses: how the rest of the program, and of the cluster, reaches an actor.
//!
//! ```text
//!  ActorRef<M> ── Route ──┬─ Local ──► mailbox of M + Control
//!                         └─ Foreign ► dyn Deliver<M>: a cluster's outbound room
//!  ActorCell ── the same, without M
//! ```

mod cell;
mod control;
mod local;
mod multi;
mod once;

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use self::cell::CellRoute;
pub use self::cell::{ActorCell, WeakActorCell, WrongType};
pub(crate) use self::control::LocalCell;
pub use self::control::{Control, ControlRequest, ExitListener, ForeignControl, Unlink, WatchId};
pub(crate) use self::local::Local;
pub use self::multi::multi_call;
use crate::contain::contained;
use crate::error::{CallError, CallFailure, SendError};
use crate::executor::Executor;
use crate::id::ActorId;
use crate::key::KeyedAsk;
use crate::lifecycle::Flag;
use crate::mailbox::{Inbox, Mailbox, Owner, Sending};
use crate::observe::{DeadReason, Observation};
use crate::reply::{Bound, Destination, ReplyFuture, ReplyPort};
use crate::time::Instant;
use crate::trace::{InHand, Tag};

/// A strong, typed address of an actor, wherever it lives. Only messages of type
/// `M` can be sent to it. Clones are equal; an actor lives on when all its
/// addresses are dropped.
///
/// It dereferences to [`Control`]: id, status, stop, kill, drain, wait.
pub struct ActorRef<M> {
    route: Route<M>,
}

/// A wait for room, which is the exception: only it is boxed.
pub(crate) type RoomWait<'a, M> = Pin<Box<dyn Future<Output = Result<(), SendError<M>>> + Send + 'a>>;

enum Route<M> {
    Local(Arc<LocalCell<M>>),
    Foreign(Arc<dyn Deliver<M>>),
}

/// Whether a message is handed over for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is.
    First,
    /// There was no room for it, and now [there may be](Deliver::room): it goes before those that never waited.
    Again,
}

/// The way to an actor in another process. A cluster implements this.
pub trait Deliver<M>: Send + Sync + 'static {
    /// The actor's controls.
    fn control(&self) -> &Arc<Control>;

    /// Hands the message over if there is room for it now.
    ///
    /// # Errors
    ///
    /// Gives the message back, as [`ActorRef::cast`] does.
    fn cast(&self, message: M, attempt: Attempt) -> Result<(), SendError<M>>;

    /// Hands over the message of a call that [runs once](ActorRef::call_once). Unless it is implemented there are
    /// no such calls.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast).
    fn cast_keyed(&self, message: M, attempt: Attempt, ask: KeyedAsk) -> Result<(), SendError<M>> {
        let _ = (attempt, ask);
        Err(SendError::Unsendable(message, "there are no calls with keys on this way".into()))
    }

    /// Completes when a cast may find room, or will fail for another reason than
    /// [`SendError::Full`].
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<M: Send + 'static> ActorRef<M> {
    pub(crate) fn local(
        id: ActorId,
        name: Option<Arc<str>>,
        executor: Executor,
        mailbox: Mailbox<M>,
    ) -> (Self, Inbox<M, LocalCell<M>>) {
        let cell = Arc::new(LocalCell::local(id, name, executor, mailbox));
        let inbox = Inbox::new(cell.clone());
        (Self { route: Route::Local(cell) }, inbox)
    }

    /// The address of an actor in another process.
    pub fn foreign(deliver: Arc<dyn Deliver<M>>) -> Self {
        Self { route: Route::Foreign(deliver) }
    }

    /// Who is told what happens to a local actor.
    pub(crate) fn observation(&self) -> Option<&Observation> {
        match &self.route {
            Route::Local(cell) => cell.mailbox().observation(),
            Route::Foreign(_) => None,
        }
    }

    /// The span of the message that a local actor has in hand.
    pub(crate) fn in_hand(&self) -> Option<&InHand> {
        match &self.route {
            Route::Local(cell) => cell.mailbox().in_hand(),
            Route::Foreign(_) => None,
        }
    }

    /// Where a call that begins now will have its message: in the mailbox, after what is
    /// there; of another process nothing is known.
    #[inline(always)]
    pub(crate) fn bound(&self) -> Bound {
        match &self.route {
            Route::Local(cell) => cell.mailbox().bound(),
            Route::Foreign(_) => Bound::NOWHERE,
        }
    }

    /// Where a message that is sent to this actor from now on will be, for the ports of callers
    /// [elsewhere](ReplyPort::foreign); nowhere, if it is not here.
    pub fn destination(&self) -> Destination {
        Destination(self.bound())
    }

    /// The span that this thread is in, if the actor wants to know and there is one.
    pub(crate) fn capture(&self) -> Option<Box<Tag>> {
        match &self.route {
            Route::Local(cell) if cell.word().has(Flag::Traced) => Tag::capture_boxed(),
            _ => None,
        }
    }

    /// [`send`](Self::send) on behalf of nobody who could take the message back: it waits also
    /// where others are [refused](Self::send_patiently). If the actor has ended, it is a dead
    /// letter, and this says `false`.
    pub(crate) async fn post(&self, message: M) -> bool {
        let Err(error) = self.send_patiently(message).await else { return true };
        self.bury(error);
        false
    }

    /// Drops what was not sent, and nobody is there to take back.
    pub(crate) fn bury<D>(&self, unsent: D) {
        if let Some(observation) = self.observation() {
            observation.dead_letter::<M>(DeadReason::Stopped);
        }
        contained("a dead message's destructor", || drop(unsent));
    }

    /// The untyped form of this address.
    pub fn cell(&self) -> ActorCell {
        match &self.route {
            Route::Local(cell) => ActorCell::of_local(cell.clone()),
            Route::Foreign(deliver) => {
                ActorCell::of_foreign(deliver.control().clone(), Arc::new(self.clone()))
            }
        }
    }

    /// The typed form of an untyped address.
    ///
    /// # Errors
    ///
    /// Gives the cell back if the actor takes other messages than `M`, or lives
    /// in another process and the address was not made of an `ActorRef<M>`, or was
    /// [weak](ActorCell::downgrade) in between.
    pub fn from_cell(cell: ActorCell) -> Result<Self, WrongType> {
        if let CellRoute::Local(any) = &cell.route
            && let Ok(typed) = any.clone().into_any().downcast()
        {
            return Ok(Self { route: Route::Local(typed) });
        }
        if let CellRoute::Foreign(_, Some(typed)) = &cell.route
            && let Some(typed) = typed.downcast_ref::<Self>()
        {
            return Ok(typed.clone());
        }
        Err(WrongType::of::<M>(cell))
    }

    /// An address that does not keep the actor's memory alive.
    pub fn downgrade(&self) -> WeakActorRef<M> {
        WeakActorRef {
            route: match &self.route {
                Route::Local(cell) => WeakRoute::Local(Arc::downgrade(cell)),
                Route::Foreign(deliver) => WeakRoute::Foreign(Arc::downgrade(deliver)),
            },
        }
    }

    /// Puts a message into the mailbox and does not wait. `Ok` means that it was
    /// accepted, not that it was handled.
    ///
    /// # Errors
    ///
    /// Gives the message back: [`SendError::Full`] if there is no room now,
    /// [`SendError::Stopped`] if the actor accepts no more, and what can go
    /// wrong on the way to another node.
    // Inlined, so that the message is built where it will lie: copying one that was
    // just written costs more than the queue does.
    #[inline(always)]
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        match &self.route {
            Route::Local(cell) => match cell.mailbox().try_send(message) {
                Ok(()) => Ok(()),
                Err(SendError::Stopped(message, _)) => Err(self.stopped(message)),
                Err(refused) => Err(refused),
            },
            Route::Foreign(deliver) => deliver.cast(message, Attempt::First),
        }
    }

    /// Adds how the actor ended, which its mailbox does not know.
    fn explain(&self, error: SendError<M>) -> SendError<M> {
        match error {
            SendError::Stopped(message, _) => self.stopped(message),
            other => other,
        }
    }

    #[cold]
    fn stopped(&self, message: M) -> SendError<M> {
        SendError::Stopped(message, self.exit())
    }

    /// Waits for room, then does as [`cast`](Self::cast). Dropping the future
    /// before it is ready sends nothing and takes no room.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast), but never [`SendError::Full`].
    pub fn send(&self, message: M) -> impl Future<Output = Result<(), SendError<M>>> + use<'_, M> {
        // Not an `async fn`, here and below: that would keep its arguments twice.
        let send = match &self.route {
            Route::Local(cell) => Ok(cell.mailbox().send(message)),
            Route::Foreign(_) => Err(message),
        };
        self.sent(send)
    }

    /// [`send`](Self::send), which waits also where others are refused: see
    /// [`Overflow::Reject`](crate::Overflow::Reject).
    pub(crate) fn send_patiently(
        &self,
        message: M,
    ) -> impl Future<Output = Result<(), SendError<M>>> + use<'_, M> {
        let send = match &self.route {
            Route::Local(cell) => Ok(cell.mailbox().send(message).patient()),
            Route::Foreign(_) => Err(message),
        };
        self.sent(send)
    }

    /// What comes of a send, local or not.
    fn sent<'a>(
        &'a self,
        send: Result<Sending<'a, M>, M>,
    ) -> impl Future<Output = Result<(), SendError<M>>> + use<'a, M> {
        async move {
            match send {
                Ok(sending) => sending.await.map_err(|error| self.explain(error)),
                // Far away: boxed only where there is no room, so that whoever sends stays small.
                Err(message) => match self.begin(message, Instant::FAR)? {
                    None => Ok(()),
                    Some(room) => room.await,
                },
            }
        }
    }

    /// Sends a message with a reply port in it and waits for the answer, however
    /// long that takes. Nothing is sent before the future is first polled.
    ///
    /// Dropping it before the message was accepted sends nothing; afterwards the port is
    /// [closed](ReplyPort::is_closed), and the call may still run.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; it says whether the call may have run.
    ///
    /// # Panics
    ///
    /// In builds with debug assertions, if one of the actor's own hooks awaits it: that
    /// call could be answered only after the hook. Other builds wait, for ever or until the
    /// timeout. What is [attached](ActorCell::attach) may call its actor.
    ///
    /// ```
    /// # use actor_core::{ActorRef, CallError, ReplyPort};
    /// # enum Counter { Get(ReplyPort<u64>) }
    /// # async fn example(counter: ActorRef<Counter>) -> Result<(), CallError<Counter>> {
    /// let count = counter.call(Counter::Get).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<T: Send + 'static, F: FnOnce(ReplyPort<T>) -> M>(
        &self,
        message: F,
    ) -> impl Future<Output = Result<T, CallError<M>>> + use<'_, M, T, F> {
        async move {
            self.refuse_self_call();
            let (port, reply) =
                poll_fn(|cx| Poll::Ready(ReplyPort::awaited(self.bound(), None, cx.waker()))).await;
            let room = self.begin(message(port), Instant::FAR)?;
            if let Some(room) = room {
                room.await?;
            }
            Ok(reply.await?)
        }
    }

    /// [`call`](Self::call) within a time, which covers the wait for room too.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); [`CallFailure::TimedOut`] if the message left in
    /// time and the answer did not come, [`SendError::Full`] if it never left.
    ///
    /// # Panics
    ///
    /// On [`Executor::tokio`], if no runtime with its timer enabled is current; on
    /// [`Executor::tokio_on`], if that runtime has no timer. And as [`call`](Self::call).
    pub fn call_timeout<T: Send + 'static, F: FnOnce(ReplyPort<T>) -> M>(
        &self,
        timeout: Duration,
        message: F,
    ) -> impl Future<Output = Result<T, CallError<M>>> + use<'_, M, T, F> {
        async move {
            self.refuse_self_call();
            let deadline = self.executor().now() + timeout;
            let (port, reply) =
                poll_fn(|cx| Poll::Ready(ReplyPort::awaited(self.bound(), Some(deadline), cx.waker()))).await;
            let room = self.begin(message(port), deadline)?;
            if let Some(room) = room {
                room.await?;
            }
            match self.executor().until(deadline, reply).await {
                Ok(answer) => Ok(answer?),
                Err(_) => Err(CallFailure::TimedOut(timeout).into()),
            }
        }
    }

    /// [`cast`](Self::cast) of a message with a reply port in it, and what awaits the answer: for futures that are written
    /// by hand, in a poll of theirs. They poll it before that poll ends.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast).
    ///
    /// # Panics
    ///
    /// As [`call`](Self::call).
    #[inline(always)]
    pub fn cast_call<T: Send + 'static>(
        &self,
        cx: &mut Context<'_>,
        message: impl FnOnce(ReplyPort<T>) -> M,
    ) -> Result<ReplyFuture<T>, SendError<M>> {
        self.refuse_self_call();
        let (port, reply) = ReplyPort::awaited(self.bound(), None, cx.waker());
        self.cast(message(port))?;
        Ok(reply)
    }

    /// Puts the message in, or begins to wait for room.
    ///
    /// Inlined, as [`cast`](Self::cast) is, so that the message is not copied at each step.
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        message: M,
        deadline: Instant,
    ) -> Result<Option<RoomWait<'_, M>>, SendError<M>> {
        match self.cast(message) {
            Ok(()) => Ok(None),
            Err(SendError::Full(message)) => Ok(Some(Box::pin(self.send_before(message, deadline)))),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn send_before(&self, message: M, deadline: Instant) -> Result<(), SendError<M>> {
        match &self.route {
            Route::Local(cell) => {
                let mut sending = cell.mailbox().send(message);
                match self.executor().until(deadline, &mut sending).await {
                    Ok(sent) => sent.map_err(|error| self.explain(error)),
                    Err(_) => Err(SendError::Full(sending.withdraw())),
                }
            }
            Route::Foreign(deliver) => {
                let cast = |message, attempt| deliver.cast(message, attempt);
                self.deliver_before(&**deliver, message, deadline, cast).await
            }
        }
    }

    async fn deliver_before(
        &self,
        deliver: &dyn Deliver<M>,
        mut message: M,
        deadline: Instant,
        cast: impl Fn(M, Attempt) -> Result<(), SendError<M>>,
    ) -> Result<(), SendError<M>> {
        let mut attempt = Attempt::First;
        loop {
            message = match cast(message, attempt) {
                Err(SendError::Full(message)) => message,
                done => return done,
            };
            if self.executor().until(deadline, deliver.room()).await.is_err() {
                return Err(SendError::Full(message));
            }
            attempt = Attempt::Again;
        }
    }
}

impl<M: Send + 'static> Deref for ActorRef<M> {
    type Target = Control;

    fn deref(&self) -> &Control {
        match &self.route {
            Route::Local(cell) => &**cell,
            Route::Foreign(deliver) => deliver.control(),
        }
    }
}

impl<M> Clone for ActorRef<M> {
    fn clone(&self) -> Self {
        Self {
            route: match &self.route {
                Route::Local(cell) => Route::Local(cell.clone()),
                Route::Foreign(deliver) => Route::Foreign(deliver.clone()),
            },
        }
    }
}

impl<M: Send + 'static> PartialEq for ActorRef<M> {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<M: Send + 'static> Eq for ActorRef<M> {}

impl<M: Send + 'static> Hash for ActorRef<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl<M: Send + 'static> fmt::Debug for ActorRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorRef({:?})", &**self)
    }
}

/// An address that does not keep the actor's memory alive.
pub struct WeakActorRef<M> {
    route: WeakRoute<M>,
}

enum WeakRoute<M> {
    Local(Weak<LocalCell<M>>),
    Foreign(Weak<dyn Deliver<M>>),
}

impl<M> WeakActorRef<M> {
    /// The strong address; `None` once the actor has ended and the last strong
    /// address is gone.
    pub fn upgrade(&self) -> Option<ActorRef<M>> {
        let route = match &self.route {
            WeakRoute::Local(cell) => Route::Local(cell.upgrade()?),
            WeakRoute::Foreign(deliver) => Route::Foreign(deliver.upgrade()?),
        };
        Some(ActorRef { route })
    }
}

impl<M> Clone for WeakActorRef<M> {
    fn clone(&self) -> Self {
        Self {
            route: match &self.route {
                WeakRoute::Local(cell) => WeakRoute::Local(cell.clone()),
                WeakRoute::Foreign(deliver) => WeakRoute::Foreign(deliver.clone()),
            },
        }
    }
}

impl<M> fmt::Debug for WeakActorRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakActorRef")
    }
}
