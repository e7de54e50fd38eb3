//! The operations of owners, but for commits.

use super::{Operation, Writing};
use crate::id::{DurableId, Epoch, MessageId, Sequence};
use crate::redb::error::Trouble;
use crate::redb::keys::{Kind, Place};
use crate::store::{Claim, Head, OutboxPosition, Refusal, Reminder, Snapshot};

/// [`Store::acquire`](crate::store::Store::acquire).
pub(in crate::redb) struct Acquire(pub(in crate::redb) Claim);

impl Operation for Acquire {
    type Output = Head;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<Head, Trouble> {
        let Acquire(claim) = self;
        if !writing.world.is_alive(claim.owner) {
            return Err(Refusal::LeaseOver { owner: claim.owner }.into());
        }
        let head = writing.head_or_new(&claim.target)?;
        let is_held = head.owner.is_some_and(|owner| writing.world.is_alive(owner));
        let head = head.claim(claim, is_held)?;
        let keys = writing.actor(&claim.target.id).keys;
        writing.put_head(&keys, &head)?;
        Ok(head)
    }
}

/// [`Store::release`](crate::store::Store::release).
pub(in crate::redb) struct Release {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) epoch: Epoch,
}

impl Operation for Release {
    type Output = ();

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        let head = actor.head()?.release(self.epoch)?;
        let keys = actor.keys;
        writing.put_head(&keys, &head)
    }
}

/// [`Store::save_snapshot`](crate::store::Store::save_snapshot).
pub(in crate::redb) struct SaveSnapshot {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) epoch: Epoch,
    pub(in crate::redb) snapshot: Snapshot,
    pub(in crate::redb) trim: Option<Sequence>,
}

impl Operation for SaveSnapshot {
    type Output = ();

    fn bytes(&self) -> usize {
        self.snapshot.body.bytes.len()
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        let before = actor.head()?;
        let Some(after) = before.save(self.epoch, &self.snapshot, self.trim)? else { return Ok(()) };
        let keys = actor.keys;
        writing.put(&keys.snapshot(), &self.snapshot)?;
        writing.trim(&keys, before.trimmed, after.trimmed)?;
        writing.put_head(&keys, &after)
    }
}

/// [`Store::begin_attempt`](crate::store::Store::begin_attempt).
pub(in crate::redb) struct BeginAttempt {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) epoch: Epoch,
    pub(in crate::redb) message: MessageId,
}

impl Operation for BeginAttempt {
    type Output = u32;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<u32, Trouble> {
        let actor = writing.actor(&self.actor);
        actor.owned(self.epoch)?;
        let place = actor.place(self.message)?.ok_or(Refusal::NoSuchMessage(self.message))?;
        let attempts = place.attempts.saturating_add(1);
        let keys = actor.keys;
        writing.put_place(&keys, self.message, Place { attempts, ..place })?;
        Ok(attempts)
    }
}

/// [`Store::mark_delivered`](crate::store::Store::mark_delivered).
pub(in crate::redb) struct MarkDelivered {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) epoch: Epoch,
    pub(in crate::redb) delivered: Vec<OutboxPosition>,
}

impl Operation for MarkDelivered {
    type Output = ();

    fn bytes(&self) -> usize {
        self.delivered.len() * size_of::<OutboxPosition>()
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        let head = actor.owned(self.epoch)?;
        let keys = actor.keys;
        for position in &self.delivered {
            writing.drop_row(&keys.outgoing(*position))?;
        }
        writing.put_head(&keys, &head)
    }
}

/// [`Store::delete`](crate::store::Store::delete).
pub(in crate::redb) struct Delete {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) epoch: Epoch,
}

impl Operation for Delete {
    type Output = ();

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        let head = actor.owned(self.epoch)?;
        let reminders: Vec<Reminder> = actor.all(Kind::Reminder)?;
        let keys = actor.keys;
        writing.forget_actor(&keys, &head, &reminders)
    }
}
