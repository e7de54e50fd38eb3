//! Every bound of this crate, named, with its default and what happens when it
//! is met.
//!
//! # Time
//!
//! | what waits | how long |
//! |---|---|
//! | [`call_default_timeout`](crate::ActorRef::call_default_timeout), [`Call::default_timeout`](crate::Call::default_timeout), `call_t!(actor, Message::Get)` | [`CALL_TIMEOUT_DEFAULT`], or what the [system says](crate::ActorSystem::set_call_timeout) |
//! | [`call_timeout`](crate::ActorRef::call_timeout), [`Call::timeout`](crate::Call::timeout), [`multi_call`](crate::multi_call), [`wait`](crate::Control::wait), `stop_and_wait` and its like | what the caller says, if it does |
//! | a supervisor that stops a child | [`CHILD_STOP_TIMEOUT_DEFAULT`], or what the child's specification says |
//! | an [`OwnedSystem`](crate::OwnedSystem) that is dropped | [`SYSTEM_STOP_TIMEOUT_DEFAULT`]; one that is [shut down](crate::OwnedSystem::shut_down), what the caller says |
//! | [`call`](crate::ActorRef::call), [`send`](crate::ActorRef::send), the start of an actor | as long as it takes, until the future is dropped; an actor that ends, or a session that is lost, ends a wait for it |
//!
//! A plain `call` has no limit of its own, though gen_server's has: between actors of one
//! process most calls are answered at once, and a timer for each would cost about as much as
//! the call. Where nobody vouches for the callee, take the default.

use std::num::NonZeroU32;
use std::time::Duration;

/// How many messages a mailbox holds unless its actor was given another
/// capacity. Room is not allocated before it is used. A full mailbox makes
/// [`send`](crate::ActorRef::send) wait and [`cast`](crate::ActorRef::cast) fail.
pub const MAILBOX_CAPACITY_DEFAULT: usize = 65_536;

/// The largest capacity a bounded mailbox can be given; a larger one is an error
/// when the actor is spawned.
pub const MAILBOX_CAPACITY_MAX: usize = 1 << 28;

/// After how many messages of higher priorities one of a lower priority has its turn, unless
/// the [`Sorting`](crate::Sorting) says otherwise.
pub const PRIORITY_AGEING_DEFAULT: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// How many messages a sorted mailbox looks at before it gives the next one: among more
/// than these, a later one of high priority may wait for as many to be handled.
pub const SORTED_AT_ONCE_MAX: usize = 1024;

/// How many messages and supervision events an actor handles before it lets the other
/// tasks of its thread run, and how many messages an attached stream, an interval or an
/// output port sends. More gains nothing measurable; fewer cost a turn of the scheduler each.
pub const MESSAGES_PER_TURN: u32 = 64;

/// How many actors of a [`Colocation`](crate::Colocation) are run, one after another,
/// before it lets the other tasks of its thread run.
pub const MEMBERS_PER_TURN: u32 = 1024;

/// How many actors of a [`Colocation`](crate::Colocation) are run between two looks at
/// what comes from outside: an actor that was spawned into it, or one that another
/// thread has woken. Each look lets one in.
pub const MEMBERS_PER_LOOK: u32 = 32;

/// The longest actor or group name, in bytes; a longer one is an error when the
/// actor is spawned or joins.
pub const NAME_BYTES_MAX: usize = 255;

/// How many reply slots of each of a few sizes, 64 to 256 bytes, a thread keeps
/// for later calls. More go back to the allocator, and so do all when the thread
/// ends.
pub const REPLY_SLOTS_KEPT_MAX: usize = 256;

/// How long a call waits, for room and answer together, that was told to take the system's
/// default, unless the system was given another. Then it ends as
/// [`CallFailure::TimedOut`](crate::CallFailure::TimedOut), or as
/// [`SendError::Full`](crate::SendError::Full) if it never left. As long as gen_server's.
pub const CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// How long whoever has killed an actor in another process waits to hear of its end; then it
/// counts as unreachable.
pub const FOREIGN_KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a supervisor gives a child to stop, unless the child's specification says
/// otherwise; then it is killed.
pub const CHILD_STOP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// How long the actors of an [`OwnedSystem`](crate::OwnedSystem) that is dropped are given to
/// stop, all together; see [`shut_down`](crate::OwnedSystem::shut_down).
pub const SYSTEM_STOP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The most restarts that an [`Intensity`](crate::Intensity) can allow: each is remembered
/// while it counts, in 8 bytes. More is an error when the supervisor is started.
pub const RESTARTS_MAX: u32 = 65_536;

/// How many children a supervisor can have at once; one more is an error. Under
/// [`OneForOne`](crate::Strategy::OneForOne) what it does for one of them takes no longer
/// because there are many; a failure under another strategy is the business of all whom it
/// concerns.
pub const CHILDREN_MAX: usize = 1 << 20;

/// How many messages wait for one subscriber of an [`OutputPort`](crate::OutputPort) beside its
/// mailbox, while that has no room or its actor drains, unless its
/// [`Backlog`](crate::Backlog) holds fewer; none holds more. When it is met,
/// [`send`](crate::OutputPort::send) gives the value back and says whose subscription it is:
/// the sender decides whether to wait, to end that subscription, or to do without the value.
/// Or it does what [`WhenFull`](crate::WhenFull) says otherwise.
pub const OUTPUT_BACKLOG_MAX: usize = 65_536;
