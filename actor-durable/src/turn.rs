//! What a handler may ask for in its turn: all of it happens once the turn is stored, or none of it.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;

use crate::actor::{Durability, Durable};
use crate::codec::CodecError;
use crate::id::{BadName, DurableId, Epoch, MessageId, Name, Sequence, Target, WallTime};
use crate::model::write_command;
use crate::process::Shared;
use crate::question;
use crate::store::{
    Body, CatchUp, Child, ChildChange, Destination, Headers, Message, Reminder, ReminderChange,
};

/// The turn that a handler runs in. It tells which message is handled and when, and takes what the handler asks for.
pub struct Turn<'a, A: ?Sized> {
    about: About<'a>,
    asked: &'a mut Asked,
    actor: PhantomData<fn() -> Box<A>>,
}

/// What a turn is about.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) actor: &'a Target,
    pub(crate) at: Moment<'a>,
    pub(crate) id: Option<&'a MessageId>,
    /// If it came from an inbox.
    pub(crate) message: Option<&'a Message>,
    /// If it came from an inbox, and the actor has one.
    pub(crate) supervisor: Option<&'a DurableId>,
}

impl<'a> About<'a> {
    /// A turn of an actor that nobody has asked for.
    pub(crate) fn unasked(actor: &'a Target, at: Moment<'a>) -> Self {
        Self { actor, at, id: None, message: None, supervisor: None }
    }
}

/// Where in its actor's journal a turn is.
#[derive(Clone, Copy)]
pub(crate) struct JournalPlace {
    /// The owner's: an actor that is deleted and made anew comes to the same numbers again.
    pub(crate) epoch: Epoch,
    pub(crate) sequence: Sequence,
    /// The turn's time, which is never before that of the turn before.
    pub(crate) at: WallTime,
    /// The time by the clock, which may have stepped back.
    pub(crate) clock: WallTime,
    /// When the store first heard of the actor, as another one may be called so later.
    pub(crate) created_at: WallTime,
}

/// When a turn is.
#[derive(Clone, Copy)]
pub(crate) enum Moment<'a> {
    /// As the journal will have it.
    Entered(JournalPlace),
    /// Whenever it is asked for, as there is no journal.
    Now(&'a Shared),
}

/// What a handler has asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) sends: Vec<Draft>,
    pub(crate) reminders: Vec<ReminderChange>,
    pub(crate) children: Vec<ChildChange>,
    pub(crate) timers: Vec<(Duration, Body)>,
    pub(crate) ends: bool,
    pub(crate) passivates: bool,
    /// The turn is stored, and then the actor has failed with this text.
    pub(crate) fails: Option<String>,
}

impl Asked {
    /// Whether nothing is to be stored.
    pub(crate) fn is_nothing(&self) -> bool {
        self.sends.is_empty()
            && self.reminders.is_empty()
            && self.children.is_empty()
            && !self.ends
            && self.fails.is_none()
    }

    /// Whether nothing is to follow from a turn of which nothing is stored: of a volatile actor, which is refused all else.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        !(self.ends | self.passivates) && self.timers.is_empty()
    }
}

/// A message that is to leave.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) to: Destination,
    pub(crate) id: Option<MessageId>,
    pub(crate) reply_to: Option<Target>,
    pub(crate) body: Body,
    pub(crate) headers: Headers,
}

/// Why something that a handler asked for is refused. Nothing of it happens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A name or an id is not valid.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A command cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// This actor is [volatile](crate::Durability::Volatile), so nothing that it asks for can be stored.
    #[error("a volatile actor has no outbox, no reminders and no recorded children")]
    Volatile,
    /// The receiver is [volatile](crate::Durability::Volatile).
    #[error("a volatile actor has no inbox")]
    NoInbox,
    /// The name of a child is reserved: an actor's supervisor is recorded by it.
    #[error("a child cannot be called {0}")]
    Reserved(String),
}

impl<'a, A: Durable> Turn<'a, A> {
    pub(crate) fn new(about: About<'a>, asked: &'a mut Asked) -> Self {
        Self { about, asked, actor: PhantomData }
    }

