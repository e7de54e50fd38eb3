//! What turns change, and the journal of them.

use std::mem::take;

use super::{Actor, Tables, page_of};
use crate::id::{DurableId, Epoch, MessageId, Sequence};
use crate::store::{
    ChildChange, DeadLetter, Entry, OutboxPosition, Refusal, Snapshot, Source, StoreError, TurnCommit,
};

impl Tables {
    /// Stores a commit that has passed [`TurnCommit::check`], and leaves nothing in it. What it refuses is as it was.
    pub(crate) fn commit_turn(&mut self, commit: &mut TurnCommit) -> Result<(), StoreError> {
        let Self { actors, due, .. } = self;
        let actor = actors.get_mut(&commit.actor).ok_or(Refusal::NoSuchActor)?;
        let committed = actor.head.may_commit(commit)?;
        actor.check_messages(commit)?;
        commit.check_reminders(actor.reminders.len(), |name| actor.reminders.contains_key(name))?;
        commit.check_children(actor.children.len(), |name| actor.children.contains_key(name))?;
        commit.check_dead_letters(actor.dead.len())?;
        actor.head.follow(committed);
        actor.change_reminders(due, take(&mut commit.reminders));
        if commit.ends {
            actor.cancel_reminders(due);
        }
        actor.handle(take(&mut commit.handled), take(&mut commit.dead), &commit.dropped);
        actor.forget(&commit.forget);
        actor.outbox.extend(commit.outbox.drain(..).map(|outgoing| (outgoing.position, outgoing)));
        actor.change_children(take(&mut commit.children));
        actor.entries.extend(commit.entries.drain(..));
        actor.snapshot = commit.state.take().or(actor.snapshot.take());
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
        Ok(page_of(entries.iter().skip(skipped), limit, Entry::bytes))
    }
}

impl Actor {
    /// Whether the messages of a commit are where it says, and none was handled before.
    fn check_messages(&self, commit: &TurnCommit) -> Result<(), Refusal> {
        for handled in &commit.handled {
            self.check_new(handled.message)?;
            if handled.was == Source::Inbox {
                self.check_waits(handled.message)?;
            }
        }
        for dead in &commit.dead {
            self.check_new(dead.letter.message.id)?;
            self.check_waits(dead.letter.message.id)?;
        }
        commit.dropped.iter().try_for_each(|message| self.check_waits(*message))
    }

    fn check_new(&self, message: MessageId) -> Result<(), Refusal> {
        if self.handled.contains(message) { Err(Refusal::AlreadyHandled(message)) } else { Ok(()) }
    }

    fn check_waits(&self, message: MessageId) -> Result<(), Refusal> {
        if self.inbox.contains(message) { Ok(()) } else { Err(Refusal::NoSuchMessage(message)) }
    }

    fn handle(&mut self, handled: Vec<crate::store::Handled>, dead: Vec<DeadLetter>, dropped: &[MessageId]) {
        for handled in handled {
            if handled.was == Source::Inbox {
                self.inbox.remove(handled.message);
            }
            self.handled.push(handled.message, handled.reply);
        }
        for dead in dead {
            let id = dead.letter.message.id;
            self.inbox.remove(id);
            self.handled.push(id, None);
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
