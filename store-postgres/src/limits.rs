//! Every bound of the crate, by name.

use std::time::Duration;

/// A schema's name is no longer, in bytes: the name of its channel has room for it.
pub const SCHEMA_BYTES_MAX: usize = 40;

/// So many connections a store has at most, unless it is configured otherwise; one more tells of arrivals, and
/// [`LEASE_CONNECTIONS`] more renew leases.
pub const CONNECTIONS_DEFAULT: usize = 16;

/// So many connections do nothing but renew leases, so that a process is not taken for dead because it has much to do.
pub const LEASE_CONNECTIONS: usize = 1;

/// So long an operation waits for a connection, unless it is configured otherwise.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// So long an operation waits for an answer of the database, unless it is configured otherwise.
pub const ANSWER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// A connection that was idle for so long is asked whether it is there before it is used.
pub const IDLE_UNASKED_MAX: Duration = Duration::from_secs(1);

/// A connection that was idle for so long is closed.
pub const IDLE_MAX: Duration = Duration::from_secs(600);

/// A connection that is older is closed, however busy.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);

/// So often the same is tried again that the database has rolled back for the sake of another.
pub const ATTEMPTS_MAX: u32 = 10;

/// Between two attempts to connect so long passes at first.
pub const RECONNECT_DELAY_MIN: Duration = Duration::from_millis(20);

/// Between two attempts to connect no more time passes.
pub const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);

/// When nothing has come for so long, the connection that tells of arrivals is asked whether it is there.
pub const SILENCE_MAX: Duration = Duration::from_secs(10);

/// While a store renews the leases of no more owners, those who listen to it are not told of the actors that others have.
pub const OWNERS_MAX: usize = 1_000;

/// One page of a list is no larger, in bytes, but for its first row.
pub const PAGE_BYTES_MAX: usize = 8 << 20;
