//! Every bound of the crate, by name.

use std::time::Duration;

/// The greatest epoch that a placement may decide on. It leaves as many for those who acquire an actor after that: an epoch grows by
/// one each time, and no store need keep one of 2^63.
pub const EPOCH_MIN_MAX: u64 = 1 << 62;

/// The longest id of an actor, in bytes.
pub const DURABLE_ID_BYTES_MAX: usize = 200;

/// The longest name of an actor's type, a reminder, a child, a question or an outlet, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

/// The largest payload of a message, in bytes. Keep a larger one elsewhere, and refer to it.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// The most headers of a message.
pub const HEADERS_MAX: usize = 32;

/// The most bytes of the names and values of a message's headers together.
pub const HEADERS_BYTES_MAX: usize = 8 << 10;

/// The largest stored state of an actor, in bytes.
pub const STATE_BYTES_MAX: usize = 16 << 20;

/// The largest event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// The largest stored reply, in bytes.
pub const REPLY_BYTES_MAX: usize = 1 << 20;

/// The most journal entries of one commit.
pub const COMMIT_ENTRIES_MAX: usize = 256;

/// The most bytes of everything that one commit stores, without its state and without the letters that it gives up: these are in the
/// inbox already.
pub const COMMIT_BYTES_MAX: usize = 8 << 20;

/// The most messages that one turn sends. The same bound holds for its changes of reminders, for its changes of recorded children, and
/// for its events.
pub const TURN_ROWS_MAX: usize = 10_000;

/// The most messages that one commit sends. The same bound holds for the messages that it handles, for those that it forgets, for its
/// changes of reminders, for its changes of recorded children, and for its events.
pub const COMMIT_ROWS_MAX: usize = TURN_ROWS_MAX + STAGED_ROWS_MAX;

/// The most messages in an actor's inbox. A further one is refused, unless another actor has sent it.
pub const INBOX_MESSAGES_MAX: usize = 100_000;

/// How many more messages an inbox has room for if actors have sent them, so that senders from outside are refused first. There is
/// as much room again for the notices that tell an actor that a message of its own was given up, and once more for what a
/// [supervisor](crate::supervise) tells a child, which may be what it waits for to handle the others.
pub const INBOX_RESERVED: usize = 10_000;

/// The most dead letters of an actor. Whatever fails then stays in the inbox, and so does the mail behind it, until somebody revives
/// or purges one.
pub const DEAD_LETTERS_MAX: usize = 1_000;

/// The most undelivered messages of an actor. What can never arrive stays in the outbox then, until somebody redelivers or discards
/// one.
pub const UNDELIVERED_MAX: usize = 1_000;

/// The most reminders that an actor has at a time.
pub const REMINDERS_MAX: usize = 1_000;

/// The largest payload of a reminder, in bytes. An activation reads all reminders of its actor: at most 63 MiB of payloads.
pub const REMINDER_BYTES_MAX: usize = 64 << 10;

/// The most recorded children that an actor has at a time. How it stands to its supervisor, which is kept beside them, does not count.
pub const CHILDREN_MAX: usize = 10_000;

/// The most bytes that an actor keeps about one recorded child. An activation reads what is kept about all of them: at most 40 MiB.
pub const CHILD_BYTES_MAX: usize = 4 << 10;

/// How many handled messages an actor remembers, unless its type says otherwise. See [`MessageId`](crate::MessageId).
pub const REMEMBERED_DEFAULT: usize = 1_000;

/// How far in the future a message's id may have been made. A later one is refused: the sender's clock is wrong. If the actor has
/// forgotten messages of a time later than now, that time counts as now.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// The most rows in one page of a list, in every store.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// The most bytes in one page of a list, in every store, unless its first row alone has more. Of a row count at least its payload or
/// its events, its headers and its reason: a store that encodes rows may count all of it.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// How many of a store's arrivals a listener may fall behind. If it falls behind further it is told that it has missed some.
pub const ARRIVALS_BEHIND_MAX: usize = 1_024;

/// How much of its file the embedded store keeps in memory, in bytes, unless told otherwise.
pub const CACHE_BYTES_DEFAULT: usize = 64 << 20;

/// How many operations may wait for the embedded store's writer. The caller of a further one waits for room.
pub const WRITE_QUEUE_OPERATIONS_MAX: usize = 4_096;

/// The most bytes of the operations that wait for the embedded store's writer. A single larger one may wait alone.
pub const WRITE_QUEUE_BYTES_MAX: usize = 64 << 20;

