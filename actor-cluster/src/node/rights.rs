//! What a peer may do here. The one hook is asked in this room alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actor_core::Rejection;
use arc_swap::ArcSwapOption;

use super::Node;
use super::catalog::Target;
use super::link::Link;
use crate::authorize::{Authorize, Operation, Subject};
use crate::contain::contained;
use crate::error::HandshakeError;
use crate::event::{NodeEvent, PeerInfo};
use crate::locked::locked;
use crate::transport::{CloseCode, CloseReason};

/// The hook in force.
pub(super) struct Hooks {
    hook: ArcSwapOption<Box<dyn Authorize>>,
    /// How many there have been. Without any everything is allowed, as by [`AllowPublished`](crate::AllowPublished).
    count: AtomicU64,
}

impl Hooks {
    pub(super) fn new(hook: Option<Box<dyn Authorize>>) -> Self {
        Self { count: AtomicU64::new(hook.is_some().into()), hook: ArcSwapOption::from_pointee(hook) }
    }

    /// Whether anybody is to be asked.
    pub(super) fn is_some(&self) -> bool {
        self.count() != 0
    }

    /// Changes whenever another hook is in force: what was decided at a count, and is done at the same one under a lock that
    /// [`set`](Self::set) is followed by, is decided by the hook in force, or is seen by whoever has set another.
    pub(super) fn count(&self) -> u64 {
        // Acquire: pairs with the release in `set`, so that whoever sees the count asks that hook, or a later one.
        self.count.load(Ordering::Acquire)
    }

    fn set(&self, hook: Box<dyn Authorize>) {
        self.hook.store(Some(Arc::new(hook)));
        self.count.fetch_add(1, Ordering::Release);
    }

    fn agrees(&self, ask: impl FnOnce(&dyn Authorize) -> bool) -> bool {
        if !self.is_some() {
            return true;
        }
        self.hook.load().as_ref().is_none_or(|hook| ask(&***hook))
    }

    /// The same. A hook that panics does not agree.
    fn agrees_contained(&self, ask: impl FnOnce(&dyn Authorize) -> bool) -> bool {
        contained("the authorize hook", || self.agrees(ask)).unwrap_or(false)
    }
}

/// The actor, if the peer reaches it and may do this to it.
pub(super) fn allowed(
    node: &Node,
    link: &Link,
    operation: Operation,
    actor: u64,
) -> Result<Arc<dyn Target>, Rejection> {
    let target = node.reached(link, actor).ok_or(Rejection::NoSuchActor)?;
    if node.hooks.is_some() {
        ask(node, link, operation, &subject(node, &*target))?;
    }
    Ok(target)
}

/// What the hook is told of an actor that a peer has reached.
pub(super) fn subject(node: &Node, target: &dyn Target) -> Subject {
    let id = target.cell().id();
    let published = node.catalog().published_as(id.serial());
    Subject::Actor { id, messages: target.message(), published }
}

/// Asks the hook. One that panics forbids.
pub(super) fn ask(node: &Node, link: &Link, operation: Operation, on: &Subject) -> Result<(), Rejection> {
    if node.hooks.agrees_contained(|hook| hook.is_allowed(&link.info, operation, on.clone())) {
        return Ok(());
    }
    Err(forbidden(node, link, operation, on))
}

/// Asks the hook, for a caller that contains its panic, and then calls [`forbidden`].
pub(super) fn ask_uncontained(
    node: &Node,
    link: &Link,
    operation: Operation,
    on: &Subject,
) -> Result<(), Rejection> {
    if node.hooks.agrees(|hook| hook.is_allowed(&link.info, operation, on.clone())) {
        return Ok(());
    }
    Err(forbidden(node, link, operation, on))
}

/// Takes note of what a peer was denied. Told, and written to the log, as seldom as [`Telling`] says.
///
/// [`Telling`]: crate::authorize::denials::Telling
#[cold]
pub(super) fn forbidden(node: &Node, link: &Link, operation: Operation, on: &Subject) -> Rejection {
    node.denials.count(operation);
    let told = locked(&link.denials).note(node.executor().now(), operation);
    if let Some(count) = told {
        tracing::warn!(peer = %link.info.name, node = ?link.info.node, ?operation, ?on, count, "forbidden");
        node.tell(NodeEvent::Forbidden { peer: link.info.clone(), operation, subject: on.clone(), count });
    }
    Rejection::Forbidden
}

/// Whether a peer may have a session.
pub(super) fn may_join(node: &Node, peer: &PeerInfo) -> Result<(), HandshakeError> {
    match node.hooks.agrees_contained(|hook| hook.may_join(peer)) {
        true => Ok(()),
        false => Err(HandshakeError::Forbidden),
    }
}

/// Puts another hook in force, and makes true of what there is what it says of what is to come.
pub(super) fn replace(node: &Arc<Node>, hook: Box<dyn Authorize>) {
    node.hooks.set(hook);
    for link in node.links() {
        if may_join(node, &link.info).is_err() {
            let reason = CloseReason::new(CloseCode::Refused, "the node's rights let this one in no more");
            link.close(&reason);
            continue;
        }
        node.withdraw_published(&link, |label| {
            let may_publish =
                |hook: &dyn Authorize| hook.is_allowed(&link.info, Operation::Publish, label.subject());
            !node.hooks.agrees_contained(may_publish)
        });
    }
}
