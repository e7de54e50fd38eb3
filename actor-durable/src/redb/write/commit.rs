//! The outcome of turns.

use std::collections::{BTreeMap, BTreeSet};

use redb::StorageError;

use super::{Operation, Writing};
use crate::id::{MessageId, Name};
use crate::redb::error::Trouble;
use crate::redb::keys::{Keys, Kind, Place, Turn};
use crate::redb::view::{Pair, Rows, View};
use crate::store::{
    ChildChange, Handled, Head, Outgoing, Refusal, Reminder, ReminderChange, Source, TurnCommit,
};

/// What was looked up before anything is written.
struct Plan {
    before: Head,
    after: Head,
    /// The messages that leave the inbox.
    taken: Vec<(MessageId, Place)>,
    /// The messages that are forgotten, and when they were handled.
    forgotten: Vec<(MessageId, Turn)>,
    /// The reminders that are there.
    reminders: Vec<Reminder>,
}

impl Plan {
    fn of<T: Rows>(actor: &View<'_, T>, commit: &TurnCommit) -> Result<Self, Trouble> {
        commit.check()?;
        let before = actor.owned(commit.epoch)?;
        let after = before.commit(commit)?;
        let taken = taken(actor, commit)?;
        let forgotten = forgotten(actor, commit, &taken)?;
        let has_reminders = !commit.reminders.is_empty() || commit.ends;
        let reminders = if has_reminders { actor.all(Kind::Reminder)? } else { Vec::new() };
        let names: BTreeSet<&Name> = reminders.iter().map(|reminder: &Reminder| &reminder.name).collect();
        commit.check_reminders(names.len(), |name| names.contains(name))?;
        let adds = commit.children.iter().any(|change| matches!(change, ChildChange::Add(_)));
        let children = if adds { children(actor)? } else { BTreeSet::new() };
        commit.check_children(children.len(), |name| children.contains(name.as_str().as_bytes()))?;
        if !commit.dead.is_empty() {
            commit.check_dead_letters(actor.count(Kind::DeadLetter)?)?;
        }
        Ok(Self { before, after, taken, forgotten, reminders })
    }
}

/// Where the messages lie that leave the inbox; none of those that are handled was handled before.
fn taken<T: Rows>(actor: &View<'_, T>, commit: &TurnCommit) -> Result<Vec<(MessageId, Place)>, Trouble> {
    let dead = || commit.dead.iter().map(|dead| dead.letter.message.id);
    for message in commit.handled.iter().map(|handled| handled.message).chain(dead()) {
        if actor.handled(message)?.is_some() {
            return Err(Refusal::AlreadyHandled(message).into());
        }
    }
    let handled = commit.handled.iter().filter(|handled| handled.was == Source::Inbox);
    let leaving = handled.map(|handled| handled.message).chain(dead()).chain(commit.dropped.iter().copied());
    let place = |message| match actor.place(message)? {
        Some(place) => Ok((message, place)),
        None => Err(Refusal::NoSuchMessage(message).into()),
    };
    leaving.map(place).collect()
}

/// What is to be forgotten and was handled, be it by this commit. What stays in the inbox is not: it would be handled again.
fn forgotten<T: Rows>(
    actor: &View<'_, T>,
    commit: &TurnCommit,
    taken: &[(MessageId, Place)],
) -> Result<Vec<(MessageId, Turn)>, Trouble> {
    if commit.forget.is_empty() {
        return Ok(Vec::new());
    }
    let leaving: BTreeSet<MessageId> = taken.iter().map(|(message, _)| *message).collect();
    let now: BTreeMap<MessageId, Turn> =
        handled(commit).map(|(turn, handled)| (handled.message, turn)).collect();
    let mut forgotten = Vec::new();
    for message in &commit.forget {
        let turn = match now.get(message) {
            Some(turn) => Some(*turn),
            None => actor.handled(*message)?.map(|(turn, _)| turn),
        };
        let Some(turn) = turn else { continue };
        if leaving.contains(message) || actor.place(*message)?.is_none() {
            forgotten.push((*message, turn));
        }
    }
    Ok(forgotten)
}

/// All that a commit handles, and when.
fn handled(commit: &TurnCommit) -> impl Iterator<Item = (Turn, Handled)> {
    let dead = commit.dead.iter().map(|dead| dead.letter.message.id);
    let dead = dead.map(|message| Handled { message, was: Source::Inbox, reply: None });
    let turns = (0..).map(|index| Turn { sequence: commit.last(), index });
    turns.zip(commit.handled.iter().cloned().chain(dead))
}

