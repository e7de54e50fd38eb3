//! What waits for an actor, leaves it, or is to come to it later.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Firing;
use crate::id::{DurableId, MessageId, Name, Position, Sequence, Target, WallTime};

/// What a message says, and in which version of its type's form.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Body {
    /// The version of the type that wrote it.
    pub version: u32,
    /// The bytes.
    pub bytes: Bytes,
}

/// Short texts beside a message that whoever does not know them hands on.
pub type Headers = BTreeMap<String, String>;

/// A message to a durable actor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// To whom.
    pub to: Target,
    /// Which. The same id to the same actor is the same message, whatever else differs.
    pub id: MessageId,
    /// The durable actor it comes from, if it is one.
    pub from: Option<DurableId>,
    /// The actor that is sent the reply.
    pub reply_to: Option<Target>,
    /// When it was sent, by the sender's clock.
    pub sent_at: WallTime,
    /// What it says.
    pub body: Body,
    /// See [`Headers`].
    pub headers: Headers,
}

/// A message in an actor's inbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Those before it came earlier.
    pub position: Position,
    /// How often its handling was begun and not finished.
    pub attempts: u32,
    /// The message.
    pub message: Message,
}

impl Letter {
    /// As it is kept once it was given up. Whoever waits for the reply is told so in the same turn, and that was the reply: there
    /// is no second one, though the message be put back and handled.
    pub fn given_up(self, at: WallTime, reason: String) -> DeadLetter {
        let message = Message { reply_to: None, ..self.message };
        DeadLetter { letter: Letter { message, ..self }, at, reason }
    }
}

/// What became of a message that was put into an inbox. One that is given up counts as handled too, and is said to be
/// [`Dead`](Self::Dead); one that is handled may wait too, and is said to be [`Handled`](Self::Handled).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Enqueued {
    /// It is new, and is stored.
    Stored,
    /// The same one waits already; nothing was changed.
    Waiting,
    /// The same one was handled already, though it may lie in the inbox too; nothing was changed.
    Handled(Option<Bytes>),
    /// The same one was given up as poison and lies among the dead letters; nothing was changed.
    Dead,
}

/// Where in an outbox a message lies: as it was sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OutboxPosition {
    /// The entry of the turn that sent it.
    pub sequence: Sequence,
    /// Which of that turn's.
    pub index: u32,
}

/// Whither a message leaves.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Destination {
    /// The inbox of a durable actor.
    Actor(Target),
    /// Something outside that the program has given a name: mail, a payment service.
    Outlet(Name),
}

/// A message that an actor has sent and that is not known to have arrived.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its place: messages to one destination leave in this order.
    pub position: OutboxPosition,
    /// Whither.
    pub to: Destination,
    /// The key by which the receiver knows it again.
    pub id: MessageId,
    /// The actor that is sent the reply.
    pub reply_to: Option<Target>,
    /// When the turn sent it.
    pub sent_at: WallTime,
    /// What it says.
    pub body: Body,
    /// See [`Headers`].
    pub headers: Headers,
}

impl Outgoing {
    /// As it comes to a durable actor.
    pub fn message(&self, from: DurableId, to: Target) -> Message {
        let Self { id, reply_to, sent_at, body, headers, .. } = self.clone();
        Message { to, id, from: Some(from), reply_to, sent_at, body, headers }
    }
}

/// What becomes of the times at which a reminder was due while nobody was there to see to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub enum CatchUp {
    /// They are one.
    #[default]
    FireOnce,
    /// They are none: it is due next at its next time. A reminder without a period that was missed fires never.
    Skip,
    /// They are as many as they were.
    FireAll,
}

/// A message that an actor will get later, from nobody. It outlives the process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reminder {
    /// The actor has no other one of this name: setting it again replaces it.
    pub name: Name,
    /// The entry of the turn that has set it: one that is set again is another, though all else be the same.
    pub set_by: Sequence,
    /// When it is due; never earlier.
    pub due: WallTime,
    /// After how long again; `None` for once.
    pub period: Option<Duration>,
    /// See [`CatchUp`].
    pub catch_up: CatchUp,
    /// What the message says.
    pub body: Body,
}

impl Reminder {
    /// Whether it still is what somebody has read who would have it fire now.
    pub fn is_meant_by(&self, firing: &Firing) -> bool {
        (&self.name, self.set_by, self.due) == (&firing.name, firing.set_by, firing.due)
    }
}

/// A message that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// As it lay in the inbox; see [`Letter::given_up`].
    pub letter: Letter,
    /// When it was given up.
    pub at: WallTime,
    /// Why: the text of the last error.
    pub reason: String,
}

/// A message that an actor has sent and that was given up: it does not arrive unless somebody sees to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Undelivered {
    /// As it lay in the outbox; see [`GivingUp::undelivered`](super::GivingUp::undelivered).
    pub outgoing: Outgoing,
    /// When it was given up.
    pub at: WallTime,
    /// Why: what its destination said.
    pub reason: String,
}
