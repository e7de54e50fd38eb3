//! The seam where transports plug in. Traits and their words only.
//!
//! ```text
//!  Transport ── listen() ─► Listener ── accept() ─┐
//!      └─────── dial(address) ────────────────────┴─► Connection
//!                                                        │ open(lanes) / accept()
//!                                                        ▼
//!                                               ClusterBidiStream
//! ```
//!
//! A transport carries bytes and says who the peer is. It knows nothing of
//! frames, sessions, actors or clusters. Whoever writes one runs
//! [`transport_suite`](mod@crate::testing::transport_suite) against it, which is this contract as
//! tests; `docs/book/write-your-own-transport.md` writes one.

mod address;
mod close;
pub mod net;
mod path;

use std::fmt;
use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::address::Address;
pub use self::close::{CloseCode, CloseReason, printable};
pub use self::path::{PathStatus, Route};
use crate::id::NodeId;

/// A way to reach other nodes: makes connections, accepts connections.
///
/// Dropping it ends nothing that it has made: connections, streams and listeners live on until
/// they are dropped too.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// The scheme of the addresses this transport dials, such as `tcp+tls`.
    fn scheme(&self) -> &str;

    /// The streams a dialler opens on each connection, in this order, and the kinds of
    /// lanes each of them carries. Together they must carry control and data; without a stream
    /// for what is urgent or for bulk those for data carry it. A session has as many data lanes as there are streams
    /// for data, so where streams are lost apart, several are right; one with [`LaneSet::ALL`] is,
    /// where they share a fate anyway.
    ///
    /// Several are independent: nothing is ordered between them, and those whose reader stops, be it all
    /// but one, hold back no other.
    fn streams(&self) -> &[LaneSet] {
        &[LaneSet::ALL]
    }

    /// Whether this transport accepts connections; one that only dials says no,
    /// and [`listen`](Self::listen) is then not called.
    fn is_listening(&self) -> bool {
        true
    }

    /// Starts to accept connections. Called at most once per transport.
    ///
    /// # Errors
    ///
    /// [`TransportError::Bind`] where the port is taken or may not be used;
    /// [`TransportError::Config`] where this transport only dials.
    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError>;

    /// Connects to an address of this transport's [scheme](Self::scheme) and
    /// authenticates the peer as far as this transport does so.
    ///
    /// The caller imposes the deadline: dropping the future must abandon the
    /// attempt and leave nothing behind, but for what a transport remembers of an address for a
    /// while, however often that is dialled.
    ///
    /// A transport may make several connections to the same node and spread the streams over them. The caller sees
    /// one; the other side sees each, and the streams of one session come on any of them.
    ///
    /// # Errors
    ///
    /// [`TransportError::Address`], [`TransportError::Unreachable`],
    /// [`TransportError::Untrusted`]; [`TransportError::Handshake`] where what
    /// answered is no node, or hung up.
    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError>;
}

/// The accepting half of a transport. Dropping it stops accepting, and ends the connections that it
/// has not given out; the port is free once nothing else of the transport uses it.
#[async_trait]
pub trait Listener: Send + 'static {
    /// Where others can dial this node, with real port numbers.
    fn addresses(&self) -> Vec<Address>;

    /// Waits for the next authenticated connection. Cancel safe.
    ///
    /// One peer that stalls its handshake must not delay another: handshakes
    /// run side by side, each under a deadline, and their number is capped.
    ///
    /// # Errors
    ///
    /// [`TransportError::Closed`] ends the listener for good. Every other error
    /// is about one peer that did not get in, or about a lack of resources that
    /// the listener waits out; the caller reports it and calls again.
    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError>;
}

/// One authenticated connection to a peer, on which streams are opened.
///
/// Dropping the connection does not close the streams already opened on it. If there are none, or once they
/// are dropped too, the peer learns that it is over.
#[async_trait]
pub trait Connection: Send + Sync + 'static {
    /// Who the peer is, as far as this transport has proven it.
    fn peer_identity(&self) -> PeerIdentity;

    /// The transport and the peer's address, for logs and statistics.
    fn label(&self) -> String;

    /// Opens a stream that will carry `lanes`. The dialling side calls this
    /// once for each entry of [`Transport::streams`], and speaks first on each.
    ///
    /// # Errors
    ///
    /// [`TransportError::Closed`] where the connection is gone or carries no
    /// more streams.
    async fn open(&self, lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError>;

    /// Waits for a stream that the peer opened. Cancel safe. The accepting side
    /// calls this until it errs.
    ///
    /// # Errors
    ///
    /// [`TransportError::Closed`] where the connection is gone or carries no
    /// more streams.
    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError>;

    /// Ends the connection and every stream on it at once. The peer is told the
    /// reason where the transport can carry it. Closing twice does nothing.
    fn close(&self, reason: &CloseReason);
}

