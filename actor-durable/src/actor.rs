//! The traits a user writes: what a durable actor is, and how it takes a command, with its state as what is kept or with
//! events. Nothing here runs them.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use actor_core::ActorError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::form::{BadForm, decode, unknown};
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
    /// Never. Nothing of it is in a store: an activation begins with a new state, and what waits in it is lost with it.
    Volatile,
    /// Before the reply leaves: what anybody was told is stored. Nothing that was answered is lost.
    #[default]
    WriteThrough,
    /// At the latest so long after the turn; the reply leaves at once. A crash loses the turns of that time, answered or not;
    /// a passivation or a stop loses nothing.
    WriteBack(Duration),
    /// When the activation ends, or when there is no room in memory for more. A crash loses the turns since then, answered or
    /// not.
    Lazy,
}

/// What all durable actors say of themselves.
///
/// `&self` is configuration, such as a client of a service, and one value serves all actors of the type; `State` is what one
/// actor is, and what is kept.
pub trait Durable: Send + Sync + 'static {
    /// What stores call the type. It outlives the code: do not change it. At most
    /// [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes, without control characters.
    const TYPE: &'static str;
    /// See [`Durability`].
    const DURABILITY: Durability = Durability::WriteThrough;
    /// How many handled messages one actor remembers, so that none of them has an effect again.
    const REMEMBERED: usize = REMEMBERED_DEFAULT;
    /// How many turns stay in the journal behind those that the state needs. Where the state
    /// is kept whole it is cut when there are twice as many; beside events, when the state is stored. One commit may be more.
    const JOURNAL_KEPT: u64 = JOURNAL_KEPT_DEFAULT;
    /// How often the handling of a message from the inbox is begun before it is given up as poison.
    const ATTEMPTS_MAX: u32 = ATTEMPTS_DEFAULT;
    /// For how long it may have nothing to do before its memory is given back; `None` for ever.
    const IDLE_MAX: Option<Duration> = None;
    /// The version of [`State`](Self::State)'s form. Raise it when the form changes.
    const STATE_VERSION: u32 = 1;
    /// The version of [`Command`](Self::Command)'s form. Raise it when the form changes.
    const COMMAND_VERSION: u32 = 1;

    /// What one actor is. What is not to be kept is skipped, and made anew by [`on_recover`](Self::on_recover).
    type State: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What it is asked; usually an enum.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Why it refuses. A refused command has changed nothing.
    type Error: Serialize + DeserializeOwned + Display + Send + 'static;

    /// The state of an actor that nobody has heard of.
    fn create(&self, id: &DurableId) -> Self::State;

    /// Whether a command only looks. Its turn is not stored, its reply is not remembered, and a state it changes is an error
    /// of the program's.
    fn is_query(command: &Self::Command) -> bool {
        let _ = command;
        false
    }

    /// Runs when the actor was read from the store, before anything else: makes what is not kept.
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

    /// Runs once for each checkpoint: each time that the state is stored so that what came before it in the journal can go,
    /// and before it is. It runs anew for one that failed.
    fn on_checkpoint(&self, id: &DurableId, state: &Self::State) {
        let _ = (id, state);
    }

    /// Makes a state of an older version into one of this.
    ///
    /// # Errors
    ///
    /// [`BadForm::UnknownVersion`] for a version that it does not know: unless overridden, for every other one.
    fn upcast_state(version: u32, bytes: &[u8]) -> Result<Self::State, BadForm> {
        let _ = bytes;
        unknown("a state", version, Self::STATE_VERSION)
    }

    /// Makes a command of an older version into one of this.
    ///
    /// # Errors
    ///
    /// As [`upcast_state`](Self::upcast_state).
    fn upcast_command(version: u32, bytes: &[u8]) -> Result<Self::Command, BadForm> {
        let _ = bytes;
        unknown("a command", version, Self::COMMAND_VERSION)
    }

    /// Makes a command of the answer to a [question](crate::Turn::ask) that the actor has asked: it is handled as any other.
    ///
    /// ```
    /// # use actor_durable::{Answer, BadForm, Durable, DurableActor, DurableId, NoError, Turn};
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
    ///     fn on_answer(answer: &Answer<'_>) -> Result<Command, BadForm> {
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
    /// [`BadForm::UnknownName`] for a question that it does not know: unless overridden, for each. The answer is then a message
    /// that cannot be read, and goes where such go.
    fn on_answer(answer: &Answer<'_>) -> Result<Self::Command, BadForm> {
        untaken(answer)
    }

    /// Reads a command as it was stored. Not for people: `#[actor(durable)]` knows its commands by their names.
    ///
    /// # Errors
    ///
    /// As [`upcast_state`](Self::upcast_state).
    #[doc(hidden)]
    fn read_command(version: u32, bytes: &[u8]) -> Result<Self::Command, BadForm> {
        match version {
            version if version == Self::COMMAND_VERSION => decode("a command", version, bytes),
            version => Self::upcast_command(version, bytes),
        }
    }

    /// Reads a reply or a refusal as it was stored, as [`read_command`](Self::read_command) does.
    ///
    /// # Errors
    ///
    /// [`BadForm::Undecodable`].
    #[doc(hidden)]
    fn read_reply(bytes: &[u8]) -> Result<Result<Self::Reply, Self::Error>, BadForm> {
        decode("a reply", Self::COMMAND_VERSION, bytes)
    }
}

