//! Checks one actor's rows, in the order of their keys.

use redb::ReadOnlyTable;

use super::{Findings, StoreRule};
use crate::id::{DurableId, MessageId, Sequence};
use crate::redb::error::Trouble;
use crate::redb::keys::{self, Kind, Parts, Place, Turn};
use crate::redb::view::{Tables, View, decode_handled};
use crate::store::{
    Child, DeadLetter, Entry, Head, Letter, Outgoing, Refusal, Reminder, Row, Snapshot, Undelivered,
    decode_row,
};

/// What has been read of an actor so far.
pub(super) struct ActorCheck<'t> {
    pub(super) id: DurableId,
    tables: &'t Tables,
    view: View<'t, ReadOnlyTable<&'static [u8], &'static [u8]>>,
    head: Option<Head>,
    is_orphan: bool,
    snapshot: Option<Sequence>,
    /// The last entry.
    journal: Sequence,
    letters: u64,
    places: u64,
    handled: u64,
    order: u64,
}

impl<'t> ActorCheck<'t> {
    pub(super) fn new(tables: &'t Tables, id: DurableId) -> Self {
        let view = tables.actor(&id);
        Self {
            id,
            tables,
            view,
            head: None,
            is_orphan: false,
            snapshot: None,
            journal: Sequence::ZERO,
            letters: 0,
            places: 0,
            handled: 0,
            order: 0,
        }
    }

    pub(super) fn row(
        &mut self,
        parts: Parts<'_>,
        key: &[u8],
        row: &[u8],
        findings: &mut Findings<'_>,
    ) -> Result<(), Trouble> {
        if parts.kind == Kind::Head as u8 {
            if let Some(head) = decoded(key, row, findings)? {
                self.head(head, findings);
            }
            return Ok(());
        }
        if self.head.is_none() && !self.is_orphan {
            self.is_orphan = true;
            findings.say(&self.id, StoreRule::RowHasHead, "there is none that can be read");
        }
        match parts.kind {
            kind if kind == Kind::Snapshot as u8 => {
                let snapshot: Option<Snapshot> = decoded(key, row, findings)?;
                self.snapshot = snapshot.map(|snapshot| snapshot.sequence);
            }
            kind if kind == Kind::Entry as u8 => {
                self.entry(parts.rest, decoded(key, row, findings)?, findings);
            }
            kind if kind == Kind::Letter as u8 => {
                self.letter(parts.rest, decoded(key, row, findings)?, findings)?;
            }
            kind if kind == Kind::Place as u8 => {
                let place = keys::unseal::<12>(key, row).map(Place::from_bytes);
                self.places += u64::from(findings.sound(place.map_err(Trouble::from))?.is_some());
            }
            kind if kind == Kind::Handled as u8 => self.handled(key, row, findings)?,
            kind if kind == Kind::Order as u8 => {
                let message = keys::unseal::<16>(key, row).map_err(Trouble::from);
                self.order += u64::from(findings.sound(message)?.is_some());
            }
            kind if kind == Kind::Outgoing as u8 => {
                self.outgoing(parts.rest, decoded(key, row, findings)?, findings);
            }
            kind if kind == Kind::Reminder as u8 => {
                self.reminder(parts.rest, decoded(key, row, findings)?, findings)?;
            }
            kind if kind == Kind::Child as u8 => {
                let child: Option<Child> = decoded(key, row, findings)?;
                if child.is_some_and(|child| child.name.as_str().as_bytes() != parts.rest) {
                    findings.say(key.escape_ascii(), StoreRule::ChildAgrees, "it has another name");
                }
            }
            kind if kind == Kind::DeadLetter as u8 => {
                self.dead_letter(parts.rest, decoded(key, row, findings)?, findings)?;
            }
            kind if kind == Kind::Undelivered as u8 => {
                self.undelivered(parts.rest, decoded(key, row, findings)?, findings)?;
            }
            kind => findings.say(
                key.escape_ascii(),
                StoreRule::RowIsSound,
                format!("it is of the unknown kind {kind}"),
            ),
        }
        Ok(())
    }

