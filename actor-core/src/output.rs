//! [`OutputPort`]: what an actor says to whoever subscribes.
//!
//! ```text
//!  port.send(T) ──► per subscription: convert(T) ──► M ──┬─ room, and nobody waits ─► mailbox
//!                                                        └─ else ─► backlog ─► a task ──┘
//! ```
//!
//! Each subscription has a backlog of its own, so none delays another. Its task lives as
//! long as something waits there. Lossless is the only policy so far: another one decides
//! otherwise in [`Lossless::accept`], and nowhere else.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::address::ActorRef;
use crate::contain::contained;
use crate::error::SendError;
use crate::executor::TaskHandle;
use crate::lifecycle::Status;
use crate::limits::OUTPUT_BACKLOG_MAX;
use crate::pace::Pace;
use crate::runtime::{Within, current_system};
use crate::sync::{LockExt, Mutex};
use crate::system::ActorSystem;
use crate::trace::{InSpan, Tag};

/// Sends each value to every subscriber, in order, and loses none.
///
/// An actor holds it in its state. A subscriber is any actor, subscribed with a function
/// that makes its message of a value, or `None` of one that is not for it.
///
/// A subscriber that has no room, or is being restarted, gets what was sent meanwhile when
/// it has room again, and delays no other. At most [`OUTPUT_BACKLOG_MAX`] messages wait for
/// each; then [`send`](Self::send) gives the value back.
///
/// Dropping the port ends it for whoever subscribed; what was sent before still arrives.
///
/// ```
/// use actor_core::{ActorRef, OutputPort};
///
/// # enum Display { Show(u32) }
/// # fn example(display: &ActorRef<Display>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut readings: OutputPort<u32> = OutputPort::new();
/// let warm = readings.subscribe(display, |celsius| (celsius > 30).then_some(Display::Show(celsius)));
/// readings.send(20)?;
/// readings.send(31)?;
/// warm.cancel();
/// # Ok(())
/// # }
/// ```
pub struct OutputPort<T> {
    subscribers: Vec<Box<dyn Subscriber<T>>>,
}

impl<T: Clone + 'static> OutputPort<T> {
    /// A port without subscribers. It needs no runtime.
    pub fn new() -> Self {
        Self { subscribers: Vec::new() }
    }

    /// Sends the actor what `convert` makes of each value from now on. It may be subscribed
    /// more than once.
    pub fn subscribe<M: Send + 'static>(
        &mut self,
        actor: &ActorRef<M>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) -> Subscription {
        // Here too, so that the dead do not pile up in a port that seldom sends.
        self.let_go();
        let line = Arc::new(Line::to(actor));
        self.subscribers.push(Box::new(Lossless { convert, line: line.clone() }));
        Subscription { line }
    }

    /// Sends a value to all who are subscribed, and does not wait.
    ///
    /// A [traced](crate::SpawnOptions::traced) subscriber handles it in the span that this is
    /// called in, however long it waits.
    ///
    /// A subscriber that has ended is let go. So is one on another node if there is no
    /// session with it, or if a message cannot be encoded, which is reported.
    ///
    /// # Errors
    ///
    /// [`OutputFull`] if [`OUTPUT_BACKLOG_MAX`] messages wait for some subscriber: the value
    /// comes back, and nobody was sent it.
    ///
    /// # Panics
    ///
    /// If `convert` or the value's `clone` does; some may have been sent the value by then.
    /// And on [`Executor::tokio`](crate::Executor::tokio), if a subscriber has no room and no
    /// runtime is current: what waits is handed over by a task of the system whose hook sends,
    /// or outside a hook of the subscriber's.
    pub fn send(&mut self, value: T) -> Result<(), OutputFull<T>> {
        self.let_go();
        if let Some(full) = self.subscribers.iter().find(|subscriber| !subscriber.line().has_room()) {
            return Err(OutputFull { value, subscription: Subscription { line: full.line() } });
        }
        if let Some((last, others)) = self.subscribers.split_last() {
            for subscriber in others {
                subscriber.accept(value.clone());
            }
            last.accept(value);
        }
        Ok(())
    }

    /// How many are subscribed and not known to have ended.
    pub fn subscriptions(&self) -> usize {
        self.subscribers.iter().filter(|subscriber| !subscriber.line().is_over()).count()
    }

    fn let_go(&mut self) {
        self.subscribers.retain(|subscriber| !subscriber.line().is_over());
    }
}

impl<T: Clone + 'static> Default for OutputPort<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for OutputPort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputPort").field("subscribers", &self.subscribers.len()).finish()
    }
}

/// One subscription to an [`OutputPort`]. Dropping it lets the subscription be.
#[derive(Clone)]
pub struct Subscription {
    line: Arc<dyn AnyLine>,
}

impl Subscription {
    /// Ends the subscription: what the actor's mailbox has not accepted yet is dropped.
    pub fn cancel(&self) {
        self.line.end();
    }

    /// Whether it was cancelled, or its actor is known to have ended.
    pub fn is_over(&self) -> bool {
        self.line.is_over()
    }

