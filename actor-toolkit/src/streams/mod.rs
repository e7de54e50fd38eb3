//! What comes from elsewhere, as messages: a stream, a channel, the lines or frames of a socket.
//!
//! ```text
//!  Stream ──────────────────┐
//!  mpsc::Receiver ─ receive ┤
//!  AsyncRead ─┬─ lines ─────┼─► feed, feed_results ─► Told ─► your message ─► mailbox
//!             └─ frames ────┘      item after item, each when there was room for the last;
//!                                  then that it has ended, or why it failed
//! ```
//!
//! * The mailbox holds the source back: nothing more is taken from it until there was room for
//!   what came before.
//! * A source is part of its actor's life and ends with it: the stream is dropped, so a channel
//!   is closed, and a socket too if it is nobody else's. [`Attachment::cancel`] does the same
//!   earlier. Then nothing more is told.
//! * What panics in a stream, or in what makes messages, fails that actor and nobody else.
//!
//! To have items only, and not their end, is
//! [`ActorRef::attach_stream`](actor_core::ActorRef::attach_stream).
//!
//! ```
//! use actor_core::{ActorRef, Attachment};
//! use actor_toolkit::streams::{LimitError, ReadError, Told, feed_results, lines};
//! use tokio::io::AsyncRead;
//!
//! enum Session {
//!     Line(String),
//!     Closed,
//!     Broken(ReadError),
//! }
//!
//! fn listen(
//!     session: &ActorRef<Session>,
//!     socket: impl AsyncRead + Unpin + Send + 'static,
//! ) -> Result<Attachment, LimitError> {
//!     let lines = lines(socket, 1024)?;
//!     Ok(feed_results(session, lines, |told| match told {
//!         Told::Item(line) => Session::Line(line),
//!         Told::Ended => Session::Closed,
//!         Told::Failed(error) => Session::Broken(error),
//!     }))
//! }
//! ```

pub mod limits;
mod read;

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actor_core::{ActorRef, Attachment};
use futures_core::Stream;
use tokio::sync::mpsc;

pub use self::read::{Frames, LimitError, Lines, ReadError, frames, lines};

/// What an actor is told of a source. After [`Ended`](Self::Ended) and
/// [`Failed`](Self::Failed) comes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told<T, E = Infallible> {
    /// The next item.
    Item(T),
    /// There are no more.
    Ended,
    /// There are no more, because of this.
    Failed(E),
}

/// Sends an actor a message for each item of a stream, and one for its end. The next item is
/// taken when there was room for the last.
///
/// # Panics
///
/// As [`ActorCell::attach`](actor_core::ActorCell::attach). A panic in the stream or in `message`
/// is one of the actor.
pub fn feed<M: Send + 'static, S: Stream + Send + 'static>(
    actor: &ActorRef<M>,
    stream: S,
    message: impl FnMut(Told<S::Item>) -> M + Send + 'static,
) -> Attachment {
    let told = |item: Option<S::Item>| item.map_or(Told::Ended, Told::Item);
    actor.attach_stream(Telling::new(stream, told), message)
}

/// As [`feed`], of a stream whose first error is its end.
///
/// # Panics
///
/// As [`feed`].
pub fn feed_results<M, S, T, E>(
    actor: &ActorRef<M>,
    stream: S,
    message: impl FnMut(Told<T, E>) -> M + Send + 'static,
) -> Attachment
where
    M: Send + 'static,
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: 'static,
    E: 'static,
{
    let told = |item| match item {
        Some(Ok(item)) => Told::Item(item),
        Some(Err(error)) => Told::Failed(error),
        None => Told::Ended,
    };
    actor.attach_stream(Telling::new(stream, told), message)
}

/// A channel as a stream, to be [fed](feed): it ends when all senders are dropped, or the
/// receiver was closed.
pub fn receive<T>(receiver: mpsc::Receiver<T>) -> Received<T> {
    Received { receiver }
}

/// See [`receive`].
#[derive(Debug)]
pub struct Received<T> {
    receiver: mpsc::Receiver<T>,
}

impl<T> Stream for Received<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }
}

/// A stream of what is told of another: its items, and how it ended.
struct Telling<S, F> {
    /// Until its end, which drops it.
    stream: Option<Pin<Box<S>>>,
    told: F,
}

impl<S, F> Telling<S, F> {
    fn new(stream: S, told: F) -> Self {
        Self { stream: Some(Box::pin(stream)), told }
    }
}

/// Nothing in here is pinned in place.
impl<S, F> Unpin for Telling<S, F> {}

impl<S, F, T, E> Stream for Telling<S, F>
where
    S: Stream,
    F: FnMut(Option<S::Item>) -> Told<T, E>,
{
    type Item = Told<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Told<T, E>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let item = ready!(stream.as_mut().poll_next(cx));
        let told = (self.told)(item);
        if !matches!(told, Told::Item(_)) {
            self.stream = None;
        }
        Poll::Ready(Some(told))
    }
}

impl<S, F> fmt::Debug for Telling<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telling")
    }
}
