//! What one commit says: the whole outcome of one turn, or of several in a row.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::message::{Body, DeadLetter, Outgoing, Reminder, headers_bytes};
use super::{Refusal, StoreError};
use crate::id::{DurableId, Epoch, MessageId, Name, Sequence, Target, WallTime};
use crate::limits::{
    CHILD_BYTES_MAX, CHILDREN_MAX, COMMIT_BYTES_MAX, COMMIT_ENTRIES_MAX, COMMIT_ROWS_MAX, DEAD_LETTERS_MAX,
    EVENT_BYTES_MAX, HEADERS_BYTES_MAX, HEADERS_MAX, PAYLOAD_BYTES_MAX, REASON_BYTES_MAX, REMINDER_BYTES_MAX,
    REMINDERS_MAX, REPLY_BYTES_MAX, STATE_BYTES_MAX,
};
use crate::turn::{SUPERVISOR, is_reserved};

/// Everything that one or several consecutive turns of an actor change: it is stored as a whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TurnCommit {
    /// Which actor.
    pub actor: DurableId,
    /// The epoch in which the committer acquired the actor. If it has been acquired since, nothing is stored.
    pub epoch: Epoch,
    /// The last entry in the journal. If it is another, nothing is stored.
    pub expected: Sequence,
    /// What is appended to the journal: at least one entry, numbered from `expected` on.
    pub entries: Vec<Entry>,
    /// The state after the last entry, if it is to be stored.
    pub state: Option<Snapshot>,
    /// The messages that these turns handled.
    pub handled: Vec<Handled>,
    /// The messages that these turns sent, in order.
    pub outbox: Vec<Outgoing>,
    /// Reminders that are set and cancelled, in order: the last change of a name counts.
    pub reminders: Vec<ReminderChange>,
    /// Children that are added and removed, in order, as reminders.
    pub children: Vec<ChildChange>,
    /// Messages in the inbox that are given up. They count as handled, after those in `handled`, and are kept as they are here:
    /// the store only checks that they are in the inbox.
    pub dead: Vec<DeadLetter>,
    /// Messages in the inbox that leave it without an effect, since they were handled before as a caller's.
    pub dropped: Vec<MessageId>,
    /// Handled messages to forget. An id that is not remembered is ignored, and so is one that is still in the inbox: it would
    /// be handled again.
    pub forget: Vec<MessageId>,
    /// Messages made at this time or earlier are refused unless they are remembered. It never goes back.
    pub horizon: WallTime,
    /// Entries up to this one are dropped, if there is one. A stored state must cover them.
    pub trim: Option<Sequence>,
    /// Whether the actor has ended for good: it accepts no more messages and its reminders are removed. Its inbox stays as it is
    /// until the actor is deleted; its outbox is still delivered.
    pub ends: bool,
}

/// One turn in the journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// When it was, by the owner's clock, but never earlier than the entry before it. Stores compare the entries of one commit; that
    /// a commit does not go back behind the one before is for its owner to see, which reads the last entry first.
    pub at: WallTime,
    /// Why there was a turn.
    pub cause: Cause,
    /// Whether the state changed.
    pub has_changed: bool,
    /// What happened, if the actor keeps events: applied to the state before, they give the state after.
    pub events: Vec<Body>,
    /// The messages that it sent.
    pub sent: Vec<MessageId>,
}

/// Why there was a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Cause {
    /// The actor began its life.
    Spawned,
    /// A message was handled.
    Message(MessageId),
    /// A message was given up.
    GaveUp(MessageId),
    /// A message had been handled before.
    Duplicate(MessageId),
    /// The actor's own doing, such as a timer's command or a supervisor's decision.
    Own,
    /// The actor ended for good.
    Stopped,
}

/// A state as of an entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last entry that it reflects.
    pub sequence: Sequence,
    /// The state.
    pub body: Body,
}

/// What is remembered of a message that was handled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Handled {
    /// Which message.
    pub message: MessageId,
    /// Where it came from. One from the inbox leaves it.
    pub was: Source,
    /// What a caller that sends it again is told.
    pub reply: Option<Bytes>,
}

/// Where a handled message came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Source {
    /// A caller that waits for the reply.
    Caller,
    /// The inbox.
    Inbox,
}

/// A change of one reminder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ReminderChange {
    /// It is set, and replaces another one of its name.
    Set(Reminder),
    /// It is removed, if it is there.
    Cancel(Name),
}

/// An actor that another actor has recorded as its child.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Child {
    /// What the parent calls it.
    pub name: Name,
    /// Which actor it is.
    pub target: Target,
    /// What the parent keeps about it.
    pub body: Body,
}

/// A change of one recorded child.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ChildChange {
    /// It is recorded, and replaces another one of its name.
    Add(Child),
    /// It is removed, if it is there.
    Remove(Name),
}

