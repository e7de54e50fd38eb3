//! What an activation remembers of its past, and what it has done and not stored yet. Pure: it knows no store, actor or clock.
//!
//! ```text
//!  a message's id ──► judge: new, remembered, unsettled, refused
//!  a turn's outcome ─► stage ──► staged ── take ──► a TurnCommit in flight ── settle ──► remembered
//!                        ▲          │ more turns join it meanwhile
//!                        └──────────┘
//! ```
//!
//! One commit is in flight at a time, as each says where the one before ended.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::id::{Epoch, MessageId, Name, Sequence, Target, WallTime};
use crate::limits::{COMMIT_BYTES_MAX, STAGED_BYTES_MAX, STAGED_ROWS_MAX, STAGED_TURNS_MAX, TURN_ROWS_MAX};
use crate::remembered::Remembered;
use crate::store::{
    Body, Cause, ChildChange, Committed, DeadLetter, Entry, Handled, Head, OutboxPosition, Outgoing,
    Recovery, Refusal, Reminder, ReminderChange, Snapshot, Source, StoreError, TurnCommit, admit,
    check_reminders,
};
use crate::turn::{Asked, Draft, JournalPlace};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    head: Head,
    /// The last entry's, staged ones among them.
    last_at: WallTime,
    /// Those that are not stored yet come last.
    remembered: Remembered,
    remembered_max: usize,
    kept: u64,
    /// The number of the last entry: stored, in flight or staged.
    last: Sequence,
    /// Boxed, as it is large and goes from hand to hand.
    staged: Option<Box<TurnCommit>>,
    staged_bytes: usize,
    /// How large what leaves with it is.
    staged_sent: usize,
    /// How many of the remembered are staged or in flight.
    unsettled: usize,
    in_flight: Option<Committed>,
    /// Those that there are once all is stored. Some may have come and be there no more.
    reminders: BTreeSet<Name>,
    /// The recorded ones that there are once all is stored.
    children: BTreeSet<Name>,
}

/// What is known of a message before it is handled.
#[derive(Debug, PartialEq)]
pub(crate) enum Judgement {
    /// It is to be handled.
    New,
    /// It is not.
    Known(Known),
}

/// What is known of a message that is not to be handled.
#[derive(Debug, PartialEq)]
pub(crate) enum Known {
    /// It was handled, and that is stored.
    Remembered,
    /// It was handled, and that is not stored yet.
    Unsettled,
    /// It is not known whether it was, or it claims what cannot be.
    Refused(Refusal),
}

/// How a turn went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) cause: Cause,
    pub(crate) at: WallTime,
    /// What the clock says, be it before `at`: the ids of what is sent are of this time, as it is others that judge them.
    pub(crate) clock: WallTime,
    /// Whence its message came, if it had one.
    pub(crate) source: Option<Source>,
    pub(crate) reply: Option<Bytes>,
    pub(crate) has_changed: bool,
    pub(crate) events: Vec<Body>,
    pub(crate) state: Option<Body>,
    pub(crate) asked: Asked,
    pub(crate) dead: Option<Box<DeadLetter>>,
}

impl Outcome {
    /// A turn in which nothing was done.
    pub(crate) fn nothing(cause: Cause, at: WallTime, clock: WallTime) -> Self {
        let (source, reply, state, dead) = (None, None, None, None);
        Self {
            cause,
            at,
            clock,
            source,
            reply,
            has_changed: false,
            events: Vec::new(),
            state,
            asked: Asked::default(),
            dead,
        }
    }
}

