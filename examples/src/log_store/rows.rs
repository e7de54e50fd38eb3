//! All that is stored: keys in order, and a value under each. Operations change it, and what one that fails has changed is
//! changed back.
//!
//! | kind | rest of the key | value |
//! |---|---|---|
//! | `Head`, `Snapshot` | | the row |
//! | `Entry`, `Letter`, `Outgoing`, `Undelivered` | where it lies, or lay in the outbox | the row |
//! | `Reminder`, `Child`, `DeadLetter` | its name, or its message | the row |
//! | `Handled` | when it was: the last entry of the commit, and which of that commit's | the row |
//! | `Waits`, `Remembered` | a message that has a `Letter`, or a `Handled` | that one's key |
//! | `Due` | when a reminder is due, and its key | its key |
//! | `Floor` | | the latest epoch of all actors that were deleted |

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Bound;

use actor_durable::DurableId;
use actor_durable::limits::{PAGE_BYTES_MAX, PAGE_ROWS_MAX};
use actor_durable::store::{Refusal, Row, StoreError, decode_row, encode_row};
use bytes::Bytes;

/// What lies under a key. The numbers are what is stored.
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
    /// Those that lie under an actor's id.
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

/// A row that cannot be, though its sum is right.
pub(super) fn damaged(key: &[u8], detail: &str) -> StoreError {
    Refusal::Damaged { what: key.escape_ascii().to_string(), detail: detail.to_owned() }.into()
}

/// What a record says: each key that has changed, and its value now.
pub(super) type Changes = Vec<(Bytes, Option<Bytes>)>;

#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<Bytes, Bytes>,
    /// What has changed since the last record, in order: the key, and its value before.
    changed: Vec<(Bytes, Option<Bytes>)>,
    changed_bytes: usize,
}

impl Rows {
    /// Up to here; see [`undo`](Self::undo).
    pub(super) fn mark(&self) -> usize {
        self.changed.len()
    }

    /// Changes back what has changed since a mark.
    pub(super) fn undo(&mut self, mark: usize) {
        for (key, before) in self.changed.drain(mark..).rev() {
            set(&mut self.rows, key, before);
        }
    }

    /// What has changed since the last time, each key once.
    pub(super) fn take_changes(&mut self) -> Changes {
        self.changed_bytes = 0;
        let keys: BTreeSet<Bytes> = mem::take(&mut self.changed).into_iter().map(|(key, _)| key).collect();
        let now = |key: Bytes| (key.clone(), self.rows.get(&key).cloned());
        keys.into_iter().map(now).collect()
    }

    /// About so much has changed since the last time.
    pub(super) fn changed_bytes(&self) -> usize {
        self.changed_bytes
    }

    /// What a record says that was written before.
    pub(super) fn restore(&mut self, changes: Changes) {
        for (key, value) in changes {
            set(&mut self.rows, key, value);
        }
    }

    /// All of it, as if it had changed now.
    pub(super) fn all(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> {
        self.rows.iter().map(|(key, value)| (key.clone(), Some(value.clone())))
    }

    /// Sets what lies under a key, or that nothing does.
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

    /// Where a row lies that is found by something else, if it is there.
    pub(super) fn found(&self, index: &Bytes) -> Option<Bytes> {
        self.rows.get(index).cloned()
    }

    /// A row that another one says is there.
    pub(super) fn sure<R: Row>(&self, key: &Bytes) -> Result<R, StoreError> {
        self.get(key)?.ok_or_else(|| damaged(key, "it is missing"))
    }

    /// All keys that begin so, and their values, in order.
    pub(super) fn under(&self, prefix: Bytes) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.after(prefix.clone(), prefix)
    }

    /// Those of [`under`](Self::under) that come after a key.
    pub(super) fn after(&self, prefix: Bytes, after: Bytes) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        let rows = self.rows.range((Bound::Excluded(after), Bound::Unbounded));
        rows.take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// All rows of a kind of an actor's.
    pub(super) fn all_of<R: Row>(&self, kind: Kind, actor: &DurableId) -> Result<Vec<R>, StoreError> {
        let rows = self.under(key(kind, actor, []));
        Ok(rows.map(|(key, row)| decode_row(key, row)).collect::<Result<_, _>>()?)
    }

    /// The next rows of a kind of an actor's, as many as a page has.
    pub(super) fn page<R: Row>(
        &self,
        kind: Kind,
        actor: &DurableId,
        after: impl AsRef<[u8]>,
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        for (key, row) in self.after(key(kind, actor, []), key(kind, actor, after)) {
            bytes += row.len();
            if page.len() == limit.min(PAGE_ROWS_MAX) || (bytes > PAGE_BYTES_MAX && !page.is_empty()) {
                break;
            }
            page.push(decode_row(key, row)?);
        }
        Ok(page)
    }
}

fn set(rows: &mut BTreeMap<Bytes, Bytes>, key: Bytes, value: Option<Bytes>) -> Option<Bytes> {
    match value {
        Some(value) => rows.insert(key, value),
        None => rows.remove(&key),
    }
}