    fn head(&mut self, head: Head, findings: &mut Findings<'_>) {
        if head.target.id != self.id {
            findings.say(&self.id, StoreRule::RowIsSound, format!("its head is of {}", head.target));
        }
        let covered = head.snapshot.unwrap_or(Sequence::ZERO);
        if covered > head.sequence || head.trimmed > covered {
            let Head { sequence, snapshot, trimmed, .. } = &head;
            let found = format!("trimmed to {trimmed}, {}, a journal to {sequence}", state_of(*snapshot));
            findings.say(&self.id, StoreRule::SnapshotAgrees, found);
        }
        self.journal = head.trimmed;
        self.head = Some(head);
    }

    fn entry(&mut self, rest: &[u8], entry: Option<Entry>, findings: &mut Findings<'_>) {
        let Some(entry) = entry else { return };
        let before = self.journal;
        if entry.sequence != before.next() || rest != entry.sequence.0.to_be_bytes() {
            let found = format!("entry {} comes after {before}", entry.sequence);
            findings.say(&self.id, StoreRule::JournalIsGapless, found);
        }
        self.journal = entry.sequence;
    }

    fn letter(
        &mut self,
        rest: &[u8],
        letter: Option<Letter>,
        findings: &mut Findings<'_>,
    ) -> Result<(), Trouble> {
        let Some(letter) = letter else { return Ok(()) };
        self.letters += 1;
        let id = letter.message.id;
        let place = findings.sound(self.view.place(id))?.flatten();
        if place.map(|place| place.position) != Some(letter.position) {
            findings.say(
                &self.id,
                StoreRule::InboxAgrees,
                format!("{id} is not found at {}", letter.position),
            );
        }
        let is_beyond = self.head.as_ref().is_some_and(|head| letter.position >= head.next);
        if rest != letter.position.0.to_be_bytes() || is_beyond || letter.message.to.id != self.id {
            let found = format!("{id} to {} lies where it cannot, at {}", letter.message.to, letter.position);
            findings.say(&self.id, StoreRule::InboxAgrees, found);
        }
        Ok(())
    }

    fn handled(&mut self, key: &[u8], row: &[u8], findings: &mut Findings<'_>) -> Result<(), Trouble> {
        let handled = decode_handled(key, row).map_err(Trouble::from);
        let Some((turn, handled)) = findings.sound(handled)? else { return Ok(()) };
        self.handled += 1;
        if key != self.view.keys.handled(handled.message) {
            let found = format!("{} lies at the key of another", handled.message);
            findings.say(&self.id, StoreRule::OrderAgrees, found);
        }
        if self.head.as_ref().is_some_and(|head| turn.sequence > head.sequence) {
            let found =
                format!("{} was handled at {}, after the journal's end", handled.message, turn.sequence);
            findings.say(&self.id, StoreRule::OrderAgrees, found);
        }
        let place = self.ordered(turn);
        let Some(message) = findings.sound(place)? else { return Ok(()) };
        if message != Some(handled.message) {
            let found = format!("{} is not at its place, {}/{}", handled.message, turn.sequence, turn.index);
            findings.say(&self.id, StoreRule::OrderAgrees, found);
        }
        Ok(())
    }

    /// The message that was handled then.
    fn ordered(&self, turn: Turn) -> Result<Option<MessageId>, Trouble> {
        let key = self.view.keys.order(turn);
        let Some(row) = self.tables.rows.get(key.as_slice())? else { return Ok(None) };
        Ok(Some(MessageId::from_bytes(keys::unseal(&key, row.value())?)))
    }

    fn outgoing(&mut self, rest: &[u8], outgoing: Option<Outgoing>, findings: &mut Findings<'_>) {
        let Some(outgoing) = outgoing else { return };
        let position = outgoing.position;
        let turn = Turn { sequence: position.sequence, index: position.index };
        let is_sent = self.head.as_ref().is_none_or(|head| position.sequence <= head.sequence);
        if rest != turn.to_bytes() || !is_sent {
            let found =
                format!("{} lies where it cannot, at {}/{}", outgoing.id, position.sequence, position.index);
            findings.say(&self.id, StoreRule::OutboxAgrees, found);
        }
    }