impl Ledger {
    /// Of an actor that was acquired and loaded. It remembers so many messages, and keeps so many entries that its state does
    /// not need.
    pub(crate) fn new(head: Head, recovery: &Recovery, remembered_max: usize, kept: u64) -> Self {
        Self {
            last_at: WallTime::ZERO,
            remembered: recovery.handled.iter().copied().collect(),
            remembered_max: remembered_max.max(1),
            kept: kept.max(1),
            last: head.sequence,
            head,
            staged: None,
            staged_bytes: 0,
            staged_sent: 0,
            unsettled: 0,
            in_flight: None,
            reminders: names_of(&recovery.reminders),
            children: recovery.children.iter().map(|child| child.name.clone()).collect(),
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.head.target
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    /// As far as it is stored.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The time of the next turn: now, but never before the last one.
    pub(crate) fn time(&self, now: WallTime) -> WallTime {
        now.max(self.last_at)
    }

    /// The last entry of the journal was at this time.
    pub(crate) fn note_time(&mut self, at: WallTime) {
        self.last_at = self.last_at.max(at);
    }

    /// The number of the next turn's entry.
    pub(crate) fn next(&self) -> Sequence {
        self.last.next()
    }

    /// Where in the journal the next turn will be, at this time of the clock.
    pub(crate) fn next_place(&self, clock: WallTime) -> JournalPlace {
        let (epoch, created_at) = (self.epoch(), self.head.created_at);
        JournalPlace { epoch, sequence: self.next(), at: self.time(clock), clock, created_at }
    }

    /// What is known of a message that came from a caller.
    pub(crate) fn judge(&self, id: MessageId, now: WallTime) -> Judgement {
        if !self.remembered.contains(id) {
            return match admit(self.horizon(), id, self.time(now)) {
                Ok(()) => Judgement::New,
                Err(refusal) => Judgement::Known(Known::Refused(refusal)),
            };
        }
        let is_stored = !self.remembered.ids().rev().take(self.unsettled).any(|other| other == id);
        Judgement::Known(if is_stored { Known::Remembered } else { Known::Unsettled })
    }

    /// Whether a message is remembered, stored or not.
    pub(crate) fn knows(&self, id: MessageId) -> bool {
        self.remembered.contains(id)
    }

    /// Whether a message may have been handled and forgotten. The store does not forget one that lies in the inbox.
    pub(crate) fn may_have_forgotten(&self, id: MessageId) -> bool {
        id.made() <= self.horizon()
    }

    /// What was made until then may be forgotten, stored or not.
    fn horizon(&self) -> WallTime {
        let staged = self.staged.as_ref().map_or(WallTime::ZERO, |staged| staged.horizon);
        self.head.horizon.max(staged)
    }

    /// A message that was given up is as new again.
    pub(crate) fn revive(&mut self, id: MessageId) {
        self.remembered.remove(id);
    }

    /// Whether so much of the journal may go now that it is worth it, if the state is stored with the next turn.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let staged = self.staged.as_ref().and_then(|staged| staged.trim);
        let trimmed = self.head.trimmed.max(staged.unwrap_or_default());
        self.next().0 - trimmed.0 >= self.kept.saturating_mul(2)
    }

    /// Whether the journal that is stored is so long that a state is to be stored for that alone: turns that bring none, as
    /// those that were refused, make it longer too.
    pub(crate) fn is_journal_long(&self) -> bool {
        self.head.sequence.0 - self.head.trimmed.0 >= self.kept.saturating_mul(2)
    }

    /// Whether the actor has ended for good, as far as is known here.
    pub(crate) fn has_ended(&self) -> bool {
        self.head.has_ended || self.staged.as_ref().is_some_and(|staged| staged.ends)
    }

    /// How far the journal may go once the state is stored as of an entry.
    pub(crate) fn trim_for(&self, snapshot: Sequence) -> Option<Sequence> {
        let trim = Sequence(snapshot.0.saturating_sub(self.kept));
        (trim > self.head.trimmed).then_some(trim)
    }

    /// Adds a turn to what is to be stored.
    ///
    /// # Errors
    ///
    /// What no store would take; the ledger is as before.
    pub(crate) fn stage(&mut self, outcome: Outcome) -> Result<(), StoreError> {
        let is_checkpoint = self.is_checkpoint_due() && outcome.state.is_some();
        let mut turn = self.commit_of(outcome);
        if is_checkpoint {
            turn.trim = self.trim_for(turn.last());
        }
        let bytes = checked_bytes(&turn)?;
        // A commit of several turns is not to be refused for one of them.
        turn.check_reminders(self.reminders.len(), |name| self.reminders.contains(name))?;
        turn.check_children(self.children.len(), |name| self.children.contains(name))?;
        self.note_names(&turn);
        self.staged_bytes += bytes;
        self.staged_sent += turn.outbox.iter().map(Outgoing::bytes).sum::<usize>();
        self.last_at = turn.entries[0].at;
        self.last = turn.last();
        let dead = turn.dead.iter().map(|dead| dead.letter.message.id);
        for id in turn.handled.iter().map(|handled| handled.message).chain(dead) {
            self.remembered.push(id, ());
            self.unsettled += 1;
        }
        self.forget(&mut turn);
        match &mut self.staged {
            Some(staged) => append(staged, *turn),
            staged => *staged = Some(turn),
        }
        Ok(())
    }

    fn note_names(&mut self, turn: &TurnCommit) {
        for change in &turn.reminders {
            match change {
                ReminderChange::Set(reminder) => self.reminders.insert(reminder.name.clone()),
                ReminderChange::Cancel(name) => self.reminders.remove(name),
            };
        }
        for change in &turn.children {
            match change {
                ChildChange::Add(child) => self.children.insert(child.name.clone()),
                ChildChange::Remove(name) => self.children.remove(name),
            };
        }
    }

    /// Whether a turn changes reminders so that there are too many, as far as is known here: some of them may have come.
    pub(crate) fn has_too_many(&self, changes: &[ReminderChange]) -> bool {
        check_reminders(changes, self.reminders.len(), |name| self.reminders.contains(name)).is_err()
    }

    /// These are the reminders that there are, while nothing is staged.
    pub(crate) fn note_reminders(&mut self, reminders: &[Reminder]) {
        self.reminders = names_of(reminders);
    }

    fn commit_of(&self, outcome: Outcome) -> Box<TurnCommit> {
        let Outcome { cause, at, clock, source, reply, has_changed, events, state, asked, dead } = outcome;
        let sequence = self.next();
        let mut turn = Box::new(TurnCommit::new(self.target().id.clone(), self.epoch(), self.last));
        let sends = asked.sends.into_iter().zip(0..);
        let outbox: Vec<_> = sends.map(|(draft, index)| self.outgoing(draft, (at, clock), index)).collect();
        let sent = outbox.iter().map(|outgoing| outgoing.id).collect();
        turn.entries = vec![Entry { sequence, at, cause, has_changed, events, sent }];
        if asked.ends {
            let (sequence, cause) = (sequence.next(), Cause::Stopped);
            let (events, sent) = (Vec::new(), Vec::new());
            turn.entries.push(Entry { sequence, at, cause, has_changed: false, events, sent });
        }
        turn.state = state.map(|body| Snapshot { sequence: turn.last(), body });
        if let (Cause::Message(message), Some(was)) = (cause, source) {
            turn.handled = vec![Handled { message, was, reply }];
        }
        if let Cause::Duplicate(message) = cause {
            turn.dropped.push(message);
        }
        turn.outbox = outbox;
        turn.reminders = asked.reminders;
        for change in &mut turn.reminders {
            if let ReminderChange::Set(reminder) = change {
                reminder.set_by = sequence;
            }
        }
        turn.children = asked.children;
        turn.dead.extend(dead.map(|dead| *dead));
        turn.ends = asked.ends;
        turn
    }

    fn outgoing(&self, draft: Draft, (at, clock): (WallTime, WallTime), index: u32) -> Outgoing {
        let sequence = self.next();
        let Draft { to, id, reply_to, body, headers } = draft;
        let own = || {
            let from = self.target().id.as_str().as_bytes();
            // With the epoch, as an actor that is deleted and made anew comes to the same places again.
            let place = [self.epoch().0.to_le_bytes(), sequence.0.to_le_bytes()];
            MessageId::hashed(clock, &[from, place.as_flattened(), &index.to_le_bytes()])
        };
        let id = id.unwrap_or_else(own);
        Outgoing {
            position: OutboxPosition { sequence, index },
            to,
            id,
            reply_to,
            sent_at: at,
            body,
            headers,
        }
    }

    /// A turn forgets those that are more than it remembers. What is not stored yet is not forgotten.
    fn forget(&mut self, turn: &mut TurnCommit) {
        let staged = self.staged.as_ref().map_or(0, |staged| staged.forget.len());
        // A type that remembers less than before forgets by and by.
        while self.remembered.len() > self.remembered_max.max(self.unsettled)
            && staged + turn.forget.len() < STAGED_ROWS_MAX
        {
            let Some(id) = self.remembered.pop() else { return };
            turn.forget.push(id);
            turn.horizon = turn.horizon.max(id.made());
        }
    }

    /// Whether there is anything to be stored.
    pub(crate) fn is_staged(&self) -> bool {
        self.staged.is_some()
    }

    /// The last state that is to be stored.
    pub(crate) fn staged_state(&self) -> Option<&Body> {
        self.staged.as_ref()?.state.as_ref().map(|state| &state.body)
    }

    /// How many messages leave with what is staged, and how large they are.
    pub(crate) fn staged_sends(&self) -> (usize, usize) {
        (self.staged.as_ref().map_or(0, |staged| staged.outbox.len()), self.staged_sent)
    }

    /// Whether no other turn may join what is staged.
    pub(crate) fn is_full(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| {
            staged.entries.len() >= STAGED_TURNS_MAX
                || self.staged_bytes >= STAGED_BYTES_MAX
                || staged.rows_over(STAGED_ROWS_MAX - 1).is_some()
        })
    }

