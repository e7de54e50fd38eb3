//! The traits that users implement: what a durable actor is, and how it handles a command, with its state kept whole or with
//! events. Nothing here runs them.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use actor_core::ActorError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{CodecError, decode, unknown};
use crate::id::DurableId;
use crate::limits::{
    ATTEMPTS_DEFAULT, JOURNAL_KEPT_DEFAULT, REMEMBERED_DEFAULT, SNAPSHOT_BYTES_DEFAULT,
    SNAPSHOT_EVERY_DEFAULT,
};
use crate::question::{Answer, untaken};
use crate::turn::Turn;

/// When what a turn did is stored, and when its reply leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Never. Each activation begins with a new state, and what waits in it is lost when it ends. Nothing is taken back: what a
    /// handler did to the state stays though it refuses the command, and if it panics the activation ends.
    Volatile,
    /// Before the reply leaves. Nothing that was answered is lost.
    #[default]
    WriteThrough,
    /// At the latest this long after the turn; the reply leaves at once, unless the lease of the process has been over: then it
    /// waits until the store has confirmed that the actor is still its own. A crash loses the turns of that time, answered or not;
    /// a passivation or a stop loses nothing. A store that is away or full is asked again for
    /// [`COMMIT_RETRIED_MAX`](crate::limits::COMMIT_RETRIED_MAX), and the actor waits; after that the turns are lost. So they are
    /// if the store does not say whether it has stored them and has not, or if another process has the actor by then.
    WriteBack(Duration),
    /// When the activation ends, or when [as much](crate::limits::STAGED_TURNS_MAX) is staged as may be; the reply leaves as with
    /// [`WriteBack`](Self::WriteBack). A crash loses the turns since then, answered or not; a passivation or a stop loses nothing.
    /// What else loses turns is as with [`WriteBack`](Self::WriteBack).
    Lazy,
}

