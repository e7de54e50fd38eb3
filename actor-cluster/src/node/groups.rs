//! [`NodeGroups`]: the groups of the cluster, as a program sees them, and who watches them.
//!
//! A watch is a queue of its own with a bound. Changes are put there while the peers are locked, in the
//! order in which they were made; whoever reads is woken afterwards.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use actor_core::ActorRef;
use atomic_waker::AtomicWaker;
use futures_util::{Stream, StreamExt};

use super::Node;
use crate::error::PublishError;
use crate::event::{GroupEvent, PublishedActor};
use crate::limits::GROUP_EVENTS_KEPT;
use crate::locked::locked;
use crate::names::Label;
use crate::names::conflict::NameRule;
use crate::wire::RemoteMessage;

/// The groups of the cluster; see [`NodeServer::groups`](crate::NodeServer::groups).
///
/// Groups stand in scopes, which know nothing of each other. What is not said to be in a
/// [`scope`](Self::scope) is in one that has no name. Everything here looks at what this node
/// knows: its own members, and those of the peers that it has sessions with. Nobody is asked.
///
/// When a session is over its peer's members have left, once; when there is another, those that live
/// join again. While a session is interrupted, and when it has been resumed, nothing is said. What one
/// node does is told in its order; between nodes there is none.
///
/// ```
/// # use actor_cluster::{GroupEvent, NodeServer, RemoteMessage};
/// # use actor_core::ActorRef;
/// # async fn example<M: RemoteMessage>(node: &NodeServer, till: &ActorRef<M>) -> Result<(), actor_cluster::PublishError> {
/// let shop = node.groups().scope("shop");
/// shop.join("tills", till)?;
/// for till in shop.members::<M>("tills") {
///     till.stop(Some("closing time"));
/// }
/// let (tills, mut changes) = shop.watch("tills");
/// let mut open = tills.len();
/// while let Some(change) = changes.next().await {
///     match change {
///         GroupEvent::Joined { .. } => open += 1,
///         GroupEvent::Left { .. } => open -= 1,
///         _ => open = shop.entries("tills").len(),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct NodeGroups<'a> {
    node: &'a Arc<Node>,
}

/// The groups of one scope; see [`NodeGroups::scope`].
#[derive(Clone)]
pub struct NodeScope<'a> {
    node: &'a Arc<Node>,
    name: Arc<str>,
}

impl<'a> NodeGroups<'a> {
    pub(super) fn new(node: &'a Arc<Node>) -> Self {
        Self { node }
    }

    /// The groups of a scope. It need not exist: it does while one of its groups has a
    /// member. A name that cannot be used is told by [`NodeScope::join`].
    pub fn scope(&self, name: &str) -> NodeScope<'a> {
        NodeScope { node: self.node, name: name.into() }
    }

    /// Adds an actor of this node to a group, in which peers find and reach it. It leaves when it ends.
    /// Joining twice is joining once.
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub fn join<M: RemoteMessage>(&self, group: &str, actor: &ActorRef<M>) -> Result<(), PublishError> {
        self.scope("").join(group, actor)
    }

    /// Takes an actor of this node out of a group. Does nothing if it is not a member.
    pub fn leave<M: RemoteMessage>(&self, group: &str, actor: &ActorRef<M>) {
        self.scope("").leave(group, actor);
    }

    /// The members of a group that take messages of type `M`: this node's first, then by node, each
    /// node's oldest first.
    pub fn members<M: RemoteMessage>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.scope("").members(group)
    }

    /// Those of them that are this node's.
    pub fn local_members<M: RemoteMessage>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.scope("").local_members(group)
    }

    /// Every group that has a member, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.scope("").names()
    }

    /// Every scope in which a group has a member, sorted; the one without a name is empty.
    pub fn scopes(&self) -> Vec<Arc<str>> {
        locked(&self.node.peers).names.scopes()
    }

    /// Hears of every change in every scope, from now on.
    pub fn watch_all(&self) -> GroupEvents {
        locked(&self.node.peers).feeds.watch(Watched::All)
    }
}

impl NodeScope<'_> {
    /// The scope's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`NodeGroups::join`].
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub fn join<M: RemoteMessage>(&self, group: &str, actor: &ActorRef<M>) -> Result<(), PublishError> {
        self.node.publish(&self.label(group), NameRule::default(), actor)
    }

    /// See [`NodeGroups::leave`].
    pub fn leave<M: RemoteMessage>(&self, group: &str, actor: &ActorRef<M>) {
        self.node.unpublish(&self.label(group), actor.id());
    }

    /// See [`NodeGroups::members`].
    pub fn members<M: RemoteMessage>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.node.members(&self.label(group))
    }

    /// See [`NodeGroups::local_members`].
    pub fn local_members<M: RemoteMessage>(&self, group: &str) -> Vec<ActorRef<M>> {
        self.members(group).into_iter().filter(|actor| actor.is_local()).collect()
    }

    /// Every member of a group, whatever its messages, in the same order.
    pub fn entries(&self, group: &str) -> Vec<PublishedActor> {
        let entries = locked(&self.node.peers).names.members(&self.label(group));
        entries.into_iter().map(|entry| entry.who).collect()
    }

    /// Every group of the scope that has a member, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        locked(&self.node.peers).names.groups(&self.name)
    }

    /// Who is a member of a group now, and every change of that from now on.
    pub fn watch(&self, group: &str) -> (Vec<PublishedActor>, GroupEvents) {
        let mut peers = locked(&self.node.peers);
        let entries = peers.names.members(&self.label(group)).into_iter().map(|entry| entry.who).collect();
        (entries, peers.feeds.watch(Watched::Group(self.name.clone(), group.into())))
    }

    /// Hears of every change in every group of the scope, from now on.
    pub fn watch_all(&self) -> GroupEvents {
        locked(&self.node.peers).feeds.watch(Watched::Scope(self.name.clone()))
    }

    fn label(&self, group: &str) -> Label {
        Label::group(&self.name, group)
    }
}

