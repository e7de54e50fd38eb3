//! The one hook that every inbound operation passes.

use std::fmt;

use actor_core::ActorId;

use crate::event::PeerInfo;

/// What a peer wants to do to an actor of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Send it a message that needs no answer.
    Cast,
    /// Send it a message and get the answer.
    Call,
    /// Be told of its end.
    Watch,
    /// Stop it after the message in hand.
    Stop,
    /// Stop it after what it has accepted.
    Drain,
    /// End it at once.
    Kill,
}

/// Decides what a peer may do. Asked for every inbound message and request, on the
/// session's task: it must be quick and must not block. A panic denies.
///
/// Only published actors are ever asked about; for anybody else there is no such
/// actor.
pub trait Authorize: Send + Sync + 'static {
    /// Whether the peer may do this to the actor.
    fn is_allowed(&self, peer: &PeerInfo, operation: Operation, actor: ActorId) -> bool;
}

/// Everything is allowed on what is published: what a small cluster of nodes that
/// trust each other needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowPublished;

impl Authorize for AllowPublished {
    fn is_allowed(&self, _: &PeerInfo, _: Operation, _: ActorId) -> bool {
        true
    }
}

impl<F> Authorize for F
where
    F: Fn(&PeerInfo, Operation, ActorId) -> bool + Send + Sync + 'static,
{
    fn is_allowed(&self, peer: &PeerInfo, operation: Operation, actor: ActorId) -> bool {
        self(peer, operation, actor)
    }
}

impl fmt::Debug for dyn Authorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorize")
    }
}
