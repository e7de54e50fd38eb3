//! What happens to a node's sessions, as plain values for whoever subscribes.

use std::sync::Arc;

use actor_core::ActorId;
use tokio::sync::broadcast;

use crate::authorize::{Operation, Subject};
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::refusal::RefusalCause;
use crate::transport::CloseReason;

/// Something happened to a connection or a session of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A stream is open; nothing is known about the peer yet.
    Opened {
        /// The transport and the peer's address.
        label: String,
    },
    /// A stream or a connection came to nothing: the peer is not trusted, failed
    /// the handshake, or was too slow.
    Refused {
        /// The transport and the peer's address, as far as known.
        label: String,
        /// Why, for who counts.
        cause: RefusalCause,
        /// Why, for who mends it.
        error: String,
    },
    /// A peer has proven who it is, and a session with it begins.
    Authenticated(PeerInfo),
    /// The session carries messages, and what the peer publishes is known.
    Ready(PeerInfo),
    /// The session has lost its streams, or some of them, and looks for others. Messages wait
    /// meanwhile, and nothing is lost.
    Interrupted {
        /// Who it is with.
        peer: PeerInfo,
        /// Why the streams were lost.
        reason: CloseReason,
    },
    /// The session has streams again, and goes on where it was.
    Resumed(PeerInfo),
    /// The session is over, as one of the two nodes said. Calls have been answered and watches
    /// told.
    Disconnected {
        /// Who it was with.
        peer: PeerInfo,
        /// Why it ended.
        reason: CloseReason,
    },
    /// The session is over, and nobody knows what has become of all that was sent: its streams
    /// were lost for too long, the peer has begun a new life, or broke the protocol. Calls have
    /// been answered and watches told.
    SessionLost {
        /// Who it was with.
        peer: PeerInfo,
        /// Why it ended.
        reason: CloseReason,
        /// How many messages were sent that the peer has not said to have received. They may
        /// have arrived.
        unacked: u64,
    },
    /// A peer has tried what it may not. Of each operation one in a
    /// [`FORBIDDEN_INTERVAL`](crate::limits::FORBIDDEN_INTERVAL) is told for a session, so that a peer which tries often
    /// does not bury what else there is to tell; [`NodeServer::denials`](crate::NodeServer::denials) counts all.
    Forbidden {
        /// Who has tried.
        peer: PeerInfo,
        /// To do what.
        operation: Operation,
        /// To whom, or with what.
        subject: Subject,
        /// How often this operation was denied in the session since it was told last, this time among them.
        count: u64,
    },
    /// What a peer publishes has changed.
    Published(PeerInfo),
    /// This node and a peer hold the same name, and not both [allow](crate::Conflict::Allow) that. One of
    /// the two actors is this node's. If it is the loser, it is published under the name no more; the
    /// loser of a peer's will be withdrawn there. Told once for each two publications while a session
    /// lasts.
    NameConflict {
        /// The name.
        name: Arc<str>,
        /// Who has it.
        winner: PublishedActor,
        /// Who has it no more.
        loser: PublishedActor,
    },
    /// So many events were not taken in time and are lost to this subscriber.
    Missed(u64),
}

impl NodeEvent {
    /// Whose session is over, and why, whichever way it ended: [`Disconnected`](Self::Disconnected)
    /// or [`SessionLost`](Self::SessionLost).
    pub fn session_end(&self) -> Option<(&PeerInfo, &CloseReason)> {
        match self {
            Self::Disconnected { peer, reason } | Self::SessionLost { peer, reason, .. } => {
                Some((peer, reason))
            }
            _ => None,
        }
    }
}

/// One life of another node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerInfo {
    /// Its identity.
    pub node: NodeId,
    /// Which of its lives this is.
    pub incarnation: Incarnation,
    /// Its name, for people. It is what the node says, and proves nothing.
    pub name: String,
    /// Whether a certificate or a key has proven that it is this node. If not, it has proven to know the
    /// [secret](crate::Secrets) of the cluster, and says that it is this node; so could any other that knows it.
    pub is_proven: bool,
}

impl PeerInfo {
    pub(crate) fn life(&self) -> NodeLife {
        NodeLife::new(self.node, self.incarnation)
    }
}

/// A published actor, and its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishedActor {
    /// The node that publishes it.
    pub node: NodeId,
    /// The actor.
    pub actor: ActorId,
}

/// The members of a group of the cluster have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupEvent {
    /// An actor joined, or its node is here, again or for the first time.
    Joined {
        /// The group's scope; empty if it is in none.
        scope: Arc<str>,
        /// The group.
        group: Arc<str>,
        /// Who joined.
        actor: PublishedActor,
    },
    /// An actor left or ended, or the session with its node is over.
    Left {
        /// The group's scope; empty if it is in none.
        scope: Arc<str>,
        /// The group.
        group: Arc<str>,
        /// Who left.
        actor: PublishedActor,
    },
    /// So many changes were not taken in time and are lost to this watch.
    Missed(u64),
}

/// A subscription to a node's events. Dropping it ends it.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<NodeEvent>,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<NodeEvent>) -> Self {
        Self { receiver }
    }

    /// The next event, in the order in which they happened; `None` once the node
    /// is gone. Cancel safe. A subscriber that falls behind by more than
    /// [`EVENTS_KEPT`](crate::limits::EVENTS_KEPT) is told how many it missed.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(NodeEvent::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
