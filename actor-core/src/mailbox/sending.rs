//! A sender that waits for room: its future, and every state that its wait can be in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Mailbox;
use super::policy::Overflow;
use super::queue::Refused;
use super::waiting::{Standing, Ticket};
use crate::error::SendError;
use crate::observe::Pressure;

/// A message that waits for room; see [`Mailbox::send`].
pub(crate) struct Sending<'a, M> {
    mailbox: &'a Mailbox<M>,
    /// Taken when the future is ready.
    message: Option<M>,
    /// Held from the first time there was no room.
    ticket: Option<Ticket>,
}

// The message is moved, never pinned.
impl<M> Unpin for Sending<'_, M> {}

impl<'a, M> Sending<'a, M> {
    pub(super) fn new(mailbox: &'a Mailbox<M>, message: M) -> Self {
        Self { mailbox, message: Some(message), ticket: None }
    }

    /// Gives up, and gives the message back.
    ///
    /// # Panics
    ///
    /// If the future was ready.
    pub(crate) fn withdraw(mut self) -> M {
        self.message.take().expect("a message that was sent cannot be withdrawn")
    }

    pub(super) fn push(&mut self) -> Poll<Result<(), SendError<M>>> {
        let Some(message) = self.message.take() else { unreachable!("polled again after it was ready") };
        match self.mailbox.queue.push(message) {
            Ok(()) => Poll::Ready(Ok(())),
            Err((message, Refused::Full)) if self.mailbox.overflow == Overflow::Block => {
                self.message = Some(message);
                Poll::Pending
            }
            Err((message, Refused::Full)) => Poll::Ready(self.mailbox.overflow(message)),
            Err((message, Refused::Closed)) => Poll::Ready(Err(SendError::Stopped(message))),
        }
    }

    fn push_into_place(&mut self) -> Result<(), SendError<M>> {
        let Some(message) = self.message.take() else { unreachable!("polled again after it was ready") };
        let pushed = self.mailbox.queue.push_into_place(message);
        pushed.map_err(|(message, _)| SendError::Stopped(message))
    }

    /// Leaves the line, with its place if it has one.
    pub(super) fn leave(&mut self) -> bool {
        self.ticket.take().is_some_and(|ticket| self.mailbox.waiting.leave(ticket))
    }
}

impl<M> Future for Sending<'_, M> {
    type Output = Result<(), SendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mailbox = self.mailbox;
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => {
                if let Poll::Ready(done) = self.push() {
                    return Poll::Ready(done);
                }
                let ticket = mailbox.waiting.register(cx.waker());
                self.ticket = Some(ticket);
                mailbox.tell_pressure(Pressure::Waits);
                // Whoever made room, or closed, before this is seen below; whoever does
                // it after this sees us.
                mailbox.queue.meet();
                ticket
            }
        };
        match mailbox.waiting.standing(ticket, cx.waker()) {
            Standing::Served => {
                self.leave();
                let pushed = self.push_into_place();
                // The place is given back after the claim: a sender that came between the
                // two found no room, and the receiver may have looked before there was.
                mailbox.queue.meet();
                mailbox.call_if_room();
                Poll::Ready(pushed)
            }
            Standing::First => {
                let Poll::Ready(done) = self.push() else { return Poll::Pending };
                // Meanwhile it may have been given a place, which it does not need now.
                if self.leave() {
                    mailbox.pass_on();
                } else {
                    // The next in the line may find room too.
                    mailbox.call_if_room();
                }
                Poll::Ready(done)
            }
            Standing::Later if mailbox.queue.is_closed() => {
                self.leave();
                let Some(message) = self.message.take() else { unreachable!("it has not been sent") };
                Poll::Ready(Err(SendError::Stopped(message)))
            }
            Standing::Later => Poll::Pending,
        }
    }
}

impl<M> Drop for Sending<'_, M> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            if self.leave() {
                self.mailbox.pass_on();
            } else {
                // It may have been called to look, and has not: another shall.
                self.mailbox.call_if_room();
            }
        }
    }
}
