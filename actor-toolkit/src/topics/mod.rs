//! Topics: a message about `orders.eu.created` goes to all who subscribed to
//! `orders.*.created`, and whoever publishes knows none of them.
//!
//! ```text
//!  publish(topic, M) ──► trie of patterns ──► per subscription: a line ──► Recipient<M>
//!                        (only what matches)   │ room: straight into the mailbox
//!                                              └ no room: its backlog, and a task of its own
//! ```
//!
//! * Nobody who publishes waits, and no subscriber waits for another: what a mailbox has no room
//!   for lies in the subscription's own [`Backlog`], and what becomes of more is what that says.
//! * Messages of one publisher reach a subscription in order. Each subscription gets a message
//!   once; an actor that subscribed twice gets it twice.
//! * A subscription ends with its actor, not with a life that is followed by another: subscribe where
//!   the actor is made, not in its `pre_start`.
//!
//! ```
//! use actor_core::{ActorRef, ActorSystem, Backlog, WhenFull};
//! use actor_toolkit::topics::Topics;
//!
//! # #[derive(Clone)] struct Order(u32);
//! # fn example(system: &ActorSystem, billing: &ActorRef<Order>, board: &ActorRef<Order>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let orders: Topics<Order> = Topics::new(system);
//! orders.subscribe("orders.*.created", billing)?;
//! // A display may miss some, if it is slow; the newest are what it needs.
//! let newest = Backlog::new(100, WhenFull::DropOldest)?;
//! let shown = orders.subscribe_with(newest, "orders.#", board)?;
//!
//! let receipt = orders.publish("orders.eu.created", Order(7))?;
//! assert_eq!(receipt.subscriptions(), 2);
//! println!("{} shown, {} missed", shown.delivered(), shown.dropped());
//! shown.cancel();
//! # Ok(())
//! # }
//! ```

pub mod limits;
mod pattern;
mod receipt;
mod subscription;
mod trie;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use actor_core::SubscriptionEnd;
use actor_core::output::Line;
use actor_core::{ActorSystem, Backlog, Executor, Recipient};

use self::limits::SUBSCRIPTIONS_MAX;
pub use self::pattern::{Pattern, Topic, TopicError};
pub use self::receipt::{Receipt, Refused};
use self::subscription::Entry;
pub use self::subscription::Subscription;
use self::trie::Trie;

/// Topics on which messages of one type are published. Clones are the same topics.
///
/// See the [module](self) for what holds. Dropping all of them ends nothing: what was published
/// still arrives.
pub struct Topics<M> {
    shared: Arc<Shared<M>>,
}

struct Shared<M> {
    executor: Executor,
    book: RwLock<Book<M>>,
}

struct Book<M> {
    trie: Trie<Arc<Entry<M>>>,
    subscriptions: usize,
}

/// A message was published to nobody, because what it is about is no [`Topic`].
#[derive(Clone, thiserror::Error)]
#[error("not published: {error}")]
pub struct PublishError<M> {
    /// The message.
    pub message: M,
    /// What is wrong with the topic.
    #[source]
    pub error: TopicError,
}

/// Nothing was subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The pattern does not parse.
    #[error("not subscribed: {0}")]
    Pattern(#[from] TopicError),
    /// There are as many subscriptions as may be: cancel some, or make other [`Topics`].
    #[error("not subscribed: {SUBSCRIPTIONS_MAX} subscriptions are the most")]
    TooMany,
}

