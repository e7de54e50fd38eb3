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

/// One turn sends no more messages, changes no more reminders, no more recorded children, and has no more events: so many of each.
pub const TURN_ROWS_MAX: usize = 10_000;

/// One commit sends no more messages, changes no more reminders, no more recorded children, has no more events, handles and forgets
/// no more messages: so many of each.
pub const COMMIT_ROWS_MAX: usize = TURN_ROWS_MAX + STAGED_ROWS_MAX;

/// So many messages may wait in an actor's inbox; one more is refused.
pub const INBOX_MESSAGES_MAX: usize = 100_000;

/// An actor has no more reminders at a time.
pub const REMINDERS_MAX: usize = 1_000;

/// An actor has no more recorded children at a time.
pub const CHILDREN_MAX: usize = 10_000;

/// So many handled messages an actor remembers unless its type says otherwise. See [`MessageId`](crate::MessageId).
pub const REMEMBERED_DEFAULT: usize = 1_000;

/// A message whose id was made so much later than now is refused: the sender's clock is wrong. Where the actor has forgotten
/// messages of a later time than now, that time counts instead.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// One page of a list that a store gives has no more rows. Every store keeps to it.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// Whoever listens to a store's arrivals and falls behind by more is told that it has missed some.
pub const ARRIVALS_BEHIND_MAX: usize = 1_024;

/// The embedded store gives no more bytes in one page of a list, unless its first row alone has more. A store that reads from
/// a disk or a network has such a bound, each its own.
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

/// After its disk had no space the embedded store opens its file anew, to see whether there is some, no sooner than after so
/// long. Whoever asks sooner is refused. If to open it takes longer than a ninth of this, it waits nine times as long as that.
pub const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// How many turns stay in the journal behind those that the state needs, unless the type says otherwise.
pub const JOURNAL_KEPT_DEFAULT: u64 = 100;

/// After how many events, or turns, the state is stored beside them, unless the type says otherwise.
pub const SNAPSHOT_EVERY_DEFAULT: u64 = 500;

/// After how many bytes of events the state is stored beside them, unless the type says otherwise.
pub const SNAPSHOT_BYTES_DEFAULT: usize = 1 << 20;

/// How often the handling of a message from the inbox is begun before it is given up, unless the type says otherwise.
pub const ATTEMPTS_DEFAULT: u32 = 5;

/// So many turns that are not stored yet are kept back; then they are stored before the next. A commit has room for one entry
/// more, as the last turn of an actor has two: what it did, and that it was the last.
pub const STAGED_TURNS_MAX: usize = COMMIT_ENTRIES_MAX - 1;

/// What is kept back of turns that are not stored yet is no larger, in bytes; then they are stored before the next.
pub const STAGED_BYTES_MAX: usize = 1 << 20;

/// What is kept back of turns that are not stored yet has no more rows of one kind; then they are stored before the next.
pub const STAGED_ROWS_MAX: usize = 2_000;

/// A letter whose handling was begun so many times more than it may fail, while each time the process ended, is given up as
/// what ends it.
pub const DEATHS_MAX: u32 = 10;

/// A letter that may end the process keeps the others that may from being handled for so long at most.
pub const CAREFUL_MAX: Duration = Duration::from_secs(1);

/// So many messages are read from an inbox at a time.
pub const INBOX_PAGE: usize = 128;

/// So many entries are read from a journal at a time.
pub const JOURNAL_PAGE: usize = 1_000;

/// So many messages that an actor has sent may not have arrived; it takes no other command until fewer are left.
pub const OUTBOX_MAX: usize = 10_000;

/// A message that did not arrive is sent again after so long; each further time after twice as long, until
/// [`DELIVERY_PAUSE_MAX`].
pub const DELIVERY_PAUSE_FIRST: Duration = Duration::from_millis(50);

/// A message that does not arrive is tried again at least so often.
pub const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// A reminder that catches up with all of a downtime fires so often at a time.
pub const CATCH_UP_MAX: usize = 100;

/// A reminder that fires so much later than it was due, or less, was not missed.
pub const REMINDER_LATE_MAX: Duration = Duration::from_secs(10);

/// How often a store is asked for work that nobody was told of, unless the system is made otherwise: letters of actors that
/// nobody has, and reminders that another process has set.
pub const LOOK_INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// So many activations begin at a time in a process for the sake of letters; the others wait, and another process may begin them.
pub const BEGINNING_MAX: usize = 64;

/// An activation that takes longer to begin keeps no other from beginning.
pub const BEGINNING_HELD_MAX: Duration = Duration::from_secs(1);

/// So many reminders are fired at a time.
pub const REMINDER_PAGE: usize = 100;

/// A message whose handling failed is tried again after so long; each further time after twice as long, until
/// [`ATTEMPT_PAUSE_MAX`].
pub const ATTEMPT_PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest pause between two attempts at a message.
pub const ATTEMPT_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A store is asked for work at most so often, however short an interval is asked for.
pub const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The shortest lease of a process; a shorter one is made as long.
pub const LEASE_MIN: Duration = Duration::from_millis(100);

/// For how long a process holds its actors after it was last heard of.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(10);

/// A caller's message goes to so many activations in a row that end before its turn comes.
pub const ACTIVATIONS_MAX: usize = 4;

/// A message whose sender has not chosen its id gets so many in turn, while the actor has forgotten messages that were made
/// later.
pub const NEW_IDS_MAX: usize = 4;

/// An activation that has ended and could not give its actor back is followed by another one after so long, if there is mail;
/// and what a store did not say then it is asked again after so long.
pub const REACTIVATION_PAUSE: Duration = Duration::from_secs(1);

/// A wrapped service that is not ready for a request within this is made anew, and the request is not applied.
pub const SERVICE_READY_MAX: Duration = Duration::from_secs(5);

/// So many calls of a wrapped service may be under way by one [`ServiceCalls`](crate::ServiceCalls) and its clones, unless it is
/// made otherwise.
pub const SERVICE_CALLS_MAX: usize = 1_024;

/// A durable supervisor has no more children.
pub const SUPERVISED_MAX: usize = 1_000;

/// The most restarts that the intensity of a durable supervisor can allow: each is stored while it counts.
pub const RESTARTS_COUNTED_MAX: u32 = 1_000;

/// Why a message was given up is said in no more bytes.
pub const REASON_BYTES_MAX: usize = 1 << 10;

/// The text of a failure is cut to so many bytes when it is told to a supervisor.
pub const FAILURE_TEXT_BYTES_MAX: usize = 1 << 10;
