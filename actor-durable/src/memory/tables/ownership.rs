//! Leases, who has which actor, and what an owner reads first.

use std::time::Duration;

use super::{Actor, Tables};
use crate::id::{DurableId, Epoch, OwnerId, WallTime};
use crate::store::{Claim, Head, Recovery, Refusal, Renewal, StoreError};

impl Tables {
    pub(crate) fn renew(&mut self, owner: OwnerId, lease: Duration, now: WallTime) -> Renewal {
        self.leases.retain(|_, end| *end > now);
        match self.leases.insert(owner, now.after(lease)) {
            Some(_) => Renewal::Extended,
            None => Renewal::Begun,
        }
    }

    pub(crate) fn retire(&mut self, owner: OwnerId) {
        self.leases.remove(&owner);
    }

    pub(crate) fn acquire(&mut self, claim: Claim, now: WallTime) -> Result<Head, StoreError> {
        if !self.lives(claim.owner, now) {
            return Err(Refusal::LeaseOver { owner: claim.owner }.into());
        }
        let Some(actor) = self.actors.get(&claim.target.id) else {
            let head = Head::new(claim.target.clone(), self.floor, now).claim(&claim, false)?;
            self.actors.insert(claim.target.id, Actor::new(head.clone()));
            return Ok(head);
        };
        let is_held = actor.head.owner.is_some_and(|owner| self.lives(owner, now));
        let head = actor.head.claim(&claim, is_held)?;
        self.actor_mut(&claim.target.id)?.head = head.clone();
        Ok(head)
    }

    pub(crate) fn release(&mut self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let actor = self.actor_mut(actor)?;
        actor.head = actor.head.release(epoch)?;
        Ok(())
    }

    pub(crate) fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        let actor = self.owned(actor, epoch)?;
        Ok(Recovery {
            snapshot: actor.snapshot.clone(),
            handled: actor.handled.ids().collect(),
            outbox: actor.outbox.values().cloned().collect(),
            reminders: actor.reminders.values().cloned().collect(),
            children: actor.children.values().cloned().collect(),
        })
    }

    pub(crate) fn delete(&mut self, id: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let Self { actors, due, .. } = self;
        let actor = actors.get_mut(id).ok_or(Refusal::NoSuchActor)?;
        actor.head.check_owner(epoch)?;
        actor.cancel_reminders(due);
        self.floor = self.floor.max(epoch);
        self.actors.remove(id);
        Ok(())
    }

    /// Whether an owner's lease is not over.
    pub(super) fn lives(&self, owner: OwnerId, now: WallTime) -> bool {
        self.leases.get(&owner).is_some_and(|end| *end > now)
    }
}
