//! The one-shot answer to a call.
//!
//! ```text
//!  caller ── ReplyFuture ◄── slot ◄── ReplyPort ── inside the message, moved by whoever
//!                             │                    answers: a handler, a task, a session
//!  caller elsewhere ◄── dyn Answer
//!
//!  port:   waits to be answered ──send, fail, drop──► spent
//!  future: polled ──answer──► ready        either one may be dropped at any time
//! ```
//!
//! Every answer goes through a [`slot`], the only room here with unsafe code. Its
//! memory is used again, so a call in the steady state allocates nothing; answers
//! over about 200 bytes do.

#[expect(unsafe_code, reason = "two parties share memory without a count; fenced, modelled and sanitized")]
mod slot;
mod unhandled;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use self::slot::{Caller, Elsewhere, Replier};
pub(crate) use self::unhandled::{Bound, Unhandled, drop_unhandled};
use crate::error::CallFailure;
use crate::time::Instant;

/// Where the answer to one call goes.
///
/// It is `Send` and `Sync` if the answer is `Send`, so that a message with a port in it can be
/// part of an [`ActorError`](crate::ActorError): `other.cast(message)?` in a hook.
///
/// It is an ordinary value of one word: a handler may answer at once, keep it
/// and answer later, or move it to another actor or task. Dropping it unanswered
/// tells the caller [`CallFailure::NoReply`]. If it is dropped with the message that a call
/// of this crate put it in, and certainly no handler has seen it, the caller is told that:
/// [`CallFailure::Rejected`] or [`CallFailure::Expired`]. It has to lie in the message itself
/// for that, not behind a `Box`.
pub struct ReplyPort<T> {
    /// `None` if nobody ever waited.
    replier: Option<Replier<T>>,
}

/// Where the message of a call is going: the mailbox of an actor here, behind what is in it by
/// now. [`ActorRef::destination`](crate::ActorRef::destination) gives it; the default is
/// nowhere that anybody knows of.
#[derive(Clone, Copy, Debug)]
pub struct Destination(pub(crate) Bound);

impl Default for Destination {
    fn default() -> Self {
        Self(Bound::NOWHERE)
    }
}

/// A caller that is not in this process. A cluster implements this.
pub trait Answer<T>: Send + Sync {
    /// Delivers the answer, or what became of the call instead. Called once; the value
    /// is dropped right after. A panic is reported and goes no further.
    fn answer(&mut self, result: Result<T, CallFailure>);

    /// Whether nobody waits for the answer any more.
    fn is_closed(&self) -> bool;
}

impl<T: Send + 'static> ReplyPort<T> {
    /// A port and the future that its answer completes. `deadline` is when the
    /// caller stops waiting, for whoever handles the call to see.
    pub fn new(deadline: Option<Instant>) -> (Self, ReplyFuture<T>) {
        Self::bound(Bound::NOWHERE, deadline)
    }

    /// [`new`](Self::new) for a call whose message is going there.
    pub(crate) fn bound(bound: Bound, deadline: Option<Instant>) -> (Self, ReplyFuture<T>) {
        Self::with_waker(bound, deadline, None)
    }

    /// [`bound`](Self::bound) for a caller that sends the port and then waits, all in one
    /// poll: it says at once whom to wake, which saves a step later.
    pub(crate) fn awaited(bound: Bound, deadline: Option<Instant>, waker: &Waker) -> (Self, ReplyFuture<T>) {
        Self::with_waker(bound, deadline, Some(waker.clone()))
    }

    fn with_waker(bound: Bound, deadline: Option<Instant>, waker: Option<Waker>) -> (Self, ReplyFuture<T>) {
        let (replier, caller) = slot::slot(bound, deadline, waker);
        (Self { replier: Some(replier) }, ReplyFuture { caller })
    }

    /// A port whose caller is elsewhere. `destination` is the actor that its message is for:
    /// if the message dies there before a handler has seen it, the caller is told so, as one
    /// here would be.
    pub fn foreign(
        answer: impl Answer<T> + 'static,
        deadline: Option<Instant>,
        destination: Destination,
    ) -> Self {
        let caller = Elsewhere { bound: destination.0, answer };
        Self { replier: Some(Replier::foreign(caller, deadline)) }
    }
}

impl<T> ReplyPort<T> {
    /// A port that nobody reads, to send a call's message without calling: it is
    /// closed from the start, and costs nothing.
    ///
    /// ```
    /// # use actor_core::ReplyPort;
    /// let port = ReplyPort::nobody();
    /// assert!(port.is_closed());
    /// assert_eq!(port.send(7), Err(7));
    /// ```
    pub const fn nobody() -> Self {
        Self { replier: None }
    }

    /// Whether it was made as [`nobody`](Self::nobody)'s: no caller ever waited.
    pub fn is_nobody(&self) -> bool {
        self.replier.is_none()
    }

    /// Answers the call.
    ///
    /// # Errors
    ///
    /// Gives the value back if the local caller has gone away, or there never was one.
    /// A caller on another node may be gone without anybody here knowing.
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        let Some(replier) = self.replier else { return Err(value) };
        replier.answer(Ok(value)).map_err(|unread| match unread {
            Ok(value) => value,
            Err(_) => unreachable!("an answer was sent, not a failure"),
        })
    }

    /// Tells the caller what became of the call instead of an answer.
    pub fn fail(self, failure: CallFailure) {
        let Some(replier) = self.replier else { return };
        // Who has left does not hear it.
        _ = replier.answer(Err(failure));
    }

    /// Whether nobody waits for the answer any more, as far as is known here.
    pub fn is_closed(&self) -> bool {
        self.replier.as_ref().is_none_or(Replier::is_left)
    }

    /// When the caller stops waiting, on this system's clock; `None` if it
    /// waits for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.replier.as_ref()?.deadline()
    }
}

impl<T> fmt::Debug for ReplyPort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyPort").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// The answer, when it comes. Dropping it tells the port that nobody waits.
///
/// # Panics
///
/// If it is polled again after it was ready.
#[must_use = "a reply does nothing unless it is awaited"]
pub struct ReplyFuture<T> {
    caller: Caller<T>,
}

impl<T> Future for ReplyFuture<T> {
    type Output = Result<T, CallFailure>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.caller.poll(cx)
    }
}

impl<T> fmt::Debug for ReplyFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyFuture")
    }
}

#[cfg(test)]
mod tests;
