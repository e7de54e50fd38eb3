//! Counts the rows of each actor. However many actors there are, one summary is in memory.

use std::ops::ControlFlow;

use crate::id::DurableId;
use crate::redb::error::Trouble;
use crate::redb::keys::{self, Keys, Kind, Parts};
use crate::redb::view::Tables;
use crate::store::{Head, Refusal, decode_row};

/// How much is stored of an actor. See [`RedbInspection::summaries`](super::RedbInspection::summaries).
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ActorSummary {
    /// Which actor.
    pub id: DurableId,
    /// Its head, or why it cannot be read.
    pub head: Result<Head, Refusal>,
    /// The number of entries in its journal.
    pub entries: u64,
    /// The number of messages in its inbox.
    pub inbox: u64,
    /// The number of messages that it remembers as handled.
    pub handled: u64,
    /// The number of messages that it has sent and that are not known to have arrived.
    pub outbox: u64,
    /// The number of messages whose delivery was given up.
    pub undelivered: u64,
    /// The number of its reminders.
    pub reminders: u64,
    /// The number of its recorded children.
    pub children: u64,
    /// The number of its dead letters.
    pub dead_letters: u64,
    /// The bytes of its stored state; 0 if there is none.
    pub state_bytes: u64,
    /// The bytes of all of its rows and their keys.
    pub bytes: u64,
}

impl ActorSummary {
    fn new(id: DurableId) -> Self {
        let missing = keys::damaged(&Keys::of(&id).head(), "it is missing");
        Self {
            id,
            head: Err(missing),
            entries: 0,
            inbox: 0,
            handled: 0,
            outbox: 0,
            undelivered: 0,
            reminders: 0,
            children: 0,
            dead_letters: 0,
            state_bytes: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, kind: u8, key: &[u8], row: &[u8]) {
        self.bytes += (key.len() + row.len()) as u64;
        let count = match kind {
            kind if kind == Kind::Head as u8 => {
                self.head = decode_row(key, row);
                return;
            }
            kind if kind == Kind::Snapshot as u8 => {
                self.state_bytes = row.len() as u64;
                return;
            }
            kind if kind == Kind::Entry as u8 => &mut self.entries,
            kind if kind == Kind::Letter as u8 => &mut self.inbox,
            kind if kind == Kind::Handled as u8 => &mut self.handled,
            kind if kind == Kind::Outgoing as u8 => &mut self.outbox,
            kind if kind == Kind::Undelivered as u8 => &mut self.undelivered,
            kind if kind == Kind::Reminder as u8 => &mut self.reminders,
            kind if kind == Kind::Child as u8 => &mut self.children,
            kind if kind == Kind::DeadLetter as u8 => &mut self.dead_letters,
            // The indices.
            _ => return,
        };
        *count += 1;
    }
}

/// Goes through all rows from an actor's on.
pub(super) fn visit(
    tables: &Tables,
    from: Option<&DurableId>,
    visit: &mut dyn FnMut(Result<ActorSummary, Refusal>) -> ControlFlow<()>,
) -> Result<(), Trouble> {
    let start = from.map_or(Vec::new(), |from| {
        let [start, _] = Keys::of(from).all();
        start
    });
    let mut summary: Option<ActorSummary> = None;
    for pair in tables.rows.range(start.as_slice()..)? {
        let (key, row) = pair?;
        let (id, kind) = match owner(key.value()) {
            Ok(owner) => owner,
            Err(refusal) => {
                if summary.take().is_some_and(|done| visit(Ok(done)).is_break())
                    || visit(Err(refusal)).is_break()
                {
                    return Ok(());
                }
                continue;
            }
        };
        if summary.as_ref().is_some_and(|summary| summary.id != id)
            && summary.take().is_some_and(|done| visit(Ok(done)).is_break())
        {
            return Ok(());
        }
        summary.get_or_insert_with(|| ActorSummary::new(id)).add(kind, key.value(), row.value());
    }
    // It was the last in any case.
    let _ = summary.map(|done| visit(Ok(done)));
    Ok(())
}

/// Whose row it is, and of which kind.
fn owner(key: &[u8]) -> Result<(DurableId, u8), Refusal> {
    let Parts { actor, kind, .. } = keys::parts(key)?;
    Ok((keys::actor_id(actor.as_bytes())?, kind))
}
