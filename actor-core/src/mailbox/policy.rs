//! What a mailbox is told: how much it holds, what it does when it is full, and in which
//! order it gives. Plain values.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};

use crate::error::SpawnError;
use crate::limits::{MAILBOX_CAPACITY_DEFAULT, PRIORITY_AGEING_DEFAULT};
use crate::time::Instant;

/// How much a mailbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// At most so many messages that were not yet taken out; no more than
    /// [`MAILBOX_CAPACITY_MAX`](crate::limits::MAILBOX_CAPACITY_MAX).
    Bounded(NonZeroUsize),
    /// As many as memory holds. For actors whose senders are bounded otherwise.
    Unbounded,
}

impl Default for Capacity {
    fn default() -> Self {
        const DEFAULT: NonZeroUsize = NonZeroUsize::new(MAILBOX_CAPACITY_DEFAULT).unwrap();
        Self::Bounded(DEFAULT)
    }
}

/// Shorthand for a bounded capacity.
///
/// # Errors
///
/// Zero cannot be a capacity.
impl TryFrom<usize> for Capacity {
    type Error = SpawnError;

    fn try_from(messages: usize) -> Result<Self, SpawnError> {
        let capacity =
            NonZeroUsize::new(messages).ok_or(SpawnError::Options("a mailbox of capacity zero"))?;
        Ok(Self::Bounded(capacity))
    }
}

/// What becomes of a message for which a bounded mailbox has no room.
///
/// What is dropped is counted in [`MailboxStats::dropped`]; a call that is dropped ends as
/// [`Rejected`](crate::CallFailure::Rejected), for there was no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// [`send`](crate::ActorRef::send) and calls wait for room, first come, first served;
    /// [`cast`](crate::ActorRef::cast) gives the message back as
    /// [`Full`](crate::SendError::Full).
    #[default]
    Block,
    /// Nobody waits: all of them give the message back. What has nobody to give it back to waits
    /// all the same: timers and streams, piped answers, subscriptions.
    Reject,
    /// The message is dropped, and that is `Ok`.
    DropNewest,
    /// The oldest message that waits is dropped in its favour. Not for a mailbox that
    /// [sorts](Sorting): what would be lost there is not what is oldest.
    DropOldest,
}

/// How urgent a message is; see [`Sorting`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    High,
    /// As most are.
    #[default]
    Normal,
    /// When there is nothing else, or when it has been passed over long enough.
    Low,
}

impl Priority {
    pub(super) const COUNT: usize = 3;
}

/// In which order an actor takes its messages, and which of them it does not take any
/// more: [`Actor::SORTING`](crate::Actor::SORTING).
///
/// Without one, messages are handled first in, first out, and nothing is asked of them.
/// Under a sorting the same holds within each priority. All priorities share the
/// mailbox's bound and its close.
///
/// ```
/// use actor_core::{Instant, Priority, Sorting};
///
/// enum Message {
///     Shutdown,
///     Quote { valid_until: Instant },
/// }
///
/// const SORTING: Sorting<Message> = Sorting::new()
///     .priority(|message| match message {
///         Message::Shutdown => Priority::High,
///         Message::Quote { .. } => Priority::Normal,
///     })
///     .expires_at(|message| match message {
///         Message::Shutdown => None,
///         Message::Quote { valid_until } => Some(*valid_until),
///     });
/// ```
#[must_use = "it sorts nothing unless it is an actor's `SORTING`"]
pub struct Sorting<M> {
    pub(super) priority: Option<fn(&M) -> Priority>,
    pub(super) expires_at: Option<fn(&M) -> Option<Instant>>,
    pub(super) ageing: NonZeroU32,
}

impl<M> Sorting<M> {
    /// First in, first out, and nothing expires: the default, which costs nothing.
    pub const fn new() -> Self {
        Self { priority: None, expires_at: None, ageing: PRIORITY_AGEING_DEFAULT }
    }

    /// Asks each message once how urgent it is, when the actor looks for its next one. A
    /// panic is one of the actor.
    pub const fn priority(self, priority: fn(&M) -> Priority) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// Asks each message once, when its turn has come, until when it is wanted. If that
    /// moment has come, on the system's clock, it is dropped and counted. A panic is one of
    /// the actor.
    pub const fn expires_at(self, expires_at: fn(&M) -> Option<Instant>) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// After how many messages of higher priorities one of a lower priority has its turn;
    /// [`PRIORITY_AGEING_DEFAULT`](crate::limits::PRIORITY_AGEING_DEFAULT) unless said
    /// otherwise. So nothing waits for ever, however much comes.
    pub const fn ageing(self, messages: NonZeroU32) -> Self {
        Self { ageing: messages, ..self }
    }

    /// Whether there is anything to ask.
    pub(crate) const fn is_active(&self) -> bool {
        self.priority.is_some() || self.expires_at.is_some()
    }
}

impl<M> Default for Sorting<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> fmt::Debug for Sorting<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorting")
            .field("priority", &self.priority.is_some())
            .field("expires_at", &self.expires_at.is_some())
            .field("ageing", &self.ageing)
            .finish()
    }
}

/// What went through a mailbox since its actor was spawned, over all its lives. While
/// nobody sends or receives, `depth` is `sent - received - dropped - expired`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxStats {
    /// Messages that wait now; never more than have room.
    pub depth: u64,
    /// Messages that were accepted, and those that were dropped instead.
    pub sent: u64,
    /// Messages that were taken out to be handled, or dropped when the actor ended.
    pub received: u64,
    /// Messages that [`Overflow`] dropped.
    pub dropped: u64,
    /// Messages that [expired](Sorting::expires_at).
    pub expired: u64,
}
