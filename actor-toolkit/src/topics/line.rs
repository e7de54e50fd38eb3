//! One subscriber's line: what waits for it beside its mailbox, and the task that hands that
//! over. So whoever publishes waits for nobody, and no subscriber for another.
//!
//! ```text
//!  put ──► nobody waits ─► cast ─┬─ accepted
//!    │                           └─ no room ─► backlog of one, and a task
//!    └──► others wait ──► behind them, if there is room; else what `WhenFull` says
//!
//!  open ──► over: cancelled, failed, or the actor has ended
//! ```

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use actor_core::executor::Pace;
use actor_core::limits::OUTPUT_RETRY;
use actor_core::{Backlog, Executor, Recipient, SendError, Status, WhenFull};
use tokio::sync::Notify;
use tracing::{Instrument, Span};

use super::SubscriptionEnd;
use crate::contain::contained;

pub(super) struct Line<M> {
    recipient: Recipient<M>,
    /// What the task runs on.
    executor: Executor,
    backlog: Backlog,
    state: Mutex<State<M>>,
    /// Whether a message must not go straight to the mailbox: others wait, or it is over.
    /// Written under the lock; whoever publishes twice sees what the first has done.
    is_busy: AtomicBool,
    delivered: AtomicU64,
    dropped: AtomicU64,
    /// Told when there may be room, and at the end.
    changed: Notify,
}

struct State<M> {
    waiting: VecDeque<Waiting<M>>,
    /// Whether a task hands over what waits.
    is_served: bool,
    end: Option<SubscriptionEnd>,
}

/// A message that waits, and the span that it was published in.
struct Waiting<M> {
    message: M,
    span: Span,
}

/// What became of a message that was put to a line.
pub(super) enum Put<M> {
    /// The mailbox has it.
    Delivered,
    /// It waits, or another was dropped in its favour.
    Waits,
    /// There is no room for it, and its publisher is to wait.
    Refused(M),
    /// The line is over, or is since this message.
    Over,
}

/// What a mailbox did with a message.
enum Sent<M> {
    Accepted,
    /// There is no room now.
    NoRoom(M),
    /// It drains, and takes more in its next life, if there is one.
    Draining(M),
    /// It takes none any more.
    Never(M, SubscriptionEnd),
}