    /// The actor's id.
    pub fn id(&self) -> &DurableId {
        &self.about.actor.id
    }

    /// The time of the turn, as the journal has it. Use it as the current time, instead of a clock of your own.
    pub fn at(&self) -> WallTime {
        match self.about.at {
            Moment::Entered(JournalPlace { at, .. }) => at,
            Moment::Now(shared) => shared.wall_time(),
        }
    }

    /// The id of the message that is handled. `None` in `on_start` and in a turn for a message of a
    /// [wrapped](crate::WrapActor) actor to itself, and for a volatile actor unless its caller chose one.
    pub fn message_id(&self) -> Option<MessageId> {
        self.about.id.copied()
    }

    /// The message from the inbox, with its sender and headers. `None` if a caller waits for the reply.
    pub fn message(&self) -> Option<&Message> {
        self.about.message
    }

    /// Sends a command to a durable actor, which gets it once, after this turn is stored. Commands to one actor arrive in the
    /// order in which they were sent.
    ///
    /// # Errors
    ///
    /// The id is not valid, the command cannot be encoded, or one of the two actors is volatile. Nothing is sent. A command of more
    /// than [`PAYLOAD_BYTES_MAX`](crate::limits::PAYLOAD_BYTES_MAX) bytes is found when the turn is stored: then the turn is not
    /// applied.
    pub fn send<B: Durable>(&mut self, to: &str, command: &B::Command) -> Result<(), RequestError> {
        self.send_with::<B>(to, Headers::new(), command)
    }

    /// [`send`](Self::send) with headers, such as those of the [message](Self::message) that is handled; none is passed on by
    /// itself. Headers that begin with `actor-durable-` are the crate's own, and are left out.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). Headers over the [limits](crate::limits::HEADERS_MAX) are found when the turn is stored: then the
    /// turn is not applied.
    pub fn send_with<B: Durable>(
        &mut self,
        to: &str,
        headers: Headers,
        command: &B::Command,
    ) -> Result<(), RequestError> {
        self.check_kept()?;
        let (to, body) = addressed::<B>(to, command)?;
        // What is passed on is neither an order nor an answer.
        let headers = headers.into_iter().filter(|(name, _)| !is_own_header(name)).collect();
        self.draft(to, None, body, headers);
        Ok(())
    }

    /// Asks a durable actor a question: sends it a command as [`send`](Self::send) does. This actor gets the answer once, as the
    /// command that [`Durable::on_answer`] makes of it. `name` and the id that is returned tell it there which question was
    /// answered. Nothing waits meanwhile. The answer comes whichever process ends: it is the reply, the refusal, or that the
    /// question was given up or could not be delivered.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); or the name is not valid.
    pub fn ask<B: Durable>(
        &mut self,
        name: &str,
        to: &str,
        command: &B::Command,
    ) -> Result<MessageId, RequestError> {
        self.check_kept()?;
        let (to, body) = addressed::<B>(to, command)?;
        let headers = question::headers(Name::new(name)?.as_str());
        let id = self.question_id();
        let reply_to = Some(self.about.actor.clone());
        self.asked.sends.push(Draft { to, id: Some(id), reply_to, body, headers });
        Ok(id)
    }

    /// An id that no other stored turn of the actor has, and nothing else in this one, whatever the clock says.
    fn question_id(&self) -> MessageId {
        let actor = self.about.actor.id.as_str().as_bytes();
        let (epoch, sequence) = match self.about.at {
            Moment::Entered(JournalPlace { epoch, sequence, .. }) => (epoch, sequence),
            // It asks nobody.
            Moment::Now(_) => (Epoch::ZERO, Sequence::ZERO),
        };
        let message = self.about.id.map(|id| id.to_bytes());
        let message = message.as_ref().map_or(&[][..], |id| id);
        let place = [epoch.0, sequence.0, self.asked.sends.len() as u64].map(u64::to_le_bytes);
        MessageId::hashed(self.clock(), &[b"question", actor, message, place.as_flattened()])
    }

