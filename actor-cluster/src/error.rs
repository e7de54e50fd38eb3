//! What can go wrong for whoever runs a node, sorted by what they can do about it.

use std::sync::Arc;
use std::time::Duration;

use actor_core::{Exit, SpawnError};

use crate::event::PublishedActor;
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
    /// This node publishes another actor under the name, or this one by another rule.
    #[error("the name is taken on this node")]
    NameTaken,
    /// An actor of another node has the name, and the two [rules](crate::Conflict) do not let it be
    /// taken.
    #[error("the name is held by an actor of node {}", .0.node)]
    NameHeld(PublishedActor),
    /// The label is empty, it or its scope is too long, or holds control characters.
    #[error("a name or group must have 1 to 255 bytes and no control characters, a scope 255 at most")]
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

/// An actor was not started on another node. Unless it is [`Unknown`](Self::Unknown), nothing of it
/// is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnOnError {
    /// There is no session with the node, or it ended before the request had left.
    #[error("there is no session with the node")]
    NotConnected,
    /// The arguments cannot be sent; the text says why.
    #[error("the arguments cannot be sent: {0}")]
    Unsendable(Arc<str>),
    /// The node starts no actors of this kind for others.
    #[error("the node registers no such kind of actors")]
    NoSuchKind,
    /// Actors of this kind take other messages, or start with other arguments.
    #[error("actors of this kind take other messages or other arguments")]
    WrongType,
    /// The node's [`Authorize`](crate::Authorize) says no.
    #[error("the node does not let this one start such actors")]
    Forbidden,
    /// The node starts too many actors for this one, or has given as many away as it may.
    #[error("the node takes no more requests to start actors for now")]
    Busy,
    /// The node cannot read the arguments; the text says why.
    #[error("the node cannot read the arguments: {0}")]
    Undecodable(Arc<str>),
    /// `pre_start` failed.
    #[error("the actor did not start: {0}")]
    Startup(Exit),
    /// The node did not start it for another reason: its system is full, or shuts down.
    #[error("the node did not start the actor: {0}")]
    Refused(Arc<str>),
    /// The session ended before there was an answer. If the actor was started, it has been killed,
    /// or will be as soon as its node notices.
    #[error("the session ended before there was an answer")]
    Unknown,
}

/// For a supervisor: a node that cannot be reached is an end by [`Exit::Unreachable`].
impl From<SpawnOnError> for SpawnError {
    fn from(error: SpawnOnError) -> Self {
        Self::Startup(match error {
            SpawnOnError::Startup(exit) => exit,
            SpawnOnError::NotConnected | SpawnOnError::Unknown => Exit::Unreachable,
            other => Exit::Failed(other.to_string().into()),
        })
    }
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
