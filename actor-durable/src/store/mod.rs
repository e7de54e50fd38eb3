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
mod head;
mod message;
mod recovery;
mod row;
mod turn;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::error::{Cause as ErrorCause, Refusal, StoreError};
pub use self::head::{Claim, ClaimMode, Head, admit};
pub use self::message::{
    Body, CatchUp, DeadLetter, Destination, Enqueued, Headers, Letter, Message, OutboxPosition, Outgoing,
    Reminder, Undelivered,
};
pub use self::recovery::Recovery;
pub use self::row::{Row, RowKind, decode_row, encode_row};
pub use self::turn::{
    Cause, Child, ChildChange, Entry, Handled, ReminderChange, Snapshot, Source, TurnCommit,
};
use self::turn::{check_headers, within};
use crate::id::{DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, Target, WallTime};
use crate::limits::REASON_BYTES_MAX;

/// Keeps durable actors.
///
/// All of its operations may be called from any task and at the same time. Each is atomic: it happens whole or not at all,
/// and what it has answered with `Ok` outlives the process and, for stores that say so, the machine. Dropping a future does
/// not say whether its operation happens: whoever drops one must take it for [`StoreError::Unknown`].
///
/// # Errors
///
/// What is certain of each is said by [`StoreError`]. Any operation may be refused with [`Refusal::Unavailable`],
/// [`Refusal::Closed`], [`Refusal::NoSpace`], [`Refusal::ReadOnly`], [`Refusal::Damaged`] and [`Refusal::FutureVersion`];
/// what else it may be refused with stands beside it. Where several apply it is any of them, but that whoever does not own an
/// actor hears nothing else than [`StoreError::Fenced`]. An operation that only reads is never [`StoreError::Unknown`].
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Begins or prolongs the lease of an owner, for this long from now, by the store's clock. A store that one process has for
    /// itself may end all leases when it is closed.
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<(), StoreError>;

    /// Ends the lease of an owner, if it has one. What it has not released is free.
    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError>;

    /// Takes an actor into possession, and makes it if nobody has heard of it. All former owners are fenced from now on.
    ///
    /// # Errors
    ///
    /// As [`Head::claim`], and [`Refusal::LeaseOver`] if the claimant has no lease.
    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError>;

    /// Gives an actor back: it has nothing in hand.
    ///
    /// # Errors
    ///
    /// As [`Head::release`]; [`Refusal::NoSuchActor`].
    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError>;

    /// What an owner needs to begin with.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`].
    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError>;

    /// The next entries of a journal after one, in order: at most so many, fewer if they are large, none at its end.
    /// Anybody may read.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`]; [`Refusal::Trimmed`] if entries after that one are not there any more.
    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The next messages of an inbox after one, in order: at most so many, fewer if they are large, none at its end.
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

    /// Stores the outcome of turns, all of it or nothing.
    ///
    /// # Errors
    ///
    /// As [`TurnCommit::check`] and [`Head::commit`]. [`Refusal::NoSuchActor`]. [`Refusal::AlreadyHandled`] if a message is
    /// remembered as handled; it may be dropped all the same. [`Refusal::NoSuchMessage`] if one is said to be in the inbox and
    /// is not.
    /// [`Refusal::TooMany`] of reminders and children.
    async fn commit_turn(&self, commit: TurnCommit) -> Result<(), StoreError>;

    /// Stores a state beside what is stored, as of an entry that is stored, and then drops entries up to `trim`. An older
    /// state than the stored one changes nothing.
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

    /// Counts that the handling of a message in the inbox begins, and says how often it has now.
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

    /// Drops what has arrived elsewhere from an outbox; what is not there is passed over.
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

    /// Moves a message from an outbox into the inbox of the actor it goes to: it leaves the one and is in the other, as one. So it
    /// comes once however often this is called, and however old it is. One that is not in the outbox any more is
    /// [`Enqueued::Waiting`]. One whose id the receiver remembers leaves the outbox and changes nothing else.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`]; [`Refusal::Malformed`] if it goes to an outlet; and as
    /// [`Head::enqueue`] of the receiver's, but that no message is too old: then it stays in the outbox.
    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError>;

    /// Gives up a message in an outbox: it leaves the outbox and lies among what its sender could not [deliver](Self::undelivered),
    /// and the notice, if there is one, is put into the sender's own inbox, as one. Where the sender has ended, or knows the
    /// notice already, there is no notice. Says whether it was so: `false` if it is not in the outbox any more, and then nothing
    /// was changed.
    ///
    /// # Errors
    ///
    /// As [`GivingUp::check`]. [`StoreError::Fenced`]; [`Refusal::NoSuchActor`]; and as [`Head::accept`] of the notice.
    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError>;

    /// Puts a message into an inbox, once for its id. An actor that nobody has heard of begins to be, in nobody's possession.
    ///
    /// # Errors
    ///
    /// As [`Head::enqueue`]. Of what is not new only the type of its actor is looked at.
    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError>;

    /// The reply to a message that is remembered as handled, which may be none; `None` if it is not remembered.
    async fn reply(&self, actor: &DurableId, message: MessageId)
    -> Result<Option<Option<Bytes>>, StoreError>;

    /// The reminders that are due at a time and stand behind a place, the earliest first and at most so many, and when the next
    /// one behind these will be.
    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError>;

    /// Puts messages of a reminder into its actor's inbox, each once for its id, and sets when it is due next; without a next
    /// time there is no such reminder any more. Says whether it was so: `false` if there is no such reminder any more
    /// that [is meant](Reminder::is_meant_by), and then nothing was changed.
    ///
    /// # Errors
    ///
    /// As [`Head::accept`]; [`Refusal::Malformed`] for a message to another actor.
    async fn fire(&self, firing: Firing) -> Result<bool, StoreError>;

    /// Actors that [have mail](Head::has_mail) or something in their outbox, and are in nobody's possession or in that of an owner whose
    /// lease is over; by id, after one, at most so many.
    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError>;

    /// Tells from now on for whom messages have come. A store that several processes share may leave out an actor whose owner has
    /// a lease that was renewed elsewhere: it is told of there.
    fn arrivals(&self) -> Box<dyn Arrivals>;

    /// The actors by id, after one, at most so many.
    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError>;

    /// One actor; `None` if the store has never heard of it.
    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError>;

    /// Deletes all of an actor, and that it ever was. A message with an id of its past is new from then on; its owners stay
    /// fenced, as [`Head::new`] says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::NoSuchActor`].
    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError>;

    /// An actor's dead letters by id, after one, at most so many.
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

    /// Puts a dead letter back into the inbox, as new as it ever was: behind all others, not handled, without attempts.
    ///
    /// # Errors
    ///
    /// As [`Head::revive`]; [`Refusal::NoSuchActor`]; [`Refusal::NoSuchMessage`].
    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError>;

    /// Drops a dead letter for good; it is remembered as handled for as long as any other.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`]; [`Refusal::NoSuchMessage`].
    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError>;

    /// What an actor has sent and was given up, in the order it was sent, after one, at most so many.
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

    /// Moves a message that was given up into the inbox of the actor it goes to, as [`transfer`](Self::transfer) does from an
    /// outbox. `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`]; [`Refusal::Malformed`] if it goes to an outlet; and as [`Head::accept`] of the receiver's: then
    /// it stays where it is.
    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError>;

    /// Drops a message that was given up for good. Says whether it was there.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchActor`].
    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError>;
}

