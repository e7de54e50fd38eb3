//! Every bound of this crate, named, with its default and what happens when it
//! is met.

use std::time::Duration;

use actor_cluster::transport::net::AdmissionLimits;
pub use actor_cluster::transport::net::{CONNECT_ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY};

/// How long a peer that connected to us may take until it is authenticated. At
/// the deadline it is dropped.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How many peers may be at their handshake at once. One more is dropped as soon
/// as it connects, so that nobody's silence fills the memory.
pub const HANDSHAKES_MAX: usize = 256;

/// How many accepted connections may exist at once, those at their handshake
/// among them. One more is dropped as soon as it connects.
pub const CONNECTIONS_MAX: usize = 4096;

/// How many of those at their handshake may come from one IPv4 address, or from one IPv6 network of 2⁶⁴. One
/// more is dropped as soon as it connects, so that one machine cannot take all places.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 64;

/// How many of the accepted connections may. Enough for a cluster on one machine, or behind one translation
/// of addresses.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 1024;

/// How many newcomers wait in the system's queue, as far as it allows that. Those beyond try again
/// by themselves.
pub const BACKLOG: i32 = 1024;

/// How long a connection is silent until the system asks whether the peer is there.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(15);

/// How long the system waits until it asks again.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// How often it asks in vain before the connection is lost.
pub const KEEP_ALIVE_PROBES: u32 = 3;

/// How long an attempt to connect to one IP address may take.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The longest path of a Unix socket, in bytes: what fits on every system.
pub const UNIX_PATH_BYTES_MAX: usize = 103;

/// The first pause after the system had no resources to accept a connection;
/// each further one is twice as long.
pub const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(5);

/// The longest pause between two attempts to accept a connection.
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How many bytes of a refused peer are read and thrown away while it learns why
/// it is refused. After them the connection is cut.
pub const REFUSED_BYTES_MAX: usize = 64 << 10;

/// The bounds of one transport that may be set, see
/// [`TcpConfig::limits`](crate::TcpConfig::limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpLimits {
    /// See [`HANDSHAKE_DEADLINE`].
    pub handshake_deadline: Duration,
    /// See [`HANDSHAKES_MAX`].
    pub handshakes_max: usize,
    /// See [`HANDSHAKES_PER_ADDRESS_MAX`].
    pub handshakes_per_address_max: usize,
    /// See [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`CONNECTIONS_PER_ADDRESS_MAX`].
    pub connections_per_address_max: usize,
}

impl TcpLimits {
    pub(crate) fn admission(&self) -> AdmissionLimits {
        AdmissionLimits {
            handshakes_max: self.handshakes_max,
            handshakes_per_address_max: self.handshakes_per_address_max,
            connections_max: self.connections_max,
            connections_per_address_max: self.connections_per_address_max,
        }
    }
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            handshake_deadline: HANDSHAKE_DEADLINE,
            handshakes_max: HANDSHAKES_MAX,
            handshakes_per_address_max: HANDSHAKES_PER_ADDRESS_MAX,
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        }
    }
}

/// How much a connection reads from its socket at a time, ahead of TLS.
pub const READ_BUFFER_BYTES: usize = 128 * 1024;

/// How much TLS keeps at most that the socket has not taken. A session writes a segment of 64 KiB at a time, and the frame that
/// fills it: with less, a few bytes of each go in a record, a system call and a packet of their own.
pub const WRITE_BUFFER_BYTES: usize = 128 * 1024;
