//! A plain actor made durable: what its user adds, and how its turns are made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{Actor, ActorError, CallFailure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::myself::{Inbound, Life, Rests};
use super::reply_to::ReplyTo;
use crate::actor::{Durability, Durable};
use crate::codec::{CodecError, unknown};
use crate::error::error_text;
use crate::id::DurableId;
use crate::limits::{ATTEMPTS_DEFAULT, JOURNAL_KEPT_DEFAULT, REMEMBERED_DEFAULT};
use crate::model::{Keeps, Model, NotReplayed, NotRun, Ran, TurnRequester, no_events};
use crate::question::{Answer, untaken};
use crate::store::Body;
use crate::turn::Turn;

/// Makes a plain [`Actor`] durable: its state can be encoded, and its messages are made of commands that can be.
///
/// [Register](crate::DurableBuilder::wrap) it with a system, and call it as [`Wrapped`] of its type.
///
/// ```
/// use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
/// use actor_durable::{DurableId, ReplyTo, WrapActor};
/// use serde::{Deserialize, Serialize};
///
/// // The actor, as it was.
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
///
/// // What makes it durable.
/// #[derive(Serialize, Deserialize)]
/// enum Command {
///     Add(u64),
///     Get,
/// }
///
/// impl WrapActor for Counter {
///     const TYPE: &'static str = "counter";
///     type Command = Command;
///     type Reply = Option<u64>;
///
///     fn arguments(&self, _: &DurableId) -> u64 {
///         0
///     }
///
///     fn message(command: Command, to: ReplyTo<Option<u64>>) -> Message {
///         match command {
///             Command::Add(by) => {
///                 to.always(None);
///                 Message::Add(by)
///             }
///             Command::Get => Message::Get(to.port_as(Some)),
///         }
///     }
/// }
/// ```
///
/// # How a plain actor behaves when it is durable
///
/// A *life* is the time between one `post_start` and the next: an activation has one life, or several if an error or a panic left
/// the state changed.
///
/// - **A command** is one turn: its message is handled, and the state and the reply are stored in one step before the reply
///   leaves. A command with the same id takes no second effect and gets the same reply.
/// - **An error of `handle`** refuses the command with [`WrapError::Failed`], which has the error's text, and leaves the state as it
///   was. `on_error` is not called. **A panic** is treated as in any durable actor: a call fails with nothing applied, and a
///   message from the inbox is tried again and then given up. If the state had been changed, a new life begins with the stored
///   state.
/// - **A reply** has to be there when the handler returns; see [`ReplyTo`].
/// - **`pre_start`** builds the state of a new actor, once. **`post_start`** runs at the beginning of each life; restore there what
///   serde skips in the state. **`post_stop`** runs when an activation ends normally, once everything is stored; what it does to the
///   state is not stored.
/// - **`myself`** lives as long as the life. What the actor, its timers or its tasks send to it is volatile, and is handled in a
///   turn of its own, which is stored if it has changed the state. If that turn fails, the state is as it was and a warning is
///   logged. Messages to `myself` are sorted by the actor's `SORTING`; commands are handled in the order in which they were
///   accepted. Use [`on_handled`](Self::on_handled) to send what must not be lost.
/// - **`myself.stop`**, `drain` and `kill` passivate the actor once the commands that it has accepted are handled. The next command
///   activates it again; [`Turn::end`] ends it for good.
/// - **Children** that are linked to `myself` end with the life, and have ended when the next one begins, which may use their names.
///   `handle_supervisor_evt` is a turn like that of a message to `myself`. Unless it is overridden, the end of a child stops
///   `myself`.
/// - **Everything else** that a handler does, such as sending to another actor, happens at once: it is not held back until the turn
///   is stored, and may happen again if the turn is not.
pub trait WrapActor: Actor<State: Serialize + DeserializeOwned + Sync> {
    /// See [`Durable::TYPE`].
    const TYPE: &'static str;
    /// See [`Durability`]. `Volatile` does not compile: spawn a volatile actor as it is.
    const DURABILITY: Durability = Durability::WriteThrough;
    /// See [`Durable::REMEMBERED`].
    const REMEMBERED: usize = REMEMBERED_DEFAULT;
    /// See [`Durable::JOURNAL_KEPT`].
    const JOURNAL_KEPT: u64 = JOURNAL_KEPT_DEFAULT;
    /// See [`Durable::ATTEMPTS_MAX`].
    const ATTEMPTS_MAX: u32 = ATTEMPTS_DEFAULT;
    /// See [`Durable::IDLE_MAX`]. Messages to `myself` do not count as something to do.
    const IDLE_MAX: Option<Duration> = None;
    /// See [`Durable::STATE_VERSION`].
    const STATE_VERSION: u32 = 1;
    /// See [`Durable::COMMAND_VERSION`].
    const COMMAND_VERSION: u32 = 1;