/// Tells for whom messages have come. See [`Store::arrivals`].
#[async_trait]
pub trait Arrivals: Send + 'static {
    /// The next one, when there is one. Dropping the future loses nothing.
    async fn next(&mut self) -> Arrival;
}

/// Why somebody should look into inboxes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A message has come for this actor.
    Mail(Target),
    /// There may have been some that were not told: look at [`Store::waiting`], and into the inboxes of those you have.
    Missed,
    /// The store is closed; nothing more is told.
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

/// Where a reminder stands among those of all actors: by when it is due, then by its actor's id, then by its name.
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
    /// Which turn has set it, as it was read.
    pub set_by: Sequence,
    /// When it is due, as it was read.
    pub due: WallTime,
    /// What is put into the inbox, in order; may be nothing.
    pub messages: Vec<Message>,
    /// When it is due next.
    pub next: Option<WallTime>,
}

/// See [`Store::give_up_delivery`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivingUp {
    /// Who has sent it.
    pub actor: DurableId,
    /// As its owner acquired it.
    pub epoch: Epoch,
    /// Where it lies in the outbox.
    pub position: OutboxPosition,
    /// When it is given up.
    pub at: WallTime,
    /// Why.
    pub reason: String,
    /// What the actor is told of it, by a message to itself.
    pub notice: Option<Message>,
}

impl GivingUp {
    /// What can be said against it without looking at what is stored. Every store asks this first.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`] of the reason; [`Refusal::Malformed`] for a notice to another actor.
    pub fn check(&self) -> Result<(), StoreError> {
        within("a reason", self.reason.len(), REASON_BYTES_MAX)?;
        if self.notice.as_ref().is_some_and(|notice| notice.to.id != self.actor) {
            return Err(Refusal::Malformed("a notice is to the actor itself").into());
        }
        Ok(())
    }

    /// The message that is given up, as it is kept. Where its sender is told, that was the reply: there is no second one, though
    /// the message be delivered after all.
    pub fn undelivered(&self, outgoing: Outgoing) -> Undelivered {
        let reply_to = outgoing.reply_to.clone().filter(|_| self.notice.is_none());
        let outgoing = Outgoing { reply_to, ..outgoing };
        Undelivered { outgoing, at: self.at, reason: self.reason.clone() }
    }
}

impl DuePlace {
    /// That of a reminder, and of whom it is, as [`Due`] has them.
    pub fn of((target, reminder): &(Target, Reminder)) -> Self {
        Self { due: reminder.due, actor: target.id.clone(), name: reminder.name.clone() }
    }
}
