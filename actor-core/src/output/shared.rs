//! What the clones of a [`Line`](super::Line) share: the state, and how a message gets in.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Notify;

use super::backlog::{Backlog, WhenFull};
use super::line::{Put, SubscriptionEnd};
use super::serving::Serving;
use crate::contain::contained;
use crate::error::SendError;
use crate::executor::Executor;
use crate::lifecycle::Status;
use crate::observe::DeadReason;
use crate::recipient::Recipient;
use crate::runtime::{Within, current_system};
use crate::sync::{AtomicBool, AtomicU64, LockExt, Mutex, Ordering};
use crate::system::ActorSystem;
use crate::trace::Tag;

pub(super) struct Shared<M> {
    recipient: Recipient<M>,
    backlog: Backlog,
    /// What the task runs on; the sender's if nothing was said.
    executor: Option<Executor>,
    state: Mutex<State<M>>,
    /// Whether a message must not go straight to the mailbox: others wait, or it is over.
    /// Written under the lock; whoever puts twice sees what the first has done.
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

/// A message that waits, and the span that it was put in, if a traced actor is to handle it.
pub(super) struct Waiting<M> {
    pub(super) message: M,
    pub(super) tag: Option<Box<Tag>>,
}

/// What a mailbox did with a message.
pub(super) enum Sent<M> {
    Accepted,
    /// There is no room now.
    NoRoom(M),
    /// It drains, and takes more in its next life, if there is one.
    Draining(M),
    /// It takes none any more.
    Never(M, SubscriptionEnd),
}

/// As what a message is lost that waited when the line ended; `None` if that is no news.
pub(super) fn loss_at(end: SubscriptionEnd) -> Option<DeadReason> {
    match end {
        SubscriptionEnd::Cancelled => None,
        SubscriptionEnd::Stopped | SubscriptionEnd::Unreachable => Some(DeadReason::Stopped),
        SubscriptionEnd::Failed => Some(DeadReason::Dropped),
    }
}

impl<M: Send + 'static> Shared<M> {
    pub(super) fn new(recipient: Recipient<M>, backlog: Backlog, executor: Option<Executor>) -> Self {
        Self {
            recipient,
            backlog,
            executor,
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

    pub(super) fn put(self: &Arc<Self>, message: M) -> Put<M> {
        if self.is_busy.load(Ordering::Acquire) {
            return self.put_behind(message);
        }
        match self.judged(self.recipient.cast(message)) {
            Sent::Accepted => Put::Delivered,
            Sent::NoRoom(message) | Sent::Draining(message) => self.put_behind(message),
            Sent::Never(message, end) => {
                self.lose(message, loss_at(end));
                self.close(end);
                Put::Over(end)
            }
        }
    }

    /// Puts a message behind those that wait, or lets it be the first that does.
    fn put_behind(self: &Arc<Self>, message: M) -> Put<M> {
        // Outside the lock, though it may not be needed: it calls a subscriber of `tracing`.
        let tag = self.recipient.capture();
        let mut state = self.state.locked();
        if let Some(end) = state.end {
            drop(state);
            self.lose(message, None);
            return Put::Over(end);
        }
        let is_full = state.waiting.len() >= self.backlog.messages_max();
        let oldest = match self.backlog.when_full() {
            _ if !is_full => None,
            WhenFull::Wait => return Put::Refused(message),
            WhenFull::DropOldest => state.waiting.pop_front(),
            WhenFull::Fail => {
                drop(state);
                self.lose(message, Some(DeadReason::Dropped));
                self.close(SubscriptionEnd::Failed);
                return Put::Over(SubscriptionEnd::Failed);
            }
        };
        state.waiting.push_back(Waiting { message, tag });
        let was_served = std::mem::replace(&mut state.is_served, true);
        self.is_busy.store(true, Ordering::Release);
        drop(state);
        if let Some(Waiting { message, tag: _tag }) = oldest {
            self.lose(message, Some(DeadReason::Dropped));
        }
        if !was_served {
            self.serve();
        }
        Put::Waits
    }

    /// Begins to hand over what waits. The task is the sender's: it must not end with a life of
    /// the actor.
    fn serve(self: &Arc<Self>) {
        let system = current_system();
        let own = || system.as_ref().map_or(self.recipient.executor(), ActorSystem::executor);
        let executor = self.executor.as_ref().unwrap_or_else(own).clone();
        executor.spawn(Within::new(system, Serving::of(self.clone()).run())).detach();
    }

    pub(super) fn close(&self, end: SubscriptionEnd) -> bool {
        let mut state = self.state.locked();
        if state.end.is_some() {
            return false;
        }
        state.end = Some(end);
        self.is_busy.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // Outside the lock, one by one: a destructor may put to this very line, or panic.
        waiting.into_iter().for_each(|Waiting { message, tag: _tag }| self.lose(message, loss_at(end)));
        self.changed.notify_waiters();
        true
    }

    /// Drops a message, and tells as what it was lost, if that is news.
    pub(super) fn lose(&self, message: M, reason: Option<DeadReason>) {
        self.tell_loss(reason);
        contained("the destructor of a message", || drop(message));
    }

    /// A message is lost.
    pub(super) fn tell_loss(&self, reason: Option<DeadReason>) {
        let Some(reason) = reason else { return };
        if reason == DeadReason::Dropped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(observation) = self.recipient.observation() {
            observation.dead_letter::<M>(reason);
        }
    }

    /// The first that waits. If there is none, the line is not served any more.
    pub(super) fn take(&self) -> Option<Waiting<M>> {
        let mut state = self.state.locked();
        let first = state.waiting.pop_front();
        state.is_served = first.is_some();
        if first.is_none() && state.end.is_none() {
            self.is_busy.store(false, Ordering::Release);
        }
        drop(state);
        self.changed.notify_waiters();
        first
    }

    pub(super) fn judged(&self, sent: Result<(), SendError<M>>) -> Sent<M> {
        match sent {
            Ok(()) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                Sent::Accepted
            }
            Err(SendError::Full(message)) => Sent::NoRoom(message),
            Err(SendError::Stopped(message, _)) => match self.end_of_actor() {
                Some(end) => Sent::Never(message, end),
                None => Sent::Draining(message),
            },
            Err(error) => {
                if let SendError::Unsendable(_, why) = &error {
                    let actor = self.recipient.id();
                    tracing::warn!(%actor, %why, "a subscription ends: a message cannot be sent to its actor");
                }
                Sent::Never(error.into_message(), SubscriptionEnd::Unreachable)
            }
        }
    }

    pub(super) fn end(&self) -> Option<SubscriptionEnd> {
        match self.is_busy.load(Ordering::Acquire) {
            true => self.end_in(&self.state.locked()),
            false => self.end_of_actor(),
        }
    }

    fn end_in(&self, state: &State<M>) -> Option<SubscriptionEnd> {
        state.end.or_else(|| self.end_of_actor())
    }

    /// Of an actor that has ended, and is not only between two lives.
    fn end_of_actor(&self) -> Option<SubscriptionEnd> {
        (self.recipient.status() >= Status::Stopping).then_some(SubscriptionEnd::Stopped)
    }

    pub(super) fn has_room(&self) -> bool {
        !self.is_busy.load(Ordering::Acquire) || self.has_room_in(&self.state.locked())
    }

    fn has_room_in(&self, state: &State<M>) -> bool {
        self.backlog.when_full() != WhenFull::Wait || state.waiting.len() < self.backlog.messages_max()
    }

    pub(super) async fn room(&self) -> Option<SubscriptionEnd> {
        let end_or_room = |state: &State<M>| match self.end_in(state) {
            None => self.has_room_in(state).then_some(None),
            end => Some(end),
        };
        self.until(end_or_room).await
    }

    pub(super) async fn ended(&self) -> SubscriptionEnd {
        self.until(|state| self.end_in(state)).await
    }

    /// Completes when the line was closed.
    pub(super) async fn closed(&self) -> SubscriptionEnd {
        self.until(|state| state.end).await
    }

    /// Completes when there is something to see.
    async fn until<T>(&self, look: impl Fn(&State<M>) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before the look, so that what changes after it is heard.
            changed.as_mut().enable();
            if let Some(seen) = look(&self.state.locked()) {
                return seen;
            }
            changed.await;
        }
    }

    pub(super) fn messages_max(&self) -> usize {
        self.backlog.messages_max()
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.locked().waiting.len()
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
