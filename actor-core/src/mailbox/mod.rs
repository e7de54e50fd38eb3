//! Where an actor's messages wait: a bounded or unbounded queue with many
//! senders and one receiver.
//!
//! ```text
//!  senders ─► Mailbox ──► queue (lock-free) ──► Inbox ─► the actor
//!                └ waiting: senders without room ◄┘ hands places on
//! ```
//!
//! Promises: first in, first out for each sender; the bound is exact, and room
//! comes back when a message is taken out, not when it has been handled; senders
//! that wait get room in the order they came; closing is one step, after which no
//! message gets in and everything that got in comes out.

#[expect(unsafe_code, reason = "the lock-free queue, under models and sanitizers")]
mod queue;
#[cfg(test)]
mod tests;
mod waiting;

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use self::queue::{Oldest, Published, Queue, Receiver, Refused, Setup};
pub(crate) use self::queue::{Park, Taken};
use self::waiting::{Standing, Ticket, Waiting};
use crate::contain::{caught, first_panic};
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

/// The senders' side of a mailbox; it lies in the actor's cell.
#[repr(C)]
pub(crate) struct Mailbox<M> {
    queue: Queue<M>,
    // After the queue, whose last fields are the receiver's: it reads this with them.
    waiting: Waiting,
    is_bounded: bool,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(capacity: Capacity) -> Self {
        let bound = match capacity {
            Capacity::Bounded(bound) => Some(bound.get()),
            Capacity::Unbounded => None,
        };
        Self {
            queue: Queue::new(Setup::bounded(bound)),
            waiting: Waiting::default(),
            is_bounded: bound.is_some(),
        }
    }

    /// Puts a message in if there is room now.
    #[inline(always)]
    pub(crate) fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        self.queue.push(message).map_err(|(message, refused)| match refused {
            Refused::Full => SendError::Full(message),
            Refused::Closed => SendError::Stopped(message),
        })
    }

    /// Waits for room, first come, first served, and puts a message in. Cancel safe:
    /// if the future is dropped before it is ready, nothing was sent, and a place that
    /// it was given goes to the next who waits.
    pub(crate) fn send(&self, message: M) -> Sending<'_, M> {
        Sending { mailbox: self, message: Some(message), ticket: None }
    }

    /// Lets no more messages in. What got in still comes out.
    pub(crate) fn close(&self) {
        self.queue.close();
        // A sender that registers after this meets the tail word, and finds it closed.
        if self.waiting.is_anybody() {
            self.waiting.call_all();
        }
    }

    /// Makes the receiver look again at whatever else it waits for.
    pub(crate) fn wake(&self) {
        self.queue.wake();
    }

    /// Gives a place away that is not needed.
    fn pass_on(&self) {
        if !self.waiting.serve() {
            self.queue.return_place();
            self.queue.meet();
            self.call_if_room();
        }
    }

    /// Sees to it that nobody waits while there is room. Senders that register look
    /// for room, and whoever made room looks for senders, after they met at the tail
    /// word: one of the two knows of the other. The receiver does so before it sleeps;
    /// who gives a place back, at once.
    fn call_if_room(&self) {
        if self.waiting.is_anybody() && self.queue.has_room_now() {
            self.waiting.call_first();
        }
    }
}

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

impl<M> Sending<'_, M> {
    /// Gives up, and gives the message back.
    ///
    /// # Panics
    ///
    /// If the future was ready.
    pub(crate) fn withdraw(mut self) -> M {
        self.message.take().expect("a message that was sent cannot be withdrawn")
    }

    fn push(&mut self) -> Poll<Result<(), SendError<M>>> {
        let Some(message) = self.message.take() else { unreachable!("polled again after it was ready") };
        match self.mailbox.try_send(message) {
            Err(SendError::Full(message)) => {
                self.message = Some(message);
                Poll::Pending
            }
            done => Poll::Ready(done),
        }
    }

    fn push_into_place(&mut self) -> Result<(), SendError<M>> {
        let Some(message) = self.message.take() else { unreachable!("polled again after it was ready") };
        let pushed = self.mailbox.queue.push_into_place(message);
        pushed.map_err(|(message, _)| SendError::Stopped(message))
    }

    /// Leaves the line, with its place if it has one.
    fn leave(&mut self) -> bool {
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

/// What has a mailbox in it.
pub(crate) trait Owner<M> {
    fn mailbox(&self) -> &Mailbox<M>;
}

/// A message that is there to be taken.
pub(crate) struct Delivery<'a, M> {
    oldest: Oldest<'a, M>,
    waiting: &'a Waiting,
}

