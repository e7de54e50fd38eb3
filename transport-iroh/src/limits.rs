//! Every bound of this crate, named, with its default and what happens when it
//! is met.

use std::time::Duration;

/// How long a handshake may take, ours as a dialler or a peer's as a listener.
/// Then it is dropped and reported. See
/// [`IrohBuilder::handshake_deadline`](crate::IrohBuilder::handshake_deadline).
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// How many peers may be in their handshake, or be done and wait for
/// [`Listener::accept`](actor_cluster::transport::Listener::accept), at once. One
/// more is refused before any cryptography, and reported. See
/// [`IrohBuilder::handshakes_max`](crate::IrohBuilder::handshakes_max).
///
/// Once half of them are taken, or half of those for its address, a peer must first prove that it receives
/// what is sent to its address, which costs it one more round trip: so forged addresses cannot take all places.
pub const HANDSHAKES_MAX: usize = 64;

/// How many of those may come from one address: from one IPv4 address, from one network of an IPv6 address (its first
/// 64 bits), or, by way of a relay, from one node. One more is refused before any cryptography, and
/// reported. See [`IrohBuilder::handshakes_per_address_max`](crate::IrohBuilder::handshakes_per_address_max).
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 16;

/// How many accepted connections may live at once. One more is refused before
/// any cryptography, and reported. Dialled ones are not counted: how many there
/// are is the dialler's own decision. See
/// [`IrohBuilder::connections_max`](crate::IrohBuilder::connections_max).
pub const CONNECTIONS_MAX: usize = 1024;

/// How many of those may come from one address, as for
/// [handshakes](HANDSHAKES_PER_ADDRESS_MAX). See
/// [`IrohBuilder::connections_per_address_max`](crate::IrohBuilder::connections_per_address_max).
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// How many streams a dialler may open on a connection. One more is not granted.
pub const STREAMS_MAX: u8 = 4;

/// After how much silence a packet is sent to keep a connection alive.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// After how much silence a connection counts as lost. Iroh gives up a network
/// path after 15 s at the latest, and with its last path the connection, so more
/// than that is effective over relays alone.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// After how much silence a network path is given up where there are
/// [relays](crate::Reach::with_relays) to go on by: before the cluster takes the streams for lost
/// ([`HEARTBEAT_TIMEOUT`](actor_cluster::limits::HEARTBEAT_TIMEOUT)), so that a session notices nothing. A connection that
/// has no path but this one is then lost.
pub const PATH_IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// After how much silence a packet is sent on each path of a connection, where there are relays.
pub const PATH_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// How many bytes a peer may send on one stream before we read them; then it
/// waits.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// How many bytes a peer may send on all streams of a connection before we read
/// them; then it waits. All that its streams may take, so that those which nobody reads leave
/// the others their own windows.
pub const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX as u32 * STREAM_WINDOW_BYTES;

/// How many written bytes of a connection may be on their way; then its writers
/// wait. What waits here delays control frames, so it is as small as bandwidth
/// allows.
pub const SEND_WINDOW_BYTES: u64 = 1 << 20;

/// How long a dropped stream may go on to deliver what was written to it. Then
/// its connection is closed all the same.
pub const LINGER: Duration = Duration::from_secs(2);

/// How long [`IrohTransport::close`](crate::IrohTransport::close) waits for the
/// connections and streams that others still hold. Then it says how many there
/// are.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// How long [`IrohTransport::close`](crate::IrohTransport::close) then waits for
/// the system to free the ports. If one is still taken, somebody else has it.
pub const PORT_DEADLINE: Duration = Duration::from_secs(1);
