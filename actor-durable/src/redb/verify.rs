//! Checks a whole file and reports each fault. Only reads, a row at a time.

mod actor;

use std::fmt;

use redb::ReadableTable;

use self::actor::ActorCheck;
use super::error::Trouble;
use super::keys;
use super::view::{Tables, floor, reminder_at};
use crate::store::{Refusal, StoreError};

/// Something that is wrong with a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreFault {
    /// Where: an actor's id, or a key.
    pub place: String,
    /// Which of the store's rules does not hold there.
    pub rule: StoreRule,
    /// What was found.
    pub found: String,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, rule, found } = self;
        write!(f, "{place}: {rule}: {found}")
    }
}

/// A rule that holds in every store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum StoreRule {
    /// A row is as it was written: its checksum, its kind, its format and its key are right.
    RowIsSound,
    /// A row belongs to an actor that has a head.
    RowHasHead,
    /// A journal has every entry from the one after the trimmed ones to its last.
    JournalIsGapless,
    /// The stored state is the one that the head names, and as of an entry that is or was in the journal; it covers what is trimmed.
    SnapshotAgrees,
    /// The inbox has as many letters as the head says, before its next position; each is found by its message's id.
    InboxAgrees,
    /// Each message that is remembered as handled has a place in the order in which they were, and each place a message.
    OrderAgrees,
    /// Each message in the outbox, or given up, was sent by an entry that is or was in the journal, and is in its place. None is both.
    OutboxAgrees,
    /// Each reminder is found by its name and by its time.
    ReminderAgrees,
    /// Each child is found by its name.
    ChildAgrees,
    /// Each dead letter is found by its message's id, and is not in the inbox too.
    DeadLetterAgrees,
    /// The list of busy actors has those with mail or with an outbox, and no others.
    BusyAgrees,
}

/// What it is about.
impl fmt::Display for StoreRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowIsSound => "row",
            Self::RowHasHead => "head",
            Self::JournalIsGapless => "journal",
            Self::SnapshotAgrees => "stored state",
            Self::InboxAgrees => "inbox",
            Self::OrderAgrees => "order of handled messages",
            Self::OutboxAgrees => "outbox",
            Self::ReminderAgrees => "reminder",
            Self::ChildAgrees => "child",
            Self::DeadLetterAgrees => "dead letter",
            Self::BusyAgrees => "list of busy actors",
        })
    }
}

/// How much was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Verified {
    /// The number of actors.
    pub actors: u64,
    /// The number of their rows.
    pub rows: u64,
    /// The number of faults that were reported.
    pub faults: u64,
}

/// Where faults are reported.
struct Findings<'f> {
    verified: Verified,
    report: &'f mut dyn FnMut(StoreFault),
}

impl Findings<'_> {
    fn say(&mut self, place: impl fmt::Display, rule: StoreRule, found: impl Into<String>) {
        self.verified.faults += 1;
        (self.report)(StoreFault { place: place.to_string(), rule, found: found.into() });
    }

    /// Reports what the store itself calls damaged; passes on what keeps it from reading.
    fn sound<T>(&mut self, read: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::Refused(StoreError::NotApplied(Refusal::Damaged { what, detail }))) => {
                self.say(what, StoreRule::RowIsSound, detail);
                Ok(None)
            }
            Err(Trouble::Refused(StoreError::NotApplied(refusal @ Refusal::FutureVersion { .. }))) => {
                self.say("a row", StoreRule::RowIsSound, refusal.to_string());
                Ok(None)
            }
            Err(trouble) => Err(trouble),
        }
    }
}

/// Looks through all tables, as of one moment.
pub(super) fn verify(tables: &Tables, report: &mut dyn FnMut(StoreFault)) -> Result<Verified, Trouble> {
    let mut findings = Findings { verified: Verified::default(), report };
    verify_meta(tables, &mut findings)?;
    verify_rows(tables, &mut findings)?;
    verify_due(tables, &mut findings)?;
    verify_busy(tables, &mut findings)?;
    Ok(findings.verified)
}

/// What is known of the file itself. Its version was compared when it was opened.
fn verify_meta(tables: &Tables, findings: &mut Findings<'_>) -> Result<(), Trouble> {
    findings.sound(floor(&tables.meta))?;
    for pair in tables.meta.iter()? {
        let (key, _) = pair?;
        if ![keys::FORMAT_KEY, keys::FLOOR_KEY].contains(&key.value()) {
            findings.say(key.value().escape_ascii(), StoreRule::RowIsSound, "it is no key of a store");
        }
    }
    Ok(())
}

/// An actor's rows lie side by side: one pass over all rows is one over each actor.
fn verify_rows(tables: &Tables, findings: &mut Findings<'_>) -> Result<(), Trouble> {
    let mut check: Option<ActorCheck<'_>> = None;
    for pair in tables.rows.iter()? {
        let (key, row) = pair?;
        findings.verified.rows += 1;
        let parts =
            keys::parts(key.value()).and_then(|parts| Ok((keys::actor_id(parts.actor.as_bytes())?, parts)));
        let Some((id, parts)) = findings.sound(parts.map_err(Trouble::from))? else { continue };
        if check.as_ref().is_none_or(|check| check.id != id) {
            if let Some(done) = check.take() {
                done.finish(findings)?;
            }
            findings.verified.actors += 1;
        }
        let check = check.get_or_insert_with(|| ActorCheck::new(tables, id));
        check.row(parts, key.value(), row.value(), findings)?;
    }
    check.map_or(Ok(()), |done| done.finish(findings))
}

/// Each line of the list names a reminder that is due then. The other way round is seen with the reminders.
fn verify_due(tables: &Tables, findings: &mut Findings<'_>) -> Result<(), Trouble> {
    for pair in tables.due.iter()? {
        let (key, _) = pair?;
        if let Err(trouble) = reminder_at(&tables.rows, key.value()) {
            match trouble {
                Trouble::Refused(StoreError::NotApplied(refusal)) => {
                    findings.say(key.value().escape_ascii(), StoreRule::ReminderAgrees, refusal.to_string());
                }
                trouble => return Err(trouble),
            }
        }
    }
    Ok(())
}

/// Each line of the list names an actor. Whether it is busy is seen with the actor.
fn verify_busy(tables: &Tables, findings: &mut Findings<'_>) -> Result<(), Trouble> {
    for pair in tables.busy.iter()? {
        let (key, _) = pair?;
        let id = keys::actor_id(key.value()).map_err(Trouble::from);
        let Some(id) = findings.sound(id)? else { continue };
        let actor = tables.actor(&id);
        if tables.rows.get(actor.keys.head().as_slice())?.is_none() {
            findings.say(&id, StoreRule::BusyAgrees, "there is no such actor");
        }
    }
    Ok(())
}