/// The names of the recorded children.
fn children<T: Rows>(actor: &View<'_, T>) -> Result<BTreeSet<Vec<u8>>, Trouble> {
    let start = actor.keys.row(Kind::Child, &[]);
    let name = |pair: Result<Pair<'_>, StorageError>| Ok(pair?.0.value()[start.len()..].to_vec());
    actor.pairs(Kind::Child)?.map(name).collect()
}

impl Operation for TurnCommit {
    type Output = ();

    fn bytes(&self) -> usize {
        let events = self.entries.iter().flat_map(|entry| &entry.events).map(|event| event.bytes.len());
        let state = self.state.iter().map(|state| state.body.bytes.len());
        let replies = self.handled.iter().filter_map(|handled| handled.reply.as_ref()).map(bytes::Bytes::len);
        let sent = self.outbox.iter().map(Outgoing::bytes);
        let dead = self.dead.iter().map(|dead| dead.letter.message.bytes() + dead.reason.len());
        let reminders = self.reminders.iter().map(|change| match change {
            ReminderChange::Set(reminder) => reminder.name.as_str().len() + reminder.body.bytes.len(),
            ReminderChange::Cancel(name) => name.as_str().len(),
        });
        let children = self.children.iter().map(|change| match change {
            ChildChange::Add(child) => child.name.as_str().len() + child.body.bytes.len(),
            ChildChange::Remove(name) => name.as_str().len(),
        });
        let said_sent: usize = self.entries.iter().map(|entry| entry.sent.len()).sum();
        let ids = said_sent + self.handled.len() + self.dropped.len() + self.forget.len();
        let turns = events.chain(state).chain(replies).chain(sent).chain(dead);
        turns.chain(reminders).chain(children).sum::<usize>() + ids * size_of::<MessageId>()
    }

    fn apply(&self, writing: &mut Writing<'_>) -> Result<(), Trouble> {
        let actor = writing.actor(&self.actor);
        let plan = Plan::of(&actor, self)?;
        let keys = actor.keys;
        writing.put_turn(&keys, &plan, self)?;
        writing.put_messages(&keys, &plan, self)?;
        writing.change_reminders(&keys, plan.reminders, self)?;
        writing.change_children(&keys, &self.children)?;
        if self.outbox.is_empty() && plan.before.has_mail() == plan.after.has_mail() {
            // It has as much to do as before.
            return writing.put(&keys.head(), &plan.after);
        }
        writing.put_head(&keys, &plan.after)
    }
}

