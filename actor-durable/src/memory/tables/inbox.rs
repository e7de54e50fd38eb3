//! Inboxes.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::{Actor, Tables, page_of};
use crate::id::{DurableId, Epoch, MessageId, Position, Target, WallTime};
use crate::store::{Enqueued, Head, Letter, Message, OutboxPosition, Refusal, StoreError};

/// One actor's.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    letters: BTreeMap<Position, Letter>,
    /// The position of each message.
    places: BTreeMap<MessageId, Position>,
}

impl Inbox {
    pub(super) fn contains(&self, message: MessageId) -> bool {
        self.places.contains_key(&message)
    }

    pub(super) fn insert(&mut self, letter: Letter) {
        self.places.insert(letter.message.id, letter.position);
        self.letters.insert(letter.position, letter);
    }

    pub(super) fn remove(&mut self, message: MessageId) -> Option<Letter> {
        self.letters.remove(&self.places.remove(&message)?)
    }

    fn letter_mut(&mut self, message: MessageId) -> Option<&mut Letter> {
        self.letters.get_mut(self.places.get(&message)?)
    }
}

impl Actor {
    /// What became of a message, if it is not new.
    pub(super) fn known(&self, message: MessageId) -> Option<Enqueued> {
        if self.dead.contains_key(&message) {
            return Some(Enqueued::Dead);
        }
        if let Some(reply) = self.handled.get(message) {
            return Some(Enqueued::Handled(reply.clone()));
        }
        self.inbox.contains(message).then_some(Enqueued::Waiting)
    }
}

impl Tables {
    /// Returns the receiver, if the message is new there, and what became of the message.
    pub(crate) fn transfer(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
        now: WallTime,
    ) -> Result<(Option<Target>, Enqueued), StoreError> {
        let Some(outgoing) = self.owned(actor, epoch)?.outbox.get(&position) else {
            return Ok((None, Enqueued::Waiting));
        };
        let outgoing = outgoing.clone();
        let moved = self.put_outgoing(actor, &outgoing, now)?;
        self.owned_mut(actor, epoch)?.outbox.remove(&position);
        Ok(moved)
    }

    pub(crate) fn enqueue(&mut self, message: Message, now: WallTime) -> Result<Enqueued, StoreError> {
        let Some(actor) = self.actors.get_mut(&message.to.id) else {
            let mut actor = Actor::new(Head::new(message.to.clone(), self.floor, now));
            let head = actor.head.enqueue(&message, now)?;
            let id = message.to.id.clone();
            actor.put(message, head);
            self.actors.insert(id, actor);
            return Ok(Enqueued::Stored);
        };
        actor.head.check_type(&message.to)?;
        if let Some(known) = actor.known(message.id) {
            return Ok(known);
        }
        let head = actor.head.enqueue(&message, now)?;
        actor.put(message, head);
        Ok(Enqueued::Stored)
    }

    pub(crate) fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let letters = &self.owned(actor, epoch)?.inbox.letters;
        let next = letters.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(page_of(next.map(|(_, letter)| letter), limit, Letter::bytes))
    }

    pub(crate) fn begin_attempt(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        let letter = self.owned_mut(actor, epoch)?.inbox.letter_mut(message);
        let letter = letter.ok_or(Refusal::NoSuchMessage(message))?;
        letter.attempts = letter.attempts.saturating_add(1);
        Ok(letter.attempts)
    }

    pub(crate) fn reply(&self, actor: &DurableId, message: MessageId) -> Option<Option<Bytes>> {
        self.actors.get(actor)?.handled.get(message).cloned()
    }
}

impl Actor {
    /// Puts a message at the place that the head before names. `head` is the one after.
    pub(super) fn put(&mut self, message: Message, head: Head) {
        self.inbox.insert(Letter { position: self.head.next, attempts: 0, message });
        self.head = head;
    }
}