    /// Has an [outlet](crate::Outlet) do something outside after this turn is stored: at least once, and always with the same id,
    /// which is `id` if it is given. What goes to one outlet arrives in order.
    ///
    /// # Errors
    ///
    /// The name is not valid, or this actor is volatile. A body that is too large is found as in [`send`](Self::send).
    pub fn effect(
        &mut self,
        outlet: &str,
        id: Option<MessageId>,
        body: impl Into<Bytes>,
    ) -> Result<(), RequestError> {
        self.check_kept()?;
        let to = Destination::Outlet(Name::new(outlet)?);
        self.draft(to, id, Body { version: 0, bytes: body.into() }, Headers::new());
        Ok(())
    }

    fn check_kept(&self) -> Result<(), RequestError> {
        if A::DURABILITY == Durability::Volatile { Err(RequestError::Volatile) } else { Ok(()) }
    }

    fn draft(&mut self, to: Destination, id: Option<MessageId>, body: Body, headers: Headers) {
        self.asked.sends.push(Draft { to, id, reply_to: None, body, headers });
    }

    /// Sets a reminder: this actor gets the command once, at or after `due`, even if no process lives until then. It replaces
    /// another reminder of this name. A turn that sets one with a command of more than
    /// [`REMINDER_BYTES_MAX`](crate::limits::REMINDER_BYTES_MAX) is refused.
    ///
    /// # Errors
    ///
    /// The name is not valid, the command cannot be encoded, or this actor is volatile. A turn that would leave more than
    /// [`REMINDERS_MAX`](crate::limits::REMINDERS_MAX) reminders is not applied.
    pub fn remind(&mut self, name: &str, due: WallTime, command: &A::Command) -> Result<(), RequestError> {
        self.set_reminder(name, due, None, CatchUp::FireOnce, command)
    }

    /// [`remind`](Self::remind), and again after each period, which is at least a millisecond. `catch_up` says what becomes of
    /// missed times.
    ///
    /// # Errors
    ///
    /// As [`remind`](Self::remind).
    pub fn remind_every(
        &mut self,
        name: &str,
        first: WallTime,
        period: Duration,
        catch_up: CatchUp,
        command: &A::Command,
    ) -> Result<(), RequestError> {
        // Without a period it would be due again and again at the same time.
        self.set_reminder(name, first, Some(period.max(Duration::from_millis(1))), catch_up, command)
    }

    fn set_reminder(
        &mut self,
        name: &str,
        due: WallTime,
        period: Option<Duration>,
        catch_up: CatchUp,
        command: &A::Command,
    ) -> Result<(), RequestError> {
        self.check_kept()?;
        let name = Name::new(name)?;
        let body = write_command::<A>(command)?;
        // The turn's number is known once the turn is stored.
        let set_by = Sequence::ZERO;
        let reminder = Reminder { name, set_by, due, period, catch_up, body };
        self.asked.reminders.push(ReminderChange::Set(reminder));
        Ok(())
    }

    /// Cancels a reminder. If it has fired, its message stays in the inbox.
    ///
    /// # Errors
    ///
    /// The name is not valid, or this actor is volatile.
    pub fn cancel_reminder(&mut self, name: &str) -> Result<(), RequestError> {
        self.check_kept()?;
        self.asked.reminders.push(ReminderChange::Cancel(Name::new(name)?));
        Ok(())
    }

    /// Sets a timer: this actor gets the command after a delay, unless its activation ends before, or its
    /// [supervisor](crate::supervise) starts it again. Use a [reminder](Self::remind) for what must not be lost.
    ///
    /// # Errors
    ///
    /// The command cannot be encoded.
    pub fn timer(&mut self, delay: Duration, command: &A::Command) -> Result<(), RequestError> {
        let body = write_command::<A>(command)?;
        self.asked.timers.push((delay, body));
        Ok(())
    }

