//! The contract between durable actors and what keeps them: one trait, and the values that cross it.
//!
//! ```text
//!  a process ── renew ─────────► its lease: it lives
//!  an owner ─── acquire ───────► epoch + 1: all former owners are fenced
//!               load, entries, inbox
//!               commit_turn ───► journal, state, inbox, outbox, reminders, replies: all or nothing
//!               release
//!  anybody ──── enqueue, fire ─► an inbox
//! ```
//!
//! A store decides by [`Head`] and [`TurnCommit::check`], which are pure, and keeps what they say. What all stores promise
//! is held by one suite of tests, for those of this project and for yours: `actor_durable::testing`.

mod error;
#[cfg(test)]
pub(crate) mod full;
mod head;
mod message;
mod page;
mod recovery;
mod row;
mod turn;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::error::{Cause as ErrorCause, Refusal, StoreError};
pub use self::head::{Claim, ClaimMode, Head};
pub(crate) use self::head::{Committed, admit};
pub(crate) use self::message::ORDER;
pub use self::message::{
    Body, CatchUp, DeadLetter, Destination, Enqueued, Headers, Letter, Message, OutboxPosition, Outgoing,
    Reminder, Undelivered,
};
pub use self::page::Page;
pub use self::recovery::Recovery;
pub use self::row::{Row, RowKind, decode_row, encode_row};
pub use self::turn::{
    Cause, Child, ChildChange, Entry, Handled, ReminderChange, Snapshot, Source, TurnCommit,
};
use self::turn::{check_headers, within};
pub(crate) use self::turn::{check_reminders, check_state};
use crate::id::{DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, Target, WallTime};
use crate::limits::{REASON_BYTES_MAX, UNDELIVERED_MAX};

