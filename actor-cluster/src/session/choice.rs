//! Which session a stream is for: both sides decide alike, in whichever order
//! they learn of two streams. `docs/PROTOCOL.md` §3.3.

use std::num::NonZeroU64;

use super::handshake::Peer;
use crate::id::{Incarnation, NodeId};

/// Names one session between two incarnations: drawn at random by the node that
/// dialled its first stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(NonZeroU64);

impl SessionId {
    /// From random bits.
    pub(crate) fn new(random: u64) -> Self {
        Self(NonZeroU64::new(random).unwrap_or(NonZeroU64::MAX))
    }

    /// Never zero.
    pub(crate) fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// Reads a name from the wire, where zero is none.
    pub(super) fn from_wire(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }

    /// The wire form of a name or of none.
    pub(super) fn to_wire(session: Option<Self>) -> u64 {
        session.map_or(0, |session| session.0.get())
    }
}

/// Which sessions this node has. The handshake asks once it knows the peer.
pub(crate) trait Sessions {
    /// The session with this incarnation of a node, if there is one.
    fn live(&self, node: NodeId, incarnation: Incarnation) -> Option<SessionId>;
}

/// What becomes of a stream whose handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It joins the session that is there.
    Join,
    /// It begins a session; one that is there is over.
    Begin,
    /// Another stream was faster. The dialler may try again.
    Changed,
}

/// The session that is there when a stream's handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) session: SessionId,
    /// Who dialled its first stream.
    pub(crate) dialler: NodeId,
    /// Whether the peer is known to have had it: it let us in, or has said something
    /// in it. If not, our accept may still be on its way.
    pub(crate) is_mutual: bool,
}

impl Live {
    /// The session that a handshake has led to.
    pub(crate) fn of(peer: &Peer, has_heard: bool) -> Self {
        let is_mutual = has_heard || peer.dialler != peer.node;
        Self { session: peer.session, dialler: peer.dialler, is_mutual }
    }
}

impl Peer {
    /// Decides, given the session that is there now. Both sides come to the same
    /// end, in whichever order they learn of two streams.
    pub(crate) fn decide(&self, live: Option<Live>) -> Decision {
        match live {
            Some(live) if live.session == self.session => Decision::Join,
            // It was to join, and what it was to join is gone.
            _ if self.had == Some(self.session) => Decision::Changed,
            None => Decision::Begin,
            // The peer had it, and says that it has not: it lost it.
            Some(live) if self.had == Some(live.session) && live.is_mutual => Decision::Begin,
            // Two sessions begun at once: of the smaller node's the one stays, of
            // one node's the one with the smaller name.
            Some(live) if (self.dialler, self.session) < (live.dialler, live.session) => Decision::Begin,
            Some(_) => Decision::Changed,
        }
    }
}