/// The most operations that the embedded store writes in one batch.
pub const GROUP_OPERATIONS_MAX: usize = 1_024;

/// A batch of the embedded store takes no further operation once it has this many bytes.
pub const GROUP_BYTES_MAX: usize = 8 << 20;

/// How long the embedded store waits after its disk was full before it opens its file again to see whether there is space. Until
/// then callers are refused. If opening takes longer than a ninth of this, it waits nine times as long as opening took.
pub const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// How many turns stay in the journal behind those that the state needs, unless the type says otherwise.
pub const JOURNAL_KEPT_DEFAULT: u64 = 100;

/// After how many events, or turns, the state is stored beside them, unless the type says otherwise.
pub const SNAPSHOT_EVERY_DEFAULT: u64 = 500;

/// After how many bytes of events the state is stored beside them, unless the type says otherwise.
pub const SNAPSHOT_BYTES_DEFAULT: usize = 1 << 20;

/// How often the handling of a message from the inbox is begun before it is given up, unless the type says otherwise.
pub const ATTEMPTS_DEFAULT: u32 = 5;

/// How many turns may be staged, that is, be over and not yet stored. Once there are so many they are stored before the next turn. A
/// commit has room for one entry more, since an actor's last turn has two: what it did, and that it was the last.
pub const STAGED_TURNS_MAX: usize = COMMIT_ENTRIES_MAX - 1;

/// Once staged turns have this many bytes together they are stored before the next turn.
pub const STAGED_BYTES_MAX: usize = 1 << 20;

/// Once staged turns have this many rows of one kind together they are stored before the next turn.
pub const STAGED_ROWS_MAX: usize = 2_000;

/// How many attempts at a letter may end with the process, beyond the number of attempts that may fail. Then the letter is given up,
/// since it is likely what ends the process.
pub const DEATHS_MAX: u32 = 10;

/// How long a letter that may end the process keeps others like it waiting, at most.
pub const CAREFUL_MAX: Duration = Duration::from_secs(1);

/// How many messages are read from an inbox at a time.
pub const INBOX_PAGE: usize = 128;

/// How many entries are read from a journal at a time.
pub const JOURNAL_PAGE: usize = 1_000;

/// The most messages in an actor's outbox when it begins a turn for a caller or a timer. One turn may send
/// [as many](TURN_ROWS_MAX) more.
pub const OUTBOX_MAX: usize = 10_000;

/// The most bytes in an actor's outbox when it begins a turn for a caller or a timer. What one turn sends leaves whole, be it one
/// message, and has at most [`COMMIT_BYTES_MAX`] more.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;

/// How many messages beyond [`OUTBOX_MAX`] may be in the outbox when an actor handles a letter. With [`INBOX_RESERVED`] this keeps
/// actors that answer each letter with at most one message from waiting for each other for ever.
pub const OUTBOX_RESERVED: usize = 1_000;

/// How many bytes beyond [`OUTBOX_BYTES_MAX`] may be in the outbox when an actor handles a letter.
pub const OUTBOX_BYTES_RESERVED: usize = 2 << 20;

/// How long callers wait for room in an outbox, counted from when the first of them found none. Then they are refused.
pub const OUTBOX_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long after a timer has fired and found no room in the outbox it fires again.
pub const OUTBOX_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts to deliver a message to a receiver whose inbox is full.
pub const DELIVERY_FULL_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a receiver's inbox may be full before an actor whose own outbox is full gives up what it has sent there.
pub const DELIVERY_FULL_MAX: Duration = Duration::from_secs(300);

/// How many messages of one actor are on their way to other actors at a time. Each goes to another receiver, and receivers take
/// turns. Messages to outlets do not count; to each outlet one is on its way at a time.
pub const TRANSFERS_PER_ACTOR_MAX: usize = 16;

/// How many messages of a process are moved from outboxes into inboxes, or given up, at a time. The others wait in the order in
/// which they came.
pub const TRANSFERS_MAX: usize = 64;

/// How long after a failure a message is sent again. The pause doubles with each further failure, up to [`DELIVERY_PAUSE_MAX`].
pub const DELIVERY_PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The longest pause between two attempts to deliver a message.
pub const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How many of the times that it has missed a reminder fires for at once, if it catches up with all of them.
pub const CATCH_UP_MAX: usize = 100;

/// A reminder that fires no later than this after it was due was not missed.
pub const REMINDER_LATE_MAX: Duration = Duration::from_secs(10);

