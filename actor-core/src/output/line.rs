//! One subscriber's line: the backlog, and the task that hands it over.
//!
//! ```text
//!  put ──► nobody waits ─► cast ─┬─ accepted
//!    │                           └─ no room ─► backlog of one, and a task
//!    └──► others wait ──► behind them, if there is room; else what `WhenFull` says
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::backlog::{Backlog, WhenFull};
use crate::address::ActorRef;
use crate::contain::contained;
use crate::error::SendError;
use crate::executor::TaskHandle;
use crate::lifecycle::Status;
use crate::limits::OUTPUT_RETRY;
use crate::observe::DeadReason;
use crate::pace::Pace;
use crate::runtime::{Within, current_system};
use crate::sync::{LockExt, Mutex};
use crate::system::ActorSystem;
use crate::trace::{InSpan, Tag};

/// Whether an actor has ended, and is not only between two lives.
fn is_gone<M: Send + 'static>(actor: &ActorRef<M>) -> bool {
    actor.status() >= Status::Stopping
}

/// What became of a message.
enum Handed<M> {
    Over,
    /// There is no room now.
    NoRoom(M),
    /// It drains, and takes more in its next life, if there is one.
    Draining(M),
    /// Neither this one nor any other will arrive.
    Never,
}

fn handed_over<M: Send + 'static>(actor: &ActorRef<M>, sent: Result<(), SendError<M>>) -> Handed<M> {
    match sent {
        Ok(()) => Handed::Over,
        Err(SendError::Full(message)) => Handed::NoRoom(message),
        Err(SendError::Stopped(message, _)) if !is_gone(actor) => Handed::Draining(message),
        Err(error) => {
            if let SendError::Unsendable(_, why) = &error {
                tracing::warn!(actor = %actor.id(), %why, "a subscriber is let go: a message cannot be sent to it");
            }
            actor.bury(error);
            Handed::Never
        }
    }
}

/// What waits for one subscriber.
pub(super) struct Line<M> {
    actor: ActorRef<M>,
    backlog: Backlog,
    state: Mutex<LineState<M>>,
    /// Told when there may be room again.
    changed: Notify,
}

struct LineState<M> {
    backlog: VecDeque<Behind<M>>,
    /// Whether a task hands the backlog over.
    is_served: bool,
    task: Option<TaskHandle>,
    is_over: bool,
    /// Whether it is over because too much waited.
    has_failed: bool,
    dropped: u64,
}

/// A message that waits, and the span that it was sent in, if a traced actor is to handle it.
struct Behind<M> {
    message: M,
    tag: Option<Box<Tag>>,
}

/// A line, without the type of its messages.
pub(super) trait AnyLine: Send + Sync {
    /// Whether the sender need not wait.
    fn has_room(&self) -> bool;
    fn messages_max(&self) -> usize;
    fn waiting(&self) -> usize;
    fn dropped(&self) -> u64;
    fn has_failed(&self) -> bool;
    fn is_over(&self) -> bool;
    fn end(&self);
    fn changed(&self) -> tokio::sync::futures::Notified<'_>;
}

impl<M: Send + 'static> AnyLine for Line<M> {
    fn has_room(&self) -> bool {
        self.backlog.when_full() != WhenFull::Wait
            || self.state.locked().backlog.len() < self.backlog.messages_max()
    }

    fn messages_max(&self) -> usize {
        self.backlog.messages_max()
    }

    fn waiting(&self) -> usize {
        self.state.locked().backlog.len()
    }

    fn dropped(&self) -> u64 {
        self.state.locked().dropped
    }

    fn has_failed(&self) -> bool {
        self.state.locked().has_failed
    }

    fn is_over(&self) -> bool {
        is_gone(&self.actor) || self.state.locked().is_over
    }

    fn end(&self) {
        let mut state = self.state.locked();
        state.is_over = true;
        let (backlog, task) = (std::mem::take(&mut state.backlog), state.task.take());
        let has_failed = state.has_failed;
        drop(state);
        // Dropped outside the lock, one by one: a destructor may speak to this very line, or
        // panic.
        let is_gone = is_gone(&self.actor);
        for Behind { message, tag: _tag } in backlog {
            if has_failed {
                self.lose(message);
            } else if is_gone {
                self.actor.bury(message);
            } else {
                contained("the destructor of a message", || drop(message));
            }
        }
        if let Some(task) = task {
            task.abort();
        }
        self.changed.notify_waiters();
    }

    fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }
}

