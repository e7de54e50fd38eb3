//! Who has which actor, and what both owners and strangers ask for beside turns. What may be done is said by
//! [`Head`]; here it is looked up, asked, and put back.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use actor_core::{Executor, Instant};
use actor_durable::store::{
    Claim, Handled, Head, Letter, OutboxPosition, Recovery, Refusal, Renewal, Snapshot, StoreError,
    decode_row,
};
use actor_durable::{DurableId, Epoch, MessageId, OwnerId, Sequence, Target, WallTime};
use bytes::Bytes;

use super::rows::{Changes, Kind, Rows, damaged, floor_key, key};

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) rows: Rows,
    /// Until when each owner's lease lasts. They end with the process, which has the store for itself.
    leases: BTreeMap<OwnerId, Instant>,
    executor: Executor,
    /// For whom messages have come since the last record.
    arrived: Vec<Target>,
}

impl Tables {
    pub(super) fn new(executor: Executor) -> Self {
        Self { rows: Rows::default(), leases: BTreeMap::new(), executor, arrived: Vec::new() }
    }

    /// Does something whole or not at all.
    pub(super) fn atomically<T>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (rows, arrived) = (self.rows.mark(), self.arrived.len());
        let outcome = operation(self);
        if outcome.is_err() {
            self.rows.undo(rows);
            self.arrived.truncate(arrived);
        }
        outcome
    }

    /// What has changed since the last time, and for whom messages have come.
    pub(super) fn take(&mut self) -> (Changes, Vec<Target>) {
        (self.rows.take_changes(), mem::take(&mut self.arrived))
    }

    pub(super) fn now(&self) -> WallTime {
        WallTime::from_unix(self.executor.unix_time())
    }

    pub(super) fn has_arrived(&mut self, target: Target) {
        self.arrived.push(target);
    }

    pub(super) fn renew(&mut self, owner: OwnerId, lease: Duration) -> Renewal {
        let now = self.executor.now();
        self.leases.retain(|_, end| *end > now);
        match self.leases.insert(owner, now + lease) {
            Some(_) => Renewal::Extended,
            None => Renewal::Begun,
        }
    }

    pub(super) fn retire(&mut self, owner: OwnerId) {
        self.leases.remove(&owner);
    }

    pub(super) fn lives(&self, owner: OwnerId) -> bool {
        self.leases.get(&owner).is_some_and(|end| *end > self.executor.now())
    }

    pub(super) fn try_head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        self.rows.get(&key(Kind::Head, actor, []))
    }

    pub(super) fn head(&self, actor: &DurableId) -> Result<Head, StoreError> {
        self.try_head(actor)?.ok_or(Refusal::NoSuchActor.into())
    }

    /// The head, for whoever owns the actor.
    pub(super) fn owned(&self, actor: &DurableId, epoch: Epoch) -> Result<Head, StoreError> {
        let head = self.head(actor)?;
        head.check_owner(epoch)?;
        Ok(head)
    }

    /// The head of an actor that begins to be if nobody has heard of it.
    pub(super) fn head_or_new(&self, target: &Target) -> Result<Head, StoreError> {
        let new = || Ok(Head::new(target.clone(), self.floor()?, self.now()));
        self.try_head(&target.id)?.map_or_else(new, Ok)
    }

    pub(super) fn put_head(&mut self, head: &Head) {
        self.rows.put(key(Kind::Head, &head.target.id, []), head);
    }

    fn floor(&self) -> Result<Epoch, StoreError> {
        let Some(floor) = self.rows.found(&floor_key()) else { return Ok(Epoch::ZERO) };
        let floor = <[u8; 8]>::try_from(&floor[..]).map_err(|_| damaged(&floor_key(), "it is no number"))?;
        Ok(Epoch(u64::from_be_bytes(floor)))
    }

    pub(super) fn acquire(&mut self, claim: &Claim) -> Result<Head, StoreError> {
        if !self.lives(claim.owner) {
            return Err(Refusal::LeaseOver { owner: claim.owner }.into());
        }
        let head = self.head_or_new(&claim.target)?;
        let is_held = head.owner.is_some_and(|owner| self.lives(owner));
        let head = head.claim(claim, is_held)?;
        self.put_head(&head);
        Ok(head)
    }

    pub(super) fn release(&mut self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let head = self.head(actor)?.release(epoch)?;
        self.put_head(&head);
        Ok(())
    }

    pub(super) fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        self.owned(actor, epoch)?;
        let handled: Vec<Handled> = self.rows.all_of(Kind::Handled, actor)?;
        Ok(Recovery {
            snapshot: self.rows.get(&key(Kind::Snapshot, actor, []))?,
            handled: handled.into_iter().map(|handled| handled.message).collect(),
            outbox: self.rows.all_of(Kind::Outgoing, actor)?,
            reminders: self.rows.all_of(Kind::Reminder, actor)?,
            children: self.rows.all_of(Kind::Child, actor)?,
        })
    }

    pub(super) fn save_snapshot(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: &Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        let before = self.head(actor)?;
        let Some(after) = before.save(epoch, snapshot, trim)? else { return Ok(()) };
        self.rows.put(key(Kind::Snapshot, actor, []), snapshot);
        self.trim(&before, &after);
        self.put_head(&after);
        Ok(())
    }

    /// Drops the entries that the later head does not have any more.
    pub(super) fn trim(&mut self, before: &Head, after: &Head) {
        for sequence in before.trimmed.0 + 1..=after.trimmed.0 {
            self.rows.remove(key(Kind::Entry, &after.target.id, sequence.to_be_bytes()));
        }
    }

    pub(super) fn begin_attempt(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        self.owned(actor, epoch)?;
        let at = self.waits(actor, message).ok_or(Refusal::NoSuchMessage(message))?;
        let mut letter: Letter = self.rows.sure(&at)?;
        letter.attempts = letter.attempts.saturating_add(1);
        self.rows.put(at, &letter);
        Ok(letter.attempts)
    }

    pub(super) fn mark_delivered(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        self.owned(actor, epoch)?;
        for position in delivered {
            self.rows.remove(outgoing_key(actor, *position));
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.owned(actor, epoch)?;
        self.cancel_reminders(actor)?;
        for kind in Kind::OF_ACTOR {
            let first = key(kind, actor, []);
            let others = self.rows.under(first.clone()).map(|(key, _)| key.clone());
            let all: Vec<Bytes> = others.chain([first.clone()]).collect();
            all.into_iter().for_each(|key| self.rows.remove(key));
        }
        // Former owners stay fenced, whoever the id is given to.
        let floor = self.floor()?.max(epoch).0.to_be_bytes().to_vec();
        self.rows.set(floor_key(), Some(floor.into()));
        Ok(())
    }

    /// The actors by id, after one.
    pub(super) fn heads(&self, after: Option<&DurableId>) -> impl Iterator<Item = Result<Head, StoreError>> {
        let all = Bytes::from_static(&[Kind::Head as u8]);
        let after = after.map_or(all.clone(), |after| key(Kind::Head, after, []));
        let rows = self.rows.after(all, after);
        rows.map(|(key, row)| Ok(decode_row(key, row)?))
    }

    /// Whether an actor has something to do, and nobody who does it.
    pub(super) fn is_waiting(&self, head: &Head) -> bool {
        let is_held = head.owner.is_some_and(|owner| self.lives(owner));
        let sends = || self.rows.under(key(Kind::Outgoing, &head.target.id, [])).next().is_some();
        !is_held && (head.has_mail() || sends())
    }

    /// Where a message lies in the inbox, if it does.
    pub(super) fn waits(&self, actor: &DurableId, message: MessageId) -> Option<Bytes> {
        self.rows.found(&key(Kind::Waits, actor, message.to_bytes()))
    }
}

pub(super) fn outgoing_key(actor: &DurableId, position: OutboxPosition) -> Bytes {
    key(Kind::Outgoing, actor, outbox_place(position))
}

pub(super) fn undelivered_key(actor: &DurableId, position: OutboxPosition) -> Bytes {
    key(Kind::Undelivered, actor, outbox_place(position))
}

/// Sorts as messages were sent.
pub(super) fn outbox_place(position: OutboxPosition) -> Vec<u8> {
    [&position.sequence.0.to_be_bytes()[..], &position.index.to_be_bytes()].concat()
}
