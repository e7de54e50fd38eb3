//! The one hook that every inbound operation passes. Must not live here: the policy that most nodes need (`rights/`).

pub(crate) mod denials;

use std::fmt;
use std::sync::Arc;

use actor_core::ActorId;

use crate::event::PeerInfo;
use crate::wire::TypeTag;

/// What a peer wants to do on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Be its supervisor: hear of its end, and end it with the supervisor or the session.
    Link,
    /// Start an actor of a [registered kind](crate::NodeBuilder::spawnable).
    Spawn,
    /// Have an actor of its own found here, under a name or in a group. A name may be taken from
    /// who holds it here, as its [rule](crate::Conflict) says. What is denied is as if it were not
    /// published: it is not found here, and takes nothing from anybody. The peer is not told.
    Publish,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 9] = [
        Operation::Cast,
        Operation::Call,
        Operation::Watch,
        Operation::Stop,
        Operation::Drain,
        Operation::Kill,
        Operation::Link,
        Operation::Spawn,
        Operation::Publish,
    ];

    pub(crate) fn place(self) -> usize {
        self as usize
    }
}

/// What it is to be done to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// An actor of this node.
    Actor {
        /// Which one.
        id: ActorId,
        /// What messages it takes.
        messages: TypeTag,
        /// Under what it is published here; nothing, if the peer was only given its address.
        published: Arc<[PublishedAs]>,
    },
    /// What there is to be started: only by [`Operation::Spawn`].
    Kind(Arc<str>),
    /// A name of the cluster: only by [`Operation::Publish`].
    Name(Arc<str>),
    /// A group of the cluster: only by [`Operation::Publish`].
    Group {
        /// The scope that it is in, empty if in none.
        scope: Arc<str>,
        /// What it is called.
        name: Arc<str>,
    },
}

/// A name or a group that an actor is published under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublishedAs {
    /// A name of the cluster.
    Name(Arc<str>),
    /// A group of the cluster.
    Group {
        /// The scope that it is in, empty if in none.
        scope: Arc<str>,
        /// What it is called.
        name: Arc<str>,
    },
}

/// Decides what a peer may do. Asked for every inbound message and request, on the
/// session's task: it must be quick and must not block. A panic denies. [`Rights`](crate::Rights) are one that
/// is made of grants.
///
/// Only actors that are published, or whose address somebody was given, are ever asked about,
/// kinds that are registered, and what the peer publishes; else there is no such actor, and no such
/// kind.
pub trait Authorize: Send + Sync + 'static {
    /// Whether the peer may do this.
    fn is_allowed(&self, peer: &PeerInfo, operation: Operation, on: Subject) -> bool;

    /// Whether the peer may have a session at all: everybody may, whom the transport and the cluster's secret let in,
    /// unless this says otherwise. Asked for each stream, whichever node has dialled, once the peer has proven
    /// who it is; and of the sessions that there are when [another hook](crate::NodeServer::set_authorize) takes
    /// this one's place. May be asked more than once for one stream. A panic denies.
    fn may_join(&self, peer: &PeerInfo) -> bool {
        let _ = peer;
        true
    }
}

/// Everything is allowed on what is published, given or registered: what a small cluster of nodes
/// that trust each other needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowPublished;

impl Authorize for AllowPublished {
    fn is_allowed(&self, _: &PeerInfo, _: Operation, _: Subject) -> bool {
        true
    }
}

impl<F> Authorize for F
where
    F: Fn(&PeerInfo, Operation, Subject) -> bool + Send + Sync + 'static,
{
    fn is_allowed(&self, peer: &PeerInfo, operation: Operation, on: Subject) -> bool {
        self(peer, operation, on)
    }
}

impl fmt::Debug for dyn Authorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorize")
    }
}