/// What all kinds of durable actors have in common.
///
/// `&self` is configuration, such as a client of a service: one value serves all actors of the type. `State` is what one actor
/// is, and what is stored.
pub trait Durable: Send + Sync + 'static {
    /// The name of the type in stores. It outlives the code: do not change it. At most
    /// [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes, without control characters.
    const TYPE: &'static str;
    /// See [`Durability`].
    const DURABILITY: Durability = Durability::WriteThrough;
    /// How many handled messages one actor remembers, so that none of them takes effect again.
    const REMEMBERED: usize = REMEMBERED_DEFAULT;
    /// How many turns stay in the journal behind those that the state needs. If the state is kept whole the journal is trimmed when
    /// there are twice as many; if events are kept, when the state is stored. A single commit may have more.
    const JOURNAL_KEPT: u64 = JOURNAL_KEPT_DEFAULT;
    /// How many attempts to handle a message from the inbox there are before it is given up as poison.
    const ATTEMPTS_MAX: u32 = ATTEMPTS_DEFAULT;
    /// How long an actor may have nothing to do before it is passivated; `None` for no limit. Calls and messages are something to
    /// do, and so is a message that is to be tried again; its own timers are not.
    const IDLE_MAX: Option<Duration> = None;
    /// The version of [`State`](Self::State)'s encoding. Raise it when the encoding changes.
    const STATE_VERSION: u32 = 1;
    /// The version of [`Command`](Self::Command)'s encoding. Raise it when the encoding changes.
    const COMMAND_VERSION: u32 = 1;

    /// What one actor is. Skip what is not to be stored, and restore it in [`on_recover`](Self::on_recover).
    ///
    /// It is stored in postcard, as commands, events and replies are, which does not describe itself: use no
    /// `#[serde(skip_serializing_if)]`, `flatten`, `untagged`, or `tag` without `content`, and neither `skip_serializing` nor
    /// `skip_deserializing` without the other. A value that leaves a field with a name out by `skip_serializing_if` is refused with
    /// [`CodecError::Unencodable`]; serde does not tell of one without a name. So are a first state and an event that cannot be read
    /// again, and with `debug_assertions` every state, command and reply.
    type State: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What it is asked to do; usually an enum.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Why it refuses a command. A refused command has changed nothing.
    type Error: Serialize + DeserializeOwned + Display + Send + 'static;

    /// The state of a new actor.
    fn create(&self, id: &DurableId) -> Self::State;

    /// Whether a command only reads the state. Its turn is not stored and its reply is not remembered. It must not change the
    /// state.
    fn is_query(command: &Self::Command) -> bool {
        let _ = command;
        false
    }

    /// Restores what is not stored. It runs first in each activation, once the state has been read or created, and again whenever an
    /// activation makes the state anew, such as after a panic, after a refused command that has changed the state, and when a
    /// [supervisor](crate::supervise) starts the actor again.
    ///
    /// # Errors
    ///
    /// Any error ends the activation.
    fn on_recover(
        &self,
        id: &DurableId,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (id, state);
        async { Ok(()) }
    }

    /// Runs before each checkpoint, that is, each time the state is stored so that the journal before it can be trimmed. It runs
    /// again for one that failed.
    fn on_checkpoint(&self, id: &DurableId, state: &Self::State) {
        let _ = (id, state);
    }

    /// Converts a stored state of another version into one of this version.
    ///
    /// # Errors
    ///
    /// [`CodecError::UnknownVersion`] for a version that it does not know; unless overridden, for every one.
    fn upcast_state(version: u32, bytes: &[u8]) -> Result<Self::State, CodecError> {
        let _ = bytes;
        unknown("a state", version, Self::STATE_VERSION)
    }

    /// Converts a command of another version into one of this version.
    ///
    /// # Errors
    ///
    /// As [`upcast_state`](Self::upcast_state).
    fn upcast_command(version: u32, bytes: &[u8]) -> Result<Self::Command, CodecError> {
        let _ = bytes;
        unknown("a command", version, Self::COMMAND_VERSION)
    }

    /// Converts the answer to a [question](crate::Turn::ask) of this actor into a command, which is handled like any other.
    ///
    /// ```
    /// # use actor_durable::{Answer, CodecError, Durable, DurableActor, DurableId, NoError, Turn};
    /// # use serde::{Deserialize, Serialize};
    /// # struct Bank;
    /// # impl Durable for Bank {
    /// #     const TYPE: &'static str = "bank";
    /// #     type State = ();
    /// #     type Command = u32;
    /// #     type Reply = u32;
    /// #     type Error = NoError;
    /// #     fn create(&self, _: &DurableId) {}
    /// # }
    /// struct Order;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// enum Command {
    ///     Pay,
    ///     Paid { is_paid: bool },
    /// }
    ///
    /// impl Durable for Order {
    ///     const TYPE: &'static str = "order";
    /// #   type State = bool;
    ///     type Command = Command;
    /// #   type Reply = ();
    /// #   type Error = NoError;
    /// #   fn create(&self, _: &DurableId) -> bool { false }
    ///     // …
    ///     fn on_answer(answer: &Answer<'_>) -> Result<Command, CodecError> {
    ///         Ok(Command::Paid { is_paid: answer.reply::<Bank>().is_ok() })
    ///     }
    /// }
    ///
    /// impl DurableActor for Order {
    ///     async fn handle(&self, command: Command, paid: &mut bool, turn: &mut Turn<'_, Self>) -> Result<(), NoError> {
    ///         match command {
    ///             Command::Pay => drop(turn.ask::<Bank>("payment", "bank-1", &17)),
    ///             Command::Paid { is_paid } => *paid = is_paid,
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CodecError::UnknownName`] for a question that it does not know; unless overridden, for every one. The answer is then a
    /// message that cannot be read, and ends as a dead letter.
    fn on_answer(answer: &Answer<'_>) -> Result<Self::Command, CodecError> {
        untaken(answer)
    }

    /// Reads a stored command. Only `#[actor(durable)]` overrides it, as it finds commands by their names.
    ///
    /// # Errors
    ///
    /// As [`upcast_state`](Self::upcast_state).
    #[doc(hidden)]
    fn read_command(version: u32, bytes: &[u8]) -> Result<Self::Command, CodecError> {
        match version {
            version if version == Self::COMMAND_VERSION => decode("a command", version, bytes),
            version => Self::upcast_command(version, bytes),
        }
    }

    /// Reads a stored reply or refusal. As [`read_command`](Self::read_command).
    ///
    /// # Errors
    ///
    /// [`CodecError::Undecodable`].
    #[doc(hidden)]
    fn read_reply(bytes: &[u8]) -> Result<Result<Self::Reply, Self::Error>, CodecError> {
        decode("a reply", Self::COMMAND_VERSION, bytes)
    }
}

