//! Why an actor is no more: a value that travels, not a callback.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::lifecycle::Ending;

/// What a hook may fail with: any error, boxed. `?` converts.
pub type ActorError = Box<dyn Error + Send + Sync + 'static>;

/// What becomes of an actor whose `handle` or `handle_supervisor_evt` returned an error;
/// see [`Actor::on_error`](crate::Actor::on_error).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ErrorAction {
    /// It goes on with the next message, its state as the hook left it. The error is
    /// reported.
    Resume,
    /// Its life fails. Whether another one follows is its supervisor's decision; an actor
    /// that nobody can restart has ended.
    #[default]
    Restart,
    /// It fails, and does not come again.
    Stop,
    /// It fails, does not come again, and its supervisor hears of it by
    /// [`SupervisionEvent::Escalated`](crate::SupervisionEvent::Escalated), which makes it
    /// fail too unless it overrides that.
    Escalate,
}

/// How an actor's life ended. Everyone who waits, watches or supervises gets the
/// same value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It was asked to stop, and did after the message in hand.
    Stopped(Option<Arc<str>>),
    /// It was asked to drain, and handled everything it had accepted.
    Drained,
    /// It was killed at an await point; `post_stop` did not run.
    Killed,
    /// A hook returned an error; this is its text.
    Failed(Arc<str>),
    /// A hook panicked; this is the text of the panic.
    Panicked(Arc<str>),
    /// Its task was dropped from outside, as by a runtime that shuts down, or it
    /// was given up while it started.
    Cancelled,
    /// Nobody knows: the session to the node it lives on was lost, or the node
    /// does not know the actor any more.
    Unreachable,
}

impl Exit {
    /// Whether the actor ended by its own fault: an error or a panic.
    pub fn is_failure(&self) -> bool {
        matches!(self, Exit::Failed(_) | Exit::Panicked(_))
    }

    /// The ending that says all there is to say about this exit, if one does.
    pub(crate) fn plain(&self) -> Option<Ending> {
        match self {
            Exit::Stopped(None) => Some(Ending::Stopped),
            Exit::Drained => Some(Ending::Drained),
            Exit::Killed => Some(Ending::Killed),
            Exit::Cancelled => Some(Ending::Cancelled),
            _ => None,
        }
    }

    /// A failure that carries the text of an error and of its sources.
    pub fn failed(error: &ActorError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Exit::Failed(text.into())
    }

    /// A panic that carries its text, where the payload is text.
    pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a payload that is not text");
        Exit::Panicked(text.into())
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Stopped => Exit::Stopped(None),
            Ending::Drained => Exit::Drained,
            Ending::Killed => Exit::Killed,
            Ending::Cancelled => Exit::Cancelled,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Stopped(None) => f.write_str("stopped"),
            Exit::Stopped(Some(reason)) => write!(f, "stopped: {reason}"),
            Exit::Drained => f.write_str("drained"),
            Exit::Killed => f.write_str("killed"),
            Exit::Failed(text) => write!(f, "failed: {text}"),
            Exit::Panicked(text) => write!(f, "panicked: {text}"),
            Exit::Cancelled => f.write_str("its task was cancelled"),
            Exit::Unreachable => f.write_str("unreachable"),
        }
    }
}
