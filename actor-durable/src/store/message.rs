//! Messages: in an inbox, in an outbox, given up, and those of reminders.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Firing;
use super::error::Refusal;
use crate::id::{DurableId, MessageId, Name, Position, Sequence, Target, WallTime};

/// The payload of a message, or another value that the store does not look into.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Body {
    /// The version of the type's encoding.
    pub version: u32,
    /// The bytes.
    pub bytes: Bytes,
}

/// Short texts beside a message, by name. Whoever does not know one passes it on.
pub type Headers = BTreeMap<String, String>;

/// The bytes of the names and values of headers.
pub(super) fn headers_bytes(headers: &Headers) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// A message to a durable actor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The receiver.
    pub to: Target,
    /// Its id. The same id to the same actor is the same message, whatever else differs.
    pub id: MessageId,
    /// The sender, if it is a durable actor.
    pub from: Option<DurableId>,
    /// The actor that is sent the reply, if one is.
    pub reply_to: Option<Target>,
    /// When it was sent, by the sender's clock.
    pub sent_at: WallTime,
    /// What it says.
    pub body: Body,
    /// See [`Headers`].
    pub headers: Headers,
}

/// The header of a supervisor's orders. A message from outside may have it too, but it is not from an actor, and so is no order.
pub(crate) const ORDER: &str = "actor-durable-order";

impl Message {
    /// Whether it is what a supervisor tells a child, for which inboxes have room of its own.
    pub fn is_order(&self) -> bool {
        self.from.is_some() && self.headers.contains_key(ORDER)
    }

    /// The bytes of its payload and its headers.
    pub(crate) fn bytes(&self) -> usize {
        self.body.bytes.len() + headers_bytes(&self.headers)
    }
}

/// A message in an actor's inbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Its place: messages with lower positions came earlier.
    pub position: Position,
    /// How many attempts to handle it were begun and not finished.
    pub attempts: u32,
    /// The message.
    pub message: Message,
}

impl Letter {
    /// The dead letter that it becomes. Whoever waits for the reply is told in the same turn, and that is the reply: there is no
    /// second one even if the message is put back and handled.
    pub fn given_up(self, at: WallTime, reason: String) -> DeadLetter {
        let message = Message { reply_to: None, ..self.message };
        DeadLetter { letter: Letter { message, ..self }, at, reason }
    }
}

/// What became of a message that was put into an inbox.
///
/// A message that was given up counts as handled too, and is reported as [`Dead`](Self::Dead). One that was handled may be in the
/// inbox too, and is reported as [`Handled`](Self::Handled).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Enqueued {
    /// It was new, and is stored.
    Stored,
    /// It was in the inbox already; nothing was changed.
    Waiting,
    /// It was handled already, with this reply if it had one; nothing was changed.
    Handled(Option<Bytes>),
    /// It was given up already and is a dead letter; nothing was changed.
    Dead,
}

/// The place of a message in an outbox: messages are ordered as they were sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OutboxPosition {
    /// The entry of the turn that sent it.
    pub sequence: Sequence,
    /// Which of that turn's messages, from 0.
    pub index: u32,
}

impl OutboxPosition {
    /// The greatest position below this one: a page that begins after it begins with this one, if it is there.
    pub(crate) fn before(self) -> Option<Self> {
        let Self { sequence: Sequence(sequence), index } = self;
        match index.checked_sub(1) {
            Some(index) => Some(Self { index, ..self }),
            None => Some(Self { sequence: Sequence(sequence.checked_sub(1)?), index: u32::MAX }),
        }
    }
}

/// Where a message goes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Destination {
    /// The inbox of a durable actor.
    Actor(Target),
    /// Something outside, by the name the program has given it: mail, a payment service. See [`Outlet`](crate::Outlet).
    Outlet(Name),
}

/// A message that an actor has sent and that is not known to have arrived.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its place: messages to one destination leave in this order.
    pub position: OutboxPosition,
    /// Where it goes.
    pub to: Destination,
    /// Its id, by which the receiver recognises it.
    pub id: MessageId,
    /// The actor that is sent the reply, if one is.
    pub reply_to: Option<Target>,
    /// When the turn sent it.
    pub sent_at: WallTime,
    /// What it says.
    pub body: Body,
    /// See [`Headers`].
    pub headers: Headers,
}

impl Outgoing {
    /// The bytes of its payload and its headers.
    pub(crate) fn bytes(&self) -> usize {
        self.body.bytes.len() + headers_bytes(&self.headers)
    }

    /// The message as the durable actor that it goes to receives it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] if it goes to an outlet, which has no inbox.
    pub fn message(&self, from: DurableId) -> Result<Message, Refusal> {
        let Self { to, id, reply_to, sent_at, body, headers, .. } = self.clone();
        match to {
            Destination::Actor(to) => {
                Ok(Message { to, id, from: Some(from), reply_to, sent_at, body, headers })
            }
            Destination::Outlet(_) => Err(Refusal::Malformed("a message to an outlet cannot go to an inbox")),
        }
    }
}

/// What becomes of the times that a reminder has missed because no process was running.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub enum CatchUp {
    /// It fires once for all of them.
    #[default]
    FireOnce,
    /// It does not fire for them. A reminder without a period never fires once it was missed.
    Skip,
    /// It fires for each of them.
    FireAll,
}

/// A message that an actor will get at a later time. It outlives the process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reminder {
    /// Its name, of which the actor has one at a time.
    pub name: Name,
    /// The entry of the turn that set it. One that is set again is another reminder, even if all else is the same.
    pub set_by: Sequence,
    /// When it is due. It never fires earlier.
    pub due: WallTime,
    /// After how long it is due again; `None` if it fires once.
    pub period: Option<Duration>,
    /// See [`CatchUp`].
    pub catch_up: CatchUp,
    /// What the message says.
    pub body: Body,
}

impl Reminder {
    /// Whether it is still the reminder that was read to make this firing.
    pub fn is_meant_by(&self, firing: &Firing) -> bool {
        (&self.name, self.set_by, self.due) == (&firing.name, firing.set_by, firing.due)
    }
}

/// A message that was given up because it could not be handled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The message as it was in the inbox; see [`Letter::given_up`].
    pub letter: Letter,
    /// When it was given up.
    pub at: WallTime,
    /// Why: the text of the last error.
    pub reason: String,
}

/// A message that an actor has sent and that could not be delivered. It does not arrive unless it is
/// [redelivered](super::Store::redeliver).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Undelivered {
    /// The message as it was in the outbox; see [`GivingUp::undelivered`](super::GivingUp::undelivered).
    pub outgoing: Outgoing,
    /// When it was given up.
    pub at: WallTime,
    /// Why: what its destination said.
    pub reason: String,
}