impl<M: Send + 'static> Line<M> {
    pub(super) fn to(actor: &ActorRef<M>, backlog: Backlog) -> Self {
        let state = LineState {
            backlog: VecDeque::new(),
            is_served: false,
            task: None,
            is_over: false,
            has_failed: false,
            dropped: 0,
        };
        Self { actor: actor.clone(), backlog, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Sends a message, or lets it wait.
    pub(super) fn put(self: &Arc<Self>, message: M) {
        // Only here is a message put behind others, so none overtakes them.
        let Some(message) = self.put_behind(message) else { return };
        match handed_over(&self.actor, self.actor.cast(message)) {
            Handed::Over => {}
            Handed::NoRoom(message) | Handed::Draining(message) => self.begin(message),
            Handed::Never => self.end(),
        }
    }

    /// Puts a message behind those that wait; gives it back if none does. Of a line that is
    /// over it is dropped.
    fn put_behind(&self, message: M) -> Option<M> {
        // Outside the lock, though it may not be needed: it calls a subscriber.
        let tag = self.actor.capture();
        let mut state = self.state.locked();
        if state.is_over || !state.is_served {
            let is_over = state.is_over;
            drop(state);
            // A message is dropped outside the lock.
            return (!is_over).then_some(message);
        }
        let is_full = state.backlog.len() >= self.backlog.messages_max();
        if is_full && self.backlog.when_full() == WhenFull::Fail {
            state.has_failed = true;
            state.dropped += 1 + state.backlog.len() as u64;
            drop(state);
            self.lose(message);
            self.end();
            return None;
        }
        // A sender that is to wait has looked for room, and the port is its alone.
        let is_too_much = is_full && self.backlog.when_full() == WhenFull::DropOldest;
        let oldest = if is_too_much { state.backlog.pop_front() } else { None };
        state.dropped += u64::from(oldest.is_some());
        state.backlog.push_back(Behind { message, tag });
        drop(state);
        if let Some(Behind { message, tag: _tag }) = oldest {
            self.lose(message);
        }
        None
    }

    /// The message in hand was dropped with the task; if that was for want of room, it counts.
    fn lost_in_hand(&self) {
        let mut state = self.state.locked();
        let has_failed = state.has_failed;
        state.dropped += u64::from(has_failed);
        drop(state);
        if has_failed && let Some(observation) = self.actor.observation() {
            observation.dead_letter::<M>(DeadReason::Dropped);
        }
    }

    /// Drops a message for which there was no room.
    fn lose(&self, message: M) {
        if let Some(observation) = self.actor.observation() {
            observation.dead_letter::<M>(DeadReason::Dropped);
        }
        contained("the destructor of a message", || drop(message));
    }

    /// Lets a message wait, the first, and begins to hand it and all that follow over.
    fn begin(self: &Arc<Self>, message: M) {
        let tag = self.actor.capture();
        let mut state = self.state.locked();
        if state.is_over {
            drop(state);
            return drop(message);
        }
        state.backlog.push_back(Behind { message, tag });
        state.is_served = true;
        drop(state);
        // The task is the sender's: it must not end with the subscriber's life.
        let system = current_system();
        let executor = system.as_ref().map_or(self.actor.executor(), ActorSystem::executor).clone();
        let serving = Serving { line: self.clone(), stage: Stage::Idle };
        let task = executor.spawn(Within::new(system, serving.run()));
        let mut state = self.state.locked();
        // It may have ended already, and another may never begin beside it: the port is
        // borrowed for as long as this takes.
        let is_late = state.is_over;
        let task = if is_late { Some(task) } else { state.task.replace(task) };
        drop(state);
        if let Some(task) = task.filter(|_| is_late) {
            task.abort();
        }
    }

    /// Sends a message, however long that takes; `false` if it cannot arrive any more.
    async fn hand_over(&self, mut message: M) -> bool {
        loop {
            match handed_over(&self.actor, self.actor.send(message).await) {
                Handed::Over => return true,
                Handed::Never => return false,
                // Its mailbox lets nobody wait: `Overflow::Reject`.
                Handed::NoRoom(refused) => {
                    message = refused;
                    self.actor.executor().sleep(OUTPUT_RETRY).await;
                }
                // Its mailbox is open again when that life has ended.
                Handed::Draining(refused) => {
                    message = refused;
                    drop(self.actor.wait(None).await);
                }
            }
        }
    }

    /// The first that waits. If there is none, the line is not served any more.
    fn take(&self) -> Option<Behind<M>> {
        let mut state = self.state.locked();
        let first = state.backlog.pop_front();
        state.is_served = first.is_some();
        drop(state);
        self.changed.notify_waiters();
        first
    }
}

/// Hands a backlog over. If it is dropped before it is done, the line is over: what waited
/// there is lost, and must not be taken for sent.
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
        while let Some(Behind { message, tag }) = self.line.take() {
            self.stage = Stage::Handing;
            let is_sent = InSpan::new(tag, self.line.hand_over(message)).await;
            self.stage = Stage::Idle;
            if !is_sent {
                return;
            }
            pace.sent_one().await;
        }
        self.stage = Stage::Done;
    }
}

impl<M: Send + 'static> Drop for Serving<M> {
    fn drop(&mut self) {
        if self.stage == Stage::Handing {
            self.line.lost_in_hand();
        }
        if self.stage != Stage::Done {
            self.line.end();
        }
    }
}