/// One ordered, reliable stream of bytes in both directions.
///
/// Shutting the write side down ([`AsyncWrite::poll_shutdown`]) is a half-close:
/// the peer reads what was written, then the end; it can still write.
/// Dropping the stream ends both directions. However a stream ends, the peer reads what was written from its
/// beginning, as much of it as came through, and then the end or an error; nobody waits for what will not come.
///
/// Bytes that nobody reads are kept up to a bound, and then the writer waits. A direction that is stuck does not
/// hold back the other.
///
/// Both directions are polled with the same waker. One that was pending is polled again once that waker was woken, and
/// not before, whatever else the session has to do: so whatever ends the waiting wakes it, an end of the stream too.
///
/// Where a stream knows why it ended, its input and output fail with an
/// [`io::Error`] that wraps the [`TransportError`]: of kind `NotConnected` around
/// [`TransportError::Closed`] after either side closed it, of kind
/// `PermissionDenied` around [`TransportError::Untrusted`] where the peer turned
/// out not to trust us. [`TransportError`] converts into it.
pub trait ClusterBidiStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Who the peer is, as far as the transport has proven it.
    fn peer_identity(&self) -> PeerIdentity;

    /// A value that both ends of this channel compute alike and no other
    /// channel does. `None` where the stream has no such value (a pipe).
    fn channel_binding(&self) -> Option<ChannelBinding>;

    /// The transport and the peer's address, for logs and statistics.
    fn label(&self) -> String;

    /// The way that the stream's bytes take now, where the transport can tell. Asked now and then,
    /// for statistics; must not block.
    fn path(&self) -> Option<PathStatus> {
        None
    }

    /// What carries the stream, where several have one connection below, and so live and die together: a number that all streams of that
    /// connection say, and no other stream in this process while one of them is there. Must not change. Such streams have one heartbeat: a byte that
    /// comes on one is a sign of life of all, since on a slow connection nothing may come on the less urgent ones for long; and pings go on one of them.
    ///
    /// `None`, unless implemented: the stream stands alone.
    fn carrier(&self) -> Option<u64> {
        None
    }

    /// Ends both directions at once; bytes not yet read or written are lost.
    /// The peer is told the reason where the transport can carry it. Closing
    /// twice does nothing.
    fn close(&mut self, reason: &CloseReason);
}

/// What a transport has proven about the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerIdentity {
    /// Nothing. The session demands the cluster's shared secret instead.
    Anonymous,
    /// The peer holds the key of this identity, or an authority vouches for it.
    Node(NodeId),
}

/// Binds a proof to one channel, so that it cannot be replayed on another:
/// keying material exported from TLS or QUIC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelBinding([u8; ChannelBinding::BYTES]);

impl ChannelBinding {
    /// The length of a channel binding.
    pub const BYTES: usize = 32;
    /// The exporter label that transports use. The context is empty, or tells
    /// the streams of one connection apart.
    pub const EXPORTER_LABEL: &'static [u8] = b"EXPORTER-actor-cluster-channel-binding";

    /// Wraps exported keying material.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The exported bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// Keying material stays out of logs.
impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelBinding(…)")
    }
}

/// What a lane of a session is for. A lane is an ordered way for frames, apart from the others;
/// a session has one for control, one for what is urgent, one for bulk, and one or several for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// Heartbeats, credit, names, watches. User data never delays it.
    Control,
    /// Messages of types that are declared urgent, and their replies: other messages never delay it.
    Urgent,
    /// Other messages and replies.
    Data,
    /// Messages of types that are declared bulk: they may take their time.
    Bulk,
}

