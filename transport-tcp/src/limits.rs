//! Every bound of this crate, named, with its default and what happens when it
//! is met.

use std::time::Duration;

use actor_cluster::transport::net::AdmissionLimits;
pub use actor_cluster::transport::net::{
    CONNECT_ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX,
    HANDSHAKE_DEADLINE, HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX,
};

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

/// How much a connection with much to read reads from its socket at a time, ahead of TLS. Others have no such buffer.
pub const READ_BUFFER_BYTES: usize = 128 * 1024;

/// A connection has much to read when so many bytes come at once, or all that TLS asked for, which is as much.
pub const READ_AHEAD_LEAST: usize = 4 * 1024;

/// How long less than that comes at a time before it gives the buffer up.
pub const READ_AHEAD_REST: Duration = Duration::from_secs(5);

/// How much TLS keeps at most that the socket has not taken. A session writes a segment of 64 KiB at a time, and the frame that
/// fills it: with less, a few bytes of each go in a record, a system call and a packet of their own.
pub const WRITE_BUFFER_BYTES: usize = 128 * 1024;

/// The bounds of one transport that may be set, see [`TcpConfig::limits`](crate::TcpConfig::limits): how many may
/// come in, and how long each may take.
pub type TcpLimits = AdmissionLimits;
