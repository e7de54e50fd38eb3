//! Messages that were given up.

use std::ops::Bound;

use super::{Tables, page_of};
use crate::id::{DurableId, MessageId, Target};
use crate::store::{DeadLetter, Refusal, StoreError};

impl Tables {
    pub(crate) fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.actor(actor)?.dead.range((after, Bound::Unbounded));
        Ok(page_of(next.map(|(_, dead)| dead), limit, DeadLetter::bytes))
    }

    /// Returns the actor whose inbox it is in.
    pub(crate) fn revive(&mut self, actor: &DurableId, message: MessageId) -> Result<Target, StoreError> {
        let actor = self.actor_mut(actor)?;
        if !actor.dead.contains_key(&message) {
            return Err(Refusal::NoSuchMessage(message).into());
        }
        let head = actor.head.revive()?;
        actor.handled.remove(message);
        if let Some(dead) = actor.dead.remove(&message) {
            actor.put(dead.letter.message, head);
        }
        Ok(actor.head.target.clone())
    }

    pub(crate) fn purge(&mut self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let dead = self.actor_mut(actor)?.dead.remove(&message);
        dead.map(drop).ok_or(Refusal::NoSuchMessage(message).into())
    }
}
