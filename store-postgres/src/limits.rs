//! Every bound of the crate, by name.

use std::time::Duration;

/// The longest name of a schema, in bytes. The name of its channel, which contains it, must fit too.
pub const SCHEMA_BYTES_MAX: usize = 40;

/// How many connections a store has at most, unless it is configured otherwise. One more listens for arrivals, and
/// [`LEASE_CONNECTIONS`] more renew leases.
pub const CONNECTIONS_DEFAULT: usize = 16;

/// How many connections do nothing but renew leases, so that a process is not taken for dead because it has much to do.
pub const LEASE_CONNECTIONS: usize = 1;

/// How many connections the operations that change one actor have at a time, at most, and never more than half of all: while somebody
/// holds the lock of the actor's row, there are others for the rest.
pub const ACTOR_CONNECTIONS_MAX: usize = 4;

/// How long an operation waits for a connection, unless it is configured otherwise.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How long an operation waits for each answer of the database, unless it is configured otherwise.
pub const ANSWER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The most connections that a store may be configured to have, which is more than any server takes. A greater number is made this one.
pub const CONNECTIONS_MAX: usize = 1 << 18;

/// The longest time that an operation may be configured to wait for anything, which the server can say in milliseconds. A longer one is
/// made this long.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 3600);

/// How many waits for a lock have room in the time of an answer. An operation that waits longer for one than such a part of it has
/// changed nothing. Meanwhile it may hold up another actor, whose row it has locked before.
pub const LOCK_WAITS_PER_ANSWER: u32 = 6;

/// A connection that was idle for this long is pinged before it is used again.
pub const IDLE_UNASKED_MAX: Duration = Duration::from_secs(1);

/// A connection that was idle for this long is closed.
pub const IDLE_MAX: Duration = Duration::from_secs(600);

/// A connection that is older than this is closed, however busy it is.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);

/// How many attempts an operation has that the database rolls back because of a conflict with another. Then it fails.
pub const ATTEMPTS_MAX: u32 = 10;

/// The first pause between two attempts to connect. The pause doubles with each attempt, up to [`RECONNECT_DELAY_MAX`].
pub const RECONNECT_DELAY_MIN: Duration = Duration::from_millis(20);

/// The longest pause between two attempts to connect.
pub const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);

/// How long the connection that listens for arrivals may be silent before it is asked whether it still listens.
pub const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How many owners a store knows as its own. Its listeners are told of the mail of all actors once it has renewed the leases of more
/// owners than this, and until then not of the mail of actors that other processes own.
pub const OWNERS_MAX: usize = 1_000;
