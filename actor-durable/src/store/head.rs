//! What a store knows of an actor in one row, and what may be done with it. Pure: every store decides by these functions
//! and keeps what they return.
//!
//! ```text
//!            claim (epoch + 1)              commit (epoch, sequence compared)
//!  no owner ──────────────────► an owner ───────────────────┐
//!     ▲                          │   ▲                      │
//!     └────────── release ───────┘   └──────────────────────┘
//! ```

use serde::{Deserialize, Serialize};

use super::turn::TurnCommit;
use super::{Message, Refusal, Snapshot, Source, StoreError, check_headers, check_state, within};
use crate::id::{Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use crate::limits::{CLOCK_SKEW_MAX, EPOCH_MIN_MAX, INBOX_MESSAGES_MAX, INBOX_RESERVED, PAYLOAD_BYTES_MAX};

/// An actor as its store knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Which actor, and what it is.
    pub target: Target,
    /// How many times it has been acquired.
    pub epoch: Epoch,
    /// Who owns it; `None` before the first owner, and once it was released.
    pub owner: Option<OwnerId>,
    /// How many owners in a row have lost it without a commit of their own: something in it may end processes.
    pub crashes: u32,
    /// The last entry of its journal.
    pub sequence: Sequence,
    /// The entry that the stored state is as of, if there is one.
    pub snapshot: Option<Sequence>,
    /// Entries up to this one have been trimmed.
    pub trimmed: Sequence,
    /// Messages made at this time or earlier are refused unless they are remembered.
    pub horizon: WallTime,
    /// The position that the next message in the inbox gets.
    pub next: Position,
    /// How many messages are in the inbox.
    pub waiting: u64,
    /// Whether it has ended for good.
    pub has_ended: bool,
    /// When the store created it.
    pub created_at: WallTime,
}

/// Who wants to own an actor. See [`Store::acquire`](super::Store::acquire).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Which actor, and what it is. One that the store does not know is created.
    pub target: Target,
    /// Who is to own it.
    pub owner: OwnerId,
    /// The new epoch is at least this one: what a placement has decided. At most [`EPOCH_MIN_MAX`].
    pub epoch_min: Epoch,
    /// Whether it is taken from an owner whose lease is not over.
    pub mode: ClaimMode,
}

/// See [`Claim`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClaimMode {
    /// It is not: that owner is still alive.
    #[default]
    IfFree,
    /// It is: somebody who knows better has decided so.
    Seize,
}

/// What a head is after a commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committed {
    sequence: Sequence,
    snapshot: Option<Sequence>,
    trimmed: Sequence,
    horizon: WallTime,
    waiting: u64,
    has_ended: bool,
}

impl Head {
    /// A new actor. `floor` is the greatest epoch of all actors that the store has ever deleted, so that the former owners of
    /// an earlier one with this id stay fenced.
    pub fn new(target: Target, floor: Epoch, now: WallTime) -> Self {
        Self {
            target,
            epoch: floor,
            owner: None,
            crashes: 0,
            sequence: Sequence::ZERO,
            snapshot: None,
            trimmed: Sequence::ZERO,
            horizon: WallTime::ZERO,
            next: Position::ZERO.next(),
            waiting: 0,
            has_ended: false,
            created_at: now,
        }
    }

    /// Refuses an actor of another type.
    ///
    /// # Errors
    ///
    /// [`Refusal::WrongType`].
    pub fn check_type(&self, target: &Target) -> Result<(), StoreError> {
        if self.target.actor_type == target.actor_type {
            return Ok(());
        }
        let (stored, asked) = (self.target.actor_type.clone(), target.actor_type.clone());
        Err(Refusal::WrongType { stored, asked }.into())
    }

    /// The head after a claim. `is_held` is whether its present owner, if any, has a lease that is not over.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] if the epoch that a placement has decided is greater than [`EPOCH_MIN_MAX`]; [`Refusal::WrongType`];
    /// [`Refusal::Held`], unless it is seized.
    pub fn claim(&self, claim: &Claim, is_held: bool) -> Result<Head, StoreError> {
        if claim.epoch_min > Epoch(EPOCH_MIN_MAX) {
            return Err(Refusal::Malformed("a placement decides on no epoch beyond 2^62").into());
        }
        self.check_type(&claim.target)?;
        if let Some(owner) = self.owner.filter(|owner| *owner != claim.owner)
            && is_held
            && claim.mode == ClaimMode::IfFree
        {
            return Err(Refusal::Held { owner }.into());
        }
        let crashes = if self.owner.is_some() { self.crashes.saturating_add(1) } else { self.crashes };
        let epoch = self.epoch.next().max(claim.epoch_min);
        Ok(Head { epoch, owner: Some(claim.owner), crashes, ..self.clone() })
    }

    /// Refuses whoever does not own the actor, or no longer does.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`].
    pub fn check_owner(&self, epoch: Epoch) -> Result<(), StoreError> {
        if self.epoch == epoch && self.owner.is_some() {
            return Ok(());
        }
        Err(StoreError::Fenced { ours: epoch, theirs: self.epoch })
    }