impl<M: Send + 'static> Topics<M> {
    /// Topics without subscriptions. What waits for a subscriber is handed over by tasks of the
    /// system's executor.
    pub fn new(system: &ActorSystem) -> Self {
        let book = Book { trie: Trie::new(), subscriptions: 0 };
        Self { shared: Arc::new(Shared { executor: system.executor().clone(), book: RwLock::new(book) }) }
    }

    /// Sends an actor each message that is published from now on about a topic that the
    /// [`Pattern`] is for, and drops none by itself: what there is no room for comes back to its
    /// publisher in the [`Receipt`], as [`WhenFull::Wait`](actor_core::WhenFull::Wait) says.
    ///
    /// A subscription outlives a life of its actor that another one follows. Subscribe where the
    /// actor is made: in its `pre_start`, each life would add one.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] if the pattern does not parse, or there are too many.
    pub fn subscribe(
        &self,
        pattern: &str,
        to: impl Into<Recipient<M>>,
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(Backlog::default(), pattern, to)
    }

    /// [`subscribe`](Self::subscribe) with another backlog than the largest.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_with(
        &self,
        backlog: Backlog,
        pattern: &str,
        to: impl Into<Recipient<M>>,
    ) -> Result<Subscription, SubscribeError> {
        let line = Line::on(&self.shared.executor, to, backlog);
        let entry = Arc::new(Entry::new(line, pattern.parse()?, Arc::downgrade(&self.shared)));
        let mut book = self.shared.write();
        if book.subscriptions >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany);
        }
        book.trie.insert(entry.pattern(), entry.clone());
        book.subscriptions += 1;
        drop(book);
        // Not under the lock: if the actor has ended already, it is told at once.
        entry.end_with_its_actor();
        Ok(Subscription::new(entry))
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.shared.read().subscriptions
    }
}

impl<M: Clone + Send + 'static> Topics<M> {
    /// Publishes a message about a topic, and does not wait: every subscription whose pattern
    /// is for the topic gets it. It is cloned for all but the last of them.
    ///
    /// The [`Receipt`] says to how many it went. If there was no room for some that are to
    /// [wait](actor_core::WhenFull::Wait), it has their messages; the others have got theirs.
    ///
    /// # Errors
    ///
    /// [`PublishError`] gives the message back if the topic does not parse.
    ///
    /// # Panics
    ///
    /// As [`publish_to`](Self::publish_to).
    pub fn publish(&self, topic: &str, message: M) -> Result<Receipt<M>, PublishError<M>> {
        match pattern::checked_topic(topic) {
            Ok(()) => Ok(self.deliver(topic.split('.'), message)),
            Err(error) => Err(PublishError { message, error }),
        }
    }

    /// [`publish`](Self::publish) about a topic that has been parsed.
    ///
    /// # Panics
    ///
    /// If the message's `clone` does; some may have got it by then. And on
    /// [`Executor::tokio`], if a subscriber has no room and no runtime is current: a task hands
    /// over what waits.
    pub fn publish_to(&self, topic: &Topic, message: M) -> Receipt<M> {
        self.deliver(topic.words(), message)
    }

    fn deliver<'t>(&self, words: impl Iterator<Item = &'t str>, message: M) -> Receipt<M> {
        let mut matched = Vec::new();
        self.shared.read().trie.matching(words, |entry| matched.push(entry.clone()));
        let mut receipt = Receipt::new();
        let Some(last) = matched.pop() else { return receipt };
        for entry in matched {
            let put = entry.line().put(message.clone());
            receipt.note(entry, put);
        }
        let put = last.line().put(message);
        receipt.note(last, put);
        receipt
    }
}

impl<M> Shared<M> {
    fn read(&self) -> RwLockReadGuard<'_, Book<M>> {
        // No user's code runs under it, so poisoning carries no news.
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book<M>> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a subscription, if that has not been done.
    fn forget(&self, entry: &Entry<M>) {
        let mut book = self.write();
        let removed = book.trie.remove(entry.pattern(), |other| std::ptr::eq(&**other, entry));
        book.subscriptions -= usize::from(removed.is_some());
        drop(book);
        // What it holds is a user's, and dropped outside the lock.
        drop(removed);
    }
}

impl<M> Clone for Topics<M> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<M> fmt::Debug for Topics<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").field("subscriptions", &self.shared.read().subscriptions).finish()
    }
}

/// The message itself need not be printable.
impl<M> fmt::Debug for PublishError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishError({})", self.error)
    }
}
