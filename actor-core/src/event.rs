//! What an actor hears about other actors: its children's lives, and the exits
//! it watches for. Words only; who posts them is `links.rs` and `runtime/`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::address::ActorCell;
use crate::contain::contained;
use crate::exit::Exit;

/// A dead actor's state, for a supervisor to look at or to start again from.
///
/// If nobody takes it and its destructor panics, that is reported and hurts
/// nobody: the supervisor is not to blame for it.
pub struct BoxedState {
    /// Taken once, by whoever looks or by `drop`.
    state: Option<Box<dyn Any + Send>>,
}

impl BoxedState {
    pub(crate) fn new<S: Send + 'static>(state: S) -> Self {
        Self { state: Some(Box::new(state)) }
    }

    /// The state, if it is of this type.
    ///
    /// # Errors
    ///
    /// Gives the box back if it is of another type.
    pub fn take<S: 'static>(mut self) -> Result<S, Self> {
        match self.state.take().map(|state| state.downcast()) {
            Some(Ok(state)) => Ok(*state),
            Some(Err(state)) => Err(Self { state: Some(state) }),
            None => Err(self),
        }
    }
}

impl Drop for BoxedState {
    fn drop(&mut self) {
        contained("the destructor of a dead actor's state", || drop(self.state.take()));
    }
}

impl fmt::Debug for BoxedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxedState")
    }
}

/// Something happened to an actor that this one supervises or watches.
#[derive(Debug)]
#[non_exhaustive]
pub enum SupervisionEvent {
    /// A child has finished `post_start`.
    Started(ActorCell),
    /// The life of a restartable child has ended, whatever the cause, and so have its
    /// children. It keeps its address, names, groups and messages, and does nothing until
    /// somebody [restarts](ActorCell::restart) or [releases](ActorCell::release) it.
    Suspended {
        /// The child.
        actor: ActorCell,
        /// How its life ended.
        exit: Exit,
        /// What the life left; see [`Terminated`](Self::Terminated).
        state: Option<BoxedState>,
    },
    /// A child ended without a fault of its own: it was stopped, drained, killed
    /// or cancelled.
    Terminated {
        /// The child; it is gone, only its id and name still speak.
        actor: ActorCell,
        /// How it ended.
        exit: Exit,
        /// What it left, if it stopped or drained and its state can leave its
        /// thread. A killed actor's state may be torn and is never handed out.
        state: Option<BoxedState>,
    },
    /// A hook of a child returned an error or panicked.
    Failed {
        /// The child; it is gone, only its id and name still speak.
        actor: ActorCell,
        /// How it ended.
        exit: Exit,
    },
    /// A hook of a child returned an error that is not for its supervisor to handle: the
    /// child said so by [`ErrorAction::Escalate`](crate::ErrorAction::Escalate).
    Escalated {
        /// The child; it is gone, only its id and name still speak.
        actor: ActorCell,
        /// How it ended.
        exit: Exit,
    },
    /// A watched actor ended, or was gone already when the watch began. Comes
    /// exactly once for each watch.
    Down {
        /// The watched actor.
        actor: ActorCell,
        /// How it ended; [`Exit::Unreachable`] if its node was lost.
        exit: Exit,
    },
    /// Actors joined or left a group that is watched; see
    /// [`Scope::watch`](crate::Scope::watch).
    Group(GroupChange),
}

/// Actors joined or left a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupChange {
    /// The group's scope; empty if it is in none.
    pub scope: Arc<str>,
    /// The group.
    pub group: Arc<str>,
    /// Whether they joined; otherwise they left.
    pub has_joined: bool,
    /// Those who were said to: some may have been members before, or not at all.
    pub actors: Vec<ActorCell>,
}

impl GroupChange {
    pub(crate) fn joined(scope: Arc<str>, group: Arc<str>, actors: Vec<ActorCell>) -> Self {
        Self { scope, group, has_joined: true, actors }
    }

    pub(crate) fn left(scope: Arc<str>, group: Arc<str>, actors: Vec<ActorCell>) -> Self {
        Self { scope, group, has_joined: false, actors }
    }
}

impl SupervisionEvent {
    /// Whom the event is about, if it is about one actor.
    pub fn actor(&self) -> Option<&ActorCell> {
        match self {
            Self::Started(actor)
            | Self::Suspended { actor, .. }
            | Self::Terminated { actor, .. }
            | Self::Failed { actor, .. }
            | Self::Escalated { actor, .. }
            | Self::Down { actor, .. } => Some(actor),
            Self::Group(_) => None,
        }
    }
}