    /// The head after its owner has released the actor.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`].
    pub fn release(&self, epoch: Epoch) -> Result<Head, StoreError> {
        self.check_owner(epoch)?;
        Ok(Head { owner: None, ..self.clone() })
    }

    /// The head after a commit that passed [`TurnCommit::check`]. It is for the store to see, after this, whether the messages
    /// that the commit names are where it says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::Sequence`]; [`Refusal::Ended`]; [`Refusal::Malformed`] if more is trimmed than a
    /// state covers.
    pub fn commit(&self, commit: &TurnCommit) -> Result<Head, StoreError> {
        let committed = self.may_commit(commit)?;
        let mut head = self.clone();
        head.follow(committed);
        Ok(head)
    }

    /// [`commit`](Self::commit) in two steps, so that no head is copied: this one decides, and [`follow`](Self::follow) does it.
    pub(crate) fn may_commit(&self, commit: &TurnCommit) -> Result<Committed, StoreError> {
        self.check_owner(commit.epoch)?;
        if self.sequence != commit.expected {
            return Err(Refusal::Sequence { expected: commit.expected, found: self.sequence }.into());
        }
        if self.has_ended {
            return Err(Refusal::Ended.into());
        }
        let snapshot = commit.state.as_ref().map(|state| state.sequence).or(self.snapshot);
        let trimmed = self.trim(commit.trim, snapshot)?;
        let taken = commit.handled.iter().filter(|handled| handled.was == Source::Inbox).count();
        Ok(Committed {
            sequence: commit.last(),
            snapshot,
            trimmed,
            horizon: self.horizon.max(commit.horizon),
            waiting: self.waiting.saturating_sub((taken + commit.dead.len() + commit.dropped.len()) as u64),
            has_ended: commit.ends,
        })
    }

    /// Makes it the head after a commit.
    pub(crate) fn follow(&mut self, committed: Committed) {
        let Committed { sequence, snapshot, trimmed, horizon, waiting, has_ended } = committed;
        (self.crashes, self.sequence, self.snapshot, self.trimmed) = (0, sequence, snapshot, trimmed);
        (self.horizon, self.waiting, self.has_ended) = (horizon, waiting, has_ended);
    }

    /// The head after a state as of an entry is stored beside the journal and entries up to `trim` are dropped. `None` if a
    /// later state is stored already, and nothing is to change.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; [`Refusal::TooLarge`]; [`Refusal::Malformed`] if there is no such entry, or if more is
    /// trimmed than the state covers.
    pub fn save(
        &self,
        epoch: Epoch,
        snapshot: &Snapshot,
        trim: Option<Sequence>,
    ) -> Result<Option<Head>, StoreError> {
        self.check_owner(epoch)?;
        check_state(&snapshot.body)?;
        if self.snapshot.is_some_and(|stored| stored > snapshot.sequence) {
            return Ok(None);
        }
        if snapshot.sequence == Sequence::ZERO || snapshot.sequence > self.sequence {
            return Err(Refusal::Malformed("a state is of an entry that is stored").into());
        }
        let snapshot = Some(snapshot.sequence);
        Ok(Some(Head { snapshot, trimmed: self.trim(trim, snapshot)?, ..self.clone() }))
    }

    /// How far the journal is trimmed, if it is now trimmed up to `trim` and `snapshot` is the entry of the stored state.
    fn trim(&self, trim: Option<Sequence>, snapshot: Option<Sequence>) -> Result<Sequence, StoreError> {
        let Some(trim) = trim else { return Ok(self.trimmed) };
        if snapshot.is_none_or(|snapshot| snapshot < trim) {
            return Err(Refusal::Malformed("only what a stored state covers is trimmed").into());
        }
        Ok(self.trimmed.max(trim))
    }

    /// The head after a new message has been put into the inbox, at [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept), and [`Refusal::TooOld`] by the time its id was made.
    pub fn enqueue(&self, message: &Message, now: WallTime) -> Result<Head, StoreError> {
        let head = self.accept(message, now)?;
        admit(self.horizon, message.id, now)?;
        Ok(head)
    }

    /// [`enqueue`](Self::enqueue) of a message that arrives once however old it is: of a reminder.
    ///
    /// # Errors
    ///
    /// [`Refusal::WrongType`]; [`Refusal::Ended`]; [`Refusal::TooMany`]; [`Refusal::TooLarge`]; [`Refusal::FromTheFuture`] by
    /// the time its id was made.
    pub fn accept(&self, message: &Message, now: WallTime) -> Result<Head, StoreError> {
        self.take_in(message, now, INBOX_MESSAGES_MAX)
    }