impl Writing<'_> {
    fn put_turn(&mut self, keys: &Keys, plan: &Plan, commit: &TurnCommit) -> Result<(), Trouble> {
        for entry in &commit.entries {
            self.put(&keys.entry(entry.sequence), entry)?;
        }
        if let Some(state) = &commit.state {
            self.put(&keys.snapshot(), state)?;
        }
        self.trim(keys, plan.before.trimmed, plan.after.trimmed)
    }

    fn put_messages(&mut self, keys: &Keys, plan: &Plan, commit: &TurnCommit) -> Result<(), Trouble> {
        for (message, place) in &plan.taken {
            self.drop_letter(keys, *message, *place)?;
        }
        for (turn, handled) in handled(commit) {
            self.put_handled(keys, turn, &handled)?;
        }
        for dead in &commit.dead {
            self.put(&keys.dead_letter(dead.letter.message.id), dead)?;
        }
        for outgoing in &commit.outbox {
            self.put(&keys.outgoing(outgoing.position), outgoing)?;
        }
        plan.forgotten.iter().try_for_each(|(message, turn)| self.drop_handled(keys, *message, *turn))
    }

    fn change_reminders(
        &mut self,
        keys: &Keys,
        mut stored: Vec<Reminder>,
        commit: &TurnCommit,
    ) -> Result<(), Trouble> {
        for change in &commit.reminders {
            let (ReminderChange::Set(Reminder { name, .. }) | ReminderChange::Cancel(name)) = change;
            let index = stored.iter().position(|reminder| reminder.name == *name);
            let before = index.map(|index| stored.swap_remove(index));
            match (change, before) {
                (ReminderChange::Set(reminder), before) => {
                    self.put_reminder(keys, before.as_ref(), reminder)?;
                    stored.push(reminder.clone());
                }
                (ReminderChange::Cancel(_), Some(before)) => self.drop_reminder(keys, &before)?,
                (ReminderChange::Cancel(_), None) => {}
            }
        }
        if commit.ends {
            stored.iter().try_for_each(|reminder| self.drop_reminder(keys, reminder))?;
        }
        Ok(())
    }

    fn change_children(&mut self, keys: &Keys, changes: &[ChildChange]) -> Result<(), Trouble> {
        for change in changes {
            match change {
                ChildChange::Add(child) => self.put(&keys.child(&child.name), child)?,
                ChildChange::Remove(name) => self.drop_row(&keys.child(name))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, DurableId, Epoch, Position, Sequence, Target, WallTime};
    use crate::store::{
        Body, CatchUp, Cause, Child, DeadLetter, Destination, Entry, Headers, Letter, Message,
        OutboxPosition, Snapshot,
    };

    const LARGE: usize = 100_000;

    fn name() -> Name {
        Name::new("n").expect("a good name")
    }

    fn message(body: usize, headers: usize) -> Message {
        let actor_type = ActorType::new("counter").expect("a good name");
        let to = Target { id: DurableId::new("a").expect("a good id"), actor_type };
        let (id, sent_at) = (MessageId::new(WallTime::ZERO, 1), WallTime::ZERO);
        let headers = Headers::from([("h".to_owned(), "x".repeat(headers))]);
        Message { to, id, from: None, reply_to: None, sent_at, body: large(body), headers }
    }

    fn large(bytes: usize) -> Body {
        Body { version: 1, bytes: vec![0; bytes].into() }
    }

    fn entry(events: Vec<Body>, sent: usize) -> Entry {
        let sent = vec![MessageId::new(WallTime::ZERO, 1); sent];
        Entry {
            sequence: Sequence(1),
            at: WallTime::ZERO,
            cause: Cause::Own,
            has_changed: true,
            events,
            sent,
        }
    }

    fn dead(message: Message, reason: usize) -> DeadLetter {
        let letter = Letter { position: Position(1), attempts: 0, message };
        DeadLetter { letter, at: WallTime::ZERO, reason: "x".repeat(reason) }
    }

    fn outgoing(body: usize, headers: usize) -> Outgoing {
        let Message { id, reply_to, sent_at, body, headers, .. } = message(body, headers);
        let position = OutboxPosition { sequence: Sequence(1), index: 0 };
        Outgoing { position, to: Destination::Outlet(name()), id, reply_to, sent_at, body, headers }
    }

    fn reminder(body: usize) -> Reminder {
        let (set_by, due, catch_up) = (Sequence(1), WallTime::ZERO, CatchUp::FireOnce);
        Reminder { name: name(), set_by, due, period: None, catch_up, body: large(body) }
    }

    #[test]
    fn all_that_a_commit_stores_takes_room() {
        let ids = || vec![MessageId::new(WallTime::ZERO, 1); LARGE];
        let handled =
            |reply| Handled { message: MessageId::new(WallTime::ZERO, 1), was: Source::Caller, reply };
        let child = || Child { name: name(), target: message(0, 0).to, body: large(LARGE) };
        type Add<'a> = &'a dyn Fn(&mut TurnCommit);
        let kinds: [(&str, Add<'_>); 15] = [
            ("an event", &|commit| commit.entries.push(entry(vec![large(LARGE)], 0))),
            ("what an entry says was sent", &|commit| commit.entries.push(entry(Vec::new(), LARGE))),
            ("a state", &|commit| {
                commit.state = Some(Snapshot { sequence: Sequence(1), body: large(LARGE) });
            }),
            ("a reply", &|commit| commit.handled.push(handled(Some(large(LARGE).bytes)))),
            ("handled messages", &|commit| commit.handled = vec![handled(None); LARGE]),
            ("a message that leaves", &|commit| commit.outbox.push(outgoing(LARGE, 0))),
            ("its headers", &|commit| commit.outbox.push(outgoing(0, LARGE))),
            ("a reminder", &|commit| commit.reminders.push(ReminderChange::Set(reminder(LARGE)))),
            ("reminders that go", &|commit| commit.reminders = vec![ReminderChange::Cancel(name()); LARGE]),
            ("a child", &|commit| commit.children.push(ChildChange::Add(child()))),
            ("a dead letter", &|commit| commit.dead.push(dead(message(LARGE, 0), 0))),
            ("its headers", &|commit| commit.dead.push(dead(message(0, LARGE), 0))),
            ("its reason", &|commit| commit.dead.push(dead(message(0, 0), LARGE))),
            ("what is dropped", &|commit| commit.dropped = ids()),
            ("what is forgotten", &|commit| commit.forget = ids()),
        ];
        for (what, add) in kinds {
            let mut commit = TurnCommit::new(message(0, 0).to.id, Epoch(1), Sequence::ZERO);
            add(&mut commit);
            assert!(Operation::bytes(&commit) >= LARGE, "{what}");
        }
    }
}
