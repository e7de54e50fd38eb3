//! Every bound of the crate, by name.

use std::time::Duration;

/// An actor's id is no longer, in bytes.
pub const DURABLE_ID_BYTES_MAX: usize = 200;

/// The name of an actor's type, of a reminder, of a child or of an outlet is no longer, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

/// A message's payload is no larger, in bytes: a larger one is to be kept elsewhere, and referred to.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// A message has no more headers, and all of them together have no more bytes than [`HEADERS_BYTES_MAX`].
pub const HEADERS_MAX: usize = 32;

/// The names and values of a message's headers together are no longer, in bytes.
pub const HEADERS_BYTES_MAX: usize = 8 << 10;

/// An actor's state, as it is stored, is no larger, in bytes.
pub const STATE_BYTES_MAX: usize = 16 << 20;

/// One event is no larger, in bytes.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// A stored reply is no larger, in bytes.
pub const REPLY_BYTES_MAX: usize = 1 << 20;

/// One commit has no more entries.
pub const COMMIT_ENTRIES_MAX: usize = 256;

/// What one commit changes is no larger altogether, in bytes; its state is not counted.
pub const COMMIT_BYTES_MAX: usize = 8 << 20;

/// So many messages may wait in an actor's inbox; one more is refused.
pub const INBOX_MESSAGES_MAX: usize = 100_000;

/// An actor has no more reminders at a time.
pub const REMINDERS_MAX: usize = 1_000;

/// An actor has no more recorded children at a time.
pub const CHILDREN_MAX: usize = 10_000;

/// So many handled messages an actor remembers unless its type says otherwise. See [`MessageId`](crate::MessageId).
pub const REMEMBERED_DEFAULT: usize = 1_000;

/// A message whose id was made so much later than now is refused: the sender's clock is wrong.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// One page of a list that a store gives has no more rows.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// Whoever listens to a store's arrivals and falls behind by more is told that it has missed some.
pub const ARRIVALS_BEHIND_MAX: usize = 1_024;

/// One page of a list that a store gives has no more bytes, unless its first row alone has.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// The embedded store keeps so much of its file in memory unless told otherwise, in bytes.
pub const CACHE_BYTES_DEFAULT: usize = 64 << 20;

/// So many operations wait for the embedded store's writer; whoever asks for one more waits for room.
pub const WRITE_QUEUE_OPERATIONS_MAX: usize = 4_096;

/// What waits for the embedded store's writer has no more bytes, unless it is one operation.
pub const WRITE_QUEUE_BYTES_MAX: usize = 64 << 20;

/// The embedded store writes no more operations at a time.
pub const GROUP_OPERATIONS_MAX: usize = 1_024;

/// The embedded store begins no further operation in a batch that has so many bytes.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
