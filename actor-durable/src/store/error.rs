//! Why a store did not do what it was asked, and what is certain then.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::id::{ActorType, Epoch, MessageId, OwnerId, Sequence, WallTime};

/// Why an operation of a store failed, and whether it may have changed anything.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing was changed. The [`Refusal`] says what can be done.
    #[error("not applied: {0}")]
    NotApplied(Refusal),
    /// Nothing was changed, and nothing will be in this epoch: the actor has been acquired by another owner, or released.
    #[error("epoch {ours} does not own the actor; it is in epoch {theirs}")]
    Fenced {
        /// The caller's epoch.
        ours: Epoch,
        /// The actor's epoch.
        theirs: Epoch,
    },
    /// The operation happened, or did not. To find out, acquire the actor again and look. Do not simply repeat the operation.
    #[error("it is not known whether it was applied: {0}")]
    Unknown(Cause),
}

// Not by `#[from]`, which would make a source of what the text says already.
impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        Self::NotApplied(refusal)
    }
}

impl StoreError {
    /// Whether it may succeed later without anybody doing anything about it: the same operation or, if it is not known whether
    /// this one was applied, the one that is right after looking.
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
    /// The id belongs to an actor of another type.
    #[error("the actor is of type {stored}, not {asked}")]
    WrongType {
        /// The type it has.
        stored: ActorType,
        /// The type it was taken to have.
        asked: ActorType,
    },
    /// The actor has an owner whose lease is not over.
    #[error("the actor is owned by {owner}, until its lease is over")]
    Held {
        /// Who owns it.
        owner: OwnerId,
    },
    /// The claimant has no lease, or no longer: it has to renew it first.
    #[error("the lease of {owner} is over")]
    LeaseOver {
        /// Whose lease.
        owner: OwnerId,
    },
    /// The store does not know the actor, or has deleted it.
    #[error("there is no such actor")]
    NoSuchActor,
    /// The actor has ended for good.
    #[error("the actor has ended for good")]
    Ended,
    /// The journal does not end where the commit expects.
    #[error("the journal ends at {found}, not at {expected}")]
    Sequence {
        /// The last entry that the commit expects.
        expected: Sequence,
        /// The last entry that there is.
        found: Sequence,
    },
    /// Entries were asked for that have been trimmed.
    #[error("the journal begins after {trimmed}; what came before is trimmed")]
    Trimmed {
        /// The last entry that was trimmed.
        trimmed: Sequence,
    },
    /// A message was handled already.
    #[error("{0} was handled already")]
    AlreadyHandled(MessageId),
    /// A message is not in the inbox, or not among the dead letters, as the caller says.
    #[error("{0} is not there")]
    NoSuchMessage(MessageId),
    /// A message is older than others that the actor has forgotten, so it may have been handled.
    #[error(
        "{id} was made too long ago to know whether it was handled; what was made until {horizon} is forgotten"
    )]
    TooOld {
        /// Which message.
        id: MessageId,
        /// Messages that were made later are not refused.
        horizon: WallTime,
    },
    /// A message's id says that it was made in the future. Somebody's clock is wrong.
    #[error("{id} was made in the future: now it is {now}")]
    FromTheFuture {
        /// Which message.
        id: MessageId,
        /// The store's time.
        now: WallTime,
    },
    /// A value exceeds one of the [limits](crate::limits).
    #[error("{what}: {size}, and at most {max} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The greatest that is allowed.
        max: usize,
    },
    /// There are already as many as one of the [limits](crate::limits) allows.
    #[error("too many {what}: at most {max} are allowed")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many are allowed.
        max: usize,
    },
    /// The caller of the store has made a mistake, which this names.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// What is stored is damaged.
    #[error("damaged: {what}: {detail}")]
    Damaged {
        /// What is damaged.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// What is stored was written by a later release.
    #[error("{what} is of version {found}; this release knows versions up to {known}")]
    FutureVersion {
        /// What was written.
        what: String,
        /// The version it has.
        found: u32,
        /// The latest version that this release knows.
        known: u32,
    },
    /// The disk is full, or the quota on it.
    #[error("there is no space left: {0}")]
    NoSpace(Cause),
    /// The store cannot be written.
    #[error("the store is read-only: {0}")]
    ReadOnly(Cause),
    /// The program lacks a permission, which somebody has to grant.
    #[error("a permission is missing: {0}")]
    Denied(Cause),
    /// The store is open in another process, or already in this one.
    #[error("the store is in use: {0}")]
    InUse(Cause),
    /// The store cannot be reached at the moment.
    #[error("the store is not available: {0}")]
    Unavailable(Cause),
    /// The store has closed for good, at its owner's request or because the disk failed. What was stored before is kept;
    /// opening the store again shows what that is.
    #[error("the store is closed: {0}")]
    Closed(Cause),
}

impl Refusal {
    /// Whether the same operation is refused for as long as the actor exists.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::WrongType { .. } | Self::Ended | Self::TooLarge { .. } | Self::Malformed(_))
    }

    /// Whether the same operation may succeed later without anybody doing anything about it.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Unavailable(_) | Self::TooMany { .. } | Self::NoSpace(_))
    }
}

/// The cause of an error: a text or, where there is one, the error of a library or of the system.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// A cause from an error or a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// The error itself.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// Compares the texts.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_for_its_time_says_the_time_as_people_do() {
        let at = WallTime::from_millis;
        let id = MessageId::new(at(1), 2);
        let old = Refusal::TooOld { id, horizon: at(1_800_000_000_000) }.to_string();
        assert!(old.ends_with("what was made until 2027-01-15T08:00:00.000Z is forgotten"), "{old}");
        let early = Refusal::FromTheFuture { id, now: at(0) }.to_string();
        assert!(early.ends_with("now it is 1970-01-01T00:00:00.000Z"), "{early}");
    }
}
