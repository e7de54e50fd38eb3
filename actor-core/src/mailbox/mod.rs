//! Where an actor's messages wait: a bounded or unbounded queue with many
//! senders and one receiver.
//!
//! Promises, whatever queue lies below: first in, first out for each sender;
//! the bound is exact, and room comes back when a message is taken out, not when
//! it has been handled; closing is one step, after which no message gets in and
//! everything that got in comes out.

use std::num::NonZeroUsize;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::error::SendError;
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

/// A mailbox's two ends.
pub(crate) fn mailbox<M>(capacity: Capacity) -> (Sender<M>, Receiver<M>) {
    match capacity {
        Capacity::Bounded(capacity) => {
            let (sender, receiver) = mpsc::channel(capacity.get());
            (Sender::Bounded(sender), Receiver { queue: Queue::Bounded(receiver), is_closed: false })
        }
        Capacity::Unbounded => {
            let (sender, receiver) = mpsc::unbounded_channel();
            (Sender::Unbounded(sender), Receiver { queue: Queue::Unbounded(receiver), is_closed: false })
        }
    }
}

/// The end that messages go into.
pub(crate) enum Sender<M> {
    Bounded(mpsc::Sender<M>),
    Unbounded(mpsc::UnboundedSender<M>),
}

impl<M> Sender<M> {
    /// Puts a message in if there is room now.
    pub(crate) fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        match self {
            Self::Bounded(queue) => queue.try_send(message).map_err(|error| match error {
                mpsc::error::TrySendError::Full(message) => SendError::Full(message),
                mpsc::error::TrySendError::Closed(message) => SendError::Stopped(message),
            }),
            Self::Unbounded(queue) => queue.send(message).map_err(|error| SendError::Stopped(error.0)),
        }
    }

    /// Waits for room, first come, first served. Cancel safe: room that was
    /// waited for and not used goes to the next who waits.
    pub(crate) async fn reserve(&self) -> Result<Permit<'_, M>, Closed> {
        match self {
            Self::Bounded(queue) => queue.reserve().await.map(Permit::Bounded).map_err(|_| Closed),
            Self::Unbounded(queue) => Ok(Permit::Unbounded(queue)),
        }
    }
}

/// The mailbox takes no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Room for one message.
pub(crate) enum Permit<'a, M> {
    Bounded(mpsc::Permit<'a, M>),
    Unbounded(&'a mpsc::UnboundedSender<M>),
}

impl<M> Permit<'_, M> {
    /// Puts the message in.
    pub(crate) fn send(self, message: M) -> Result<(), SendError<M>> {
        match self {
            Self::Bounded(permit) => {
                permit.send(message);
                Ok(())
            }
            Self::Unbounded(queue) => queue.send(message).map_err(|error| SendError::Stopped(error.0)),
        }
    }
}

/// The end that messages come out of.
pub(crate) struct Receiver<M> {
    queue: Queue<M>,
    is_closed: bool,
}

enum Queue<M> {
    Bounded(mpsc::Receiver<M>),
    Unbounded(mpsc::UnboundedReceiver<M>),
}

impl<M> Receiver<M> {
    /// Lets no more messages in. What got in still comes out.
    pub(crate) fn close(&mut self) {
        if !self.is_closed {
            self.is_closed = true;
            match &mut self.queue {
                Queue::Bounded(queue) => queue.close(),
                Queue::Unbounded(queue) => queue.close(),
            }
        }
    }

    /// The next message; `None` when the mailbox is closed and empty.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        match &mut self.queue {
            Queue::Bounded(queue) => queue.poll_recv(cx),
            Queue::Unbounded(queue) => queue.poll_recv(cx),
        }
    }
}
