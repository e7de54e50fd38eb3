//! What an actor hears about other actors: its children's lives, and the exits
//! it watches for. Words only; who posts them is `links.rs` and `runtime/`.

use std::any::Any;
use std::fmt;

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
    /// A watched actor ended, or was gone already when the watch began. Comes
    /// exactly once for each watch.
    Down {
        /// The watched actor.
        actor: ActorCell,
        /// How it ended; [`Exit::Unreachable`] if its node was lost.
        exit: Exit,
    },
}

impl SupervisionEvent {
    /// Whom the event is about.
    pub fn actor(&self) -> &ActorCell {
        match self {
            Self::Started(actor)
            | Self::Terminated { actor, .. }
            | Self::Failed { actor, .. }
            | Self::Down { actor, .. } => actor,
        }
    }
}
