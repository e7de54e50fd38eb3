//! What can go wrong for a caller, sorted by what the caller can do about it.
//! A message that was not sent comes back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::exit::Exit;

/// A message was not accepted. Every variant gives it back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<M> {
    /// The mailbox, or the way to it, has no room. Wait with
    /// [`send`](crate::ActorRef::send), or shed load.
    Full(M),
    /// The actor drains, stops or has stopped; with how it ended, if it has, and if that is
    /// known here. Look it up again.
    Stopped(M, Option<Exit>),
    /// There is no session with the actor's node. Connect again: this address works
    /// once there is a session with the same life of the node. If the node was
    /// restarted, look the actor up again.
    NotConnected(M),
    /// The message cannot go to another node: its encoded form is over the
    /// limit, or it has none. Or it was a call with a [key](crate::CallKey) of another actor's call, or
    /// to a node that takes no keys. Nothing about the actor is wrong.
    Unsendable(M, Arc<str>),
}

impl<M> SendError<M> {
    /// The message.
    pub fn into_message(self) -> M {
        match self {
            Self::Full(m) | Self::Stopped(m, _) | Self::NotConnected(m) | Self::Unsendable(m, _) => m,
        }
    }

    /// The same failure about another form of the message. `map(drop)` leaves the message
    /// out, where an error must be `Sync` and the message is not.
    pub fn map<N>(self, f: impl FnOnce(M) -> N) -> SendError<N> {
        match self {
            Self::Full(m) => SendError::Full(f(m)),
            Self::Stopped(m, exit) => SendError::Stopped(f(m), exit),
            Self::NotConnected(m) => SendError::NotConnected(f(m)),
            Self::Unsendable(m, why) => SendError::Unsendable(f(m), why),
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("not sent: there is no room"),
            Self::Stopped(_, None) => f.write_str("not sent: the actor takes no more messages"),
            Self::Stopped(_, Some(exit)) => write!(f, "not sent: the actor is no more: {exit}"),
            Self::NotConnected(_) => f.write_str("not sent: there is no session with the actor's node"),
            Self::Unsendable(_, why) => write!(f, "not sent: {why}"),
        }
    }
}

/// The message itself need not be printable.
impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({self})")
    }
}

impl<M> std::error::Error for SendError<M> {}

/// A call got no answer. [`never_ran`](Self::never_ran) says whether it is safe to
/// repeat. There are these two kinds and will be no third: it left, or it did not.
#[derive(Clone, PartialEq, Eq)]
pub enum CallError<M> {
    /// It never left; the message comes back.
    NotSent(SendError<M>),
    /// It left, and this became of it.
    Failed(CallFailure),
}

impl<M> CallError<M> {
    /// Whether it is certain that no handler saw the call.
    pub fn never_ran(&self) -> bool {
        match self {
            Self::NotSent(_) => true,
            Self::Failed(failure) => failure.never_ran(),
        }
    }

    /// The message, if it never left.
    pub fn into_message(self) -> Option<M> {
        match self {
            Self::NotSent(error) => Some(error.into_message()),
            Self::Failed(_) => None,
        }
    }

    /// The same failure about another form of the message. `map(drop)` leaves the message
    /// out, where an error must be `Sync` and the message is not.
    pub fn map<N>(self, f: impl FnOnce(M) -> N) -> CallError<N> {
        match self {
            Self::NotSent(error) => CallError::NotSent(error.map(f)),
            Self::Failed(failure) => CallError::Failed(failure),
        }
    }

    /// What became of a call that left.
    pub fn failure(&self) -> Option<&CallFailure> {
        match self {
            Self::NotSent(_) => None,
            Self::Failed(failure) => Some(failure),
        }
    }
}

impl<M> fmt::Display for CallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl<M> fmt::Debug for CallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallError({self})")
    }
}

impl<M> std::error::Error for CallError<M> {}

impl<M> From<SendError<M>> for CallError<M> {
    fn from(error: SendError<M>) -> Self {
        Self::NotSent(error)
    }
}

impl<M> From<CallFailure> for CallError<M> {
    fn from(failure: CallFailure) -> Self {
        Self::Failed(failure)
    }
}

