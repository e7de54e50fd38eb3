//! From one to many: [`OutputPort`] is what an actor says to whoever subscribes, [`Line`] the way
//! to one of them.
//!
//! ```text
//!  port.send(T) ──► per subscription: convert(T) ──► M ──┬─ room, and nobody waits ─► mailbox
//!                                                        └─ else ─► backlog ─► a task ──┘
//! ```
//!
//! Each subscription has a line of its own, so none delays another. Its task lives as
//! long as something waits there. What becomes of what is too much is its [`Backlog`]'s.

mod backlog;
mod line;
mod serving;
mod shared;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::backlog::{Backlog, BacklogError, WhenFull};
pub use self::line::{Line, Put, SubscriptionEnd};
use self::shared::Shared;
use crate::id::ActorId;
use crate::recipient::Recipient;

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

    /// Sends an actor what `convert` makes of each value from now on: a message of its own, or
    /// [one of many](Recipient) that it takes. It may be subscribed more than once.
    pub fn subscribe<M: Send + 'static>(
        &mut self,
        to: impl Into<Recipient<M>>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) -> Subscription {
        self.subscribe_with(Backlog::default(), to, convert)
    }

    /// [`subscribe`](Self::subscribe) with another backlog than the largest.
    pub fn subscribe_with<M: Send + 'static>(
        &mut self,
        backlog: Backlog,
        to: impl Into<Recipient<M>>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) -> Subscription {
        // Here too, so that the dead do not pile up in a port that seldom sends.
        self.let_go();
        let subscriber = Converting { convert, line: Line::new(to, backlog) };
        let subscription = subscriber.subscription();
        self.subscribers.push(Box::new(subscriber));
        subscription
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
            return Err(OutputFull { value, subscription: full.subscription() });
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
        self.subscribers.iter().filter(|subscriber| subscriber.line().end().is_none()).count()
    }

    fn let_go(&mut self) {
        self.subscribers.retain(|subscriber| subscriber.line().end().is_none());
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

/// One subscription to an [`OutputPort`]. Dropping it does not end it.
#[derive(Clone)]
pub struct Subscription {
    line: Arc<dyn AnyLine>,
}

impl Subscription {
    /// Ends the subscription: what the actor's mailbox has not accepted yet is dropped.
    pub fn cancel(&self) {
        self.line.cancel();
    }

    /// How it ended; `None` while it has not.
    pub fn end(&self) -> Option<SubscriptionEnd> {
        self.line.end()
    }

    /// Whose it is.
    pub fn actor_id(&self) -> ActorId {
        self.line.actor_id()
    }

    /// How many messages the actor's mailbox has accepted.
    pub fn delivered(&self) -> u64 {
        self.line.delivered()
    }

    /// How many messages wait in the backlog.
    pub fn waiting(&self) -> usize {
        self.line.waiting()
    }

    /// How many messages were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.line.dropped()
    }

    /// Completes when a sender need not wait for this subscription: when its backlog has room or
    /// never lets anybody wait; with the end, if it is over. Dropping the future changes nothing.
    pub async fn room(&self) -> Option<SubscriptionEnd> {
        self.line.room().await
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("actor", &self.actor_id())
            .field("end", &self.end())
            .finish_non_exhaustive()
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
    fn line(&self) -> &dyn AnyLine;
    fn subscription(&self) -> Subscription;
}

/// A subscriber with what makes its messages.
struct Converting<M, C> {
    convert: C,
    line: Line<M>,
}

impl<T, M, C> Subscriber<T> for Converting<M, C>
where
    M: Send + 'static,
    C: Fn(T) -> Option<M> + Send + Sync,
{
    fn accept(&self, value: T) {
        let Some(message) = (self.convert)(value) else { return };
        if let Put::Refused(message) = self.line.put(message) {
            debug_assert!(false, "the port is borrowed, and has looked for room");
            self.line.lose(message);
        }
    }

    fn line(&self) -> &dyn AnyLine {
        &**self.line.shared()
    }

    fn subscription(&self) -> Subscription {
        Subscription { line: self.line.shared().clone() }
    }
}

/// A line, without the type of its messages.
trait AnyLine: Send + Sync {
    fn cancel(&self);
    fn end(&self) -> Option<SubscriptionEnd>;
    fn actor_id(&self) -> ActorId;
    fn delivered(&self) -> u64;
    fn waiting(&self) -> usize;
    fn dropped(&self) -> u64;
    fn messages_max(&self) -> usize;
    fn has_room(&self) -> bool;
    fn room(&self) -> Pin<Box<dyn Future<Output = Option<SubscriptionEnd>> + Send + '_>>;
}

impl<M: Send + 'static> AnyLine for Shared<M> {
    fn cancel(&self) {
        self.close(self.end().unwrap_or(SubscriptionEnd::Cancelled));
    }

    fn end(&self) -> Option<SubscriptionEnd> {
        Shared::end(self)
    }

    fn actor_id(&self) -> ActorId {
        self.recipient().id()
    }

    fn delivered(&self) -> u64 {
        Shared::delivered(self)
    }

    fn waiting(&self) -> usize {
        Shared::waiting(self)
    }

    fn dropped(&self) -> u64 {
        Shared::dropped(self)
    }

    fn messages_max(&self) -> usize {
        Shared::messages_max(self)
    }

    fn has_room(&self) -> bool {
        Shared::has_room(self)
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = Option<SubscriptionEnd>> + Send + '_>> {
        Box::pin(Shared::room(self))
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
