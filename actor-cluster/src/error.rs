//! What can go wrong for whoever runs a node, sorted by what they can do about it.

use std::sync::Arc;
use std::time::Duration;

use crate::id::NodeId;
pub use crate::session::handshake::HandshakeError;
use crate::transport::{CloseReason, TransportError};
use crate::wire::schema::Mismatch;

/// A node was not started. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting cannot be used.
    #[error("unusable setting: {0}")]
    Setting(String),
    /// A transport cannot listen: its port is taken, or its configuration is wrong.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// There is no session with the node that was dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No transport of this node dials such addresses.
    #[error("no transport for {0:?}")]
    NoTransport(String),
    /// The transport could not connect, or did not trust the peer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The nodes could not agree.
    #[error("handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// It took too long.
    #[error("the session was not ready within {0:?}")]
    TimedOut(Duration),
    /// The stream or the session ended before it was ready.
    #[error("the session ended before it was ready: {0}")]
    Ended(CloseReason),
}

/// An actor was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// This node publishes another actor under the name.
    #[error("the name is taken on this node")]
    NameTaken,
    /// The label is empty, too long, or holds control characters.
    #[error("a name or group must have 1 to 255 bytes and no control characters")]
    Label,
    /// The actor stops or has stopped.
    #[error("the actor is stopping")]
    Stopping,
    /// The actor was not spawned in this node's actor system; another node, or
    /// another system of this process, has to publish it.
    #[error(
        "the actor was not spawned in this node's actor system: spawn it there, or publish it on its own node"
    )]
    NotLocal,
    /// The actor was published before with messages of another type.
    #[error("the actor is published with another type of messages")]
    WrongType,
    /// The node publishes as many actors as it may.
    #[error("too many published actors")]
    TooMany,
}

/// A name does not lead to an actor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No node that there is a session with publishes the name.
    #[error("nobody publishes the name")]
    NotFound,
    /// The actor takes messages of another type.
    #[error("the actor on node {0} takes messages of another type")]
    WrongType(NodeId),
    /// The actor's node was built with another version of the message type, and the two do not
    /// understand each other.
    #[error("the actor on node {node} was built with another version: {mismatch}")]
    Incompatible {
        /// The actor's node.
        node: NodeId,
        /// The first field that differs.
        mismatch: Arc<Mismatch>,
    },
}