    /// [`accept`](Self::accept) of a message from an outbox. There is room for [`INBOX_RESERVED`] more of these, and for an
    /// [order](Message::is_order) there is room where there is none for [notices](Self::notify): for [`INBOX_RESERVED`] more.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn receive(&self, message: &Message, now: WallTime) -> Result<Head, StoreError> {
        let reserved = if message.is_order() { 3 * INBOX_RESERVED } else { INBOX_RESERVED };
        self.take_in(message, now, INBOX_MESSAGES_MAX + reserved)
    }

    /// The head after a notice to the actor itself has been put into the inbox; `None` if it has ended and handles nothing more.
    /// There is room for [`INBOX_RESERVED`] more notices than messages from outboxes.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn notify(&self, notice: &Message, now: WallTime) -> Result<Option<Head>, StoreError> {
        if self.has_ended {
            return Ok(None);
        }
        self.take_in(notice, now, INBOX_MESSAGES_MAX + 2 * INBOX_RESERVED).map(Some)
    }

    /// The head with one more message, where `max` may be.
    fn take_in(&self, message: &Message, now: WallTime, max: usize) -> Result<Head, StoreError> {
        self.check_type(&message.to)?;
        within("a payload", message.body.bytes.len(), PAYLOAD_BYTES_MAX)?;
        check_headers(&message.headers)?;
        check_not_future(self.horizon, message.id, now)?;
        self.append(max)
    }

    /// The head after a dead letter has been put back into the inbox.
    ///
    /// # Errors
    ///
    /// [`Refusal::Ended`]; [`Refusal::TooMany`].
    pub fn revive(&self) -> Result<Head, StoreError> {
        self.append(INBOX_MESSAGES_MAX)
    }

    fn append(&self, max: usize) -> Result<Head, StoreError> {
        if self.has_ended {
            return Err(Refusal::Ended.into());
        }
        if self.waiting >= max as u64 {
            return Err(Refusal::TooMany { what: "messages in an inbox", max }.into());
        }
        Ok(Head { next: self.next.next(), waiting: self.waiting + 1, ..self.clone() })
    }

    /// Whether there is a message in the inbox that will be handled. Once an actor has ended none is.
    pub fn has_mail(&self) -> bool {
        self.waiting > 0 && !self.has_ended
    }
}

/// Refuses a message that is not remembered if it is not certain to be new: those made until `horizon` may have been forgotten.
pub(crate) fn admit(horizon: WallTime, id: MessageId, now: WallTime) -> Result<(), Refusal> {
    if id.made() <= horizon {
        return Err(Refusal::TooOld { id, horizon });
    }
    check_not_future(horizon, id, now)
}

/// A clock that was ahead may have moved the horizon into the future. What is new must then be later still, so the horizon counts as
/// now.
fn check_not_future(horizon: WallTime, id: MessageId, now: WallTime) -> Result<(), Refusal> {
    let latest = now.max(horizon).after(CLOCK_SKEW_MAX);
    if id.made() > latest { Err(Refusal::FromTheFuture { id, now }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, DurableId};
    use crate::store::ORDER;

    /// Puts a message into an inbox.
    type Put<'a> = &'a dyn Fn(&Head) -> Result<Head, StoreError>;

    /// Filling a store would take too long for a test; it is enough that all stores ask the head.
    #[test]
    fn a_full_inbox_takes_no_more_and_each_kind_has_its_bound() {
        let target = Target {
            id: DurableId::new("a").expect("a good id"),
            actor_type: ActorType::new("counter").expect("a good name"),
        };
        let (id, now) = (MessageId::new(WallTime::from_millis(5), 1), WallTime::from_millis(5));
        let new = Head::new(target.clone(), Epoch::ZERO, now);
        let with = |waiting: usize| Head { waiting: waiting as u64, ..new.clone() };
        let (from, reply_to, sent_at) = (None, None, now);
        let (body, headers) = Default::default();
        let message = Message { to: target, id, from, reply_to, sent_at, body, headers };
        let order = Message {
            from: Some(message.to.id.clone()),
            headers: [(ORDER.to_owned(), String::new())].into(),
            ..message.clone()
        };
        let bounds: [(usize, Put<'_>); 6] = [
            (INBOX_MESSAGES_MAX, &|head| head.enqueue(&message, now)),
            (INBOX_MESSAGES_MAX, &|head| head.accept(&message, now)),
            (INBOX_MESSAGES_MAX, &|head| head.revive()),
            (INBOX_MESSAGES_MAX + INBOX_RESERVED, &|head| head.receive(&message, now)),
            (INBOX_MESSAGES_MAX + 3 * INBOX_RESERVED, &|head| head.receive(&order, now)),
            (INBOX_MESSAGES_MAX + 2 * INBOX_RESERVED, &|head| {
                head.notify(&message, now).map(|after| after.expect("it has not ended"))
            }),
        ];
        for (max, put) in bounds {
            let full = put(&with(max - 1)).expect("one has room");
            assert_eq!(full, Head { next: new.next.next(), ..with(max) });
            let many = Refusal::TooMany { what: "messages in an inbox", max };
            match put(&full) {
                Err(StoreError::NotApplied(refusal)) => assert_eq!(refusal, many),
                other => panic!("it is refused: {other:?}"),
            }
        }
    }
}