/// Keeps durable actors.
///
/// Its operations may be called from any task, and concurrently. Each is atomic: it happens whole or not at all, and once it
/// has returned `Ok` its effect outlives the process and, for stores that say so, the machine.
///
/// # Cancellation
///
/// Dropping a future does not cancel its operation, which may happen at once, later or never: treat it as
/// [`StoreError::Unknown`].
///
/// # Errors
///
/// [`StoreError`] says what is certain after each. Any operation may be refused with [`Refusal::Unavailable`],
/// [`Refusal::Closed`], [`Refusal::NoSpace`], [`Refusal::ReadOnly`], [`Refusal::Denied`], [`Refusal::Damaged`] or
/// [`Refusal::FutureVersion`]; the other refusals of each are listed with it. Where several apply, a store may return any of them, with two exceptions:
/// what the `check` of a [commit](TurnCommit::check), of a [firing](Firing::check) or of a [giving up](GivingUp::check) refuses is
/// refused so, whoever asks; and a caller that does not own the actor gets [`StoreError::Fenced`] for all else. An operation that only reads never returns
/// [`StoreError::Unknown`].
///
/// # Lists
///
/// An operation that takes a `limit` returns a page of at most that many rows, and of no more than a [`Page`] takes; it returns none
/// only at the end of the list. `after` is where the page before ended.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Begins or extends an owner's lease: it ends this long from now, by the store's clock. Says which of the two: an owner whose
    /// lease was over asks the store before it answers for the actors that it had. A store that a single process opens at a time
    /// may end all leases when it is closed.
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError>;

    /// Ends an owner's lease, if it has one. The actors that it has not released are free from then on.
    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError>;

    /// Makes the claimant the owner of an actor, which is created if the store does not know it. All former owners are fenced
    /// from then on.
    ///
    /// # Errors
    ///
    /// As [`Head::claim`]; [`Refusal::LeaseOver`] if the claimant has no lease.
    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError>;

    /// Releases an actor: it has no owner from then on.
    ///
    /// # Errors
    ///
    /// As [`Head::release`]; [`Refusal::NoSuchActor`].
    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError>;

    /// What an owner needs to activate the actor.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`].
    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError>;

    /// A page of an actor's journal, in order. Anybody may read it, not only the owner.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`]; [`Refusal::Trimmed`] if entries after `after` have been trimmed.
    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// A page of an actor's inbox, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`].
    async fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError>;

    /// Stores the outcome of one or several turns.
    ///
    /// # Errors
    ///
    /// As [`TurnCommit::check`], [`Head::commit`], [`TurnCommit::check_reminders`], [`TurnCommit::check_children`] and
    /// [`TurnCommit::check_dead_letters`]; [`Refusal::NoSuchActor`]; [`Refusal::AlreadyHandled`] if a message in `handled` or
    /// `dead` is remembered as handled, whereas one in `dropped` may be; [`Refusal::NoSuchMessage`] if one that is to leave the
    /// inbox is not in it.
    async fn commit_turn(&self, commit: TurnCommit) -> Result<(), StoreError>;

    /// Stores a state as of an entry that is in the journal, and drops the entries up to `trim`. A state that is older than the
    /// stored one changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Head::save`]; [`Refusal::NoSuchActor`].
    async fn save_snapshot(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError>;

    /// Counts an attempt to handle a message in the inbox, and returns how many there have been, with this one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`]; [`Refusal::NoSuchMessage`].
    async fn begin_attempt(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError>;

    /// Drops messages that have arrived from an outbox. Positions where there is none are ignored.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`].
    async fn mark_delivered(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError>;

    /// Moves a message from an outbox into the inbox of its receiver, in one step: so it arrives once, however often this is
    /// called and however old the message is. If it is no longer in the outbox, nothing changes and the result is
    /// [`Enqueued::Waiting`]. If the receiver remembers its id, it leaves the outbox and nothing else changes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`]; as [`Outgoing::message`]; and as [`Head::receive`] of the receiver. After an error the message is still in the outbox.
    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError>;

    /// Gives up a message in an outbox: in one step it moves to the sender's [undelivered](Self::undelivered) messages, and the
    /// notice, if there is one, is put into the sender's own inbox. The notice is left out if the sender has ended or has had
    /// it already. Returns `false`, and changes nothing, if the message is no longer in the outbox.
    ///
    /// # Errors
    ///
    /// As [`GivingUp::check`]. [`StoreError::Fenced`]; [`Refusal::NoSuchActor`]; as [`GivingUp::check_room`]; and as
    /// [`Head::notify`] of the notice.
    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError>;

    /// Puts a message into an inbox, once for its id. An actor that the store does not know is created, without an owner.
    ///
    /// # Errors
    ///
    /// As [`Head::enqueue`]. For a message that is not new, [`Refusal::WrongType`] alone.
    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError>;

    /// What is remembered of a handled message: its reply, if it had one. The outer `None` is a message that is not remembered.
    async fn reply(&self, actor: &DurableId, message: MessageId)
    -> Result<Option<Option<Bytes>>, StoreError>;

    /// A page of the reminders of all actors that are due at `now`, the earliest first, and when the next one after it is due.
    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError>;

    /// Puts a reminder's messages into its actor's inbox, each once for its id, and sets when the reminder is due next; without
    /// a next time it is removed. Returns `false`, and changes nothing, if the reminder that [is meant](Reminder::is_meant_by)
    /// is no longer there.
    ///
    /// # Errors
    ///
    /// As [`Firing::check`], and as [`Head::accept`] of each message.
    async fn fire(&self, firing: Firing) -> Result<bool, StoreError>;

    /// A page of the actors, by id, that [have mail](Head::has_mail) or something in their outbox, and have no owner or one whose
    /// lease is over.
    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError>;

    /// Tells from now on whose inboxes have got messages. A store that several processes share may leave out the actors of
    /// another process with a lease: that process is told.
    fn arrivals(&self) -> Box<dyn Arrivals>;

    /// A page of all actors, by id.
    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError>;

    /// One actor; `None` if the store does not know it.
    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError>;

    /// Deletes all that is stored of an actor, and that it ever existed. A message that it has handled is new from then on. Its
    /// former owners stay fenced, as [`Head::new`] says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`].
    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError>;

    /// A page of an actor's dead letters, by id.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`].
    async fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Puts a dead letter back into the inbox as a new message: behind all others, not handled, with no attempts counted.
    ///
    /// # Errors
    ///
    /// As [`Head::revive`]; [`Refusal::NoSuchActor`]; [`Refusal::NoSuchMessage`].
    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError>;

    /// Drops a dead letter for good. It is remembered as handled for as long as any other message.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`]; [`Refusal::NoSuchMessage`].
    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError>;

    /// A page of the messages that an actor has sent and whose delivery was given up, in the order they were sent.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`].
    async fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError>;

    /// Moves an undelivered message into the inbox of its receiver, as [`transfer`](Self::transfer) does from an outbox. `None` if
    /// there is no such message.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`]; as [`Outgoing::message`]; and as [`Head::receive`] of the receiver. After an error it is still
    /// undelivered.
    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError>;

    /// Drops an undelivered message for good. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`].
    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError>;
}

/// What a renewal did to an owner's lease. See [`Store::renew`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// It begins: the owner had none, or it was over, and others may have acquired the owner's actors since.
    Begun,
    /// It is extended: it was not over.
    Extended,
}

/// Tells whose inboxes have got messages. See [`Store::arrivals`].
#[async_trait]
pub trait Arrivals: Send + 'static {
    /// Waits for the next one. Dropping the future loses nothing.
    async fn next(&mut self) -> Arrival;
}

