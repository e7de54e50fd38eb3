//! Reminders.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::{Actor, Tables};
use crate::id::{Name, Target, WallTime};
use crate::store::{Due, DuePlace, Firing, Page, Reminder, ReminderChange, StoreError};

/// What became of a firing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fired {
    /// The reminder that was meant is no longer there.
    NotDue,
    /// It is set to its next time, and nothing new was put into the inbox.
    Silent,
    /// It is set to its next time, and this actor has got messages.
    Told(Target),
}

impl Tables {
    pub(crate) fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Due {
        let start = after.cloned().map_or(Bound::Unbounded, Bound::Excluded);
        let mut places = self.due.range((start, Bound::Unbounded)).peekable();
        let (mut room, mut reminders) = (Page::new(limit), Vec::new());
        while let Some(place) = places.next_if(|place| place.due <= now) {
            let Some(actor) = self.actors.get(&place.actor) else { continue };
            let Some(reminder) = actor.reminders.get(&place.name) else { continue };
            if !room.takes(reminder.bytes()) {
                return Due { reminders, next: Some(place.due) };
            }
            reminders.push((actor.head.target.clone(), reminder.clone()));
        }
        Due { reminders, next: places.peek().map(|place| place.due) }
    }

    pub(crate) fn fire(&mut self, firing: Firing, now: WallTime) -> Result<Fired, StoreError> {
        let Self { actors, due, .. } = self;
        let Some(actor) = actors.get_mut(&firing.actor) else { return Ok(Fired::NotDue) };
        if actor.reminders.get(&firing.name).is_none_or(|reminder| !reminder.is_meant_by(&firing)) {
            return Ok(Fired::NotDue);
        }
        let (mut head, mut ids, mut letters) = (actor.head.clone(), BTreeSet::new(), Vec::new());
        for message in firing.messages {
            head.check_type(&message.to)?;
            if actor.known(message.id).is_none() && ids.insert(message.id) {
                head = head.accept(&message, now)?;
                letters.push((message, head.clone()));
            }
        }
        actor.set_due(due, &firing.name, firing.next);
        let fired = if letters.is_empty() { Fired::Silent } else { Fired::Told(head.target) };
        letters.into_iter().for_each(|(message, head)| actor.put(message, head));
        Ok(fired)
    }
}

impl Actor {
    pub(super) fn change_reminders(&mut self, due: &mut BTreeSet<DuePlace>, changes: Vec<ReminderChange>) {
        for change in changes {
            match change {
                ReminderChange::Set(reminder) => {
                    self.set_due(due, &reminder.name, None);
                    due.insert(self.place_of(&reminder));
                    self.reminders.insert(reminder.name.clone(), reminder);
                }
                ReminderChange::Cancel(name) => self.set_due(due, &name, None),
            }
        }
    }

    pub(super) fn cancel_reminders(&mut self, due: &mut BTreeSet<DuePlace>) {
        for reminder in std::mem::take(&mut self.reminders).values() {
            due.remove(&self.place_of(reminder));
        }
    }

    /// Sets when a reminder is due; without a time, removes it.
    fn set_due(&mut self, due: &mut BTreeSet<DuePlace>, name: &Name, next: Option<WallTime>) {
        let Some(reminder) = self.reminders.remove(name) else { return };
        due.remove(&self.place_of(&reminder));
        if let Some(next) = next {
            let reminder = Reminder { due: next, ..reminder };
            due.insert(self.place_of(&reminder));
            self.reminders.insert(reminder.name.clone(), reminder);
        }
    }

    fn place_of(&self, reminder: &Reminder) -> DuePlace {
        DuePlace { due: reminder.due, actor: self.head.target.id.clone(), name: reminder.name.clone() }
    }
}
