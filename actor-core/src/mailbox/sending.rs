//! A sender that waits for room: its future, and every state that its wait can be in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Mailbox;
use super::policy::Overflow;
use super::queue::Refused;
use super::waiting::{Left, Standing, Ticket};
use crate::error::SendError;
use crate::observe::Pressure;
use crate::trace::Tag;

/// A message that waits for room; see [`Mailbox::send`].
pub(crate) struct Sending<'a, M> {
    mailbox: &'a Mailbox<M>,
    /// Taken when the future is ready.
    message: Option<M>,
    /// Held from the first time there was no room.
    ticket: Option<Ticket>,
    /// Whether it waits although others are not let wait: whoever sends has nobody to give the
    /// message back to.
    is_patient: bool,
}

// The message is moved, never pinned.
impl<M> Unpin for Sending<'_, M> {}

impl<'a, M> Sending<'a, M> {
    pub(super) fn new(mailbox: &'a Mailbox<M>, message: M) -> Self {
        Self { mailbox, message: Some(message), ticket: None, is_patient: false }
    }

    /// Waits for room where [`Overflow::Reject`] says that nobody does.
    pub(crate) fn patient(mut self) -> Self {
        self.is_patient = true;
        self
    }

    fn may_wait(&self) -> bool {
        match self.mailbox.overflow {
            Overflow::Block => true,
            Overflow::Reject => self.is_patient,
            Overflow::DropNewest | Overflow::DropOldest => false,
        }
    }

    /// Gives up, and gives the message back.
    ///
    /// # Panics
    ///
    /// If the future was ready.
    pub(crate) fn withdraw(mut self) -> M {
        self.message.take().expect("a message that was sent cannot be withdrawn")
    }

    /// Puts the message in if there is room. `tag` keeps what goes with it if there is none.
    #[inline]
    pub(super) fn push(&mut self, tag: &mut Option<Tag>) -> Poll<Result<(), SendError<M>>> {
        let Some(message) = self.message.take() else { unreachable!("polled again after it was ready") };
        match self.mailbox.push(message, tag) {
            Ok(()) => Poll::Ready(Ok(())),
            Err((message, Refused::Full)) if self.may_wait() => {
                self.message = Some(message);
                Poll::Pending
            }
            Err((message, Refused::Full)) => Poll::Ready(self.mailbox.overflowed(message, tag.take())),
            Err((message, Refused::Closed | Refused::Untagged)) => {
                Poll::Ready(Err(SendError::Stopped(message, None)))
            }
        }
    }

    /// [`push`](Self::push) for one that waits, with the tag that it waits with.
    fn push_again(&mut self, ticket: Ticket) -> Poll<Result<(), SendError<M>>> {
        let waiting = &self.mailbox.waiting;
        if !self.mailbox.queue.is_tagged() {
            return self.push(&mut None);
        }
        let mut tag = waiting.take_tag(ticket);
        let pushed = self.push(&mut tag);
        if pushed.is_pending() {
            waiting.keep_tag(ticket, tag);
        }
        pushed
    }

    fn push_into_place(&mut self, tag: Option<Tag>) -> Result<(), SendError<M>> {
        let Some(message) = self.message.take() else { unreachable!("polled again after it was ready") };
        let pushed = self.mailbox.queue.push_into_place(message, tag);
        pushed.map_err(|(message, _)| SendError::Stopped(message, None))
    }

    /// Leaves the line, with its place if it has one.
    pub(super) fn leave(&mut self) -> Left {
        self.ticket.take().map_or_else(Left::default, |ticket| self.mailbox.waiting.leave(ticket))
    }
}

impl<M> Future for Sending<'_, M> {
    type Output = Result<(), SendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mailbox = self.mailbox;
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => {
                let mut tag = None;
                if let Poll::Ready(done) = self.push(&mut tag) {
                    return Poll::Ready(done);
                }
                let ticket = mailbox.waiting.register(cx.waker(), tag);
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
                let tag = self.leave().tag;
                let pushed = self.push_into_place(tag);
                // The place is given back after the claim: a sender that came between the
                // two found no room, and the receiver may have looked before there was.
                mailbox.queue.meet();
                mailbox.call_if_room();
                Poll::Ready(pushed)
            }
            Standing::First => {
                let Poll::Ready(done) = self.push_again(ticket) else { return Poll::Pending };
                // Meanwhile it may have been given a place, which it does not need now.
                if self.leave().has_place {
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
                Poll::Ready(Err(SendError::Stopped(message, None)))
            }
            Standing::Later => Poll::Pending,
        }
    }
}

impl<M> Drop for Sending<'_, M> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            if self.leave().has_place {
                self.mailbox.pass_on();
            } else {
                // It may have been called to look, and has not: another shall.
                self.mailbox.call_if_room();
            }
        }
    }
}
