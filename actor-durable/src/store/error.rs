//! Why a store did not do what it was asked, and what is certain about it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::id::{ActorType, Epoch, MessageId, OwnerId, Sequence, WallTime};

/// What kept a store from its work, and what is certain: that nothing was changed, or nothing at all.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing was changed. What can be done about it depends on the [`Refusal`].
    #[error("not applied: {0}")]
    NotApplied(#[from] Refusal),
    /// Nothing was changed, and nothing will be in this epoch: somebody else has the actor, or it was given back.
    #[error("epoch {ours} does not own the actor; it is in epoch {theirs}")]
    Fenced {
        /// The epoch of whoever asked.
        ours: Epoch,
        /// The actor's.
        theirs: Epoch,
    },
    /// It was changed, or not. Whoever must know acquires the actor anew and looks: what was asked is not asked again
    /// blindly.
    #[error("it is not known whether it was applied: {0}")]
    Unknown(Cause),
}

impl StoreError {
    /// Whether the same may succeed later, without anybody's doing.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotApplied(refusal) => refusal.is_transient(),
            Self::Fenced { .. } => false,
            Self::Unknown(_) => true,
        }
    }
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The id is taken by an actor of another type.
    #[error("the actor is a {stored}, not a {asked}")]
    WrongType {
        /// What it is.
        stored: ActorType,
        /// What it was taken for.
        asked: ActorType,
    },
    /// Its owner's lease is not over.
    #[error("the actor is in the possession of {owner}")]
    Held {
        /// Who has it.
        owner: OwnerId,
    },
    /// The owner's own lease is over: it is to be renewed first.
    #[error("the lease of {owner} is over")]
    LeaseOver {
        /// Whose.
        owner: OwnerId,
    },
    /// The store has never heard of the actor, or has forgotten it.
    #[error("there is no such actor")]
    NoSuchActor,
    /// The actor has ended for good.
    #[error("the actor has ended for good")]
    Ended,
    /// The journal is not where it was said to be.
    #[error("the journal ends at {found}, not at {expected}")]
    Sequence {
        /// Where it was said to end.
        expected: Sequence,
        /// Where it ends.
        found: Sequence,
    },
    /// Entries were asked for that were trimmed away.
    #[error("the journal begins after {trimmed}; what came before is trimmed")]
    Trimmed {
        /// The last entry that is not there.
        trimmed: Sequence,
    },
    /// A message was handled once already.
    #[error("{0} was handled already")]
    AlreadyHandled(MessageId),
    /// A message is not in the inbox, or not among the dead letters, where it was said to be.
    #[error("{0} is not there")]
    NoSuchMessage(MessageId),
    /// A message was made before others that the actor has forgotten; it may have been handled.
    #[error(
        "{id} was made too long ago to know whether it was handled; what was made until {horizon:?} is forgotten"
    )]
    TooOld {
        /// Which.
        id: MessageId,
        /// What is not older is not refused.
        horizon: WallTime,
    },
    /// A message claims to be made in the future; somebody's clock is wrong.
    #[error("{id} was made in the future: now it is {now:?}")]
    FromTheFuture {
        /// Which.
        id: MessageId,
        /// The time here.
        now: WallTime,
    },
    /// Something is larger than it may be.
    #[error("{what}: {size}, and at most {max} are allowed")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How much it is.
        size: usize,
        /// How much it may be.
        max: usize,
    },
    /// There are as many already as there may be.
    #[error("too many {what}: at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// So many may be.
        max: usize,
    },
    /// The caller of the store has made a mistake.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// What is stored is damaged.
    #[error("damaged: {what}: {detail}")]
    Damaged {
        /// What.
        what: String,
        /// How it shows.
        detail: String,
    },
    /// What is stored was written by a later release.
    #[error("{what} is of version {found}; this release knows versions up to {known}")]
    FutureVersion {
        /// What.
        what: String,
        /// What was found.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// The disk, or the database's share of it, is full.
    #[error("there is no space left: {0}")]
    NoSpace(Cause),
    /// Nothing can be written.
    #[error("the store is read-only: {0}")]
    ReadOnly(Cause),
    /// Another process has the store, or this one has it twice.
    #[error("the store is in use: {0}")]
    InUse(Cause),
    /// The store cannot be reached now.
    #[error("the store is not available: {0}")]
    Unavailable(Cause),
    /// The store has closed for good, by its owner or since the disk failed it. What was promised before stands; opening
    /// it anew shows what is there.
    #[error("the store is closed: {0}")]
    Closed(Cause),
}

impl Refusal {
    /// Whether the same is refused for as long as the actor that it concerns is there.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::WrongType { .. } | Self::Ended | Self::TooLarge { .. } | Self::Malformed(_))
    }

    /// Whether the same may succeed later, without anybody's doing.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Unavailable(_) | Self::TooMany { .. } | Self::NoSpace(_))
    }
}

/// What lies beneath an error: a text and, where there is one, the error of the library or system.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Of an error, or of a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// The error itself.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// By the text.
impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
