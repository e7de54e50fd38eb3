//! [`Line`]: what waits for one recipient beside its mailbox, and the task that hands it over.
//! So whoever sends waits for nobody, and no recipient for another.
//!
//! ```text
//!  put ──► nobody waits ─► cast ─┬─ accepted
//!    │                           └─ no room ─► backlog of one, and a task
//!    └──► others wait ──► behind them, if there is room; else what `WhenFull` says
//!
//!  open ──► over, for one `SubscriptionEnd`
//! ```

use std::fmt;
use std::sync::Arc;

use super::backlog::Backlog;
use super::shared::Shared;
use crate::executor::Executor;
use crate::observe::DeadReason;
use crate::recipient::Recipient;

/// A way to one recipient that never makes its senders wait: straight into the mailbox while that
/// has room, else into a [`Backlog`], which a task hands over as there is room again.
///
/// It is what an [`OutputPort`](crate::OutputPort) has for each subscription, for whoever builds
/// a way to many of their own. Clones are the same line, and any thread may put messages: those
/// of one thread arrive in order, also over the restarts of the actor. Dropping all clones loses
/// nothing: what was put still arrives.
///
/// ```
/// use actor_core::output::{Line, Put};
/// use actor_core::{ActorRef, Backlog, WhenFull};
///
/// # fn example(display: &ActorRef<String>) -> Result<(), Box<dyn std::error::Error>> {
/// let newest = Backlog::new(100, WhenFull::DropOldest)?;
/// let line: Line<String> = Line::new(display, newest);
/// if let Put::Over(end) = line.put("hello".to_owned()) {
///     println!("nobody is told any more: {end:?}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Line<M> {
    shared: Arc<Shared<M>>,
}

/// What became of a message that was put to a [`Line`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a message that was refused comes back in it"]
pub enum Put<M> {
    /// The mailbox has it.
    Delivered,
    /// It is in the backlog; the oldest there may have been dropped in its favour.
    Waits,
    /// The backlog is full, and its sender is to [wait](super::WhenFull::Wait) for
    /// [room](Line::room), or to do without.
    Refused(M),
    /// It was dropped: the line is over, or has ended with it.
    Over(SubscriptionEnd),
}

/// How a subscription, or its [`Line`], ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// It was cancelled, or the runtime is gone that handed over what waited.
    Cancelled,
    /// Its actor has ended.
    Stopped,
    /// Its backlog was full: [`WhenFull::Fail`](super::WhenFull::Fail).
    Failed,
    /// Its actor lives on another node, and there is no session with it, or a message cannot be
    /// encoded.
    Unreachable,
}

impl<M: Send + 'static> Line<M> {
    /// A line to an actor. What waits is handed over by a task of the system whose hook puts the
    /// first that does, or outside a hook of the actor's own.
    pub fn new(to: impl Into<Recipient<M>>, backlog: Backlog) -> Self {
        Self { shared: Arc::new(Shared::new(to.into(), backlog, None)) }
    }

    /// [`new`](Self::new) with what the task runs on.
    pub fn on(executor: &Executor, to: impl Into<Recipient<M>>, backlog: Backlog) -> Self {
        Self { shared: Arc::new(Shared::new(to.into(), backlog, Some(executor.clone()))) }
    }

    /// Whom it leads to.
    pub fn recipient(&self) -> &Recipient<M> {
        self.shared.recipient()
    }

    /// Sends a message, or lets it wait. If its actor is [traced](crate::SpawnOptions::traced) it
    /// is handled in the span that this is called in, however long it waits.
    ///
    /// # Panics
    ///
    /// On [`Executor::tokio`], if it is to wait and no runtime is current. The line is over then.
    pub fn put(&self, message: M) -> Put<M> {
        self.shared.put(message)
    }

    /// Ends the line, once: what waits is dropped. Says whether it was not over before.
    ///
    /// A message that another thread hands over just now may still arrive.
    pub fn close(&self, end: SubscriptionEnd) -> bool {
        self.shared.close(end)
    }

    /// How it ended; `None` while it has not.
    pub fn end(&self) -> Option<SubscriptionEnd> {
        self.shared.end()
    }

    /// Completes when a message need not be refused; with the end, if the line is over. Another
    /// message may come first. Dropping the future changes nothing.
    pub async fn room(&self) -> Option<SubscriptionEnd> {
        self.shared.room().await
    }

    /// Completes when the line is over. The end of its actor is heard of when something is handed
    /// over, unless whoever watches the actor [closes](Self::close) the line. Dropping the future
    /// changes nothing.
    pub async fn ended(&self) -> SubscriptionEnd {
        self.shared.ended().await
    }

    /// How many messages the mailbox has accepted.
    pub fn delivered(&self) -> u64 {
        self.shared.delivered()
    }

    /// How many messages wait in the backlog.
    pub fn waiting(&self) -> usize {
        self.shared.waiting()
    }

    /// How many messages were dropped for want of room. Each is a
    /// [dead letter](crate::DeadLetter) of the actor.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    pub(super) fn shared(&self) -> &Arc<Shared<M>> {
        &self.shared
    }

    /// Drops a message that was [refused](Put::Refused), and counts it.
    pub fn lose(&self, message: M) {
        self.shared.lose(message, Some(DeadReason::Dropped));
    }
}

impl<M> Clone for Line<M> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<M: Send + 'static> fmt::Debug for Line<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("to", &self.recipient().id())
            .field("waiting", &self.waiting())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
