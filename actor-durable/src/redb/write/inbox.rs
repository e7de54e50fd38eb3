//! What anybody asks for: messages that come to an inbox, reminders that fire, and dead letters.

use super::{Operation, Writing};
use crate::id::{DurableId, Epoch, MessageId};
use crate::redb::error::Trouble;
use crate::redb::view::{Rows, View};
use crate::store::{
    DeadLetter, Enqueued, Firing, Head, Message, OutboxPosition, Outgoing, Refusal, Reminder,
};

/// What became of a message that is not new.
pub(super) fn known<T: Rows>(actor: &View<'_, T>, message: MessageId) -> Result<Option<Enqueued>, Trouble> {
    if actor.is_dead(message)? {
        return Ok(Some(Enqueued::Dead));
    }
    if let Some((_, handled)) = actor.handled(message)? {
        return Ok(Some(Enqueued::Handled(handled.reply)));
    }
    Ok(actor.place(message)?.map(|_| Enqueued::Waiting))
}

/// [`Store::enqueue`](crate::store::Store::enqueue).
pub(in crate::redb) struct Enqueue(pub(in crate::redb) Message);

impl Operation for Enqueue {
    type Output = Enqueued;

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<Enqueued, Trouble> {
        let Enqueue(message) = self;
        let before = writing.head_or_new(&message.to)?;
        before.check_type(&message.to)?;
        let actor = writing.actor(&message.to.id);
        if let Some(known) = known(&actor, message.id)? {
            return Ok(known);
        }
        let after = before.enqueue(message, writing.world.now())?;
        let keys = actor.keys;
        writing.put_letter(&keys, &before, message)?;
        writing.put_head(&keys, &after)?;
        writing.arrived.push(message.to.clone());
        Ok(Enqueued::Stored)
    }
}

/// [`Store::transfer`](crate::store::Store::transfer).
pub(in crate::redb) struct Transfer {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) epoch: Epoch,
    pub(in crate::redb) position: OutboxPosition,
}

impl Operation for Transfer {
    type Output = Enqueued;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<Enqueued, Trouble> {
        let sender = writing.actor(&self.actor);
        sender.owned(self.epoch)?;
        let key = sender.keys.outgoing(self.position);
        let Some(outgoing) = sender.row::<Outgoing>(&key)? else { return Ok(Enqueued::Waiting) };
        let from = sender.keys;
        // Before the sender's head is kept, which may be the receiver's too.
        let moved = put_outgoing(writing, &self.actor, &outgoing)?;
        writing.drop_row(&key)?;
        let head = writing.actor(&self.actor).head()?;
        writing.put_head(&from, &head)?;
        Ok(moved)
    }
}

/// Puts what an actor has sent into the inbox it goes to, however old it is.
pub(super) fn put_outgoing(
    writing: &mut Writing<'_>,
    from: &DurableId,
    outgoing: &Outgoing,
) -> Result<Enqueued, Trouble> {
    let message = outgoing.message(from.clone())?;
    let to = &message.to;
    let before = writing.head_or_new(to)?;
    before.check_type(to)?;
    let receiver = writing.actor(&to.id);
    if let Some(known) = known(&receiver, message.id)? {
        return Ok(known);
    }
    let after = before.receive(&message, writing.world.now())?;
    let keys = receiver.keys;
    writing.put_letter(&keys, &before, &message)?;
    writing.put_head(&keys, &after)?;
    writing.arrived.push(after.target);
    Ok(Enqueued::Stored)
}

/// [`Store::fire`](crate::store::Store::fire).
pub(in crate::redb) struct Fire(pub(in crate::redb) Firing);

/// New messages, each with the head before it.
type Letters<'f> = Vec<(Head, &'f Message)>;

impl Fire {
    /// Those that are new, and the head after all of them.
    fn letters<T: Rows>(
        &self,
        actor: &View<'_, T>,
        mut head: Head,
        writing: &Writing<'_>,
    ) -> Result<(Letters<'_>, Head), Trouble> {
        let mut letters = Letters::new();
        for message in &self.0.messages {
            head.check_type(&message.to)?;
            let is_twice = letters.iter().any(|(_, other)| other.id == message.id);
            if is_twice || known(actor, message.id)?.is_some() {
                continue;
            }
            let after = head.accept(message, writing.world.now())?;
            letters.push((std::mem::replace(&mut head, after), message));
        }
        Ok((letters, head))
    }
}

impl Operation for Fire {
    type Output = bool;

    fn bytes(&self) -> usize {
        self.0.messages.iter().map(Message::bytes).sum()
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<bool, Trouble> {
        let Fire(firing) = self;
        firing.check()?;
        let actor = writing.actor(&firing.actor);
        let Some(head) = actor.try_head()? else { return Ok(false) };
        let reminder: Option<Reminder> = actor.row(&actor.keys.reminder(&firing.name))?;
        let Some(reminder) = reminder.filter(|reminder| reminder.is_meant_by(firing)) else {
            return Ok(false);
        };
        let (letters, head) = self.letters(&actor, head, writing)?;
        let keys = actor.keys;
        for (before, message) in &letters {
            writing.put_letter(&keys, before, message)?;
        }
        match firing.next {
            Some(due) => {
                writing.put_reminder(&keys, Some(&reminder), &Reminder { due, ..reminder.clone() })?;
            }
            None => writing.drop_reminder(&keys, &reminder)?,
        }
        writing.put_head(&keys, &head)?;
        if !letters.is_empty() {
            writing.arrived.push(head.target);
        }
        Ok(true)
    }
}

/// [`Store::revive`](crate::store::Store::revive).
pub(in crate::redb) struct Revive {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) message: MessageId,
}

impl Operation for Revive {
    type Output = ();

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        let before = actor.head()?;
        let dead: Option<DeadLetter> = actor.row(&actor.keys.dead_letter(self.message))?;
        let dead = dead.ok_or(Refusal::NoSuchMessage(self.message))?;
        let after = before.revive()?;
        let handled = actor.handled(self.message)?;
        let keys = actor.keys;
        writing.drop_row(&keys.dead_letter(self.message))?;
        if let Some((turn, _)) = handled {
            writing.drop_handled(&keys, self.message, turn)?;
        }
        writing.put_letter(&keys, &before, &dead.letter.message)?;
        writing.put_head(&keys, &after)?;
        writing.arrived.push(after.target);
        Ok(())
    }
}

/// [`Store::purge`](crate::store::Store::purge).
pub(in crate::redb) struct Purge {
    pub(in crate::redb) actor: DurableId,
    pub(in crate::redb) message: MessageId,
}

impl Operation for Purge {
    type Output = ();

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        actor.head()?;
        if !actor.is_dead(self.message)? {
            return Err(Refusal::NoSuchMessage(self.message).into());
        }
        let keys = actor.keys;
        writing.drop_row(&keys.dead_letter(self.message))
    }
}