    fn reminder(
        &mut self,
        rest: &[u8],
        reminder: Option<Reminder>,
        findings: &mut Findings<'_>,
    ) -> Result<(), Trouble> {
        let Some(reminder) = reminder else { return Ok(()) };
        if self.head.as_ref().is_some_and(|head| head.has_ended) {
            let found = format!("{} is set, and the actor has ended for good", reminder.name);
            findings.say(&self.id, StoreRule::ReminderAgrees, found);
        }
        let due = self.view.keys.due(reminder.due, &reminder.name);
        if rest != reminder.name.as_str().as_bytes() || self.tables.due.get(due.as_slice())?.is_none() {
            let found = format!("{} is not found at {:?}", reminder.name, reminder.due);
            findings.say(&self.id, StoreRule::ReminderAgrees, found);
        }
        Ok(())
    }

    fn dead_letter(
        &mut self,
        rest: &[u8],
        dead: Option<DeadLetter>,
        findings: &mut Findings<'_>,
    ) -> Result<(), Trouble> {
        let Some(dead) = dead else { return Ok(()) };
        let id = dead.letter.message.id;
        let place = findings.sound(self.view.place(id))?.flatten();
        if rest != id.to_bytes() || place.is_some() {
            findings.say(&self.id, StoreRule::DeadLetterAgrees, format!("{id} waits, or lies elsewhere"));
        }
        Ok(())
    }

    fn undelivered(
        &mut self,
        rest: &[u8],
        undelivered: Option<Undelivered>,
        findings: &mut Findings<'_>,
    ) -> Result<(), Trouble> {
        let Some(Undelivered { outgoing, .. }) = undelivered else { return Ok(()) };
        let waiting = self.view.row::<Outgoing>(&self.view.keys.outgoing(outgoing.position));
        if findings.sound(waiting)?.flatten().is_some() {
            let found = format!("{} was given up, and is to leave", outgoing.id);
            findings.say(&self.id, StoreRule::OutboxAgrees, found);
        }
        self.outgoing(rest, Some(outgoing), findings);
        Ok(())
    }

    /// Called after the last row: compares what was counted with the head.
    pub(super) fn finish(self, findings: &mut Findings<'_>) -> Result<(), Trouble> {
        let Some(head) = &self.head else { return Ok(()) };
        if self.journal != head.sequence {
            let found = format!("it ends at {}, and the head says {}", self.journal, head.sequence);
            findings.say(&self.id, StoreRule::JournalIsGapless, found);
        }
        if self.snapshot != head.snapshot {
            let found = format!(
                "{} is stored, and the head says {}",
                state_of(self.snapshot),
                state_of(head.snapshot)
            );
            findings.say(&self.id, StoreRule::SnapshotAgrees, found);
        }
        if self.letters != head.waiting || self.places != self.letters {
            let Self { letters, places, .. } = &self;
            let found = format!("{letters} letters, {places} places, and the head says {}", head.waiting);
            findings.say(&self.id, StoreRule::InboxAgrees, found);
        }
        if self.handled != self.order {
            let found = format!("{} are handled, {} have a place", self.handled, self.order);
            findings.say(&self.id, StoreRule::OrderAgrees, found);
        }
        let is_listed = self.tables.busy.get(self.id.as_str().as_bytes())?.is_some();
        if self.view.is_busy(head)? != is_listed {
            findings.say(
                &self.id,
                StoreRule::BusyAgrees,
                if is_listed { "it is listed" } else { "it is not" },
            );
        }
        Ok(())
    }
}

fn state_of(sequence: Option<Sequence>) -> String {
    sequence.map_or_else(|| "no state".to_owned(), |sequence| format!("a state of {sequence}"))
}

/// A row's value. If it is damaged, reports that.
fn decoded<R: Row>(key: &[u8], row: &[u8], findings: &mut Findings<'_>) -> Result<Option<R>, Trouble> {
    let value: Result<R, Refusal> = decode_row(key, row);
    findings.sound(value.map_err(Trouble::from))
}
