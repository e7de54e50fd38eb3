//! Requests that wait for their answers, by correlation id. They are known before any message
//! with the id in it exists, so no answer can come too early.
//!
//! ```text
//!  begin ─► Request(id) ── awaited ─────────────► the answer
//!             │   the message with the id leaves       ▲
//!             └ dropped: forgotten        answer(id, R)┘   once; a second finds nobody
//! ```

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use actor_core::{CallFailure, ReplyFuture, ReplyPort};

use super::hashed::{Hashed, SHARDS, shard, spread};
use super::limits::REQUESTS_MAX;

/// Which request an answer is for. It is a number that others can guess: where a stranger may
/// answer, check what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId(u64);

impl CorrelationId {
    /// An id that came from elsewhere as a number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, to be taken elsewhere.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As many requests wait for their answers as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{REQUESTS_MAX} requests wait for their answers")]
pub struct TooManyRequests;

/// Requests whose answers are of type `R`, for whoever needs no [`Broker`](super::Broker). Clones
/// are the same requests.
pub struct Requests<R> {
    table: Arc<Table<R>>,
}

struct Table<R> {
    /// The next id.
    next: AtomicU64,
    /// How many wait.
    pending: AtomicUsize,
    shards: [Mutex<Shard<R>>; SHARDS],
}

type Shard<R> = HashMap<u64, ReplyPort<R>, Hashed>;

impl<R: Send + 'static> Requests<R> {
    /// None yet.
    pub fn new() -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { table: Arc::new(Table { next: AtomicU64::new(1), pending: AtomicUsize::new(0), shards }) }
    }

    /// Begins to wait for an answer. What is sent with the id comes after this.
    ///
    /// # Errors
    ///
    /// [`TooManyRequests`] if [`REQUESTS_MAX`] wait.
    pub fn begin(&self) -> Result<Request<R>, TooManyRequests> {
        // Relaxed, all three: only the numbers matter.
        if self.table.pending.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            self.table.pending.fetch_sub(1, Ordering::Relaxed);
            return Err(TooManyRequests);
        }
        let id = CorrelationId(self.table.next.fetch_add(1, Ordering::Relaxed));
        let (port, reply) = ReplyPort::new(None);
        self.table.shard(id).insert(spread(id.0), port);
        Ok(Request { id, reply, requests: self.clone() })
    }

    /// Gives whoever waits the answer.
    ///
    /// # Errors
    ///
    /// Gives the answer back if nobody waits for it.
    pub fn answer(&self, id: CorrelationId, answer: R) -> Result<(), R> {
        match self.table.take(id) {
            Some(port) => port.send(answer),
            None => Err(answer),
        }
    }

    /// How many wait.
    pub fn pending(&self) -> usize {
        self.table.pending.load(Ordering::Relaxed)
    }
}

impl<R> Table<R> {
    fn shard(&self, id: CorrelationId) -> MutexGuard<'_, Shard<R>> {
        // No user's code runs under it, so poisoning carries no news.
        self.shards[shard(spread(id.0))].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a request, once.
    fn take(&self, id: CorrelationId) -> Option<ReplyPort<R>> {
        let port = self.shard(id).remove(&spread(id.0))?;
        self.pending.fetch_sub(1, Ordering::Relaxed);
        Some(port)
    }
}

impl<R: Send + 'static> Default for Requests<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Clone for Requests<R> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone() }
    }
}

impl<R> fmt::Debug for Requests<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("pending", &self.table.pending.load(Ordering::Relaxed)).finish()
    }
}

/// A request: await it for its answer. Dropping it forgets it.
#[must_use = "dropping a request forgets it"]
pub struct Request<R> {
    id: CorrelationId,
    reply: ReplyFuture<R>,
    requests: Requests<R>,
}

impl<R> Request<R> {
    /// What an answer names.
    pub fn id(&self) -> CorrelationId {
        self.id
    }
}

impl<R> Future for Request<R> {
    type Output = Result<R, CallFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.reply).poll(cx)
    }
}

impl<R> Drop for Request<R> {
    fn drop(&mut self) {
        drop(self.requests.table.take(self.id));
    }
}

impl<R> fmt::Debug for Request<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("id", &self.id).finish_non_exhaustive()
    }
}
