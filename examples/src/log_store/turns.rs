//! What turns change.

use actor_durable::store::{
    ChildChange, Handled, Head, Refusal, Reminder, ReminderChange, Source, StoreError, TurnCommit,
};
use actor_durable::{DurableId, MessageId, Name, Sequence};

use super::rows::{Kind, due_key, key};
use super::tables::{Tables, outgoing_key};

impl Tables {
    /// One operation after the other: what one refuses undoes those before it.
    pub(super) fn commit_turn(&mut self, commit: &TurnCommit) -> Result<(), StoreError> {
        commit.check()?;
        let actor = &commit.actor;
        let before = self.head(actor)?;
        let after = before.commit(commit)?;
        self.check_counts(commit)?;
        self.take_messages(commit)?;
        self.put_entries(&before, &after, commit);
        for outgoing in &commit.outbox {
            self.rows.put(outgoing_key(actor, outgoing.position), outgoing);
        }
        self.change_reminders(commit)?;
        self.change_children(commit);
        self.put_head(&after);
        Ok(())
    }

    fn put_entries(&mut self, before: &Head, after: &Head, commit: &TurnCommit) {
        for entry in &commit.entries {
            self.rows.put(key(Kind::Entry, &commit.actor, entry.sequence.0.to_be_bytes()), entry);
        }
        if let Some(state) = &commit.state {
            self.rows.put(key(Kind::Snapshot, &commit.actor, []), state);
        }
        self.trim(before, after);
    }

    /// What is handled, given up, dropped, and then what is forgotten.
    fn take_messages(&mut self, commit: &TurnCommit) -> Result<(), StoreError> {
        let actor = &commit.actor;
        let mut index = 0..;
        let mut remember = |tables: &mut Self, handled: &Handled| {
            tables.remember(actor, handled, commit.last(), index.next().unwrap_or(u32::MAX))
        };
        for handled in &commit.handled {
            remember(self, handled)?;
            if handled.was == Source::Inbox {
                self.take_letter(actor, handled.message)?;
            }
        }
        for dead in &commit.dead {
            let message = dead.letter.message.id;
            remember(self, &Handled { message, was: Source::Inbox, reply: None })?;
            self.take_letter(actor, message)?;
            self.rows.put(key(Kind::DeadLetter, actor, message.to_bytes()), dead);
        }
        for message in &commit.dropped {
            self.take_letter(actor, *message)?;
        }
        for message in &commit.forget {
            // What waits would be handled again.
            if self.waits(actor, *message).is_none() {
                self.forget(actor, *message);
            }
        }
        Ok(())
    }

    /// Later ones of a commit come later.
    fn remember(
        &mut self,
        actor: &DurableId,
        handled: &Handled,
        sequence: Sequence,
        index: u32,
    ) -> Result<(), StoreError> {
        let by_message = key(Kind::Remembered, actor, handled.message.to_bytes());
        if self.rows.has(&by_message) {
            return Err(Refusal::AlreadyHandled(handled.message).into());
        }
        let order = [&sequence.0.to_be_bytes()[..], &index.to_be_bytes()].concat();
        let at = key(Kind::Handled, actor, order);
        self.rows.put(at.clone(), handled);
        self.rows.set(by_message, Some(at));
        Ok(())
    }

    /// What is remembered of a message as handled.
    pub(super) fn handled(
        &self,
        actor: &DurableId,
        message: MessageId,
    ) -> Result<Option<Handled>, StoreError> {
        let at = self.rows.found(&key(Kind::Remembered, actor, message.to_bytes()));
        at.map(|at| self.rows.sure(&at)).transpose()
    }

    pub(super) fn forget(&mut self, actor: &DurableId, message: MessageId) {
        let by_message = key(Kind::Remembered, actor, message.to_bytes());
        if let Some(at) = self.rows.found(&by_message) {
            self.rows.remove(at);
            self.rows.remove(by_message);
        }
    }

    /// Takes a message out of the inbox. The head counts by itself.
    fn take_letter(&mut self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let at = self.waits(actor, message).ok_or(Refusal::NoSuchMessage(message))?;
        self.rows.remove(at);
        self.rows.remove(key(Kind::Waits, actor, message.to_bytes()));
        Ok(())
    }

    fn change_reminders(&mut self, commit: &TurnCommit) -> Result<(), StoreError> {
        let actor = &commit.actor;
        for change in &commit.reminders {
            match change {
                ReminderChange::Set(reminder) => self.set_reminder(actor, &reminder.name, Some(reminder))?,
                ReminderChange::Cancel(name) => self.set_reminder(actor, name, None)?,
            }
        }
        if commit.ends { self.cancel_reminders(actor) } else { Ok(()) }
    }

    /// Sets a reminder, in place of another one of its name, or that there is none.
    pub(super) fn set_reminder(
        &mut self,
        actor: &DurableId,
        name: &Name,
        reminder: Option<&Reminder>,
    ) -> Result<(), StoreError> {
        let at = key(Kind::Reminder, actor, name.as_str());
        if let Some(Reminder { due, .. }) = self.rows.get(&at)? {
            self.rows.remove(due_key(due.as_millis(), &at));
            self.rows.remove(at.clone());
        }
        if let Some(reminder) = reminder {
            self.rows.set(due_key(reminder.due.as_millis(), &at), Some(at.clone()));
            self.rows.put(at, reminder);
        }
        Ok(())
    }

    pub(super) fn cancel_reminders(&mut self, actor: &DurableId) -> Result<(), StoreError> {
        let reminders: Vec<Reminder> = self.rows.all_of(Kind::Reminder, actor)?;
        reminders.iter().try_for_each(|reminder| self.set_reminder(actor, &reminder.name, None))
    }

    fn change_children(&mut self, commit: &TurnCommit) {
        let at = |name: &Name| key(Kind::Child, &commit.actor, name.as_str());
        for change in &commit.children {
            match change {
                ChildChange::Add(child) => self.rows.put(at(&child.name), child),
                ChildChange::Remove(name) => self.rows.remove(at(name)),
            }
        }
    }

    fn check_counts(&self, commit: &TurnCommit) -> Result<(), StoreError> {
        let count = |kind| self.count(kind, &commit.actor);
        let is_there = |kind, name: &Name| self.rows.has(&key(kind, &commit.actor, name.as_str()));
        if !commit.reminders.is_empty() {
            commit.check_reminders(count(Kind::Reminder), |name| is_there(Kind::Reminder, name))?;
        }
        if !commit.children.is_empty() {
            commit.check_children(count(Kind::Child), |name| is_there(Kind::Child, name))?;
        }
        if !commit.dead.is_empty() {
            commit.check_dead_letters(count(Kind::DeadLetter))?;
        }
        Ok(())
    }

    pub(super) fn count(&self, kind: Kind, actor: &DurableId) -> usize {
        self.rows.under(key(kind, actor, [])).count()
    }
}