    /// What it is asked to do; usually an enum like that of its messages, without the reply ports.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// The arguments of a new actor.
    fn arguments(&self, id: &DurableId) -> Self::Arguments;

    /// The message for a command. Its reply goes to `to`.
    fn message(command: Self::Command, to: ReplyTo<Self::Reply>) -> Self::Msg;

    /// See [`Durable::is_query`].
    fn is_query(command: &Self::Command) -> bool {
        let _ = command;
        false
    }

    /// Runs in each turn after the handler has succeeded, and in the actor's first turn. Ask here for what is to happen if and only
    /// if the turn is stored: messages to other durable actors, questions, effects, reminders.
    ///
    /// # Errors
    ///
    /// As an error of `handle`.
    fn on_handled(
        &self,
        state: &mut Self::State,
        turn: &mut Turn<'_, Wrapped<Self>>,
    ) -> Result<(), ActorError> {
        let _ = (state, turn);
        Ok(())
    }

    /// Makes a command of the answer to a question that [`on_handled`](Self::on_handled) has [asked](Turn::ask): its message is
    /// handled as any other. See [`Durable::on_answer`].
    ///
    /// # Errors
    ///
    /// As there.
    fn on_answer(answer: &Answer<'_>) -> Result<Self::Command, CodecError> {
        untaken(answer)
    }

    /// See [`Durable::upcast_state`].
    ///
    /// # Errors
    ///
    /// As there.
    fn upcast_state(version: u32, bytes: &[u8]) -> Result<Self::State, CodecError> {
        let _ = bytes;
        unknown("a state", version, Self::STATE_VERSION)
    }

    /// See [`Durable::upcast_command`].
    ///
    /// # Errors
    ///
    /// As there.
    fn upcast_command(version: u32, bytes: &[u8]) -> Result<Self::Command, CodecError> {
        let _ = bytes;
        unknown("a command", version, Self::COMMAND_VERSION)
    }
}

/// A plain actor as a durable actor: `system.actor::<Wrapped<Counter>>("c1")`.
#[derive(Debug)]
pub struct Wrapped<A>(A);

/// Why a wrapped actor refuses a command. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// The handler failed, or failed the call. This is the error's text, with those of its sources.
    #[error("{0}")]
    Failed(String),
    /// The handler returned before there was a reply.
    #[error("the handler gave no reply")]
    Unanswered,
}

/// The state of a wrapped actor, and the life that it is in.
pub struct WrappedState<A: WrapActor> {
    /// None before there was one.
    state: Option<A::State>,
    life: Option<Life<A::Msg>>,
}

impl<A: WrapActor> Durable for Wrapped<A> {
    const TYPE: &'static str = A::TYPE;
    const DURABILITY: Durability = {
        assert!(
            !matches!(A::DURABILITY, Durability::Volatile),
            "a volatile actor need not be wrapped: spawn it as it is"
        );
        A::DURABILITY
    };
    const REMEMBERED: usize = A::REMEMBERED;
    const JOURNAL_KEPT: u64 = A::JOURNAL_KEPT;
    const ATTEMPTS_MAX: u32 = A::ATTEMPTS_MAX;
    const IDLE_MAX: Option<Duration> = A::IDLE_MAX;
    const STATE_VERSION: u32 = A::STATE_VERSION;
    const COMMAND_VERSION: u32 = A::COMMAND_VERSION;

    type State = WrappedState<A>;
    type Command = A::Command;
    type Reply = A::Reply;
    type Error = WrapError;

    fn create(&self, _: &DurableId) -> WrappedState<A> {
        WrappedState { state: None, life: None }
    }

    fn is_query(command: &A::Command) -> bool {
        A::is_query(command)
    }

    fn upcast_state(version: u32, bytes: &[u8]) -> Result<WrappedState<A>, CodecError> {
        // As postcard encodes an `Option`: a byte that says whether there is a value, then the value.
        let state = match bytes {
            [0] => None,
            [_, bytes @ ..] => Some(A::upcast_state(version, bytes)?),
            [] => return unknown("a state", version, Self::STATE_VERSION),
        };
        Ok(WrappedState { state, life: None })
    }

    fn upcast_command(version: u32, bytes: &[u8]) -> Result<A::Command, CodecError> {
        A::upcast_command(version, bytes)
    }

    fn on_answer(answer: &Answer<'_>) -> Result<A::Command, CodecError> {
        A::on_answer(answer)
    }
}

