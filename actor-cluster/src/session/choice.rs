//! Which session a stream is for: both sides decide alike, in whichever order
//! they learn of two streams. `docs/PROTOCOL.md` §3.3.

use std::num::NonZeroU64;

use super::handshake::{HandshakeError, Peer};
use crate::event::PeerInfo;
use crate::id::{Incarnation, NodeId, NodeLife};

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

/// Which sessions this node has. An acceptor asks once it knows the peer.
pub(crate) trait Sessions {
    /// Whether a peer may have a session here. An acceptor asks before it shows a proof, if the transport has proven who
    /// the peer is, and in any case after the peer's proof.
    fn let_in(&self, peer: &PeerInfo) -> Result<(), HandshakeError>;

    /// The session with this life of a node, if there is one.
    fn live(&self, life: NodeLife) -> Option<SessionId>;
}

/// Which sessions this node has, and which it has proposed. A dialler asks once the peer has answered.
pub(crate) trait Proposals {
    /// Whether a peer may have a session here. A dialler asks once the peer's proof is checked, and before it shows its own.
    fn let_in(&self, peer: &PeerInfo) -> Result<(), HandshakeError>;

    /// What [`propose`] says, given what there is with this life of a node, which was let in. What is
    /// proposed counts from the same moment on, until the stream's handshake is over.
    fn propose(&mut self, peer: &PeerInfo, offer: Offer) -> Result<Proposal, HandshakeError>;
}

/// A dialler's choice: the session that the peer has named, if any, and a name for a new one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) named: Option<SessionId>,
    pub(crate) new: SessionId,
}

/// Which session a stream is for, as its dialler says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) session: SessionId,
    /// The session that this side has: the same, or one that the peer has lost.
    pub(crate) had: Option<SessionId>,
}

impl Proposal {
    /// Whether the stream is to begin the session.
    pub(crate) fn is_new(&self) -> bool {
        self.had != Some(self.session)
    }
}

/// What becomes of a stream whose handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It joins the session that is there.
    Join,
    /// It begins a session; one that is there is over, as the peer has lost it.
    Begin,
    /// Another stream was faster. The dialler may try again.
    Changed,
}

/// The session that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) session: SessionId,
    /// Whether the peer is known to have had it: it let us in, or has said something
    /// in it. If not, our accept may still be on its way.
    pub(crate) is_mutual: bool,
}

impl Live {
    /// The session that a handshake has led to.
    pub(crate) fn of(peer: &Peer, has_heard: bool) -> Self {
        Self { session: peer.session, is_mutual: has_heard || peer.dialler != peer.life.node }
    }
}

/// The dialler's choice, given its live session, mutual only if it was so before it dialled, and
/// whether the one that the peer named is one that it has proposed on another stream.
///
/// A new name says for certain that this side neither has what the peer named nor ever will.
///
/// # Errors
///
/// [`Changed`](HandshakeError::Changed): that cannot be said yet, as another stream is faster.
pub(crate) fn propose(
    offer: Offer,
    live: Option<Live>,
    has_proposed_named: bool,
) -> Result<Proposal, HandshakeError> {
    let had = live.map(|live| live.session);
    match live {
        Some(live) if offer.named == Some(live.session) => Ok(Proposal { session: live.session, had }),
        // The peer may have answered before it had ours.
        Some(live) if !live.is_mutual => Err(HandshakeError::Changed),
        // Its accept is on its way.
        _ if has_proposed_named => Err(HandshakeError::Changed),
        _ => Ok(Proposal { session: offer.new, had }),
    }
}

/// Whether a node may have a session, given whether the transport has proven who it is, and whether it had for the session that is
/// there with the node, if there is one. What was proven gives way to nothing that was not.
///
/// # Errors
///
/// [`Unproven`](HandshakeError::Unproven).
pub(crate) fn outrank(is_proven: bool, live: Option<bool>) -> Result<(), HandshakeError> {
    match live {
        Some(true) if !is_proven => Err(HandshakeError::Unproven),
        _ => Ok(()),
    }
}

/// Whether a life of a node is over, given the session that is there with the node: its incarnation, and whether it was
/// proven. A later life that nobody has proven makes none stale that is.
pub(crate) fn is_stale(of: Incarnation, is_proven: bool, live: (Incarnation, bool)) -> bool {
    let (latest, is_live_proven) = live;
    latest > of && (is_live_proven || !is_proven)
}

impl Peer {
    /// Decides, given the session that is there now, and whether this node has proposed one on
    /// another stream and waits for the peer's word. What the acceptor lets in the dialler takes,
    /// so each may use it at once.
    pub(crate) fn decide(&self, myself: NodeId, live: Option<SessionId>, is_proposing: bool) -> Decision {
        let is_acceptor = self.dialler == self.life.node;
        match live {
            Some(live) if live == self.session => Decision::Join,
            // It was to join, and what it was to join is gone.
            _ if self.had == Some(self.session) => Decision::Changed,
            // Two are proposed at once: the smaller node's is let in.
            _ if is_acceptor && is_proposing && myself < self.dialler => Decision::Changed,
            // It came meanwhile.
            Some(live) if self.had != Some(live) => Decision::Changed,
            // There is none, or the peer has lost it.
            _ => Decision::Begin,
        }
    }
}
