//! What can go wrong at a broker. A message that was not sent comes back.

use std::fmt;

use actor_core::{CallFailure, SendError};

use super::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, REQUESTS_MAX};
use super::requests::TooManyRequests;

/// A message was not routed. Every variant gives it back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError<M> {
    /// Nobody has the address. Bind it, or look at its spelling.
    #[error("not sent: nobody has the address")]
    Unknown(M),
    /// Somebody has it, and did not accept the message.
    #[error(transparent)]
    NotSent(SendError<M>),
}

impl<M> RouteError<M> {
    /// The message.
    pub fn into_message(self) -> M {
        match self {
            Self::Unknown(message) => message,
            Self::NotSent(error) => error.into_message(),
        }
    }

    /// The same failure without the message, where an error must be `Sync` and the message is
    /// not.
    pub fn without_message(self) -> RouteError<()> {
        match self {
            Self::Unknown(_) => RouteError::Unknown(()),
            Self::NotSent(error) => RouteError::NotSent(error.map(drop)),
        }
    }
}

/// The message itself need not be printable.
impl<M> fmt::Debug for RouteError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteError({self})")
    }
}

/// A request got no answer.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError<M> {
    /// It never left; the message comes back.
    #[error(transparent)]
    NotSent(#[from] RouteError<M>),
    /// It was not even made: as many requests wait as may. Wait for some of them.
    #[error("not sent: {REQUESTS_MAX} requests wait for their answers")]
    TooMany,
    /// It left, and no answer came: [`CallFailure::TimedOut`].
    #[error(transparent)]
    Failed(CallFailure),
}

impl<M> RequestError<M> {
    /// The message, if it was made and never left.
    pub fn into_message(self) -> Option<M> {
        match self {
            Self::NotSent(error) => Some(error.into_message()),
            Self::TooMany | Self::Failed(_) => None,
        }
    }
}

impl<M> From<CallFailure> for RequestError<M> {
    fn from(failure: CallFailure) -> Self {
        Self::Failed(failure)
    }
}

impl<M> From<TooManyRequests> for RequestError<M> {
    fn from(_: TooManyRequests) -> Self {
        Self::TooMany
    }
}

/// The message itself need not be printable.
impl<M> fmt::Debug for RequestError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestError({self})")
    }
}

/// An actor was given no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// An address is not empty.
    #[error("an address is not empty")]
    Empty,
    /// It is too long.
    #[error("an address of {0} bytes: it has at most {ADDRESS_BYTES_MAX}")]
    TooLong(usize),
    /// It holds a control character.
    #[error("an address holds no control characters")]
    ControlCharacter,
    /// Another actor has it. Release it first, or wait for that actor's end.
    #[error("another actor has the address")]
    Taken,
    /// There are as many addresses as may be.
    #[error("{ADDRESSES_MAX} addresses are the most")]
    TooMany,
}