/// A durable actor whose state is kept whole: it is stored after each turn that has changed it.
///
/// ```
/// use actor_durable::{Durable, DurableActor, DurableId, NoError, Turn};
/// use serde::{Deserialize, Serialize};
///
/// struct Counter;
///
/// #[derive(Serialize, Deserialize)]
/// enum Command {
///     Add(i64),
/// }
///
/// impl Durable for Counter {
///     const TYPE: &'static str = "counter";
///     type State = i64;
///     type Command = Command;
///     type Reply = i64;
///     type Error = NoError;
///
///     fn create(&self, _: &DurableId) -> i64 {
///         0
///     }
/// }
///
/// impl DurableActor for Counter {
///     async fn handle(&self, command: Command, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
///         let Command::Add(by) = command;
///         *n += by;
///         Ok(*n)
///     }
/// }
/// ```
pub trait DurableActor: Durable + Sized {
    /// Runs once in an actor's life, before its first command. What it does is stored before anything else happens; if that fails it
    /// runs again.
    ///
    /// # Errors
    ///
    /// Any error ends the activation, and nothing is stored.
    fn on_start(
        &self,
        state: &mut Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (state, turn);
        async { Ok(()) }
    }

    /// Handles one command.
    ///
    /// What it does to the state and asks for by the turn is stored in one step, together with the reply. It may run more than
    /// once for one command, if a process or a store fails meanwhile; what is stored is the outcome of one run. What it does to
    /// the outside by itself is neither held back nor undone: use [`Turn::effect`] for that.
    ///
    /// # Errors
    ///
    /// The command is refused: the state is as it was before, unless the actor is [volatile](Durability::Volatile), and nothing that
    /// was asked for by the turn happens. The error is stored and remembered as a reply is.
    ///
    /// # Panics
    ///
    /// A panic is contained, unless the actor is volatile: the state is as it was before. A call then fails with
    /// [`NotApplied::Panicked`](crate::NotApplied::Panicked), and a message from the inbox is tried again, up to
    /// [`ATTEMPTS_MAX`](Durable::ATTEMPTS_MAX) times.
    fn handle(
        &self,
        command: Self::Command,
        state: &mut Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<Self::Reply, Self::Error>> + Send;
}

/// A durable actor whose events are kept, and whose state is computed from them.
pub trait EventSourced: Durable + Sized {
    /// What happened; usually an enum, in the past tense.
    type Event: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The version of [`Event`](Self::Event)'s encoding. Raise it when the encoding changes.
    const EVENT_VERSION: u32 = 1;
    /// After how many events, or turns, the state is stored beside them, so that a recovery does not start with the first.
    const SNAPSHOT_EVERY: u64 = SNAPSHOT_EVERY_DEFAULT;
    /// After how many bytes of events the state is stored beside them, however few the events are.
    const SNAPSHOT_BYTES: usize = SNAPSHOT_BYTES_DEFAULT;

    /// Runs once in an actor's life, before its first command. The events that it returns are the first.
    ///
    /// # Errors
    ///
    /// Any error ends the activation, and nothing is stored.
    fn on_start(
        &self,
        state: &Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<Vec<Self::Event>, ActorError>> + Send {
        let _ = (state, turn);
        async { Ok(Vec::new()) }
    }

    /// Decides which events a command leads to. Everything that can speak against it is checked here.
    ///
    /// # Errors
    ///
    /// As [`DurableActor::handle`].
    ///
    /// # Panics
    ///
    /// As [`DurableActor::handle`].
    fn decide(
        &self,
        command: Self::Command,
        state: &Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<Decision<Self::Event, Self::Reply>, Self::Error>> + Send;

    /// Applies an event to the state. It cannot fail, since what is in the journal has happened, and must depend on nothing but
    /// its arguments.
    ///
    /// # Panics
    ///
    /// A panic in the turn of a command counts as one of [`decide`](Self::decide), and nothing is stored. If it panics when the journal
    /// is read, the actor cannot be activated.
    fn apply(&self, state: &mut Self::State, event: &Self::Event);

    /// Converts a stored event of another version into one of this version.
    ///
    /// # Errors
    ///
    /// As [`Durable::upcast_state`].
    fn upcast_event(version: u32, bytes: &[u8]) -> Result<Self::Event, CodecError> {
        let _ = bytes;
        unknown("an event", version, Self::EVENT_VERSION)
    }
}

/// What a command leads to. See [`EventSourced::decide`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<E, R> {
    /// What happens, in order.
    pub events: Vec<E>,
    /// What the caller is told.
    pub reply: R,
}

impl<E, R> Decision<E, R> {
    /// A reply without events.
    pub fn reply(reply: R) -> Self {
        Self { events: Vec::new(), reply }
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: E) -> Self {
        self.events.push(event);
        self
    }
}

/// The error of a type that refuses no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum NoError {}