    /// Takes what is staged, to be stored. Nothing else is in flight.
    pub(crate) fn take(&mut self) -> Option<Box<TurnCommit>> {
        if self.in_flight.is_some() {
            return None;
        }
        let commit = self.staged.take()?;
        (self.staged_bytes, self.staged_sent) = (0, 0);
        // What no store will take, none is asked for: this very function is what they decide by.
        self.in_flight = self.head.may_commit(&commit).ok();
        Some(commit)
    }

    /// What was in flight is stored.
    pub(crate) fn settle(&mut self) {
        if let Some(committed) = self.in_flight.take() {
            self.head.follow(committed);
        }
        // Only what was staged meanwhile is not.
        self.unsettled = self.staged.as_ref().map_or(0, |staged| staged.handled.len() + staged.dead.len());
    }

    /// A state was stored beside the journal, and that much of it is gone.
    pub(crate) fn note_snapshot(&mut self, snapshot: Sequence, trim: Option<Sequence>) {
        self.head.snapshot = self.head.snapshot.max(Some(snapshot));
        self.head.trimmed = self.head.trimmed.max(trim.unwrap_or_default());
    }
}

fn names_of(reminders: &[Reminder]) -> BTreeSet<Name> {
    reminders.iter().map(|reminder| reminder.name.clone()).collect()
}