impl<M: Send + 'static> Line<M> {
    pub(super) fn new(recipient: Recipient<M>, executor: Executor, backlog: Backlog) -> Self {
        Self {
            recipient,
            executor,
            backlog,
            state: Mutex::new(State { waiting: VecDeque::new(), is_served: false, end: None }),
            is_busy: AtomicBool::new(false),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    pub(super) fn recipient(&self) -> &Recipient<M> {
        &self.recipient
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.locked().waiting.len()
    }

    pub(super) fn end_of(&self) -> Option<SubscriptionEnd> {
        self.locked().end
    }

    /// A message was lost to want of room.
    pub(super) fn count_dropped(&self, messages: usize) {
        self.dropped.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Sends a message, or lets it wait.
    pub(super) fn put(self: &Arc<Self>, message: M) -> Put<M> {
        if self.is_busy.load(Ordering::Acquire) {
            return self.put_behind(message);
        }
        match self.judged(self.recipient.cast(message)) {
            Sent::Accepted => Put::Delivered,
            Sent::NoRoom(message) | Sent::Draining(message) => self.put_behind(message),
            Sent::Never(message, end) => {
                discard(message);
                self.end(end);
                Put::Over
            }
        }
    }

    /// Puts a message behind those that wait, or lets it be the first that does.
    fn put_behind(self: &Arc<Self>, message: M) -> Put<M> {
        // Outside the lock: a subscriber of `tracing` is somebody else's code.
        let span = Span::current();
        let mut state = self.locked();
        if state.end.is_some() {
            drop(state);
            discard(message);
            return Put::Over;
        }
        let is_full = state.waiting.len() >= self.backlog.messages_max();
        let oldest = match self.backlog.when_full() {
            _ if !is_full => None,
            WhenFull::Wait => return Put::Refused(message),
            WhenFull::DropOldest => state.waiting.pop_front(),
            WhenFull::Fail => {
                drop(state);
                self.count_dropped(1);
                discard(message);
                self.end(SubscriptionEnd::Failed);
                return Put::Over;
            }
        };
        state.waiting.push_back(Waiting { message, span });
        let was_served = std::mem::replace(&mut state.is_served, true);
        self.is_busy.store(true, Ordering::Release);
        drop(state);
        if let Some(Waiting { message, span: _span }) = oldest {
            self.count_dropped(1);
            discard(message);
        }
        if !was_served {
            let serving = Serving { line: self.clone(), stage: Stage::Idle };
            self.executor.spawn(serving.run()).detach();
        }
        Put::Waits
    }

    /// Ends the line, once: what waits is dropped, and counted if that is for want of room.
    /// Says whether it was not over before.
    pub(super) fn end(&self, end: SubscriptionEnd) -> bool {
        let mut state = self.locked();
        if state.end.is_some() {
            return false;
        }
        state.end = Some(end);
        self.is_busy.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if end == SubscriptionEnd::Failed {
            self.count_dropped(waiting.len());
        }
        // Outside the lock, one by one: a destructor may publish to this very line, or panic.
        waiting.into_iter().for_each(|Waiting { message, span: _span }| discard(message));
        self.changed.notify_waiters();
        true
    }

    /// Completes when a message that is put need not be refused; with the line's end, if it is
    /// over.
    pub(super) async fn room(&self) -> Option<SubscriptionEnd> {
        self.until(|state| {
            self.backlog.when_full() != WhenFull::Wait || state.waiting.len() < self.backlog.messages_max()
        })
        .await
    }

    /// Completes when the line is over.
    pub(super) async fn ended(&self) -> SubscriptionEnd {
        self.until(|_| false).await.expect("nothing else was waited for")
    }

    /// Completes when it is so, or the line is over.
    async fn until(&self, is_so: impl Fn(&State<M>) -> bool) -> Option<SubscriptionEnd> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before the look, so that what changes after it is heard.
            changed.as_mut().enable();
            {
                let state = self.locked();
                if state.end.is_some() || is_so(&state) {
                    return state.end;
                }
            }
            changed.await;
        }
    }

    fn judged(&self, sent: Result<(), SendError<M>>) -> Sent<M> {
        match sent {
            Ok(()) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                Sent::Accepted
            }
            Err(SendError::Full(message)) => Sent::NoRoom(message),
            Err(SendError::Stopped(message, _)) if self.recipient.status() >= Status::Stopping => {
                Sent::Never(message, SubscriptionEnd::Stopped)
            }
            Err(SendError::Stopped(message, _)) => Sent::Draining(message),
            Err(error) => {
                let actor = self.recipient.id();
                tracing::warn!(%actor, %error, "a subscription ends: a message cannot be sent to it");
                Sent::Never(error.into_message(), SubscriptionEnd::Unreachable)
            }
        }
    }

    /// Sends a message, however long that takes; `false` if the line was over first.
    async fn hand_over(&self, message: M) -> bool {
        let mut ended = pin!(self.ended());
        let mut sending = pin!(self.send(message));
        poll_fn(|cx| match ended.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending => sending.as_mut().poll(cx),
        })
        .await
    }

    async fn send(&self, mut message: M) -> bool {
        loop {
            match self.judged(self.recipient.send(message).await) {
                Sent::Accepted => return true,
                // Its mailbox lets nobody wait: `Overflow::Reject`.
                Sent::NoRoom(refused) => {
                    message = refused;
                    self.executor.sleep(OUTPUT_RETRY).await;
                }
                // Its mailbox is open again when that life has ended.
                Sent::Draining(refused) => {
                    message = refused;
                    drop(self.recipient.wait(None).await);
                }
                Sent::Never(message, end) => {
                    discard(message);
                    self.end(end);
                    return false;
                }
            }
        }
    }

    /// The first that waits. If there is none, the line is not served any more.
    fn take(&self) -> Option<Waiting<M>> {
        let mut state = self.locked();
        let first = state.waiting.pop_front();
        state.is_served = first.is_some();
        if first.is_none() && state.end.is_none() {
            self.is_busy.store(false, Ordering::Release);
        }
        drop(state);
        self.changed.notify_waiters();
        first
    }

    fn locked(&self) -> MutexGuard<'_, State<M>> {
        // No user's code runs under it, so poisoning carries no news.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops a message of a user's.
fn discard<M>(message: M) {
    contained("the destructor of a message", || drop(message));
}

/// Hands over what waits. If it is dropped before it is done, with its runtime or by a panic,
/// the line is over: what waited there is lost, and must not be taken for sent.
struct Serving<M: Send + 'static> {
    line: Arc<Line<M>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// A message is in hand, and not in the mailbox.
    Handing,
    Done,
}

impl<M: Send + 'static> Serving<M> {
    async fn run(mut self) {
        let mut pace = Pace::new();
        while let Some(Waiting { message, span }) = self.line.take() {
            self.stage = Stage::Handing;
            let is_sent = self.line.hand_over(message).instrument(span).await;
            if !is_sent {
                return;
            }
            self.stage = Stage::Idle;
            pace.sent_one().await;
        }
        self.stage = Stage::Done;
    }
}

impl<M: Send + 'static> Drop for Serving<M> {
    fn drop(&mut self) {
        if self.stage != Stage::Done {
            self.line.end(SubscriptionEnd::Cancelled);
        }
        if self.stage == Stage::Handing && self.line.end_of() == Some(SubscriptionEnd::Failed) {
            self.line.count_dropped(1);
        }
    }
}