/// A reason to look into inboxes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// This actor has got a message.
    Mail(Target),
    /// Some may have been missed: look at [`Store::waiting`], and into the inboxes of the actors that you own.
    Missed,
    /// The store is closed; there will be no more.
    Closed,
}

/// See [`Store::due`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Due {
    /// The reminders that are due, and whose they are.
    pub reminders: Vec<(Target, Reminder)>,
    /// When the earliest of those behind them is; `None` if there are none.
    pub next: Option<WallTime>,
}

/// The place of a reminder among those of all actors: by when it is due, then by its actor's id, then by its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DuePlace {
    /// When it is due.
    pub due: WallTime,
    /// Whose it is.
    pub actor: DurableId,
    /// Which.
    pub name: Name,
}

/// See [`Store::fire`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firing {
    /// Whose reminder.
    pub actor: DurableId,
    /// Which.
    pub name: Name,
    /// The entry of the turn that set it, as it was read.
    pub set_by: Sequence,
    /// When it is due, as it was read.
    pub due: WallTime,
    /// What is put into the inbox, in order; may be empty.
    pub messages: Vec<Message>,
    /// When it is due next; `None` if never.
    pub next: Option<WallTime>,
}

impl Firing {
    /// Checks what can be checked without looking at what is stored. Every store does so first.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] for a message to another actor.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.messages.iter().any(|message| message.to.id != self.actor) {
            return Err(Refusal::Malformed("a reminder's message to another actor").into());
        }
        Ok(())
    }
}

/// See [`Store::give_up_delivery`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivingUp {
    /// The sender.
    pub actor: DurableId,
    /// The epoch in which its owner acquired it.
    pub epoch: Epoch,
    /// Where the message is in the outbox.
    pub position: OutboxPosition,
    /// When it is given up.
    pub at: WallTime,
    /// Why. At most [`REASON_BYTES_MAX`] bytes.
    pub reason: String,
    /// A message to the sender itself that tells it.
    pub notice: Option<Message>,
}

impl GivingUp {
    /// Checks what can be checked without looking at what is stored. Every store does so first.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`] of the reason; [`Refusal::Malformed`] for a notice to another actor.
    pub fn check(&self) -> Result<(), StoreError> {
        within("a reason", self.reason.len(), REASON_BYTES_MAX)?;
        if self.notice.as_ref().is_some_and(|notice| notice.to.id != self.actor) {
            return Err(Refusal::Malformed("a notice to another actor").into());
        }
        Ok(())
    }

    /// Refuses one more undelivered message of a sender than [`UNDELIVERED_MAX`], where so many are stored now.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`].
    pub fn check_room(stored: usize) -> Result<(), Refusal> {
        if stored >= UNDELIVERED_MAX {
            return Err(Refusal::TooMany { what: "undelivered messages", max: UNDELIVERED_MAX });
        }
        Ok(())
    }

    /// The message that is given up, as it is kept. If its sender is told, the notice is the reply: there is no second one even
    /// if the message is delivered after all.
    pub fn undelivered(&self, outgoing: Outgoing) -> Undelivered {
        let reply_to = outgoing.reply_to.clone().filter(|_| self.notice.is_none());
        let outgoing = Outgoing { reply_to, ..outgoing };
        Undelivered { outgoing, at: self.at, reason: self.reason.clone() }
    }
}

impl DuePlace {
    /// The place of a reminder in [`Due`].
    pub fn of((target, reminder): &(Target, Reminder)) -> Self {
        Self { due: reminder.due, actor: target.id.clone(), name: reminder.name.clone() }
    }
}