    /// Records a child of this actor, which is activated whenever this actor is. It replaces another child of this name. `about`
    /// is stored with it; a turn with more than [`CHILD_BYTES_MAX`](crate::limits::CHILD_BYTES_MAX) of it is refused.
    ///
    /// # Errors
    ///
    /// The name or the id is not valid, the name is reserved, or this actor is volatile. A turn that would leave more than
    /// [`CHILDREN_MAX`](crate::limits::CHILDREN_MAX) recorded children is not applied.
    pub fn add_child<B: Durable>(
        &mut self,
        name: &str,
        id: &str,
        about: impl Into<Bytes>,
    ) -> Result<(), RequestError> {
        self.check_kept()?;
        let body = Body { version: 0, bytes: about.into() };
        let child = Child { name: child_name(name)?, target: target::<B>(id)?, body };
        self.asked.children.push(ChildChange::Add(child));
        Ok(())
    }

    /// Removes a recorded child. The child itself goes on.
    ///
    /// # Errors
    ///
    /// The name is not valid or reserved, or this actor is volatile.
    pub fn remove_child(&mut self, name: &str) -> Result<(), RequestError> {
        self.check_kept()?;
        self.asked.children.push(ChildChange::Remove(child_name(name)?));
        Ok(())
    }

    /// Ends this actor for good after this turn: it handles no further message, in this activation or a later one. If it has a
    /// [supervisor](crate::supervise), that decides: a permanent child starts with a fresh state instead. A volatile actor is only
    /// passivated, and begins anew with the next message.
    pub fn end(&mut self) {
        self.asked.ends = true;
    }

    /// Has the actor fail once the turn is stored.
    pub(crate) fn fail(&mut self, text: String) {
        self.asked.fails = Some(text);
    }

    /// The time of the clock, even if it is earlier than the journal's.
    pub(crate) fn clock(&self) -> WallTime {
        match self.about.at {
            Moment::Entered(JournalPlace { clock, .. }) => clock,
            Moment::Now(_) => self.at(),
        }
    }

    /// When the store first heard of the actor. It has not heard of a volatile one.
    pub(crate) fn created_at(&self) -> WallTime {
        match self.about.at {
            Moment::Entered(JournalPlace { created_at, .. }) => created_at,
            Moment::Now(_) => WallTime::ZERO,
        }
    }

    /// Whether it is said by another actor than the supervisor of this one, which has one.
    pub(crate) fn is_from_another(&self) -> bool {
        let About { message, supervisor, .. } = self.about;
        let from = message.and_then(|message| message.from.as_ref());
        from.is_some() && supervisor.is_some() && from != supervisor
    }

    pub(crate) fn asked_mut(&mut self) -> &mut Asked {
        self.asked
    }

    /// Passivates this actor once it has handled what it has accepted: its memory is released, and the next message activates it again.
    /// So does what it has sent and has not arrived by then, within a [look interval](crate::DurableBuilder::look_interval).
    pub fn passivate(&mut self) {
        self.asked.passivates = true;
    }
}

/// Where a command to a durable actor goes, and its encoding.
fn addressed<B: Durable>(to: &str, command: &B::Command) -> Result<(Destination, Body), RequestError> {
    if B::DURABILITY == Durability::Volatile {
        return Err(RequestError::NoInbox);
    }
    let body = write_command::<B>(command)?;
    Ok((Destination::Actor(target::<B>(to)?), body))
}

/// Whether a header is the crate's own.
fn is_own_header(name: &str) -> bool {
    name.starts_with("actor-durable-")
}

/// The name under which a child keeps how it stands to its supervisor, among its own children; no child can have it.
pub(crate) const SUPERVISOR: &str = "actor-durable-supervisor";

/// Whether no child can have this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    name == SUPERVISOR
}

/// A valid name for a child.
pub(crate) fn child_name(name: &str) -> Result<Name, RequestError> {
    if is_reserved(name) { Err(RequestError::Reserved(name.to_owned())) } else { Ok(Name::new(name)?) }
}

/// A durable actor of a type.
///
/// # Errors
///
/// The id or the type's name is not valid.
pub(crate) fn target<B: Durable + ?Sized>(id: &str) -> Result<Target, BadName> {
    Ok(Target { id: DurableId::new(id)?, actor_type: crate::ActorType::new(B::TYPE)? })
}

impl<A: ?Sized> fmt::Debug for Turn<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("actor", self.about.actor)
            .field("id", &self.about.id)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}
