//! Everything that is stored: keys in order, and a value under each. The changes of an operation that fails are undone.
//!
//! | kind | rest of the key | value |
//! |---|---|---|
//! | `Head`, `Snapshot` | | the row |
//! | `Entry`, `Letter`, `Outgoing`, `Undelivered` | its position; for the last, the one it had in the outbox | the row |
//! | `Reminder`, `Child`, `DeadLetter` | its name, or its message | the row |
//! | `Handled` | the last entry of the commit that handled it, and its place among those the commit handled | the row |
//! | `Waits`, `Remembered` | a message that has a `Letter`, or a `Handled` | the key of that row |
//! | `Due` | when a reminder is due, and its key | its key |
//! | `Floor` | | the greatest epoch of all actors that were deleted |

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Bound;

use actor_durable::DurableId;
use actor_durable::store::{Page, Refusal, Row, StoreError, decode_row, encode_row};
use bytes::Bytes;

/// The kind of a row. The numbers are stored.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Head = 1,
    Snapshot = 2,
    Entry = 3,
    Letter = 4,
    Waits = 5,
    Handled = 6,
    Remembered = 7,
    Outgoing = 8,
    Reminder = 9,
    Child = 10,
    DeadLetter = 11,
    Due = 12,
    Floor = 13,
    Undelivered = 14,
}

impl Kind {
    /// The kinds whose keys begin with an actor's id.
    pub(super) const OF_ACTOR: [Kind; 12] = {
        use Kind::*;
        [
            Head,
            Snapshot,
            Entry,
            Letter,
            Waits,
            Handled,
            Remembered,
            Outgoing,
            Reminder,
            Child,
            DeadLetter,
            Undelivered,
        ]
    };
}

/// The key of an actor's row. Keys of one kind sort as ids do, and then by the rest: an id has no control characters, so the 0
/// ends it, and numbers are big-endian.
pub(super) fn key(kind: Kind, actor: &DurableId, rest: impl AsRef<[u8]>) -> Bytes {
    [&[kind as u8], actor.as_str().as_bytes(), &[0], rest.as_ref()].concat().into()
}

/// The key under which a reminder is found by its time.
pub(super) fn due_key(millis: u64, reminder: &[u8]) -> Bytes {
    [&[Kind::Due as u8], &millis.to_be_bytes()[..], reminder].concat().into()
}

pub(super) fn floor_key() -> Bytes {
    vec![Kind::Floor as u8].into()
}

/// A row that is wrong although its sum is right.
pub(super) fn damaged(key: &[u8], detail: &str) -> StoreError {
    Refusal::Damaged { what: key.escape_ascii().to_string(), detail: detail.to_owned() }.into()
}

/// The contents of a record: each key that has changed, and its value now.
pub(super) type Changes = Vec<(Bytes, Option<Bytes>)>;

#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<Bytes, Bytes>,
    /// The changes since the last record, in order: each key, and its value before.
    changed: Vec<(Bytes, Option<Bytes>)>,
    changed_bytes: usize,
}

impl Rows {
    /// A mark to [undo](Self::undo) to.
    pub(super) fn mark(&self) -> usize {
        self.changed.len()
    }

    /// Undoes the changes since a mark.
    pub(super) fn undo(&mut self, mark: usize) {
        for (key, before) in self.changed.drain(mark..).rev() {
            set(&mut self.rows, key, before);
        }
    }

    /// The changes since the last call, each key once.
    pub(super) fn take_changes(&mut self) -> Changes {
        self.changed_bytes = 0;
        let keys: BTreeSet<Bytes> = mem::take(&mut self.changed).into_iter().map(|(key, _)| key).collect();
        let now = |key: Bytes| (key.clone(), self.rows.get(&key).cloned());
        keys.into_iter().map(now).collect()
    }

    /// About how many bytes the next record has.
    pub(super) fn changed_bytes(&self) -> usize {
        self.changed_bytes
    }

    /// Applies a record that was written before.
    pub(super) fn restore(&mut self, changes: Changes) {
        for (key, value) in changes {
            set(&mut self.rows, key, value);
        }
    }

    /// All rows, as changes.
    pub(super) fn all(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> {
        self.rows.iter().map(|(key, value)| (key.clone(), Some(value.clone())))
    }

    /// Sets the value under a key, or removes it.
    pub(super) fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        self.changed_bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        let before = set(&mut self.rows, key.clone(), value);
        self.changed.push((key, before));
    }

    pub(super) fn put<R: Row>(&mut self, key: Bytes, row: &R) {
        let value = encode_row(&key, row).into();
        self.set(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: Bytes) {
        if self.has(&key) {
            self.set(key, None);
        }
    }

    pub(super) fn has(&self, key: &Bytes) -> bool {
        self.rows.contains_key(key)
    }

    pub(super) fn get<R: Row>(&self, key: &Bytes) -> Result<Option<R>, StoreError> {
        Ok(self.rows.get(key).map(|row| decode_row(key, row)).transpose()?)
    }

    /// The key of a row that an index names, if there is one.
    pub(super) fn found(&self, index: &Bytes) -> Option<Bytes> {
        self.rows.get(index).cloned()
    }

    /// A row that another one says is there.
    pub(super) fn sure<R: Row>(&self, key: &Bytes) -> Result<R, StoreError> {
        self.get(key)?.ok_or_else(|| damaged(key, "it is missing"))
    }

    /// All keys with a prefix, and their values, in order.
    pub(super) fn under(&self, prefix: Bytes) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.after(prefix.clone(), prefix)
    }

    /// Those of [`under`](Self::under) that come after a key.
    pub(super) fn after(&self, prefix: Bytes, after: Bytes) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        let rows = self.rows.range((Bound::Excluded(after), Bound::Unbounded));
        rows.take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// All of an actor's rows of a kind.
    pub(super) fn all_of<R: Row>(&self, kind: Kind, actor: &DurableId) -> Result<Vec<R>, StoreError> {
        let rows = self.under(key(kind, actor, []));
        Ok(rows.map(|(key, row)| decode_row(key, row)).collect::<Result<_, _>>()?)
    }

    /// A page of an actor's rows of a kind.
    pub(super) fn page<R: Row>(
        &self,
        kind: Kind,
        actor: &DurableId,
        after: impl AsRef<[u8]>,
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        let mut page = Page::new(limit);
        let rows = self.after(key(kind, actor, []), key(kind, actor, after));
        let rows = rows.take_while(|(_, row)| page.takes(row.len()));
        Ok(rows.map(|(key, row)| decode_row(key, row)).collect::<Result<_, _>>()?)
    }
}

fn set(rows: &mut BTreeMap<Bytes, Bytes>, key: Bytes, value: Option<Bytes>) -> Option<Bytes> {
    match value {
        Some(value) => rows.insert(key, value),
        None => rows.remove(&key),
    }
}