impl fmt::Debug for NodeGroups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl fmt::Debug for NodeScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeScope").field("name", &self.name).field("groups", &self.names()).finish()
    }
}

/// A watch on groups of the cluster. Dropping it ends it.
///
/// As a stream it can be [attached](ActorRef::attach_stream) to an actor, which is then told each change
/// as a message of its own type.
#[derive(Debug)]
pub struct GroupEvents {
    feed: Arc<Feed>,
}

impl GroupEvents {
    /// The next change, in the order in which they were made; `None` once the node is gone. Cancel
    /// safe. Whoever leaves more than [`GROUP_EVENTS_KEPT`] of them is told how many are missed, and
    /// may look at the members again.
    pub async fn next(&mut self) -> Option<GroupEvent> {
        StreamExt::next(self).await
    }
}

impl Stream for GroupEvents {
    type Item = GroupEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<GroupEvent>> {
        self.feed.waker.register(cx.waker());
        let mut queue = locked(&self.feed.queue);
        match queue.take() {
            None if queue.is_closed => Poll::Ready(None),
            None => Poll::Pending,
            Some(event) => Poll::Ready(Some(event)),
        }
    }
}

/// What one watch has still to be told.
#[derive(Debug)]
pub(super) struct Feed {
    watched: Watched,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<GroupEvent>,
    missed: u64,
    is_closed: bool,
}

impl Queue {
    /// What was missed came after all that was kept, and before whatever comes.
    fn take(&mut self) -> Option<GroupEvent> {
        self.events.pop_front().or_else(|| {
            let missed = std::mem::take(&mut self.missed);
            (missed > 0).then_some(GroupEvent::Missed(missed))
        })
    }

    fn put(&mut self, event: &GroupEvent) {
        if self.missed > 0 || self.events.len() >= GROUP_EVENTS_KEPT {
            self.missed += 1;
        } else {
            self.events.push_back(event.clone());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Watched {
    Group(Arc<str>, Arc<str>),
    Scope(Arc<str>),
    All,
}

impl Watched {
    fn covers(&self, event: &GroupEvent) -> bool {
        let (GroupEvent::Joined { scope, group, .. } | GroupEvent::Left { scope, group, .. }) = event else {
            return false;
        };
        match self {
            Self::Group(ours, it) => (ours, it) == (scope, group),
            Self::Scope(ours) => ours == scope,
            Self::All => true,
        }
    }
}

/// Everybody who watches.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    feeds: Vec<Weak<Feed>>,
}

impl Feeds {
    fn watch(&mut self, watched: Watched) -> GroupEvents {
        self.feeds.retain(|feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed { watched, queue: Mutex::default(), waker: AtomicWaker::new() });
        self.feeds.push(Arc::downgrade(&feed));
        GroupEvents { feed }
    }

    /// Puts changes before those whom they concern.
    pub(super) fn put(&self, events: Vec<GroupEvent>) -> Told {
        if events.is_empty() {
            return Told::default();
        }
        let told = self.feeds.iter().filter_map(Weak::upgrade).map(|feed| {
            let mut news = events.iter().filter(|event| feed.watched.covers(event)).peekable();
            let has_news = news.peek().is_some();
            let mut queue = locked(&feed.queue);
            news.for_each(|event| queue.put(event));
            drop(queue);
            (feed, has_news)
        });
        Told(told.collect())
    }
}

/// Before whom something may have been put, and whether it was.
///
/// A waker is somebody else's code, which may also be dropped with a watch: so this outlives the lock
/// under which it was made.
#[derive(Default)]
#[must_use = "whoever was told something sleeps on"]
pub(super) struct Told(Vec<(Arc<Feed>, bool)>);

impl Told {
    pub(super) fn and(mut self, later: Told) -> Self {
        self.0.extend(later.0);
        self
    }

    /// Wakes those who have news. No lock is held.
    pub(super) fn wake(self) {
        self.0.iter().filter(|(_, has_news)| *has_news).for_each(|(feed, _)| feed.waker.wake());
    }
}

impl Drop for Feeds {
    /// The node is gone.
    fn drop(&mut self) {
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            locked(&feed.queue).is_closed = true;
            feed.waker.wake();
        }
    }
}
