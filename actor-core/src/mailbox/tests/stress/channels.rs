//! One interface for our mailbox and tokio's channel.

use std::future::Future;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::oracle::Parcel;
use crate::mailbox::tests::{Cell, Got, mailbox, receive};
use crate::mailbox::{Inbox, Park};
use crate::sync::Backoff;
use std::sync::Arc;

pub(super) enum Refused {
    Full(Parcel),
    Closed(Parcel),
}

pub(super) trait Channel {
    type Outbox: Outbox;
    type Intake: Intake;
    /// Whether a message's destructor may panic, and a sender may wake the receiver.
    const IS_OURS: bool;

    fn open(bound: Option<usize>) -> (Self::Outbox, Self::Intake);
}

pub(super) trait Outbox: Clone + Send + Sync + 'static {
    fn try_send(&self, parcel: Parcel) -> Result<(), Refused>;
    fn send(&self, parcel: Parcel) -> impl Future<Output = Result<(), Refused>> + Send;
    /// Makes the receiver look again, where that can be done.
    fn call(&self);
    /// Closes from the senders' side, where that can be done.
    fn close(&self);
    fn assert_nobody_waits(&self);
}

pub(super) trait Intake: Send + 'static {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Parcel>>;
    /// The receiver is about to wait for something else.
    fn turn_away(&mut self, cx: &mut Context<'_>);
    fn close(&mut self);
    fn die(self, is_orderly: bool);
}

pub(super) struct Ours;

impl Channel for Ours {
    type Outbox = Arc<Cell<Parcel>>;
    type Intake = Inbox<Parcel, Cell<Parcel>>;
    const IS_OURS: bool = true;

    fn open(bound: Option<usize>) -> (Self::Outbox, Self::Intake) {
        mailbox(bound)
    }
}

impl From<crate::SendError<Parcel>> for Refused {
    fn from(error: crate::SendError<Parcel>) -> Self {
        match error {
            crate::SendError::Full(parcel) => Refused::Full(parcel),
            crate::SendError::Stopped(parcel, _) => Refused::Closed(parcel),
            _ => unreachable!("a mailbox in this process"),
        }
    }
}

impl Outbox for Arc<Cell<Parcel>> {
    fn try_send(&self, parcel: Parcel) -> Result<(), Refused> {
        Ok(self.mailbox.try_send(parcel)?)
    }

    async fn send(&self, parcel: Parcel) -> Result<(), Refused> {
        Ok(self.mailbox.send(parcel).await?)
    }

    fn call(&self) {
        self.mailbox.wake();
    }

    fn close(&self) {
        self.mailbox.close();
        self.mailbox.wake();
    }

    fn assert_nobody_waits(&self) {
        assert!(!self.mailbox.waiting.is_anybody());
    }
}

impl Intake for Inbox<Parcel, Cell<Parcel>> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Parcel>> {
        let mut backoff = Backoff::default();
        loop {
            match receive(self) {
                Got::Message(parcel) => return Poll::Ready(Some(parcel)),
                Got::Closed => return Poll::Ready(None),
                Got::Busy if backoff.try_pause() => {}
                Got::Empty => match self.park(cx.waker()) {
                    Park::Parked => return Poll::Pending,
                    Park::Busy if !backoff.try_pause() => break,
                    Park::Awake | Park::Busy => {}
                },
                Got::Busy => break,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn turn_away(&mut self, cx: &mut Context<'_>) {
        while !self.suspend(cx.waker()) {
            std::thread::yield_now();
        }
    }

    fn close(&mut self) {
        Inbox::close(self);
    }

    fn die(self, is_orderly: bool) {
        if is_orderly {
            _ = self.discard();
        }
    }
}

pub(super) struct Tokios;

impl Channel for Tokios {
    type Outbox = Sender;
    type Intake = Receiver;
    const IS_OURS: bool = false;

    fn open(bound: Option<usize>) -> (Sender, Receiver) {
        match bound {
            Some(bound) => {
                let (sender, receiver) = mpsc::channel(bound);
                (Sender::Bounded(sender), Receiver::Bounded(receiver))
            }
            None => {
                let (sender, receiver) = mpsc::unbounded_channel();
                (Sender::Unbounded(sender), Receiver::Unbounded(receiver))
            }
        }
    }
}

#[derive(Clone)]
pub(super) enum Sender {
    Bounded(mpsc::Sender<Parcel>),
    Unbounded(mpsc::UnboundedSender<Parcel>),
}

impl Outbox for Sender {
    fn try_send(&self, parcel: Parcel) -> Result<(), Refused> {
        match self {
            Sender::Bounded(sender) => sender.try_send(parcel).map_err(|error| match error {
                TrySendError::Full(parcel) => Refused::Full(parcel),
                TrySendError::Closed(parcel) => Refused::Closed(parcel),
            }),
            Sender::Unbounded(sender) => sender.send(parcel).map_err(|error| Refused::Closed(error.0)),
        }
    }

    async fn send(&self, parcel: Parcel) -> Result<(), Refused> {
        match self {
            Sender::Bounded(sender) => sender.send(parcel).await.map_err(|error| Refused::Closed(error.0)),
            Sender::Unbounded(_) => self.try_send(parcel),
        }
    }

    fn call(&self) {}

    fn close(&self) {}

    fn assert_nobody_waits(&self) {}
}

pub(super) enum Receiver {
    Bounded(mpsc::Receiver<Parcel>),
    Unbounded(mpsc::UnboundedReceiver<Parcel>),
}

impl Intake for Receiver {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Parcel>> {
        match self {
            Receiver::Bounded(receiver) => receiver.poll_recv(cx),
            Receiver::Unbounded(receiver) => receiver.poll_recv(cx),
        }
    }

    fn turn_away(&mut self, _: &mut Context<'_>) {}

    fn close(&mut self) {
        match self {
            Receiver::Bounded(receiver) => receiver.close(),
            Receiver::Unbounded(receiver) => receiver.close(),
        }
    }

    fn die(self, _: bool) {}
}