impl TurnCommit {
    /// A commit without any changes yet. It needs at least one entry.
    pub fn new(actor: DurableId, epoch: Epoch, expected: Sequence) -> Self {
        Self {
            actor,
            epoch,
            expected,
            entries: Vec::new(),
            state: None,
            handled: Vec::new(),
            outbox: Vec::new(),
            reminders: Vec::new(),
            children: Vec::new(),
            dead: Vec::new(),
            dropped: Vec::new(),
            forget: Vec::new(),
            horizon: WallTime::ZERO,
            trim: None,
            ends: false,
        }
    }

    /// The last entry of the journal after this commit; saturates, but not for what [`check`](Self::check) accepts.
    pub fn last(&self) -> Sequence {
        Sequence(self.expected.0.saturating_add(self.entries.len() as u64))
    }

    /// Checks what can be checked without looking at what is stored. Every store does so first.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] for what no actor of this crate commits; [`Refusal::TooLarge`] if one of the
    /// [limits](crate::limits) is exceeded.
    pub fn check(&self) -> Result<(), StoreError> {
        self.checked_bytes().map(drop)
    }

    /// How many bytes it brings, if [`check`](Self::check) says nothing against it.
    pub(crate) fn checked_bytes(&self) -> Result<usize, StoreError> {
        self.check_shape().map_err(|what| StoreError::NotApplied(Refusal::Malformed(what)))?;
        self.check_sizes().map_err(StoreError::NotApplied)
    }

    /// Whether the actor has no more reminders than it may after this. It has so many now, and `is_stored` says whether one of
    /// a name is among them.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`].
    pub fn check_reminders(&self, stored: usize, is_stored: impl Fn(&Name) -> bool) -> Result<(), Refusal> {
        check_reminders(&self.reminders, stored, is_stored)
    }

    /// Whether the actor has no more dead letters than it may after this. It has so many now.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`].
    pub fn check_dead_letters(&self, stored: usize) -> Result<(), Refusal> {
        if !self.dead.is_empty() && stored + self.dead.len() > DEAD_LETTERS_MAX {
            return Err(Refusal::TooMany { what: "dead letters", max: DEAD_LETTERS_MAX });
        }
        Ok(())
    }

    /// Whether the actor has no more recorded children than it may after this; as [`check_reminders`](Self::check_reminders). How it
    /// stands to its supervisor is stored as if it were one, and does not count.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`].
    pub fn check_children(&self, stored: usize, is_stored: impl Fn(&Name) -> bool) -> Result<(), Refusal> {
        let changes = self.children.iter().map(|change| match change {
            ChildChange::Add(child) => (&child.name, true),
            ChildChange::Remove(name) => (name, false),
        });
        if self.children.is_empty() {
            return Ok(());
        }
        let is_child = |(name, _): &(&Name, bool)| !is_reserved(name.as_str());
        let has_standing = Name::new(SUPERVISOR).is_ok_and(|standing| is_stored(&standing));
        let stored = stored - usize::from(has_standing);
        check_count("children", stored, is_stored, changes.filter(is_child), CHILDREN_MAX)
    }

