//! A subscription: what the topics hold of it, and what its owner does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use actor_core::output::Line;
use actor_core::{ActorId, Exit, ExitListener, SubscriptionEnd, WatchId};

use super::Shared;
use super::pattern::Pattern;

/// One subscription. Clones are the same; dropping it does not end it.
#[derive(Clone)]
pub struct Subscription {
    entry: Arc<dyn AnyEntry>,
}

impl Subscription {
    pub(super) fn new<M: Send + 'static>(entry: Arc<Entry<M>>) -> Self {
        Self { entry }
    }

    /// Ends the subscription: what the actor's mailbox has not accepted yet is dropped.
    pub fn cancel(&self) {
        self.entry.cancel();
    }

    /// How it ended; `None` while it has not.
    pub fn end(&self) -> Option<SubscriptionEnd> {
        self.entry.end()
    }

    /// Waits for its end. Dropping the future changes nothing.
    pub async fn ended(&self) -> SubscriptionEnd {
        self.entry.ended().await
    }

    /// What it is for.
    pub fn pattern(&self) -> &Pattern {
        self.entry.pattern()
    }

    /// Whose it is.
    pub fn actor_id(&self) -> ActorId {
        self.entry.actor_id()
    }

    /// How many messages the actor's mailbox has accepted.
    pub fn delivered(&self) -> u64 {
        self.entry.delivered()
    }

    /// How many messages wait in the backlog.
    pub fn waiting(&self) -> usize {
        self.entry.waiting()
    }

    /// How many messages were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.entry.dropped()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("pattern", self.pattern())
            .field("actor", &self.actor_id())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

/// What the topics hold of a subscription.
pub(super) struct Entry<M> {
    line: Line<M>,
    pattern: Pattern,
    topics: Weak<Shared<M>>,
    /// Set once it is known.
    watch: OnceLock<WatchId>,
}

impl<M: Send + 'static> Entry<M> {
    pub(super) fn new(line: Line<M>, pattern: Pattern, topics: Weak<Shared<M>>) -> Self {
        Self { line, pattern, topics, watch: OnceLock::new() }
    }

    pub(super) fn line(&self) -> &Line<M> {
        &self.line
    }

    /// Has the actor's end told.
    pub(super) fn end_with_its_actor(self: &Arc<Self>) {
        let watch = self.line.recipient().watch_with(Arc::new(Ending(Arc::downgrade(self))));
        // Whoever ended it meanwhile did not know the watch.
        if self.watch.set(watch).is_ok() && self.line.end().is_some() {
            self.line.recipient().unwatch(watch);
        }
    }

    /// Takes it out of the topics.
    pub(super) fn forget(&self) {
        if let Some(topics) = self.topics.upgrade() {
            topics.forget(self);
        }
        if let Some(watch) = self.watch.get() {
            self.line.recipient().unwatch(*watch);
        }
    }
}

impl<M> Entry<M> {
    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

/// Hears of the end of a subscription's actor.
struct Ending<M>(Weak<Entry<M>>);

impl<M: Send + 'static> ExitListener for Ending<M> {
    fn on_exit(&self, _: ActorId, _: &Exit) {
        if let Some(entry) = self.0.upgrade() {
            entry.line.close(SubscriptionEnd::Stopped);
            entry.forget();
        }
    }

    fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// A subscription, without the type of its messages.
trait AnyEntry: Send + Sync {
    fn cancel(&self);
    fn end(&self) -> Option<SubscriptionEnd>;
    fn ended(&self) -> Pin<Box<dyn Future<Output = SubscriptionEnd> + Send + '_>>;
    fn pattern(&self) -> &Pattern;
    fn actor_id(&self) -> ActorId;
    fn delivered(&self) -> u64;
    fn waiting(&self) -> usize;
    fn dropped(&self) -> u64;
}

impl<M: Send + 'static> AnyEntry for Entry<M> {
    fn cancel(&self) {
        if self.line.close(SubscriptionEnd::Cancelled) {
            self.forget();
        }
    }

    fn end(&self) -> Option<SubscriptionEnd> {
        self.line.end()
    }

    fn ended(&self) -> Pin<Box<dyn Future<Output = SubscriptionEnd> + Send + '_>> {
        Box::pin(self.line.ended())
    }

    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn actor_id(&self) -> ActorId {
        self.line.recipient().id()
    }

    fn delivered(&self) -> u64 {
        self.line.delivered()
    }

    fn waiting(&self) -> usize {
        self.line.waiting()
    }

    fn dropped(&self) -> u64 {
        self.line.dropped()
    }
}
