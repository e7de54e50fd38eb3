//! The one-shot answer to a call.
//!
//! ```text
//!  caller ── ReplyFuture ◄──── ReplyPort ── inside the message, moved by whoever
//!                                           answers: a handler, a task, a session
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::error::CallFailure;
use crate::time::Instant;

/// Where the answer to one call goes.
///
/// It is an ordinary value: a handler may answer at once, keep it and answer
/// later, or move it to another actor or task. Dropping it unanswered tells the
/// caller [`CallFailure::NoReply`].
pub struct ReplyPort<T> {
    /// Taken when answered, so that `drop` knows whether it was.
    answer: Option<Route<T>>,
    deadline: Option<Instant>,
}

enum Route<T> {
    Local(oneshot::Sender<Result<T, CallFailure>>),
    Foreign(Box<dyn Answer<T>>),
}

/// A caller that is not in this process. A cluster implements this.
pub trait Answer<T>: Send {
    /// Delivers the answer, or what became of the call instead.
    fn answer(self: Box<Self>, result: Result<T, CallFailure>);

    /// Whether nobody waits for the answer any more.
    fn is_closed(&self) -> bool;
}

impl<T: Send + 'static> ReplyPort<T> {
    /// A port and the future that its answer completes. `deadline` is when the
    /// caller stops waiting, for whoever handles the call to see.
    pub fn new(deadline: Option<Instant>) -> (Self, ReplyFuture<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self { answer: Some(Route::Local(sender)), deadline }, ReplyFuture { receiver })
    }

    /// A port whose caller is elsewhere.
    pub fn foreign(answer: Box<dyn Answer<T>>, deadline: Option<Instant>) -> Self {
        Self { answer: Some(Route::Foreign(answer)), deadline }
    }
}

impl<T> ReplyPort<T> {
    /// A port that nobody reads, for a call whose sender does not want the answer.
    /// It costs nothing, and answering it does nothing.
    pub fn nobody() -> Self {
        Self { answer: None, deadline: None }
    }

    /// Whether it was made as [`nobody`](Self::nobody)'s: no caller ever waited.
    pub fn is_nobody(&self) -> bool {
        self.answer.is_none()
    }

    /// Answers the call.
    ///
    /// # Errors
    ///
    /// Gives the value back if the local caller has gone away. A caller on
    /// another node may be gone without anybody here knowing.
    pub fn send(mut self, value: T) -> Result<(), T> {
        match self.answer.take() {
            Some(Route::Local(sender)) => sender.send(Ok(value)).map_err(|unsent| match unsent {
                Ok(value) => value,
                Err(_) => unreachable!("an answer was sent, not a failure"),
            }),
            Some(Route::Foreign(answer)) => {
                answer.answer(Ok(value));
                Ok(())
            }
            None => Err(value),
        }
    }

    /// Tells the caller what became of the call instead of an answer.
    pub fn fail(mut self, failure: CallFailure) {
        self.resolve(Err(failure));
    }

    /// Whether nobody waits for the answer any more, as far as is known here.
    pub fn is_closed(&self) -> bool {
        match &self.answer {
            Some(Route::Local(sender)) => sender.is_closed(),
            Some(Route::Foreign(answer)) => answer.is_closed(),
            None => true,
        }
    }

    /// When the caller stops waiting, on this system's clock; `None` if it
    /// waits for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn resolve(&mut self, result: Result<T, CallFailure>) {
        match self.answer.take() {
            Some(Route::Local(sender)) => drop(sender.send(result)),
            Some(Route::Foreign(answer)) => answer.answer(result),
            None => {}
        }
    }
}

impl<T> Drop for ReplyPort<T> {
    fn drop(&mut self) {
        self.resolve(Err(CallFailure::NoReply));
    }
}

impl<T> fmt::Debug for ReplyPort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyPort").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The answer, when it comes. Dropping it tells the port that nobody waits.
#[derive(Debug)]
#[must_use = "a reply does nothing unless it is awaited"]
pub struct ReplyFuture<T> {
    receiver: oneshot::Receiver<Result<T, CallFailure>>,
}

impl<T> Future for ReplyFuture<T> {
    type Output = Result<T, CallFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx).map(|received| received.unwrap_or(Err(CallFailure::NoReply)))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    fn poll_once<T>(future: ReplyFuture<T>) -> Poll<Result<T, CallFailure>> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answer_arrives() {
        let (port, reply) = ReplyPort::new(None);
        assert!(!port.is_closed());
        assert_eq!(port.send(7), Ok(()));
        assert_eq!(poll_once(reply), Poll::Ready(Ok(7)));
    }

    #[test]
    fn a_dropped_port_is_no_reply() {
        let (port, reply) = ReplyPort::<u8>::new(None);
        drop(port);
        assert_eq!(poll_once(reply), Poll::Ready(Err(CallFailure::NoReply)));
    }

    #[test]
    fn a_caller_that_went_away_is_seen_and_the_value_comes_back() {
        let (port, reply) = ReplyPort::new(Some(Instant::FAR));
        drop(reply);
        assert!(port.is_closed());
        assert_eq!(port.deadline(), Some(Instant::FAR));
        assert_eq!(port.send("late"), Err("late"));
    }

    #[test]
    fn a_port_of_nobody_gives_the_answer_back() {
        let port = ReplyPort::nobody();
        assert!(port.is_nobody() && port.is_closed());
        assert_eq!(port.deadline(), None);
        assert_eq!(port.send(7), Err(7));
        let (port, reply) = ReplyPort::<u8>::new(None);
        drop(reply);
        assert!(port.is_closed() && !port.is_nobody(), "somebody waited once");
    }

    #[test]
    fn a_failure_arrives() {
        let (port, reply) = ReplyPort::<u8>::new(None);
        port.fail(CallFailure::Expired);
        assert_eq!(poll_once(reply), Poll::Ready(Err(CallFailure::Expired)));
    }
}
