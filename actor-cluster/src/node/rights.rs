//! What a peer may do here. The one hook is asked in this room alone.

use std::sync::Arc;

use actor_core::Rejection;

use super::Node;
use super::catalog::Target;
use super::link::Link;
use crate::authorize::{Operation, Subject};
use crate::contain::contained;

/// The actor, if the peer reaches it and may do this to it.
pub(super) fn allowed(
    node: &Node,
    link: &Link,
    operation: Operation,
    actor: u64,
) -> Result<Arc<dyn Target>, Rejection> {
    let target = node.reached(link, actor).ok_or(Rejection::NoSuchActor)?;
    ask(node, link, operation, Subject::Actor(target.cell().id()))?;
    Ok(target)
}

/// Asks the hook. One that panics forbids.
pub(super) fn ask(node: &Node, link: &Link, operation: Operation, on: Subject) -> Result<(), Rejection> {
    contained("the authorize hook", || ask_uncontained(node, link, operation, on))
        .unwrap_or(Err(Rejection::Forbidden))
}

/// Asks the hook, for a caller that contains its panic.
pub(super) fn ask_uncontained(
    node: &Node,
    link: &Link,
    operation: Operation,
    on: Subject,
) -> Result<(), Rejection> {
    match node.authorize() {
        Some(hook) if !hook.is_allowed(&link.info, operation, on.clone()) => {
            Err(forbidden(link, operation, &on))
        }
        _ => Ok(()),
    }
}

#[cold]
fn forbidden(link: &Link, operation: Operation, on: &Subject) -> Rejection {
    tracing::warn!(peer = %link.info.name, ?operation, ?on, "forbidden");
    Rejection::Forbidden
}