impl<M> Delivery<'_, M> {
    /// Takes the message out. Its place goes to a sender that waits, if there is one,
    /// before anybody else could have it.
    #[inline(always)]
    pub(crate) fn take(self) -> M {
        let waiting = self.waiting;
        self.oldest.take_unless(|| waiting.is_anybody() && waiting.serve())
    }
}

/// The end that messages come out of. There is one; dropping it closes the mailbox
/// and drops what is in it.
pub(crate) struct Inbox<M, C: Owner<M>> {
    receiver: Receiver<M, C>,
}

impl<M, C: Owner<M>> Inbox<M, C> {
    pub(crate) fn new(owner: Arc<C>) -> Self {
        Self { receiver: Receiver::new(owner, |owner| &owner.mailbox().queue) }
    }

    /// What the mailbox lies in.
    pub(crate) fn owner(&self) -> &Arc<C> {
        self.receiver.owner()
    }

    /// The next message.
    #[inline(always)]
    pub(crate) fn receive(&mut self) -> Taken<Delivery<'_, M>> {
        let (taken, owner) = self.receiver.take_beside();
        taken.map(|oldest| Delivery { oldest, waiting: &owner.mailbox().waiting })
    }

    /// Whether the next message is just being put in.
    pub(crate) fn is_busy(&self) -> bool {
        self.receiver.is_busy()
    }

    /// Goes to sleep if there is nothing to receive; see [`Park`].
    #[inline]
    pub(crate) fn park(&mut self, waker: &Waker) -> Park {
        let parked = self.receiver.park(waker);
        if parked == Park::Parked {
            self.mailbox().call_if_room();
        }
        parked
    }

    /// Makes sure that [`Mailbox::wake`] wakes this task while it waits for something
    /// else than a message. `false` if that cannot be done just now: try again soon.
    pub(crate) fn suspend(&mut self, waker: &Waker) -> bool {
        let published = self.receiver.publish(waker);
        let mailbox = self.mailbox();
        if mailbox.is_bounded {
            // It may be long until the next message is taken.
            mailbox.queue.meet();
            mailbox.call_if_room();
        }
        published != Published::Busy
    }

    /// Lets no more messages in. What got in still comes out.
    pub(crate) fn close(&self) {
        self.mailbox().close();
    }

    /// Lets messages in again, if it was closed.
    pub(crate) fn reopen(&self) {
        if self.mailbox().queue.is_closed() {
            self.mailbox().queue.reopen();
        }
    }

    /// Closes, and drops every message that got in. Gives the panic of the first whose
    /// destructor panicked; the others are dropped all the same.
    pub(crate) fn discard(mut self) -> thread::Result<()> {
        self.close();
        let mut outcome = Ok(());
        // What is just being put in is left to the receiver's own drop, which waits.
        while let Taken::Message(oldest) = self.receiver.take() {
            let message = oldest.take();
            outcome = first_panic(outcome, caught(|| drop(message)));
        }
        outcome
    }

    fn mailbox(&self) -> &Mailbox<M> {
        self.receiver.owner().mailbox()
    }
}

/// Senders that wait are told; the receiver's own drop knows of the queue alone.
impl<M, C: Owner<M>> Drop for Inbox<M, C> {
    fn drop(&mut self) {
        if !self.mailbox().queue.is_closed() {
            self.close();
        }
    }
}
