//! Every bound of this crate, named, with its default and what happens when it
//! is met.

use std::time::Duration;

use actor_cluster::limits::DATA_LANES_MAX;
use actor_cluster::transport::net::AdmissionLimits;
pub use actor_cluster::transport::net::{
    CONNECT_ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX,
    HANDSHAKE_DEADLINE, HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX,
};

/// How many bytes of a newcomer's packets are kept until it is its turn. Further ones are dropped, and it sends them again.
pub const NEWCOMER_BYTES_MAX: u64 = 16 << 10;

/// How long an attempt to connect to one IP address may take. Nobody there is known by silence alone: UDP has no other word
/// for it.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How many streams for data there may be to one peer: as many data lanes has a session then, and sessions have no more.
pub const DATA_STREAMS_MAX: usize = DATA_LANES_MAX as usize;

/// How many connections there may be to one peer: one for each stream for data.
pub const CONNECTIONS_PER_PEER_MAX: usize = DATA_STREAMS_MAX;

/// How many streams a dialler may open on one connection: for control, for what is urgent, for bulk, and for as
/// many data lanes as there may be. One more is not granted.
pub const STREAMS_MAX: u32 = 3 + DATA_LANES_MAX as u32;

/// After how much silence a packet is sent, so that a connection is not lost for want of something to say, and
/// translations of addresses remember it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// After how much silence a connection counts as lost.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bytes a peer may send on one stream before we read them; then it waits. As much as a session's window
/// of [`WINDOW_BYTES`](actor_cluster::limits::WINDOW_BYTES) with what may be overdrawn, so that credit is what
/// senders wait for.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// How many written bytes of a connection may wait to be acknowledged; then its writers wait. What is sent over a
/// connection is no faster than this in a round trip.
pub const SEND_WINDOW_BYTES: u64 = 1 << 20;

/// How many bytes a packet has at first, until it is known that the path takes longer ones: what every network
/// takes that carries QUIC.
pub const INITIAL_MTU: u16 = 1200;

/// The longest packet that is tried, in bytes of UDP's payload: what Ethernet takes with IPv6.
pub const MTU_MAX: u16 = 1452;

/// The longest packet that may be asked for: what Ethernet takes whose frames have 9000 bytes.
pub const MTU_MOST: u16 = 8952;

/// How many bytes the system is asked to keep for a socket in each direction. It may keep less: on Linux what
/// `net.core.rmem_max` and `net.core.wmem_max` say.
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// How long a stream that was shut down and dropped may go on to deliver what was written to it. Then its
/// connection is closed all the same.
pub const LINGER: Duration = Duration::from_secs(2);

/// How long [`QuicTransport::close`](crate::QuicTransport::close) waits for peers to acknowledge the end.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The bounds of one transport that may be set, see
/// [`QuicConfig::limits`](crate::QuicConfig::limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuicLimits {
    /// See [`HANDSHAKE_DEADLINE`].
    pub handshake_deadline: Duration,
    /// See [`HANDSHAKES_MAX`]. From half of them on, a peer must first prove that it receives what is sent to its
    /// address, so that forged addresses cannot take all places.
    pub handshakes_max: usize,
    /// See [`HANDSHAKES_PER_ADDRESS_MAX`]. From half of them on, too.
    pub handshakes_per_address_max: usize,
    /// See [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`CONNECTIONS_PER_ADDRESS_MAX`].
    pub connections_per_address_max: usize,
    /// See [`KEEP_ALIVE`].
    pub keep_alive: Duration,
    /// See [`IDLE_TIMEOUT`]. Of both sides the shorter one counts.
    pub idle_timeout: Duration,
    /// See [`STREAM_WINDOW_BYTES`]. A connection's window is so much for each stream, so that one that nobody
    /// reads stops no other.
    pub stream_window_bytes: u32,
    /// See [`SEND_WINDOW_BYTES`].
    pub send_window_bytes: u64,
    /// See [`INITIAL_MTU`]. More saves the moment until the path is known, and costs time where the path takes less.
    pub initial_mtu: u16,
    /// See [`MTU_MAX`]; at most [`MTU_MOST`]. A socket's buffers grow with it.
    pub mtu_max: u16,
}

impl QuicLimits {
    pub(crate) fn admission(&self) -> AdmissionLimits {
        AdmissionLimits {
            handshake_deadline: self.handshake_deadline,
            handshakes_max: self.handshakes_max,
            handshakes_per_address_max: self.handshakes_per_address_max,
            connections_max: self.connections_max,
            connections_per_address_max: self.connections_per_address_max,
        }
    }
}

impl Default for QuicLimits {
    fn default() -> Self {
        Self {
            handshake_deadline: HANDSHAKE_DEADLINE,
            handshakes_max: HANDSHAKES_MAX,
            handshakes_per_address_max: HANDSHAKES_PER_ADDRESS_MAX,
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
            keep_alive: KEEP_ALIVE,
            idle_timeout: IDLE_TIMEOUT,
            stream_window_bytes: STREAM_WINDOW_BYTES,
            send_window_bytes: SEND_WINDOW_BYTES,
            initial_mtu: INITIAL_MTU,
            mtu_max: MTU_MAX,
        }
    }
}