/// See [`WrapActor`].
pub(crate) struct ByWrapping<A: WrapActor> {
    wrapped: Wrapped<A>,
    rests: Arc<Rests<A::Msg>>,
}

impl<A: WrapActor> ByWrapping<A> {
    pub(crate) fn new(actor: A) -> Self {
        Self { wrapped: Wrapped(actor), rests: Arc::default() }
    }

    fn plain(&self) -> &A {
        &self.wrapped.0
    }
}

impl<A: WrapActor> Model for ByWrapping<A> {
    type Actor = Wrapped<A>;

    const KEEPS: Keeps = Keeps::State;

    fn actor(&self) -> &Wrapped<A> {
        &self.wrapped
    }

    async fn recover(
        &self,
        id: &DurableId,
        held: &mut WrappedState<A>,
        requester: &impl TurnRequester,
    ) -> Result<(), ActorError> {
        let actor = self.plain();
        let life = Life::begin::<A>(id, &self.rests, requester).await?;
        let mut state = match held.state.take() {
            Some(state) => state,
            None => actor.pre_start(life.myself(), actor.arguments(id)).await?,
        };
        actor.post_start(life.myself(), &mut state).await?;
        *held = WrappedState { state: Some(state), life: Some(life) };
        Ok(())
    }

    async fn start(
        &self,
        held: &mut WrappedState<A>,
        turn: &mut Turn<'_, Wrapped<A>>,
    ) -> Result<Vec<Body>, ActorError> {
        let (_, state) = held.alive()?;
        self.plain().on_handled(state, turn)?;
        Ok(Vec::new())
    }

    async fn run(
        &self,
        command: A::Command,
        held: &mut WrappedState<A>,
        turn: &mut Turn<'_, Wrapped<A>>,
    ) -> Ran<Wrapped<A>> {
        let (life, state) = held.alive().map_err(refused)?;
        let (to, reply) = ReplyTo::new();
        let message = A::message(command, to);
        self.plain().handle(life.myself(), message, state).await.map_err(refused)?;
        self.plain().on_handled(state, turn).map_err(refused)?;
        match reply.take() {
            Some(Ok(reply)) => Ok((reply, Vec::new())),
            Some(Err(CallFailure::NoReply)) | None => Err(NotRun::Refused(WrapError::Unanswered)),
            Some(Err(failure)) => Err(NotRun::Refused(WrapError::Failed(failure.to_string()))),
        }
    }

    async fn run_own(
        &self,
        held: &mut WrappedState<A>,
        turn: &mut Turn<'_, Wrapped<A>>,
    ) -> Result<(), NotRun<WrapError>> {
        let (life, state) = held.alive().map_err(refused)?;
        let handled = match life.take() {
            // It was for an earlier life.
            None => return Ok(()),
            Some(Inbound::Message(message)) => self.plain().handle(life.myself(), message, state).await,
            Some(Inbound::Event(event)) => {
                self.plain().handle_supervisor_evt(life.myself(), event, state).await
            }
        };
        handled.map_err(refused)?;
        self.plain().on_handled(state, turn).map_err(refused)
    }

    async fn replay(&self, _: &DurableId, _: &mut WrappedState<A>, event: &Body) -> Result<(), NotReplayed> {
        Err(no_events(event).into())
    }

    async fn finish(&self, held: &mut WrappedState<A>) {
        let Ok((life, state)) = held.alive() else { return };
        if let Err(error) = self.plain().post_stop(life.myself(), state).await {
            tracing::warn!(actor = A::TYPE, %error, "`post_stop` of a wrapped actor failed");
        }
        if let Some(life) = &mut held.life {
            life.end().await;
        }
    }
}

impl<A: WrapActor> WrappedState<A> {
    /// An actor that was recovered has both.
    fn alive(&mut self) -> Result<(&Life<A::Msg>, &mut A::State), ActorError> {
        match self {
            Self { state: Some(state), life: Some(life) } => Ok((life, state)),
            _ => Err("it is not in memory".into()),
        }
    }
}

fn refused(error: ActorError) -> NotRun<WrapError> {
    NotRun::Refused(WrapError::Failed(error_text(&error)))
}

impl<A: WrapActor> Serialize for WrappedState<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.state.serialize(serializer)
    }
}

impl<'de, A: WrapActor> Deserialize<'de> for WrappedState<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { state: Option::deserialize(deserializer)?, life: None })
    }
}

impl<A: WrapActor<State: fmt::Debug>> fmt::Debug for WrappedState<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedState").field("state", &self.state).finish_non_exhaustive()
    }
}
