//! The traits a user writes: [`Actor`], and [`LocalActor`] for what cannot leave
//! its thread. Nothing here runs them.

use std::future::Future;

use crate::address::ActorRef;
use crate::event::SupervisionEvent;
use crate::exit::{ActorError, ErrorAction, Exit};
use crate::id::ActorId;
use crate::mailbox::Sorting;

/// An actor: hooks that run one at a time over a state of their own.
///
/// `&self` is configuration and never changes; `&mut State` is what messages
/// change. Write the hooks as plain `async fn`s. A panic in a hook ends the actor, and so
/// does an error, unless [`on_error`](Self::on_error) says otherwise; its supervisor is told.
///
/// The order is `pre_start`, `post_start`, then `handle` and
/// `handle_supervisor_evt` as things come, then `post_stop`.
///
/// ```
/// use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
///
/// struct Counter;
///
/// enum Message {
///     Add(u64),
///     Get(ReplyPort<u64>),
/// }
///
/// impl Actor for Counter {
///     type Msg = Message;
///     type State = u64;
///     type Arguments = u64;
///
///     async fn pre_start(&self, _: &ActorRef<Message>, start: u64) -> Result<u64, ActorError> {
///         Ok(start)
///     }
///
///     async fn handle(&self, _: &ActorRef<Message>, message: Message, n: &mut u64) -> Result<(), ActorError> {
///         match message {
///             Message::Add(by) => *n += by,
///             Message::Get(port) => _ = port.send(*n),
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Actor: Sized + Send + Sync + 'static {
    /// What it handles; usually an enum.
    type Msg: Send + 'static;
    /// What it changes.
    type State: Send + 'static;
    /// What it starts from.
    type Arguments: Send + 'static;

    /// In which order it takes its messages: first in, first out, unless said otherwise.
    const SORTING: Sorting<Self::Msg> = Sorting::new();

    /// Builds the state. Whoever spawns the actor waits for this; messages sent
    /// meanwhile queue.
    ///
    /// # Errors
    ///
    /// Any error goes to the spawner and nobody else; the actor never was. In a later life of
    /// a [restartable](crate::ActorSystem::spawn_restartable) actor it ends that life.
    fn pre_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Self::State, ActorError>> + Send;

    /// Runs once before the first message. The supervisor, if any, is linked.
    ///
    /// # Errors
    ///
    /// Any error ends the actor.
    fn post_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (myself, state);
        async { Ok(()) }
    }

    /// Handles one message.
    ///
    /// # Errors
    ///
    /// Any error ends the actor, unless [`on_error`](Self::on_error) says otherwise.
    fn handle(
        &self,
        myself: &ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (myself, message, state);
        async { Ok(()) }
    }

    /// Decides what an error of `handle` or `handle_supervisor_evt` does to the actor; a
    /// panic is no error. Unless overridden, its life fails.
    fn on_error(&self, error: &ActorError, state: &mut Self::State) -> ErrorAction {
        let _ = (error, state);
        ErrorAction::Restart
    }

    /// Handles news of a child or of a watched actor. Unless overridden, the end
    /// of a child stops this actor too, and an error that a child
    /// [escalates](ErrorAction::Escalate) fails it, so deaths climb the tree.
    ///
    /// # Errors
    ///
    /// Any error ends the actor, unless [`on_error`](Self::on_error) says otherwise.
    fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = state;
        let outcome = end_with_child(myself, event);
        async { outcome }
    }

    /// Cleans up after a stop or a drain. The actor's name is free already. Does
    /// not run after a kill, an error or a panic.
    ///
    /// # Errors
    ///
    /// Any error makes the end a failure.
    fn post_stop(
        &self,
        myself: &ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (myself, state);
        async { Ok(()) }
    }
}

/// An [`Actor`] that may hold what cannot leave its thread, such as an `Rc`.
///
/// Every `Actor` is one. The actor is built on its thread, see
/// [`LocalSpawner`](crate::LocalSpawner); its messages and arguments cross
/// threads and are `Send` all the same. The hooks are as in [`Actor`].
pub trait LocalActor: Sized + 'static {
    /// What it handles; usually an enum.
    type Msg: Send + 'static;
    /// What it changes.
    type State: 'static;
    /// What it starts from.
    type Arguments: Send + 'static;

    /// See [`Actor::SORTING`].
    const SORTING: Sorting<Self::Msg> = Sorting::new();

    /// See [`Actor::pre_start`].
    ///
    /// # Errors
    ///
    /// Any error goes to the spawner and nobody else; the actor never was.
    fn pre_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Self::State, ActorError>>;

    /// See [`Actor::post_start`].
    ///
    /// # Errors
    ///
    /// Any error ends the actor.
    fn post_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        let _ = (myself, state);
        async { Ok(()) }
    }

    /// See [`Actor::handle`].
    ///
    /// # Errors
    ///
    /// Any error ends the actor, unless [`on_error`](Self::on_error) says otherwise.
    fn handle(
        &self,
        myself: &ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        let _ = (myself, message, state);
        async { Ok(()) }
    }

    /// See [`Actor::on_error`].
    fn on_error(&self, error: &ActorError, state: &mut Self::State) -> ErrorAction {
        let _ = (error, state);
        ErrorAction::Restart
    }

    /// See [`Actor::handle_supervisor_evt`].
    ///
    /// # Errors
    ///
    /// Any error ends the actor, unless [`on_error`](Self::on_error) says otherwise.
    fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        let _ = state;
        let outcome = end_with_child(myself, event);
        async { outcome }
    }

    /// See [`Actor::post_stop`].
    ///
    /// # Errors
    ///
    /// Any error makes the end a failure.
    fn post_stop(
        &self,
        myself: &ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        let _ = (myself, state);
        async { Ok(()) }
    }
}

impl<A: Actor> LocalActor for A {
    type Msg = A::Msg;
    type State = A::State;
    type Arguments = A::Arguments;

    const SORTING: Sorting<A::Msg> = A::SORTING;

    fn pre_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Self::State, ActorError>> {
        Actor::pre_start(self, myself, arguments)
    }

    fn post_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        Actor::post_start(self, myself, state)
    }

    fn handle(
        &self,
        myself: &ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        Actor::handle(self, myself, message, state)
    }

    fn on_error(&self, error: &ActorError, state: &mut Self::State) -> ErrorAction {
        Actor::on_error(self, error, state)
    }

    fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        Actor::handle_supervisor_evt(self, myself, event, state)
    }

    fn post_stop(
        &self,
        myself: &ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> {
        Actor::post_stop(self, myself, state)
    }
}

fn end_with_child<M: Send + 'static>(
    myself: &ActorRef<M>,
    event: SupervisionEvent,
) -> Result<(), ActorError> {
    match event {
        SupervisionEvent::Suspended { actor, .. }
        | SupervisionEvent::Terminated { actor, .. }
        | SupervisionEvent::Failed { actor, .. } => {
            myself.stop(Some(&format!("child {} ended", actor.id())));
            Ok(())
        }
        SupervisionEvent::Escalated { actor, exit } => Err(Escalation { actor: actor.id(), exit }.into()),
        _ => Ok(()),
    }
}

/// A child's failure that is its supervisor's too.
#[derive(Debug, thiserror::Error)]
#[error("child {actor} {exit}")]
struct Escalation {
    actor: ActorId,
    exit: Exit,
}