/// What became of a call that was sent but not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFailure {
    /// The other side refused it, or ended with it in the queue; it never ran.
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// Its deadline had passed when its turn came; it never ran.
    #[error("expired before it ran")]
    Expired,
    /// The reply port was dropped: the actor chose not to answer, or its life ended with the
    /// call in hand.
    #[error("the actor did not answer; the call may have run")]
    NoReply,
    /// No answer came within the caller's own time; it may have run, or may yet.
    #[error("no answer within {0:?}; the call may have run, or may yet")]
    TimedOut(Duration),
    /// The session to the actor's node was lost before the call had left; it never ran.
    #[error("the session was lost before the call had left")]
    NeverLeft,
    /// The session to the actor's node was lost after the call had left; it may
    /// have run.
    #[error("the session was lost; the call may have run")]
    Unknown,
    /// The call was [asked before](crate::ActorRef::call_once) and may have run; what became of it is no longer
    /// known to anybody.
    #[error("the call was asked before, and what became of it is forgotten; it may have run")]
    Forgotten,
    /// There is an answer, and it could not be sent, or not be read; the call ran.
    #[error("the answer could not be read: {0}")]
    BadReply(Arc<str>),
}

impl CallFailure {
    /// Whether it is certain that no handler saw the call.
    pub fn never_ran(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Expired | Self::NeverLeft)
    }
}

/// Why the other side refused a call before it ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It knows no such actor, or does not publish it.
    #[error("there is no such actor")]
    NoSuchActor,
    /// The actor drains, stops or has stopped.
    #[error("the actor takes no more messages")]
    Stopped,
    /// There was no room.
    #[error("there is no room")]
    Full,
    /// The caller's node may not do this.
    #[error("forbidden")]
    Forbidden,
    /// Its [key](crate::CallKey) is that of another message.
    #[error("the key is of another call")]
    OtherCall,
    /// The bytes are not a message of that actor.
    #[error("the message could not be read: {0}")]
    Undecodable(Arc<str>),
}

/// An actor was not started. Its name is free again and no task is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// Another actor of the system holds the name.
    #[error("the name {0:?} is taken")]
    NameTaken(Arc<str>),
    /// `pre_start` returned an error, panicked, or the actor was killed while it
    /// ran. A stop or a drain waits for the start.
    #[error("the actor did not start: {0}")]
    Startup(Exit),
    /// The supervisor is draining, stopping or stopped.
    #[error("the supervisor is shutting down")]
    SupervisorStopping,
    /// The system's owner has begun to end it: see [`OwnedSystem`](crate::OwnedSystem). It will
    /// not take anybody in again; another system may.
    #[error("the system is shutting down")]
    SystemStopping,
    /// As many actors live in the system as its builder was told. Try again when one has
    /// ended.
    #[error("{0} actors live in the system, and no more may")]
    TooManyActors(usize),
    /// The thread that a local actor was to run on is gone.
    #[error("the actor's thread is gone")]
    ThreadGone,
    /// The options cannot be used.
    #[error("unusable option: {0}")]
    Options(&'static str),
}

/// A control operation did not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The actor had not stopped within the time given; it goes on.
    #[error("the actor had not stopped within {0:?}")]
    TimedOut(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_from_whatever_kept_it() {
        let unsent = [
            SendError::Full(7),
            SendError::Stopped(7, Some(Exit::Killed)),
            SendError::NotConnected(7),
            SendError::Unsendable(7, "no".into()),
        ];
        for error in unsent {
            let called = CallError::from(error.clone());
            // It is the same failure, with or without the message.
            assert_eq!(error.clone().map(|n| n + 1).map(|n| n - 1), error);
            assert_eq!(called.clone().map(|n| n + 1).map(|n| n - 1), called);
            assert_eq!(called.clone().map(drop).to_string(), error.clone().map(drop).to_string());
            assert_eq!((called.never_ran(), called.failure()), (true, None));
            assert_eq!((error.into_message(), called.into_message()), (7, Some(7)));
        }
        let left = [
            (CallFailure::Rejected(Rejection::Full), true),
            (CallFailure::NeverLeft, true),
            (CallFailure::Expired, true),
            (CallFailure::NoReply, false),
            (CallFailure::TimedOut(Duration::ZERO), false),
            (CallFailure::Unknown, false),
            (CallFailure::Forgotten, false),
            (CallFailure::BadReply("no".into()), false),
        ];
        for (failure, never_ran) in left {
            let called = CallError::<u8>::from(failure.clone());
            assert_eq!((called.never_ran(), called.failure()), (never_ran, Some(&failure)));
            assert_eq!(called.clone().map(drop), CallError::Failed(failure));
            assert_eq!(called.into_message(), None);
        }
    }
}