impl LaneKind {
    /// Every kind, most urgent first.
    pub const ALL: [LaneKind; 4] = [LaneKind::Control, LaneKind::Urgent, LaneKind::Data, LaneKind::Bulk];

    /// How urgent the lane is for transports that schedule streams; more is
    /// sooner.
    pub const fn priority(self) -> i32 {
        match self {
            LaneKind::Control => 10,
            LaneKind::Urgent => 5,
            LaneKind::Data => 0,
            LaneKind::Bulk => -10,
        }
    }
}

/// Kinds of lanes: what one stream carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaneSet(u8);

impl LaneSet {
    /// No kind.
    pub const NONE: LaneSet = LaneSet(0);
    /// The control lane alone.
    pub const CONTROL: LaneSet = LaneSet::of(LaneKind::Control);
    /// The urgent lane alone.
    pub const URGENT: LaneSet = LaneSet::of(LaneKind::Urgent);
    /// Data lanes alone.
    pub const DATA: LaneSet = LaneSet::of(LaneKind::Data);
    /// The bulk lane alone.
    pub const BULK: LaneSet = LaneSet::of(LaneKind::Bulk);
    /// Every kind.
    pub const ALL: LaneSet =
        LaneSet(LaneSet::CONTROL.0 | LaneSet::URGENT.0 | LaneSet::DATA.0 | LaneSet::BULK.0);

    /// The set of one kind.
    pub const fn of(lane: LaneKind) -> Self {
        match lane {
            LaneKind::Control => LaneSet(1),
            LaneKind::Data => LaneSet(2),
            LaneKind::Bulk => LaneSet(4),
            LaneKind::Urgent => LaneSet(8),
        }
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, lane: LaneKind) -> bool {
        self.0 & LaneSet::of(lane).0 != 0
    }

    /// The kinds of either set.
    pub const fn union(self, other: LaneSet) -> Self {
        LaneSet(self.0 | other.0)
    }

    /// The urgency of the most urgent kind in the set.
    pub fn priority(self) -> i32 {
        self.iter().map(LaneKind::priority).max().unwrap_or(0)
    }

    /// The kinds of the set, most urgent first.
    pub fn iter(self) -> impl Iterator<Item = LaneKind> {
        LaneKind::ALL.into_iter().filter(move |lane| self.contains(*lane))
    }
}

impl fmt::Debug for LaneSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What went wrong in a transport, sorted by whose fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The caller's: the address cannot be used by this transport.
    #[error("cannot use address {address:?}: {detail}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The caller's: the transport's settings or key files cannot be used.
    #[error("cannot use this configuration: {0}")]
    Config(String),
    /// The environment's: the listening port is taken or may not be used.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// What was to be bound.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The environment's: nobody answers there.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// Who was dialled.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The peer's: it could not prove that it belongs here, or it does not
    /// believe that we do.
    #[error("no trust between us and {peer}: {detail}")]
    Untrusted {
        /// The peer, as far as known.
        peer: String,
        /// What failed: an unknown authority, an expired certificate, a key
        /// that is not on the list.
        detail: String,
    },
    /// The peer was too slow at its handshake, was one too many at it, or does
    /// not speak the transport's protocol.
    #[error("{peer} was dropped before its handshake was done: {detail}")]
    Handshake {
        /// The peer, as far as known.
        peer: String,
        /// What was wrong.
        detail: String,
    },
    /// The connection or the listener is closed.
    #[error("closed: {0}")]
    Closed(CloseReason),
    /// The environment's: input or output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What reading and writing say once a stream is over, see [`ClusterBidiStream`]. Whoever wants the reason finds it inside.
impl From<TransportError> for io::Error {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Io(error) => error,
            TransportError::Untrusted { .. } => io::Error::new(io::ErrorKind::PermissionDenied, error),
            other => io::Error::new(io::ErrorKind::NotConnected, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_sets_know_their_lanes() {
        let all = LaneSet::CONTROL.union(LaneSet::URGENT).union(LaneSet::DATA).union(LaneSet::BULK);
        assert_eq!(all, LaneSet::ALL);
        assert_eq!(LaneSet::ALL.iter().collect::<Vec<_>>(), LaneKind::ALL);
        assert_eq!((LaneSet::ALL.priority(), LaneSet::DATA.priority()), (10, 0));
    }
}
