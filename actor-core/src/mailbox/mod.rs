//! Where an actor's messages wait: a bounded or unbounded queue with many
//! senders and one receiver.
//!
//! Promises, whatever queue lies below: first in, first out for each sender;
//! the bound is exact, and room comes back when a message is taken out, not when
//! it has been handled; closing is one step, after which no message gets in and
//! everything that got in comes out.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError, mpsc};

use crate::error::{SendError, SpawnError};
use crate::limits::MAILBOX_CAPACITY_DEFAULT;

/// How much a mailbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// At most so many messages that were not yet taken out; no more than
    /// [`MAILBOX_CAPACITY_MAX`](crate::limits::MAILBOX_CAPACITY_MAX).
    Bounded(NonZeroUsize),
    /// As many as memory holds. For actors whose senders are bounded otherwise.
    Unbounded,
}

impl Default for Capacity {
    fn default() -> Self {
        const DEFAULT: NonZeroUsize = NonZeroUsize::new(MAILBOX_CAPACITY_DEFAULT).unwrap();
        Self::Bounded(DEFAULT)
    }
}

/// Shorthand for a bounded capacity.
///
/// # Errors
///
/// Zero cannot be a capacity.
impl TryFrom<usize> for Capacity {
    type Error = SpawnError;

    fn try_from(messages: usize) -> Result<Self, SpawnError> {
        let capacity =
            NonZeroUsize::new(messages).ok_or(SpawnError::Options("a mailbox of capacity zero"))?;
        Ok(Self::Bounded(capacity))
    }
}

/// A mailbox's two ends.
pub(crate) fn mailbox<M>(capacity: Capacity) -> (Sender<M>, Receiver<M>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = match capacity {
        Capacity::Bounded(capacity) => Some(Arc::new(Semaphore::new(capacity.get()))),
        Capacity::Unbounded => None,
    };
    (Sender { queue: sender, room: room.clone() }, Receiver { queue: receiver, room, is_closed: false })
}

/// The end that messages go into.
///
/// Room and queue are two things because a reserved permit of tokio's bounded
/// channel keeps its receiver from ending: a sender that holds one and is never
/// polled would keep a closed mailbox open for ever. A semaphore beside an
/// unbounded queue has no such tie.
pub(crate) struct Sender<M> {
    queue: mpsc::UnboundedSender<M>,
    /// A permit for each message that may still come in; none if unbounded.
    room: Option<Arc<Semaphore>>,
}

impl<M> Sender<M> {
    /// Puts a message in if there is room now.
    pub(crate) fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        let room = match self.room.as_deref().map(Semaphore::try_acquire) {
            None => None,
            Some(Ok(room)) => Some(room),
            Some(Err(TryAcquireError::NoPermits)) => return Err(SendError::Full(message)),
            Some(Err(TryAcquireError::Closed)) => return Err(SendError::Stopped(message)),
        };
        Permit { queue: &self.queue, room }.send(message)
    }

    /// Waits for room, first come, first served. Cancel safe: room that was
    /// waited for and not used goes to the next who waits.
    pub(crate) async fn reserve(&self) -> Result<Permit<'_, M>, Closed> {
        let room = match &self.room {
            None => None,
            Some(room) => Some(room.acquire().await.map_err(|_| Closed)?),
        };
        Ok(Permit { queue: &self.queue, room })
    }
}

/// The mailbox takes no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Room for one message.
pub(crate) struct Permit<'a, M> {
    queue: &'a mpsc::UnboundedSender<M>,
    room: Option<SemaphorePermit<'a>>,
}

impl<M> Permit<'_, M> {
    /// Puts the message in, unless the mailbox was closed meanwhile.
    pub(crate) fn send(self, message: M) -> Result<(), SendError<M>> {
        self.queue.send(message).map_err(|error| SendError::Stopped(error.0))?;
        // The room is taken; it comes back when the message is taken out.
        if let Some(room) = self.room {
            room.forget();
        }
        Ok(())
    }
}

/// The end that messages come out of.
pub(crate) struct Receiver<M> {
    queue: mpsc::UnboundedReceiver<M>,
    room: Option<Arc<Semaphore>>,
    is_closed: bool,
}

impl<M> Receiver<M> {
    /// Lets no more messages in. What got in still comes out.
    pub(crate) fn close(&mut self) {
        if !self.is_closed {
            self.is_closed = true;
            self.queue.close();
            if let Some(room) = &self.room {
                room.close();
            }
        }
    }

    /// The next message; `None` when the mailbox is closed and empty.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        let message = ready!(self.queue.poll_recv(cx));
        if let (Some(_), Some(room)) = (&message, &self.room) {
            room.add_permits(1);
        }
        Poll::Ready(message)
    }

    /// Closes, and drops every message that got in. Simply dropping the receiver
    /// would leave a message that is being put in at that moment where nobody
    /// finds it, and its caller without an answer for as long as any address
    /// lives.
    pub(crate) async fn discard(mut self) {
        self.close();
        while poll_fn(|cx| self.poll_recv(cx)).await.is_some() {}
    }
}
