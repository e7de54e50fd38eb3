//! The address of a supervisor, and what it answers.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::SpecError;
use super::actor::{Request, SupervisorMessage};
use super::child::ChildSpec;
use crate::address::{ActorCell, ActorRef, Control, WrongType};
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::reply::ReplyPort;

/// The address of a [`Supervisor`](super::Supervisor). It dereferences to [`Control`]:
/// stop, kill, wait.
#[derive(Clone)]
pub struct SupervisorRef {
    actor: ActorRef<SupervisorMessage>,
}

/// A child, as its supervisor sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its id under this supervisor.
    pub id: Arc<str>,
    /// Its address; none if it has ended for good.
    pub actor: Option<ActorCell>,
    /// Where it is.
    pub state: ChildState,
    /// How often it was started again.
    pub restarts: u64,
    /// How its last life ended, if one did.
    pub last_exit: Option<Exit>,
}

/// Where a child is, as its supervisor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChildState {
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It was told to end, to be started again or for good.
    Stopping,
    /// It waits to be started again.
    Waiting,
    /// It has ended and is not started again by itself.
    Ended,
}

/// A supervisor did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// It drains, stops or has stopped, or it ended before it answered.
    #[error("the supervisor is stopping")]
    Stopping,
    /// It has no child of that id.
    #[error("there is no child {0:?}")]
    NoSuchChild(Arc<str>),
    /// The child takes other messages, has ended for good, or is being started for the
    /// first time.
    #[error("the child {0:?} cannot be reached by such messages")]
    NotReachable(Arc<str>),
    /// The child runs, or is about to. End it first.
    #[error("the child {0:?} has not ended: end it first")]
    NotEnded(Arc<str>),
    /// The specification cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The child did not start.
    #[error(transparent)]
    Start(#[from] SpawnError),
}

impl SupervisorRef {
    pub(super) fn new(actor: ActorRef<SupervisorMessage>) -> Self {
        Self { actor }
    }

    /// The supervisor at this address, if there is one.
    ///
    /// # Errors
    ///
    /// Gives the cell back if the actor is no supervisor, or lives in another process.
    pub fn from_cell(cell: ActorCell) -> Result<Self, WrongType> {
        ActorRef::from_cell(cell).map(Self::new)
    }

    /// Starts another child, which comes after those that are there. The supervisor goes
    /// on with its work meanwhile.
    ///
    /// # Errors
    ///
    /// [`SupervisorError::Spec`]; [`SupervisorError::Start`], and then the supervisor
    /// does not know the child; [`SupervisorError::Stopping`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future before the supervisor has taken the request starts nothing;
    /// afterwards the child is started.
    pub async fn start_child<M: Send + 'static>(
        &self,
        spec: ChildSpec<M>,
    ) -> Result<ActorRef<M>, SupervisorError> {
        let spec = Box::new(spec.erased());
        let id = spec.id.clone();
        let cell = self.ask(|port| Request::Start { spec, port }).await??;
        ActorRef::from_cell(cell).map_err(|_| SupervisorError::NotReachable(id))
    }

    /// Ends a child, as its [`Shutdown`](crate::Shutdown) says, whatever its restart
    /// policy, and says how it ended when it has. The supervisor keeps the specification,
    /// unless it is of a [`Temporary`](crate::Restart::Temporary) child. A child that had
    /// ended has ended as it had.
    ///
    /// # Errors
    ///
    /// [`SupervisorError::NoSuchChild`], [`SupervisorError::Stopping`].
    pub async fn end_child(&self, id: &str) -> Result<Exit, SupervisorError> {
        self.ask(|port| Request::End { id: id.into(), port }).await?
    }

    /// Starts a child again that has ended for good. It has another address than before.
    ///
    /// # Errors
    ///
    /// [`SupervisorError::NoSuchChild`], [`SupervisorError::NotEnded`],
    /// [`SupervisorError::Start`], [`SupervisorError::Stopping`].
    pub async fn restart_child(&self, id: &str) -> Result<ActorCell, SupervisorError> {
        self.ask(|port| Request::Restart { id: id.into(), port }).await?
    }

    /// Forgets a child that has ended for good.
    ///
    /// # Errors
    ///
    /// [`SupervisorError::NoSuchChild`], [`SupervisorError::NotEnded`],
    /// [`SupervisorError::Stopping`].
    pub async fn remove_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.ask(|port| Request::Remove { id: id.into(), port }).await?
    }

    /// The address of a child that takes messages of type `M`. It stays the same however
    /// often the child is started again.
    ///
    /// # Errors
    ///
    /// [`SupervisorError::NoSuchChild`], [`SupervisorError::NotReachable`],
    /// [`SupervisorError::Stopping`].
    pub async fn find<M: Send + 'static>(&self, id: &str) -> Result<ActorRef<M>, SupervisorError> {
        let children = self.children().await?;
        let child = children.into_iter().find(|child| &*child.id == id);
        let child = child.ok_or_else(|| SupervisorError::NoSuchChild(id.into()))?;
        let typed = child.actor.and_then(|cell| ActorRef::from_cell(cell).ok());
        typed.ok_or_else(|| SupervisorError::NotReachable(id.into()))
    }

    /// Every child, in the order they are started.
    ///
    /// # Errors
    ///
    /// [`SupervisorError::Stopping`].
    pub async fn children(&self) -> Result<Vec<ChildInfo>, SupervisorError> {
        self.ask(|port| Request::Children { port }).await
    }

    /// The supervisor's untyped address.
    pub fn cell(&self) -> ActorCell {
        self.actor.cell()
    }

    async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(ReplyPort<T>) -> Request,
    ) -> Result<T, SupervisorError> {
        let answered = self.actor.call(|port| SupervisorMessage(request(port))).await;
        answered.map_err(|_| SupervisorError::Stopping)
    }
}

impl Deref for SupervisorRef {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.actor
    }
}

impl fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SupervisorRef({:?})", &**self)
    }
}
