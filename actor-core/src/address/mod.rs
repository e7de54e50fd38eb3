//! Addresses: how the rest of the program, and of the cluster, reaches an actor.
//!
//! ```text
//!  ActorRef<M> ── Route ──┬─ Local ──► mailbox of M + Control
//!                         └─ Foreign ► dyn Deliver<M>: a cluster's outbound room
//!  ActorCell ── the same, without M
//! ```

mod cell;
mod control;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use self::cell::{ActorCell, WeakActorCell};
use self::cell::{AnyCell, CellRoute};
pub(crate) use self::control::LocalControl;
pub use self::control::{Control, ControlRequest, ExitListener, ForeignControl, WatchId};
use crate::error::{CallError, CallFailure, SendError};
use crate::executor::Executor;
use crate::id::ActorId;
use crate::mailbox::{self, Capacity};
use crate::reply::ReplyPort;
use crate::time::Instant;

/// A strong, typed address of an actor, wherever it lives. Only messages of type
/// `M` can be sent to it. Clones are equal; an actor lives on when all its
/// addresses are dropped.
///
/// It dereferences to [`Control`]: id, status, stop, kill, drain, wait.
pub struct ActorRef<M> {
    route: Route<M>,
}

enum Route<M> {
    Local(Arc<LocalCell<M>>),
    Foreign(Arc<dyn Deliver<M>>),
}

/// All that addresses of a local actor share.
struct LocalCell<M> {
    control: Control,
    mailbox: mailbox::Sender<M>,
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
    fn cast(&self, message: M) -> Result<(), SendError<M>>;

    /// Completes when a cast may find room, or will fail for another reason than
    /// [`SendError::Full`].
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<M: Send + 'static> ActorRef<M> {
    pub(crate) fn local(
        id: ActorId,
        name: Option<Arc<str>>,
        executor: Executor,
        capacity: Capacity,
    ) -> (Self, mailbox::Receiver<M>) {
        let (mailbox, receiver) = mailbox::mailbox(capacity);
        let cell = LocalCell { control: Control::local(id, name, executor), mailbox };
        (Self { route: Route::Local(Arc::new(cell)) }, receiver)
    }

    /// The address of an actor in another process.
    pub fn foreign(deliver: Arc<dyn Deliver<M>>) -> Self {
        Self { route: Route::Foreign(deliver) }
    }

    /// The untyped form of this address.
    pub fn cell(&self) -> ActorCell {
        match &self.route {
            Route::Local(cell) => ActorCell::of_local(cell.clone()),
            Route::Foreign(deliver) => ActorCell::of_foreign(deliver.control().clone()),
        }
    }

    /// The typed form of a local actor's untyped address.
    ///
    /// # Errors
    ///
    /// Gives the cell back if the actor takes other messages than `M`, or lives
    /// in another process.
    pub fn from_cell(cell: ActorCell) -> Result<Self, ActorCell> {
        match cell.route {
            CellRoute::Local(any) => match any.clone().into_any().downcast() {
                Ok(typed) => Ok(Self { route: Route::Local(typed) }),
                Err(_) => Err(ActorCell::of_local(any)),
            },
            CellRoute::Foreign(control) => Err(ActorCell::of_foreign(control)),
        }
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
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        match &self.route {
            Route::Local(cell) if cell.admits() => cell.mailbox.try_send(message),
            Route::Local(_) => Err(SendError::Stopped(message)),
            Route::Foreign(deliver) => deliver.cast(message),
        }
    }

    /// Waits for room, then does as [`cast`](Self::cast). Dropping the future
    /// before it is ready sends nothing and takes no room.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast), but never [`SendError::Full`].
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.send_before(message, Instant::FAR).await
    }

    /// Sends a message with a reply port in it and waits for the answer, however
    /// long that takes. Nothing is sent before the future is first polled;
    /// dropping it tells the actor that nobody waits.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; it says whether the call may have run.
    ///
    /// ```
    /// # use actor_core::{ActorRef, CallError, ReplyPort};
    /// # enum Counter { Get(ReplyPort<u64>) }
    /// # async fn example(counter: ActorRef<Counter>) -> Result<(), CallError<Counter>> {
    /// let count = counter.call(Counter::Get).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call<T: Send + 'static>(
        &self,
        message: impl FnOnce(ReplyPort<T>) -> M,
    ) -> Result<T, CallError<M>> {
        let (port, reply) = ReplyPort::new(None);
        self.send(message(port)).await?;
        Ok(reply.await?)
    }

    /// [`call`](Self::call) within a time, which covers the wait for room too.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); [`CallFailure::TimedOut`] if the message left in
    /// time and the answer did not come, [`SendError::Full`] if it never left.
    pub async fn call_timeout<T: Send + 'static>(
        &self,
        timeout: Duration,
        message: impl FnOnce(ReplyPort<T>) -> M,
    ) -> Result<T, CallError<M>> {
        let executor = self.executor();
        let deadline = executor.now() + timeout;
        let (port, reply) = ReplyPort::new(Some(deadline));
        self.send_before(message(port), deadline).await?;
        match executor.timeout_at(deadline, reply).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(CallFailure::TimedOut(timeout).into()),
        }
    }

    pub(crate) async fn send_before(&self, mut message: M, deadline: Instant) -> Result<(), SendError<M>> {
        loop {
            message = match self.cast(message) {
                Err(SendError::Full(message)) => message,
                done => return done,
            };
            match self.executor().timeout_at(deadline, self.room()).await {
                Err(_) => return Err(SendError::Full(message)),
                Ok(Room::Reserved(permit)) if self.admits() => return permit.send(message),
                Ok(Room::Reserved(_)) => return Err(SendError::Stopped(message)),
                // There was room, or there never will be: the cast tells.
                Ok(Room::Unknown) => {}
            }
        }
    }

    async fn room(&self) -> Room<'_, M> {
        match &self.route {
            Route::Local(cell) => cell.mailbox.reserve().await.map_or(Room::Unknown, Room::Reserved),
            Route::Foreign(deliver) => {
                deliver.room().await;
                Room::Unknown
            }
        }
    }

    fn admits(&self) -> bool {
        match &self.route {
            Route::Local(cell) => cell.admits(),
            Route::Foreign(_) => true,
        }
    }
}

enum Room<'a, M> {
    Reserved(mailbox::Permit<'a, M>),
    Unknown,
}

impl<M> LocalCell<M> {
    fn admits(&self) -> bool {
        self.control.as_local().is_some_and(|local| local.word().admits())
    }
}

impl<M: Send + 'static> AnyCell for LocalCell<M> {
    fn control(&self) -> &Control {
        &self.control
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl<M: 'static> Deref for ActorRef<M> {
    type Target = Control;

    fn deref(&self) -> &Control {
        match &self.route {
            Route::Local(cell) => &cell.control,
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

impl<M: 'static> PartialEq for ActorRef<M> {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<M: 'static> Eq for ActorRef<M> {}

impl<M: 'static> Hash for ActorRef<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl<M: 'static> fmt::Debug for ActorRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorRef({:?})", **self)
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
