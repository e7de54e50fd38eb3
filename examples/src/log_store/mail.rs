//! What comes to inboxes: from whoever sends, from outboxes, from reminders, and from among the dead letters.

use actor_durable::store::{
    DeadLetter, Due, DuePlace, Enqueued, Firing, GivingUp, Head, Letter, Message, OutboxPosition, Outgoing,
    Page, Refusal, Reminder, StoreError, Undelivered,
};
use actor_durable::{DurableId, Epoch, MessageId, WallTime};
use bytes::Bytes;

use super::rows::{Kind, damaged, due_key, key};
use super::tables::{Tables, outgoing_key, undelivered_key};

impl Tables {
    pub(super) fn enqueue(&mut self, message: &Message) -> Result<Enqueued, StoreError> {
        let head = self.head_or_new(&message.to)?;
        head.check_type(&message.to)?;
        if let Some(known) = self.known(&message.to.id, message.id)? {
            return Ok(known);
        }
        let after = head.enqueue(message, self.now())?;
        self.put_letter(&head, &after, message);
        Ok(Enqueued::Stored)
    }

    /// What has become of a message that is not new.
    fn known(&self, actor: &DurableId, message: MessageId) -> Result<Option<Enqueued>, StoreError> {
        if self.rows.has(&key(Kind::DeadLetter, actor, message.to_bytes())) {
            return Ok(Some(Enqueued::Dead));
        }
        if let Some(handled) = self.handled(actor, message)? {
            return Ok(Some(Enqueued::Handled(handled.reply)));
        }
        Ok(self.waits(actor, message).map(|_| Enqueued::Waiting))
    }

    /// Puts a message where the head before has room for it.
    fn put_letter(&mut self, before: &Head, after: &Head, message: &Message) {
        let (actor, position) = (&before.target.id, before.next);
        let letter = Letter { position, attempts: 0, message: message.clone() };
        let at = key(Kind::Letter, actor, position.0.to_be_bytes());
        self.rows.put(at.clone(), &letter);
        self.rows.set(key(Kind::Waits, actor, message.id.to_bytes()), Some(at));
        self.put_head(after);
        self.has_arrived(after.target.clone());
    }

    /// Out of the one and into the other; an actor may be its own receiver.
    pub(super) fn transfer(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError> {
        self.owned(actor, epoch)?;
        let at = outgoing_key(actor, position);
        let Some(outgoing) = self.rows.get::<Outgoing>(&at)? else { return Ok(Enqueued::Waiting) };
        self.rows.remove(at);
        self.deliver(actor, &outgoing)
    }

    /// Into the inbox it goes to. However old it is, it was elsewhere until now and so comes once.
    fn deliver(&mut self, from: &DurableId, outgoing: &Outgoing) -> Result<Enqueued, StoreError> {
        let message = outgoing.message(from.clone())?;
        let to = &message.to;
        let head = self.head_or_new(to)?;
        head.check_type(to)?;
        if let Some(known) = self.known(&to.id, outgoing.id)? {
            return Ok(known);
        }
        let after = head.receive(&message, self.now())?;
        self.put_letter(&head, &after, &message);
        Ok(Enqueued::Stored)
    }

    /// Out of the outbox for good, and the actor is told, unless it has ended or knows.
    pub(super) fn give_up_delivery(&mut self, giving_up: &GivingUp) -> Result<bool, StoreError> {
        let GivingUp { actor, epoch, position, notice, .. } = giving_up;
        giving_up.check()?;
        let head = self.owned(actor, *epoch)?;
        let at = outgoing_key(actor, *position);
        let Some(outgoing) = self.rows.get::<Outgoing>(&at)? else { return Ok(false) };
        GivingUp::check_room(self.count(Kind::Undelivered, actor))?;
        self.rows.remove(at);
        self.rows.put(undelivered_key(actor, *position), &giving_up.undelivered(outgoing));
        if let Some(notice) = notice
            && self.known(actor, notice.id)?.is_none()
            && let Some(after) = head.notify(notice, self.now())?
        {
            self.put_letter(&head, &after, notice);
        }
        Ok(true)
    }

    pub(super) fn redeliver(
        &mut self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError> {
        self.head(actor)?;
        let at = undelivered_key(actor, position);
        let Some(Undelivered { outgoing, .. }) = self.rows.get(&at)? else { return Ok(None) };
        self.rows.remove(at);
        self.deliver(actor, &outgoing).map(Some)
    }

    pub(super) fn discard(
        &mut self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<bool, StoreError> {
        self.head(actor)?;
        let at = undelivered_key(actor, position);
        let is_there = self.rows.has(&at);
        self.rows.remove(at);
        Ok(is_there)
    }

    pub(super) fn due(
        &self,
        now: WallTime,
        after: Option<&DuePlace>,
        limit: usize,
    ) -> Result<Due, StoreError> {
        let all = Bytes::from_static(&[Kind::Due as u8]);
        let start = after.map_or(all.clone(), |DuePlace { due, actor, name }| {
            due_key(due.as_millis(), &key(Kind::Reminder, actor, name.as_str()))
        });
        let (mut page, mut due) = (Page::new(limit), Due::default());
        for (_, reminder) in self.rows.after(all, start) {
            let row: Reminder = self.rows.sure(reminder)?;
            if row.due > now || !page.takes(row.body.bytes.len()) {
                due.next = Some(row.due);
                break;
            }
            due.reminders.push((self.head(&actor_of(reminder)?)?.target, row));
        }
        Ok(due)
    }

    pub(super) fn fire(&mut self, firing: &Firing) -> Result<bool, StoreError> {
        firing.check()?;
        let actor = &firing.actor;
        let at = key(Kind::Reminder, actor, firing.name.as_str());
        let reminder: Option<Reminder> = self.rows.get(&at)?;
        let Some(reminder) = reminder.filter(|reminder| reminder.is_meant_by(firing)) else {
            return Ok(false);
        };
        for message in &firing.messages {
            let head = self.head(actor)?;
            head.check_type(&message.to)?;
            if self.known(actor, message.id)?.is_none() {
                let after = head.accept(message, self.now())?;
                self.put_letter(&head, &after, message);
            }
        }
        let next = firing.next.map(|due| Reminder { due, ..reminder });
        self.set_reminder(actor, &firing.name, next.as_ref())?;
        Ok(true)
    }

    pub(super) fn revive(&mut self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let (head, at) = (self.head(actor)?, key(Kind::DeadLetter, actor, message.to_bytes()));
        let dead: DeadLetter = self.rows.get(&at)?.ok_or(Refusal::NoSuchMessage(message))?;
        let after = head.revive()?;
        self.rows.remove(at);
        self.forget(actor, message);
        self.put_letter(&head, &after, &dead.letter.message);
        Ok(())
    }

    pub(super) fn purge(&mut self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        self.head(actor)?;
        let at = key(Kind::DeadLetter, actor, message.to_bytes());
        if !self.rows.has(&at) {
            return Err(Refusal::NoSuchMessage(message).into());
        }
        self.rows.remove(at);
        Ok(())
    }
}

/// Whose row a key is of.
fn actor_of(key: &[u8]) -> Result<DurableId, StoreError> {
    let id = key.get(1..).and_then(|rest| rest.split(|byte| *byte == 0).next());
    let id = id.and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| DurableId::new(id).ok());
    id.ok_or_else(|| damaged(key, "it is of no actor"))
}
