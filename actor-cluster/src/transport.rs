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
//! [`transport_suite`](crate::testing::transport_suite) against it.

use std::fmt;
use std::io;
use std::str::FromStr;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::id::NodeId;
use crate::limits::{ADDRESS_BYTES_MAX, CLOSE_DETAIL_BYTES_MAX};

/// A way to reach other nodes: makes connections, accepts connections.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// The scheme of the addresses this transport dials, such as `tcp+tls`.
    fn scheme(&self) -> &str;

    /// The streams a dialler opens on each connection, in this order, and the kinds of
    /// lanes each of them carries. Together they must carry control and data; without a stream
    /// for bulk those for data carry it. A session has as many data lanes as there are streams
    /// for data, so where streams are lost apart, several are right; one with [`LaneSet::ALL`] is,
    /// where they share a fate anyway.
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
    /// attempt and leave nothing behind.
    ///
    /// # Errors
    ///
    /// [`TransportError::Address`], [`TransportError::Unreachable`],
    /// [`TransportError::Untrusted`]; [`TransportError::Handshake`] where what
    /// answered is no node, or hung up.
    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError>;
}

/// The accepting half of a transport. Dropping it stops accepting; the port is
/// free once nothing else of the transport uses it.
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
/// Dropping the connection does not close the streams already opened on it.
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
/// Dropping the stream ends both directions.
///
/// Where a stream knows why it ended, its input and output fail with an
/// [`io::Error`] that wraps the [`TransportError`]: of kind `NotConnected` around
/// [`TransportError::Closed`] after either side closed it, of kind
/// `PermissionDenied` around [`TransportError::Untrusted`] where the peer turned
/// out not to trust us.
pub trait ClusterBidiStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Who the peer is, as far as the transport has proven it.
    fn peer_identity(&self) -> PeerIdentity;

    /// A value that both ends of this channel compute alike and no other
    /// channel does. `None` where the stream has no such value (a pipe).
    fn channel_binding(&self) -> Option<ChannelBinding>;

    /// The transport and the peer's address, for logs and statistics.
    fn label(&self) -> String;

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
/// a session has one for control, one for bulk, and one or several for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// Heartbeats, credit, names, watches. User data never delays it.
    Control,
    /// Users' messages and replies.
    Data,
    /// Messages of types that are declared bulk: they may take their time.
    Bulk,
}

impl LaneKind {
    /// Every kind, most urgent first.
    pub const ALL: [LaneKind; 3] = [LaneKind::Control, LaneKind::Data, LaneKind::Bulk];

