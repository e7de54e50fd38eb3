//! What happens to members, and who they are, as plain values.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{Incarnation, NodeId};
use crate::transport::Address;

/// A member of the cluster, as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its identity.
    pub node: NodeId,
    /// Which of its lives this is.
    pub incarnation: Incarnation,
    /// Its name, for people; empty until it is known. It proves nothing.
    pub name: String,
    /// Where it can be dialled, as it says.
    pub addresses: Vec<Address>,
    /// Whether there is a session with it, so that its actors can be reached.
    pub is_connected: bool,
    /// Whether it is suspected to have failed. It is a member until that is certain.
    pub is_suspected: bool,
    /// How long a word to it and back takes; `None` where this node does not watch it.
    pub round_trip: Option<Duration>,
}

/// Everybody who is a member but this node itself, at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// Greater with every change that this node sees: of who is here, how, under which name and where. Not with each round trip. Other
    /// nodes count otherwise.
    pub epoch: u64,
    /// By node.
    pub members: Arc<[Member]>,
}

/// Why a member was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LostReason {
    /// This node and its helpers did not hear it any more.
    Silent,
    /// The session with it was lost, and helpers did not hear it either.
    Disconnected,
    /// Another node has declared it lost.
    Told,
    /// A later life of the node has taken its place.
    Replaced,
}

/// Two nodes that should not be: they are members all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Clash {
    /// Two nodes have one name.
    Name {
        /// The name.
        name: String,
        /// The two.
        nodes: (NodeId, NodeId),
    },
    /// Two nodes say to be at one address.
    Address {
        /// The address.
        address: Address,
        /// The two.
        nodes: (NodeId, NodeId),
    },
    /// Two lives of one node are here at a time: somebody else has its key, or it was started twice. The later one is
    /// the member.
    Key {
        /// The node; perhaps this one.
        node: NodeId,
    },
}

impl Clash {
    pub(crate) fn is_of(&self, node: NodeId) -> bool {
        match self {
            Clash::Name { nodes, .. } | Clash::Address { nodes, .. } => nodes.0 == node || nodes.1 == node,
            Clash::Key { node: whose } => *whose == node,
        }
    }
}

/// Something happened to the members of the cluster, as this node sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberEvent {
    /// A node is a member.
    Joined(Member),
    /// There is a session with a member, and what it publishes is known.
    Ready(Member),
    /// A member may have failed.
    Suspected(Member),
    /// A suspicion was wrong.
    Trusted(Member),
    /// A member has left, as it said.
    Left(Member),
    /// A member is none any more, without a word. The session with it, if there was one, is lost.
    Lost {
        /// Who.
        member: Member,
        /// Why.
        reason: LostReason,
    },
    /// The others have declared this node lost, though it lives: it was not heard for too long. It joins them again.
    Removed,
    /// Two nodes are too much alike. Told once while both are here.
    Clash(Clash),
    /// A seed is no way into the cluster. It is tried again, unless it is this node itself.
    SeedFailed {
        /// The seed, as it was given.
        seed: String,
        /// Why, for who mends it.
        error: String,
    },
    /// So many events were not taken in time and are lost to this subscriber.
    Missed(u64),
}
