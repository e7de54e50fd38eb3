//! Messages that were sent and given up.

use std::ops::Bound;

use super::{Actor, Tables, page_of};
use crate::id::{DurableId, Target, WallTime};
use crate::store::{Enqueued, GivingUp, Head, OutboxPosition, Outgoing, StoreError, Undelivered};

/// What became of a message that is moved, and to whom it was, if it is new there.
pub(super) type Moved = (Option<Target>, Enqueued);

impl Tables {
    /// Whether it was there, and who is told of it, if somebody is. It has passed [`GivingUp::check`].
    pub(crate) fn give_up_delivery(
        &mut self,
        giving_up: GivingUp,
        now: WallTime,
    ) -> Result<(bool, Option<Target>), StoreError> {
        let actor = self.owned_mut(&giving_up.actor, giving_up.epoch)?;
        let Some(outgoing) = actor.outbox.get(&giving_up.position).cloned() else {
            return Ok((false, None));
        };
        GivingUp::check_room(actor.undelivered.len())?;
        let notice = giving_up.notice.as_ref().filter(|notice| actor.known(notice.id).is_none());
        let after = notice.map(|notice| actor.head.notify(notice, now)).transpose()?.flatten();
        actor.outbox.remove(&giving_up.position);
        actor.undelivered.insert(giving_up.position, giving_up.undelivered(outgoing));
        let Some((notice, after)) = giving_up.notice.zip(after) else { return Ok((true, None)) };
        actor.put(notice, after);
        Ok((true, Some(actor.head.target.clone())))
    }

    pub(crate) fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.actor(actor)?.undelivered.range((after, Bound::Unbounded));
        Ok(page_of(next.map(|(_, undelivered)| undelivered), limit, Undelivered::bytes))
    }

    pub(crate) fn redeliver(
        &mut self,
        actor: &DurableId,
        position: OutboxPosition,
        now: WallTime,
    ) -> Result<Option<Moved>, StoreError> {
        let Some(undelivered) = self.actor(actor)?.undelivered.get(&position) else { return Ok(None) };
        let outgoing = undelivered.outgoing.clone();
        let moved = self.put_outgoing(actor, &outgoing, now)?;
        self.actor_mut(actor)?.undelivered.remove(&position);
        Ok(Some(moved))
    }

    pub(crate) fn discard(
        &mut self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<bool, StoreError> {
        Ok(self.actor_mut(actor)?.undelivered.remove(&position).is_some())
    }

    /// Puts what an actor has sent into the inbox it goes to, however old it is.
    pub(super) fn put_outgoing(
        &mut self,
        from: &DurableId,
        outgoing: &Outgoing,
        now: WallTime,
    ) -> Result<Moved, StoreError> {
        let message = outgoing.message(from.clone())?;
        let to = message.to.clone();
        let new = Head::new(to.clone(), self.floor, now);
        let receiver = self.actors.get(&to.id);
        let head = receiver.map_or(&new, |receiver| &receiver.head);
        head.check_type(&to)?;
        if let Some(known) = receiver.and_then(|receiver| receiver.known(message.id)) {
            return Ok((None, known));
        }
        let after = head.receive(&message, now)?;
        self.actors.entry(to.id.clone()).or_insert_with(|| Actor::new(new)).put(message, after);
        Ok((Some(to), Enqueued::Stored))
    }
}