    /// Completes when fewer than [`OUTPUT_BACKLOG_MAX`] messages wait for the actor, or the
    /// subscription is over. Dropping it changes nothing.
    pub async fn room(&self) {
        loop {
            let mut changed = pin!(self.line.changed());
            // Before the look, so that what changes after it is heard.
            changed.as_mut().enable();
            if self.line.is_over() || self.line.has_room() {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

/// A value was sent to nobody, because too much waits for a subscriber. Wait for
/// [`room`](Subscription::room), or [cancel](Subscription::cancel) the subscription, and send
/// the value again; or do without it.
#[derive(Clone, thiserror::Error)]
#[error("not sent: {OUTPUT_BACKLOG_MAX} messages wait for a subscriber")]
pub struct OutputFull<T> {
    /// The value.
    pub value: T,
    /// Whom it waits for.
    pub subscription: Subscription,
}

/// The value itself need not be printable.
impl<T> fmt::Debug for OutputFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputFull({self})")
    }
}

/// A subscriber, without the type of its messages. `Sync`, so that an actor with a port may
/// have hooks that only read its state and await something.
trait Subscriber<T>: Send + Sync {
    fn accept(&self, value: T);
    fn line(&self) -> Arc<dyn AnyLine>;
}

/// A subscriber that gets everything.
struct Lossless<M, C> {
    convert: C,
    line: Arc<Line<M>>,
}

impl<T, M, C> Subscriber<T> for Lossless<M, C>
where
    M: Send + 'static,
    C: Fn(T) -> Option<M> + Send + Sync,
{
    fn accept(&self, value: T) {
        let Some(message) = (self.convert)(value) else { return };
        // Only here is a message put behind others, so none overtakes them.
        let Some(message) = self.line.put_behind(message) else { return };
        let actor = &self.line.actor;
        match handed_over(actor, actor.cast(message)) {
            Handed::Over => {}
            Handed::Back(message) => self.line.begin(message),
            Handed::Never => self.line.end(),
        }
    }

    fn line(&self) -> Arc<dyn AnyLine> {
        self.line.clone()
    }
}

/// Whether an actor has ended, and is not only between two lives.
fn is_gone<M: Send + 'static>(actor: &ActorRef<M>) -> bool {
    actor.status() >= Status::Stopping
}

/// What became of a message.
enum Handed<M> {
    Over,
    /// It can be sent later.
    Back(M),
    /// Neither this one nor any other will arrive.
    Never,
}

fn handed_over<M: Send + 'static>(actor: &ActorRef<M>, sent: Result<(), SendError<M>>) -> Handed<M> {
    match sent {
        Ok(()) => Handed::Over,
        Err(SendError::Full(message)) => Handed::Back(message),
        // It drains, and may live again.
        Err(SendError::Stopped(message, _)) if !is_gone(actor) => Handed::Back(message),
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
struct Line<M> {
    actor: ActorRef<M>,
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
}

/// A message that waits, and the span that it was sent in, if a traced actor is to handle it.
struct Behind<M> {
    message: M,
    tag: Option<Box<Tag>>,
}

/// A line, without the type of its messages.
trait AnyLine: Send + Sync {
    fn has_room(&self) -> bool;
    fn is_over(&self) -> bool;
    fn end(&self);
    fn changed(&self) -> tokio::sync::futures::Notified<'_>;
}

impl<M: Send + 'static> AnyLine for Line<M> {
    fn has_room(&self) -> bool {
        self.state.locked().backlog.len() < OUTPUT_BACKLOG_MAX
    }

    fn is_over(&self) -> bool {
        is_gone(&self.actor) || self.state.locked().is_over
    }

    fn end(&self) {
        let mut state = self.state.locked();
        state.is_over = true;
        let (backlog, task) = (std::mem::take(&mut state.backlog), state.task.take());
        drop(state);
        // Dropped outside the lock, one by one: a destructor may speak to this very line, or
        // panic.
        let is_gone = is_gone(&self.actor);
        for Behind { message, tag: _tag } in backlog {
            if is_gone {
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
    fn to(actor: &ActorRef<M>) -> Self {
        let state = LineState { backlog: VecDeque::new(), is_served: false, task: None, is_over: false };
        Self { actor: actor.clone(), state: Mutex::new(state), changed: Notify::new() }
    }

    /// Puts a message behind those that wait; gives it back if none does. Of a line that is
    /// over it is dropped.
    fn put_behind(&self, message: M) -> Option<M> {
        // Outside the lock, though it may not be needed: it calls a subscriber.
        let tag = self.actor.capture();
        let mut state = self.state.locked();
        if state.is_served && !state.is_over {
            state.backlog.push_back(Behind { message, tag });
            return None;
        }
        let is_over = state.is_over;
        drop(state);
        // A message is dropped outside the lock.
        (!is_over).then_some(message)
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
        let serving = Serving { line: self.clone(), is_done: false };
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
                Handed::Back(refused) => message = refused,
                Handed::Never => return false,
            }
            // It drains: its mailbox is open again when that life has ended, if another may
            // follow.
            drop(self.actor.wait(None).await);
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
    is_done: bool,
}

impl<M: Send + 'static> Serving<M> {
    async fn run(mut self) {
        let mut pace = Pace::new();
        while let Some(Behind { message, tag }) = self.line.take() {
            if !InSpan::new(tag, self.line.hand_over(message)).await {
                return;
            }
            pace.sent_one().await;
        }
        self.is_done = true;
    }
}

impl<M: Send + 'static> Drop for Serving<M> {
    fn drop(&mut self) {
        if !self.is_done {
            self.line.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_lie_in_any_state() {
        fn is_shared<S: Send + Sync>() {}
        // Whatever it says.
        is_shared::<OutputPort<std::cell::Cell<u8>>>();
        is_shared::<Subscription>();
    }
}
