//! Who sends a message, and why it does not arrive.

use actor_core::ActorError;

use crate::error::error_text;
use crate::id::{Epoch, Target};
use crate::outlet::EffectRefused;
use crate::store::{Refusal, StoreError};

/// For whom a message is carried.
pub(crate) struct Sender {
    pub(crate) target: Target,
    pub(crate) epoch: Epoch,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDelivered {
    /// It may be another time.
    #[error("{0}")]
    Yet(String),
    /// As soon as the receiver has handled something.
    #[error("{0}")]
    Full(String),
    /// It never will be.
    #[error("{0}")]
    Ever(String),
    /// Its sender is not this process's any more.
    #[error("another process owns its sender")]
    Fenced,
}

impl NotDelivered {
    /// By an outlet, whose error this is.
    pub(super) fn by_outlet(error: ActorError) -> Self {
        let text = error_text(&error);
        if error.is::<EffectRefused>() { Self::Ever(text) } else { Self::Yet(text) }
    }
}

impl From<StoreError> for NotDelivered {
    fn from(error: StoreError) -> Self {
        match error {
            // Of a sender that is not there. A receiver that is not is made.
            StoreError::Fenced { .. } | StoreError::NotApplied(Refusal::NoSuchActor) => Self::Fenced,
            StoreError::NotApplied(refusal) if refusal.is_final() => Self::Ever(refusal.to_string()),
            StoreError::NotApplied(refusal @ Refusal::TooMany { .. }) => Self::Full(refusal.to_string()),
            error => Self::Yet(error.to_string()),
        }
    }
}
