//! What turns change, and the journal of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Actor, Tables, page};
use crate::id::{DurableId, Epoch, MessageId, Name, Sequence};
use crate::limits::{CHILDREN_MAX, REMINDERS_MAX};
use crate::store::{
    ChildChange, DeadLetter, Entry, OutboxPosition, Refusal, ReminderChange, Snapshot, Source, StoreError,
    TurnCommit,
};

impl Tables {
    /// Stores a commit that has passed [`TurnCommit::check`].
    pub(crate) fn commit_turn(&mut self, commit: TurnCommit) -> Result<(), StoreError> {
        let Self { actors, due, .. } = self;
        let actor = actors.get_mut(&commit.actor).ok_or(Refusal::NoSuchActor)?;
        let head = actor.head.commit(&commit)?;
        actor.check_messages(&commit)?;
        actor.check_names(&commit)?;
        actor.head = head;
        actor.change_reminders(due, commit.reminders);
        if commit.ends {
            actor.cancel_reminders(due);
        }
        actor.handle(commit.handled, commit.dead, &commit.dropped);
        actor.forget(&commit.forget);
        actor.outbox.extend(commit.outbox.into_iter().map(|outgoing| (outgoing.position, outgoing)));
        actor.change_children(commit.children);
        actor.entries.extend(commit.entries);
        actor.snapshot = commit.state.or(actor.snapshot.take());
        actor.drop_trimmed();
        Ok(())
    }

    pub(crate) fn save_snapshot(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        let actor = self.actor_mut(actor)?;
        if let Some(head) = actor.head.save(epoch, &snapshot, trim)? {
            actor.head = head;
            actor.snapshot = Some(snapshot);
            actor.drop_trimmed();
        }
        Ok(())
    }

    pub(crate) fn mark_delivered(
        &mut self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        let actor = self.owned_mut(actor, epoch)?;
        for position in delivered {
            actor.outbox.remove(position);
        }
        Ok(())
    }

    pub(crate) fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let Actor { head, entries, .. } = self.actor(actor)?;
        if after < head.trimmed {
            return Err(Refusal::Trimmed { trimmed: head.trimmed }.into());
        }
        let skipped = usize::try_from(after.0 - head.trimmed.0).unwrap_or(usize::MAX);
        Ok(entries.iter().skip(skipped).take(page(limit)).cloned().collect())
    }
}

impl Actor {
    /// Whether the messages of a commit are where it says, and none was handled before.
    fn check_messages(&self, commit: &TurnCommit) -> Result<(), Refusal> {
        for handled in &commit.handled {
            self.is_new(handled.message)?;
            if handled.was == Source::Inbox {
                self.waits(handled.message)?;
            }
        }
        for dead in &commit.dead {
            self.is_new(dead.letter.message.id)?;
            self.waits(dead.letter.message.id)?;
        }
        commit.dropped.iter().try_for_each(|message| self.waits(*message))
    }

    fn is_new(&self, message: MessageId) -> Result<(), Refusal> {
        if self.handled.contains(message) { Err(Refusal::AlreadyHandled(message)) } else { Ok(()) }
    }

    fn waits(&self, message: MessageId) -> Result<(), Refusal> {
        if self.inbox.contains(message) { Ok(()) } else { Err(Refusal::NoSuchMessage(message)) }
    }

    /// Whether there will not be too many reminders and children.
    fn check_names(&self, commit: &TurnCommit) -> Result<(), Refusal> {
        let reminders = commit.reminders.iter().map(|change| match change {
            ReminderChange::Set(reminder) => (&reminder.name, true),
            ReminderChange::Cancel(name) => (name, false),
        });
        let children = commit.children.iter().map(|change| match change {
            ChildChange::Add(child) => (&child.name, true),
            ChildChange::Remove(name) => (name, false),
        });
        check_count("reminders", &self.reminders, reminders, REMINDERS_MAX)?;
        check_count("children", &self.children, children, CHILDREN_MAX)
    }

    fn handle(&mut self, handled: Vec<crate::store::Handled>, dead: Vec<DeadLetter>, dropped: &[MessageId]) {
        for handled in handled {
            if handled.was == Source::Inbox {
                self.inbox.remove(handled.message);
            }
            self.handled.insert(handled.message, handled.reply);
        }
        for dead in dead {
            let id = dead.letter.message.id;
            self.inbox.remove(id);
            self.handled.insert(id, None);
            self.dead.insert(id, dead);
        }
        for message in dropped {
            self.inbox.remove(*message);
        }
    }

    fn forget(&mut self, messages: &[MessageId]) {
        for message in messages.iter().filter(|message| !self.inbox.contains(**message)) {
            self.handled.remove(*message);
        }
    }

    fn change_children(&mut self, changes: Vec<ChildChange>) {
        for change in changes {
            match change {
                ChildChange::Add(child) => self.children.insert(child.name.clone(), child),
                ChildChange::Remove(name) => self.children.remove(&name),
            };
        }
    }

    fn drop_trimmed(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.sequence <= self.head.trimmed) {
            self.entries.pop_front();
        }
    }
}

/// Refuses changes, of names that are to be there (`true`) or not, after which there would be too many.
fn check_count<'a, T>(
    what: &'static str,
    there: &BTreeMap<Name, T>,
    changes: impl Iterator<Item = (&'a Name, bool)>,
    max: usize,
) -> Result<(), Refusal> {
    let mut changes = changes.peekable();
    if changes.peek().is_none() {
        return Ok(());
    }
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for (name, is_there) in changes {
        let (to, from) = if is_there { (&mut added, &mut removed) } else { (&mut removed, &mut added) };
        from.remove(name);
        to.insert(name);
    }
    added.retain(|name| !there.contains_key(*name));
    removed.retain(|name| there.contains_key(*name));
    if there.len() + added.len() - removed.len() > max {
        return Err(Refusal::TooMany { what, max });
    }
    Ok(())
}
