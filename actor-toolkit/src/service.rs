//! An actor's calls as a `tower::Service`, so that what wraps services wraps actors too:
//! timeouts, retries, rate limits, load shedding.
//!
//! ```text
//!  tower ── poll_ready: is the actor there? ── call(request) ──► mailbox
//!                                                  └ ServiceFuture ◄── ReplyPort
//! ```
//!
//! A call does not wait for room: a full mailbox is the error
//! [`SendError::Full`], at once. What
//! waits, sheds load or tries again belongs around the service. No time limit is in here either,
//! for tower has one.
//!
//! ```
//! use actor_core::{ActorRef, ReplyPort};
//! use actor_toolkit::service::CallService;
//! use tower_service::Service;
//!
//! enum Counter {
//!     Add(u64, ReplyPort<u64>),
//! }
//!
//! # async fn example(counter: &ActorRef<Counter>) -> Result<(), Box<dyn std::error::Error>> {
//! let mut adder = CallService::new(counter, Counter::Add);
//! std::future::poll_fn(|cx| adder.poll_ready(cx)).await?;
//! let sum: u64 = adder.call(3).await?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_core::{ActorCell, ActorRef, CallError, CallRecipient, ReplyFuture, ReplyPort, SendError, Status};
use tower_service::Service;

/// One call of an actor as a service: a `Q` goes in, a `T` comes out. Clones are the same actor's.
///
/// Its error says whether the call may have run: see [`CallError::never_ran`]. A call that dies
/// in the mailbox, with its actor, is one that may have.
pub struct CallService<Q, T> {
    actor: ActorCell,
    send: Arc<Sending<Q, T>>,
}

type Sending<Q, T> = dyn Fn(Q, ReplyPort<T>) -> Result<(), SendError<()>> + Send + Sync;

impl<Q: 'static, T: Send + 'static> CallService<Q, T> {
    /// The call that `message` makes of a request and a port. A variant of the actor's messages
    /// that holds both is such a function.
    pub fn new<M: Send + 'static>(
        actor: &ActorRef<M>,
        message: impl Fn(Q, ReplyPort<T>) -> M + Send + Sync + 'static,
    ) -> Self {
        let to = actor.clone();
        // The request is in the message by now, and goes with it.
        let send = move |request, port| to.cast(message(request, port)).map_err(|error| error.map(drop));
        Self { actor: actor.cell(), send: Arc::new(send) }
    }
}

/// The call of an actor that is known by its request: of `#[actor]`'s messages, say.
impl<Q: Send + 'static, T: Send + 'static> From<CallRecipient<Q, T>> for CallService<Q, T> {
    fn from(actor: CallRecipient<Q, T>) -> Self {
        let cell = actor.cell();
        let send = move |request, port| actor.forward(request, port).map_err(|error| error.map(drop));
        Self { actor: cell, send: Arc::new(send) }
    }
}

impl<Q: 'static, T: Send + 'static> Service<Q> for CallService<Q, T> {
    type Response = T;
    type Error = CallError<()>;
    type Future = ServiceFuture<T>;

    /// Ready while the actor lives, or may live again. Whether there is room shows when the
    /// request is sent; somebody else may take it until then.
    ///
    /// The error is [`SendError::Stopped`]: this service will never be ready again.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError<()>>> {
        if self.actor.status() >= Status::Stopping {
            return Poll::Ready(Err(SendError::Stopped((), self.actor.exit()).into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the request if there is room now, though the future has not been polled.
    fn call(&mut self, request: Q) -> ServiceFuture<T> {
        let (port, reply) = ReplyPort::new(None);
        match (self.send)(request, port) {
            Ok(()) => ServiceFuture { state: Some(Ok(reply)) },
            Err(error) => ServiceFuture { state: Some(Err(error)) },
        }
    }
}

impl<Q, T> Clone for CallService<Q, T> {
    fn clone(&self) -> Self {
        Self { actor: self.actor.clone(), send: self.send.clone() }
    }
}

impl<Q, T> fmt::Debug for CallService<Q, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallService").field("actor", &self.actor).finish_non_exhaustive()
    }
}

/// The answer, when it comes. Dropping it closes the port; the call may still run.
///
/// # Panics
///
/// If it is polled again after it was ready.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ServiceFuture<T> {
    /// Until it is ready.
    state: Option<Result<ReplyFuture<T>, SendError<()>>>,
}

impl<T> Future for ServiceFuture<T> {
    type Output = Result<T, CallError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(Ok(reply)) = &mut self.state {
            return Pin::new(reply).poll(cx).map_err(CallError::Failed);
        }
        let refused = self.state.take().and_then(Result::err);
        Poll::Ready(Err(refused.expect("a future is not polled after it was ready").into()))
    }
}

impl<T> fmt::Debug for ServiceFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceFuture")
    }
}
