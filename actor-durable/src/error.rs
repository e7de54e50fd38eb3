//! What a caller of a durable actor gets instead of a reply.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use actor_core::{ActorError, Exit, SpawnError};

use crate::codec::CodecError;
use crate::id::{BadName, MessageId};
use crate::store::{Refusal, StoreError};

/// Why a call has no reply.
///
/// What matters is whether the command may have been applied. Only [`Unknown`](Self::Unknown) leaves that open, and asking again
/// with the same id settles it, since an actor applies an id once. An error is about one call: if an earlier call with the same id
/// ended as [`Unknown`](Self::Unknown), that stays open until a call gets the reply or is refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AskError<E> {
    /// The actor refused the command. Unless it is [volatile](crate::Durability::Volatile), nothing was changed, and the same id is
    /// refused again.
    Refused(E),
    /// This call has certainly not applied the command.
    NotApplied(NotApplied),
    /// The command was applied, or was not, or may yet be. Ask again with the same id.
    Unknown {
        /// The id to ask again with.
        id: MessageId,
        /// Why it is not known.
        why: Doubt,
    },
    /// The command was applied, but this program cannot read its reply.
    BadReply(CodecError),
}

/// Why a command was certainly not applied.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotApplied {
    /// The store refused.
    #[error("{}", said(.0))]
    Store(StoreError),
    /// The actor could not be activated.
    #[error("the actor was not activated: {0}")]
    NotActivated(ActivationError),
    /// The handler panicked; the actor is as it was before.
    #[error("the handler panicked: {0}")]
    Panicked(String),
    /// The [wrapped](crate::WrapService) service was not ready for the request, or what is to follow from it could not be asked for.
    /// This says why.
    #[error("the service has not taken it: {0}")]
    NotTaken(String),
    /// The actor has failed or was stopped, and its [supervisor](crate::supervise) has not started it again.
    #[error("the actor is suspended: its supervisor has not started it again")]
    Suspended,
    /// A command, reply, event or state cannot be encoded or decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The type is not registered in this system.
    #[error("no actor of type {0} is registered here")]
    NotRegistered(String),
    /// The actor is volatile, so it has no inbox to send to.
    #[error("a volatile actor has no inbox")]
    Volatile,
    /// The system is shut down.
    #[error("the system is shut down")]
    ShutDown,
    /// The actor's outbox is full: too much of what it has sent has not arrived. See
    /// [`OUTBOX_MAX`](crate::limits::OUTBOX_MAX) and [`OUTBOX_BYTES_MAX`](crate::limits::OUTBOX_BYTES_MAX).
    #[error("the actor's outbox is full: what it has sent has not arrived")]
    OutboxFull,
    /// An [outlet](crate::Outlet) failed, with this text.
    #[error("not delivered: {0}")]
    NotDelivered(String),
    /// A [question](crate::Turn::ask) was given up or could not be delivered, for this reason.
    #[error("the question was given up: {0}")]
    GivenUp(String),
    /// The activation ended before the command's turn came, or before what came of it was to be stored.
    #[error("the activation ended before anything of the command was to be stored")]
    ActivationEnded,
}

/// Why it is not known whether a command was applied.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// The store does not know.
    #[error(transparent)]
    Store(StoreError),
    /// The activation ended while it had the command, and cannot say how far that was: it was ended from outside, or panicked outside
    /// of a handler.
    #[error("the activation ended with the command in hand")]
    ActivationEnded,
    /// No reply came within the caller's timeout.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The message is older than others that the actor has forgotten, so it may have been handled before.
    #[error(transparent)]
    Forgotten(Refusal),
}

/// Why an actor could not be activated.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivationError {
    /// The store refused or failed.
    #[error("{}", said(.0))]
    Store(StoreError),
    /// What is stored cannot be read by this program.
    #[error("{what}: {form}")]
    Codec {
        /// What cannot be read.
        what: String,
        /// Why.
        form: CodecError,
    },
    /// What is stored is not consistent, as this says.
    #[error("what is stored does not fit together: {0}")]
    Inconsistent(String),
    /// A hook of the actor failed.
    #[error("{hook} failed: {text}")]
    Hook {
        /// Which hook.
        hook: &'static str,
        /// The text of its error.
        text: String,
    },
    /// A hook or an upcaster of the actor has panicked, with this text.
    #[error("its beginning has panicked: {0}")]
    Panicked(String),
    /// The actor system could not spawn it.
    #[error("{0}")]
    Spawn(String),
}

/// Why a durable system was not started.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The name of a type of actors or of an outlet is not valid.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Two types of actors, or two outlets, have the same name.
    #[error("{0} is registered twice")]
    RegisteredTwice(String),
    /// The store grants no lease.
    #[error("no lease: {}", said(.0))]
    Store(StoreError),
}

/// What a store says, where it is clear already that nothing was applied.
fn said(error: &StoreError) -> &dyn fmt::Display {
    match error {
        StoreError::NotApplied(refusal) => refusal,
        error => error,
    }
}

// Not by `#[from]`, which would make a source of what the text says already.
impl From<StoreError> for ActivationError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl ActivationError {
    /// A hook of the actor has failed.
    pub(crate) fn hook(hook: &'static str, error: &ActorError) -> Self {
        Self::Hook { hook, text: error_text(error) }
    }

    /// What `on_start` has done is more than any store takes.
    pub(crate) fn start_refused(error: &StoreError) -> Self {
        Self::Hook { hook: "on_start", text: said(error).to_string() }
    }
}

impl StartError {
    /// Whether the same start may succeed later without anybody doing anything about it: say, the store's server was away. The
    /// builder is used up, so the system is built anew.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl From<SpawnError> for ActivationError {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error.to_string())
    }
}

impl NotApplied {
    /// Whether the same call may succeed later without anybody doing anything about it: say, another process owns the actor and dies,
    /// or this one has lost the actor and acquires it again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) | Self::NotActivated(ActivationError::Store(error)) => {
                let is_ours_again = |error: &StoreError| {
                    matches!(
                        error,
                        StoreError::Fenced { .. } | StoreError::NotApplied(Refusal::LeaseOver { .. })
                    )
                };
                error.is_transient() || is_ours_again(error)
            }
            Self::ActivationEnded | Self::OutboxFull => true,
            _ => false,
        }
    }
}

impl<E> AskError<E> {
    /// The id to ask again with, if it is not known whether the command was applied.
    pub fn unknown_id(&self) -> Option<MessageId> {
        match self {
            Self::Unknown { id, .. } => Some(*id),
            _ => None,
        }
    }
}

impl<E> From<NotApplied> for AskError<E> {
    fn from(error: NotApplied) -> Self {
        Self::NotApplied(error)
    }
}

impl<E: fmt::Display> fmt::Display for AskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::NotApplied(why) => write!(f, "not applied: {why}"),
            Self::Unknown { id, why } => write!(f, "unknown, ask again with the id {id}: {why}"),
            Self::BadReply(form) => write!(f, "applied, but the reply is unreadable: {form}"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for AskError<E> {}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a payload that is not text").to_owned()
}

/// An error's text, with those of its sources.
pub(crate) fn error_text(error: &ActorError) -> String {
    match Exit::failed(error) {
        Exit::Failed(text) => text.as_ref().to_owned(),
        other => other.to_string(),
    }
}