/// How often a store is asked for work that this process was not told of, unless the system is built otherwise: mail of actors
/// without an owner, and reminders that another process has set.
pub const LOOK_INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// The shortest pause after which it is looked again whether an idle actor's messages have arrived, or whether letters still wait
/// with one that is suspended; it is its [`IDLE_MAX`](crate::Durable::IDLE_MAX) if that is longer.
pub const IDLE_PAUSE_MIN: Duration = Duration::from_secs(1);

/// How many activations a process begins at a time because of mail. The others wait, or another process begins them.
pub const BEGINNING_MAX: usize = 64;

/// How long an activation that begins counts among [`BEGINNING_MAX`], at most.
pub const BEGINNING_HELD_MAX: Duration = Duration::from_secs(1);

/// How many reminders are fired at a time.
pub const REMINDER_PAGE: usize = 100;

/// How many reminders that did not fire, such as those of an actor whose inbox is full, a process tries again only after a
/// [look interval](crate::DurableBuilder::look_interval). More are tried whenever it looks for due ones, as it does when one is set.
pub const UNFIRED_MAX: usize = 10_000;

/// How long after a failure a letter is handled again. The pause doubles with each further failure, up to [`ATTEMPT_PAUSE_MAX`].
pub const ATTEMPT_PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest pause between two attempts to handle a letter.
pub const ATTEMPT_PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long a commit that a store has certainly not applied, as it is away or full, is tried again if its turns may have been answered
/// before. Then they are lost.
pub const COMMIT_RETRIED_MAX: Duration = Duration::from_secs(60);

/// How long after such a refusal the commit is tried again. The pause doubles with each further refusal, up to
/// [`COMMIT_PAUSE_MAX`].
pub const COMMIT_PAUSE_FIRST: Duration = Duration::from_millis(10);

/// The longest pause between two attempts at a commit.
pub const COMMIT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The shortest interval at which a store is asked for work. A shorter one is made this long.
pub const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The shortest lease of a process. A shorter one is made this long.
pub const LEASE_MIN: Duration = Duration::from_millis(100);

/// How long a process keeps its actors after it last renewed its lease, unless the system is built otherwise.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(10);

/// How long a shutdown waits for the store to end the lease of its process, at most. If that takes longer, the lease runs out by itself.
pub const RETIRE_MAX: Duration = Duration::from_secs(10);

/// How many activations in a row may end before a call's turn comes. Then the call fails.
pub const ACTIVATIONS_MAX: usize = 4;

/// How many ids are tried for a message whose sender has not chosen one, while the actor refuses them as too old.
pub const NEW_IDS_MAX: usize = 4;

/// How long after the end of an activation that could not release its actor the store is asked whether there is mail. If the store
/// does not say, it is asked again after the same pause.
pub const REACTIVATION_PAUSE: Duration = Duration::from_secs(1);

/// How long a wrapped service has to become ready for a request. Then it is made again, and the request is not applied.
pub const SERVICE_READY_MAX: Duration = Duration::from_secs(5);

/// How many calls of a wrapped service may be in flight by one [`ServiceCalls`](crate::ServiceCalls) and its clones, unless it is
/// made otherwise.
pub const SERVICE_CALLS_MAX: usize = 1_024;

/// The most pages of an inbox, of at most [`PAGE_ROWS_MAX`] letters each, that are searched at a time for a supervisor's order when
/// an actor begins or cannot be activated. The next search goes on behind them.
pub const ADOPTION_PAGES_MAX: usize = 10;

/// The most actors of which a process remembers how far their inboxes were searched for a supervisor's order.
pub const ADOPTIONS_SOUGHT_MAX: usize = 10_000;

/// The most children of a durable supervisor.
pub const SUPERVISED_MAX: usize = 1_000;

/// The most restarts that a durable supervisor's intensity can allow. Each is stored while it counts.
pub const RESTARTS_COUNTED_MAX: u32 = 1_000;

/// How many durable supervisors below one another start their children for one decision.
pub const SUPERVISION_DEPTH_MAX: u32 = 100;

/// The most attempts at deleting an actor that is activated again and again in between.
pub const DELETIONS_MAX: usize = 4;

/// The longest reason why a message was given up, in bytes.
pub const REASON_BYTES_MAX: usize = 1 << 10;

/// The longest text of a failure that a supervisor is told, in bytes. A longer one is cut.
pub const FAILURE_TEXT_BYTES_MAX: usize = 1 << 10;
