//! [`OutputPort`]: what an actor says to whoever subscribes.
//!
//! ```text
//!  port.send(T) ──► per subscription: convert(T) ──► M ──┬─ room, and nobody waits ─► mailbox
//!                                                        └─ else ─► backlog ─► a task ──┘
//! ```
//!
//! Each subscription has a [`line`] of its own, so none delays another. Its task lives as
//! long as something waits there. What becomes of what is too much is its [`Backlog`]'s.

mod backlog;
mod line;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

pub use self::backlog::{Backlog, BacklogError, WhenFull};
use self::line::{AnyLine, Line};
use crate::address::ActorRef;

/// Sends each value to every subscriber, in order, and loses none but where a subscription
/// says so.
///
/// An actor holds it in its state. A subscriber is any actor, subscribed with a function
/// that makes its message of a value, or `None` of one that is not for it.
///
/// A subscriber that has no room, or is being restarted, gets what was sent meanwhile when
/// it has room again, and delays no other. At most
/// [`OUTPUT_BACKLOG_MAX`](crate::limits::OUTPUT_BACKLOG_MAX) messages wait for each; then
/// [`send`](Self::send) gives the value back. A subscription with a [`Backlog`] of its own may
/// lose the oldest instead, or end.
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
        self.subscribe_with(Backlog::default(), actor, convert)
    }

    /// [`subscribe`](Self::subscribe) with another backlog than the largest.
    pub fn subscribe_with<M: Send + 'static>(
        &mut self,
        backlog: Backlog,
        actor: &ActorRef<M>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) -> Subscription {
        // Here too, so that the dead do not pile up in a port that seldom sends.
        self.let_go();
        let line = Arc::new(Line::to(actor, backlog));
        self.subscribers.push(Box::new(Converting { convert, line: line.clone() }));
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
    /// [`OutputFull`] if the backlog of some subscription is full that is to
    /// [wait](WhenFull::Wait): the value comes back, and nobody was sent it.
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

    /// Whether it was cancelled, its actor is known to have ended, or it has
    /// [failed](Self::has_failed).
    pub fn is_over(&self) -> bool {
        self.line.is_over()
    }

    /// Whether it ended because its backlog was full; see [`WhenFull::Fail`].
    pub fn has_failed(&self) -> bool {
        self.line.has_failed()
    }

    /// How many messages wait beside the actor's mailbox.
    pub fn waiting(&self) -> usize {
        self.line.waiting()
    }

    /// How many messages were dropped because the backlog was full.
    pub fn dropped(&self) -> u64 {
        self.line.dropped()
    }

    /// Completes when a sender need not wait for this subscription: when its backlog has room,
    /// never lets anybody wait, or the subscription is over. Dropping it changes nothing.
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
#[error("not sent: {} messages wait for a subscriber", .subscription.line.messages_max())]
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

/// A subscriber with what makes its messages.
struct Converting<M, C> {
    convert: C,
    line: Arc<Line<M>>,
}

impl<T, M, C> Subscriber<T> for Converting<M, C>
where
    M: Send + 'static,
    C: Fn(T) -> Option<M> + Send + Sync,
{
    fn accept(&self, value: T) {
        if let Some(message) = (self.convert)(value) {
            self.line.put(message);
        }
    }

    fn line(&self) -> Arc<dyn AnyLine> {
        self.line.clone()
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