/// What is staged already never keeps one turn more from being stored with it.
const TURN_BYTES_MAX: usize = COMMIT_BYTES_MAX - STAGED_BYTES_MAX;

/// How many bytes a turn brings, if stores take it.
fn checked_bytes(turn: &TurnCommit) -> Result<usize, StoreError> {
    let bytes = turn.checked_bytes()?;
    if bytes > TURN_BYTES_MAX {
        return Err(Refusal::TooLarge { what: "a turn", size: bytes, max: TURN_BYTES_MAX }.into());
    }
    match turn.rows_over(TURN_ROWS_MAX) {
        Some((what, size)) => Err(Refusal::TooLarge { what, size, max: TURN_ROWS_MAX }.into()),
        None => Ok(bytes),
    }
}

/// Puts one commit behind another.
fn append(commit: &mut TurnCommit, next: TurnCommit) {
    let TurnCommit {
        actor: _,
        epoch: _,
        expected: _,
        entries,
        state,
        handled,
        outbox,
        reminders,
        children,
        dead,
        dropped,
        forget,
        horizon,
        trim,
        ends,
    } = next;
    commit.entries.extend(entries);
    // A state is of the last entry; the one before is in it.
    match (state, &mut commit.state) {
        (Some(state), _) => commit.state = Some(state),
        (None, Some(state)) => state.sequence = Sequence(commit.expected.0 + commit.entries.len() as u64),
        (None, None) => {}
    }
    commit.handled.extend(handled);
    commit.outbox.extend(outbox);
    commit.reminders.extend(reminders);
    commit.children.extend(children);
    commit.dead.extend(dead);
    commit.dropped.extend(dropped);
    commit.forget.extend(forget);
    commit.horizon = commit.horizon.max(horizon);
    commit.trim = commit.trim.max(trim);
    commit.ends |= ends;
}

#[cfg(test)]
mod tests;