    /// How urgent the lane is for transports that schedule streams; more is
    /// sooner.
    pub const fn priority(self) -> i32 {
        match self {
            LaneKind::Control => 10,
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
    /// Data lanes alone.
    pub const DATA: LaneSet = LaneSet::of(LaneKind::Data);
    /// The bulk lane alone.
    pub const BULK: LaneSet = LaneSet::of(LaneKind::Bulk);
    /// Every kind.
    pub const ALL: LaneSet = LaneSet(LaneSet::CONTROL.0 | LaneSet::DATA.0 | LaneSet::BULK.0);

    /// The set of one kind.
    pub const fn of(lane: LaneKind) -> Self {
        match lane {
            LaneKind::Control => LaneSet(1),
            LaneKind::Data => LaneSet(2),
            LaneKind::Bulk => LaneSet(4),
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

/// Where a node can be dialled: a scheme that picks the transport, and the rest,
/// which only that transport understands. Written `scheme://rest`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    scheme_bytes: usize,
}

impl Address {
    /// Joins a scheme and the transport's own part.
    ///
    /// # Errors
    ///
    /// [`TransportError::Address`] if either part is empty, the scheme holds
    /// anything but letters, digits and `+`, the rest holds white space or
    /// control characters, or the whole is longer than
    /// [`ADDRESS_BYTES_MAX`].
    pub fn new(scheme: &str, rest: &str) -> Result<Self, TransportError> {
        format!("{scheme}://{rest}").parse()
    }

    /// The part that picks the transport.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_bytes]
    }

    /// The part that the transport reads.
    pub fn rest(&self) -> &str {
        &self.text[self.scheme_bytes + "://".len()..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// An error that names this address.
    pub fn unusable(&self, detail: impl Into<String>) -> TransportError {
        TransportError::Address { address: self.text.clone(), detail: detail.into() }
    }
}

impl FromStr for Address {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unusable = |detail: &str| TransportError::Address {
            address: text.chars().take(ADDRESS_BYTES_MAX / 4).collect(),
            detail: detail.to_owned(),
        };
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(unusable("it is too long"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(unusable("it must read scheme://address"));
        };
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+') {
            return Err(unusable("its scheme must be letters, digits and '+'"));
        }
        if rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(unusable("nothing usable stands behind its scheme"));
        }
        Ok(Self { text: text.to_owned(), scheme_bytes: scheme.len() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a connection or a stream is closed: a code that machines compare and a
/// detail that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// What happened.
    pub code: CloseCode,
    /// More for the log; at most [`CLOSE_DETAIL_BYTES_MAX`] bytes.
    detail: String,
}

impl CloseReason {
    /// A reason; a longer detail is cut at a character boundary.
    pub fn new(code: CloseCode, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > CLOSE_DETAIL_BYTES_MAX {
            let mut end = CLOSE_DETAIL_BYTES_MAX;
            while !detail.is_char_boundary(end) {
                end -= 1;
            }
            detail.truncate(end);
        }
        Self { code, detail }
    }

    /// The reason in the error of a stream that one side closed.
    pub fn of(error: &io::Error) -> Option<&Self> {
        match error.get_ref()?.downcast_ref() {
            Some(TransportError::Closed(reason)) => Some(reason),
            _ => None,
        }
    }

    /// More for the log; may be empty.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<CloseCode> for CloseReason {
    fn from(code: CloseCode) -> Self {
        Self { code, detail: String::new() }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// The machine-readable half of a [`CloseReason`], and an application close code
/// on transports that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum CloseCode {
    /// The stream did what it was for.
    Done = 0,
    /// The node shuts down.
    Shutdown = 1,
    /// The peer is not let in.
    Refused = 2,
    /// The peer broke the protocol.
    Violation = 3,
    /// The peer did not answer in time.
    Timeout = 4,
    /// The connection was lost.
    Lost = 5,
}

impl CloseCode {
    /// Reads a code from a transport; `None` where it is not one of ours.
    pub const fn from_u32(code: u32) -> Option<Self> {
        Some(match code {
            0 => CloseCode::Done,
            1 => CloseCode::Shutdown,
            2 => CloseCode::Refused,
            3 => CloseCode::Violation,
            4 => CloseCode::Timeout,
            5 => CloseCode::Lost,
            _ => return None,
        })
    }

    /// The number a transport carries.
    pub const fn as_u32(self) -> u32 {
        self as u32
    }

    /// Whether it is about the stream alone: the session may go on with another.
    pub(crate) const fn is_passing(self) -> bool {
        matches!(self, CloseCode::Done | CloseCode::Timeout | CloseCode::Lost)
    }

    /// Whether a session that ends so was ended by one of its nodes, for no fault of the other.
    pub(crate) const fn is_orderly(self) -> bool {
        matches!(self, CloseCode::Done | CloseCode::Shutdown)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseCode::Done => "done",
            CloseCode::Shutdown => "the node shuts down",
            CloseCode::Refused => "refused",
            CloseCode::Violation => "protocol violation",
            CloseCode::Timeout => "timed out",
            CloseCode::Lost => "connection lost",
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_not_guessed() {
        let address: Address = "tcp+tls://[::1]:80".parse().unwrap();
        assert_eq!((address.scheme(), address.rest()), ("tcp+tls", "[::1]:80"));
        assert_eq!(Address::new("iroh", "abc@1.2.3.4:5").unwrap().as_str(), "iroh://abc@1.2.3.4:5");
        let long = format!("x://{}", "y".repeat(ADDRESS_BYTES_MAX));
        for text in ["", "://", "tcp://", "host:80", "t p://x", "tcp://a b", "tcp://a\n", &long] {
            assert!(matches!(text.parse::<Address>(), Err(TransportError::Address { .. })), "{text:?}");
        }
    }

    #[test]
    fn lane_sets_know_their_lanes() {
        assert_eq!(LaneSet::CONTROL.union(LaneSet::DATA).union(LaneSet::BULK), LaneSet::ALL);
        assert_eq!(LaneSet::ALL.iter().collect::<Vec<_>>(), LaneKind::ALL);
        assert_eq!((LaneSet::ALL.priority(), LaneSet::DATA.priority()), (10, 0));
    }

    #[test]
    fn close_details_are_cut_between_characters() {
        let reason = CloseReason::new(CloseCode::Violation, "é".repeat(CLOSE_DETAIL_BYTES_MAX));
        assert_eq!(reason.detail().len(), CLOSE_DETAIL_BYTES_MAX);
        for code in 0..=5 {
            assert_eq!(CloseCode::from_u32(code).map(CloseCode::as_u32), Some(code));
        }
        assert_eq!(CloseCode::from_u32(6), None);
        let error = io::Error::new(io::ErrorKind::NotConnected, TransportError::Closed(reason.clone()));
        assert_eq!(CloseReason::of(&error), Some(&reason));
        assert_eq!(CloseReason::of(&io::Error::other("another")), None);
    }
}