    fn check_shape(&self) -> Result<(), &'static str> {
        if self.entries.is_empty() {
            return Err("a commit has at least one entry");
        }
        let Some(first) = self.expected.0.checked_add(1) else {
            return Err("there is no number after the last one");
        };
        // Near the end of all numbers the range is the shorter one.
        if !self.entries.iter().map(|entry| entry.sequence.0).eq(first..=self.last().0) {
            return Err("entries are numbered without a gap");
        }
        if !self.entries.is_sorted_by_key(|entry| entry.at) {
            return Err("entries do not go back in time");
        }
        if self.state.as_ref().is_some_and(|state| state.sequence != self.last()) {
            return Err("a state is of the last entry");
        }
        if self.trim.is_some_and(|trim| trim > self.last()) {
            return Err("what is to come cannot be trimmed");
        }
        let places = self.outbox.iter().map(|outgoing| outgoing.position);
        if !places.clone().all(|place| place.sequence > self.expected && place.sequence <= self.last())
            || !places.is_sorted_by(|one, other| one < other)
        {
            return Err("what leaves is numbered by its entry, in order");
        }
        if self.names_twice() {
            return Err("a message is handled once");
        }
        Ok(())
    }

    /// Whether a message is handled twice, or leaves the inbox twice.
    fn names_twice(&self) -> bool {
        if self.handled.len() + self.dead.len() + self.dropped.len() < 2 {
            return false;
        }
        let dead = || self.dead.iter().map(|dead| dead.letter.message.id);
        let handled = self.handled.iter().map(|handled| handled.message);
        let taken = self.handled.iter().filter(|handled| handled.was == Source::Inbox);
        let taken = taken.map(|handled| handled.message).chain(self.dropped.iter().copied());
        has_twice(handled.chain(dead())) || has_twice(taken.chain(dead()))
    }

    /// A kind of which it brings more rows than so many, and how many.
    pub(crate) fn rows_over(&self, max: usize) -> Option<(&'static str, usize)> {
        let rows = self.rows();
        // All together are mostly fewer.
        if rows.iter().map(|(_, count)| count).sum::<usize>() <= max {
            return None;
        }
        rows.into_iter().find(|(_, count)| *count > max)
    }

    /// How many rows of each kind it brings.
    fn rows(&self) -> [(&'static str, usize); 6] {
        [
            ("a commit's events", self.entries.iter().map(|entry| entry.events.len()).sum()),
            ("a commit's messages that leave", self.outbox.len()),
            ("a commit's changes of reminders", self.reminders.len()),
            ("a commit's changes of children", self.children.len()),
            ("a commit's handled messages", self.handled.len() + self.dead.len() + self.dropped.len()),
            ("a commit's forgotten messages", self.forget.len()),
        ]
    }

    fn check_sizes(&self) -> Result<usize, Refusal> {
        within("a commit's entries", self.entries.len(), COMMIT_ENTRIES_MAX)?;
        if let Some((what, size)) = self.rows_over(COMMIT_ROWS_MAX) {
            return Err(Refusal::TooLarge { what, size, max: COMMIT_ROWS_MAX });
        }
        for dead in &self.dead {
            within("a reason", dead.reason.len(), REASON_BYTES_MAX)?;
        }
        if let Some(state) = &self.state {
            check_state(&state.body)?;
        }
        let mut bytes = 0;
        for event in self.entries.iter().flat_map(|entry| &entry.events) {
            bytes += sized("an event", event.bytes.len(), EVENT_BYTES_MAX)?;
        }
        for reply in self.handled.iter().filter_map(|handled| handled.reply.as_ref()) {
            bytes += sized("a reply", reply.len(), REPLY_BYTES_MAX)?;
        }
        // Most commits have none.
        if !(self.outbox.is_empty() && self.reminders.is_empty() && self.children.is_empty()) {
            bytes += self.check_payloads()?;
        }
        sized("a commit's bytes", bytes, COMMIT_BYTES_MAX)
    }

    fn check_payloads(&self) -> Result<usize, Refusal> {
        let mut bytes = 0;
        for outgoing in &self.outbox {
            bytes += sized("a payload", outgoing.body.bytes.len(), PAYLOAD_BYTES_MAX)?;
            check_headers(&outgoing.headers)?;
            bytes += headers_bytes(&outgoing.headers);
        }
        for change in &self.reminders {
            if let ReminderChange::Set(reminder) = change {
                bytes += sized("a reminder's payload", reminder.body.bytes.len(), REMINDER_BYTES_MAX)?;
            }
        }
        for change in &self.children {
            if let ChildChange::Add(child) = change {
                bytes += sized("what is kept about a child", child.body.bytes.len(), CHILD_BYTES_MAX)?;
            }
        }
        Ok(bytes)
    }
}

/// Refuses headers that are too many or too long.
pub(super) fn check_headers(headers: &super::Headers) -> Result<(), Refusal> {
    within("a message's headers", headers.len(), HEADERS_MAX)?;
    within("the bytes of a message's headers", headers_bytes(headers), HEADERS_BYTES_MAX)
}

fn has_twice(ids: impl Iterator<Item = MessageId>) -> bool {
    let mut ids: Vec<MessageId> = ids.collect();
    ids.sort_unstable();
    !ids.is_sorted_by(|one, other| one < other)
}

/// As [`TurnCommit::check_reminders`], of changes that are in no commit yet.
pub(crate) fn check_reminders(
    changes: &[ReminderChange],
    stored: usize,
    is_stored: impl Fn(&Name) -> bool,
) -> Result<(), Refusal> {
    let changes = changes.iter().map(|change| match change {
        ReminderChange::Set(reminder) => (&reminder.name, true),
        ReminderChange::Cancel(name) => (name, false),
    });
    check_count("reminders", stored, is_stored, changes, REMINDERS_MAX)
}

/// Refuses changes, of names that are to be there (`true`) or not, after which there would be too many.
fn check_count<'a>(
    what: &'static str,
    stored: usize,
    is_stored: impl Fn(&Name) -> bool,
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
    added.retain(|name| !is_stored(name));
    removed.retain(|name| is_stored(name));
    if stored + added.len() - removed.len() > max {
        return Err(Refusal::TooMany { what, max });
    }
    Ok(())
}

pub(super) fn within(what: &'static str, size: usize, max: usize) -> Result<(), Refusal> {
    if size > max { Err(Refusal::TooLarge { what, size, max }) } else { Ok(()) }
}

/// Refuses a state that no store takes.
pub(crate) fn check_state(state: &Body) -> Result<(), Refusal> {
    within("a state", state.bytes.len(), STATE_BYTES_MAX)
}

/// A size that is within its bound.
fn sized(what: &'static str, size: usize, max: usize) -> Result<usize, Refusal> {
    within(what, size, max).map(|()| size)
}