/// A durable actor whose state is kept whole, after each turn that changed it.
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
    /// Runs once in an actor's life, before its first command: what it does is stored before anything else happens. If that
    /// fails it runs again.
    ///
    /// # Errors
    ///
    /// Any error ends the activation, and nothing was.
    fn on_start(
        &self,
        state: &mut Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (state, turn);
        async { Ok(()) }
    }

    /// Takes one command.
    ///
    /// What it does to the state, sends and sets by the turn is stored as one, together with the reply. It may run more than
    /// once for one command, if a process or a store fails meanwhile; what is stored is of one run. What it does elsewhere
    /// by itself is not held back and not undone: that is for the outbox, [`Turn::effect`].
    ///
    /// # Errors
    ///
    /// The state is as it was before, and nothing is sent or set. The error is stored and remembered as a reply is.
    fn handle(
        &self,
        command: Self::Command,
        state: &mut Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<Self::Reply, Self::Error>> + Send;
}

/// A durable actor whose events are kept, and whose state is what they come to.
pub trait EventSourced: Durable + Sized {
    /// What happened; usually an enum, in the past tense.
    type Event: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The version of [`Event`](Self::Event)'s form. Raise it when the form changes.
    const EVENT_VERSION: u32 = 1;
    /// After how many events, or turns, the state is stored beside them, so that a recovery does not begin at the first.
    const SNAPSHOT_EVERY: u64 = SNAPSHOT_EVERY_DEFAULT;
    /// After how many bytes of events the state is stored beside them, however few events they are.
    const SNAPSHOT_BYTES: usize = SNAPSHOT_BYTES_DEFAULT;

    /// Runs once in an actor's life, before its first command; what it returns happened first.
    ///
    /// # Errors
    ///
    /// Any error ends the activation, and nothing was.
    fn on_start(
        &self,
        state: &Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<Vec<Self::Event>, ActorError>> + Send {
        let _ = (state, turn);
        async { Ok(Vec::new()) }
    }

    /// Decides what a command leads to. All that can be against it is found out here.
    ///
    /// # Errors
    ///
    /// As [`DurableActor::handle`].
    fn decide(
        &self,
        command: Self::Command,
        state: &Self::State,
        turn: &mut Turn<'_, Self>,
    ) -> impl Future<Output = Result<Decision<Self::Event, Self::Reply>, Self::Error>> + Send;

    /// What an event does to the state. It cannot fail: what is in the journal happened. It depends on nothing else.
    fn apply(&self, state: &mut Self::State, event: &Self::Event);

    /// Makes an event of an older version into one of this.
    ///
    /// # Errors
    ///
    /// As [`Durable::upcast_state`].
    fn upcast_event(version: u32, bytes: &[u8]) -> Result<Self::Event, BadForm> {
        let _ = bytes;
        unknown("an event", version, Self::EVENT_VERSION)
    }
}

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<E, R> {
    /// What happens, in order.
    pub events: Vec<E>,
    /// What the caller is told.
    pub reply: R,
}

impl<E, R> Decision<E, R> {
    /// Nothing happens.
    pub fn reply(reply: R) -> Self {
        Self { events: Vec::new(), reply }
    }

    /// One more event.
    #[must_use]
    pub fn event(mut self, event: E) -> Self {
        self.events.push(event);
        self
    }
}

/// The error of a type that refuses no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum NoError {}
