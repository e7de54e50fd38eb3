//! Reads an actor's rows in any transaction. Nothing here writes.

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableTable, StorageError};

use super::error::Trouble;
use super::keys::{self, BUSY, DUE, Keys, Kind, META, Place, ROWS, Turn};
use crate::id::{DurableId, Epoch, MessageId, Name, Position, Sequence, WallTime};
use crate::limits::PAGE_ROWS_MAX;
use crate::store::{
    Child, DeadLetter, Entry, Handled, Head, Letter, OutboxPosition, Outgoing, Page, Recovery, Refusal,
    Reminder, Row, Snapshot, Undelivered, decode_row,
};

/// A key and a row.
pub(super) type Pair<'r> = (AccessGuard<'r, &'static [u8]>, AccessGuard<'r, &'static [u8]>);

/// Whatever rows can be read from.
pub(super) trait Rows: ReadableTable<&'static [u8], &'static [u8]> {}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Rows for T {}

/// All tables, in one snapshot.
pub(super) struct Tables {
    pub(super) meta: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(super) rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(super) due: ReadOnlyTable<&'static [u8], ()>,
    pub(super) busy: ReadOnlyTable<&'static [u8], ()>,
}

impl Tables {
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, Trouble> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            rows: transaction.open_table(ROWS)?,
            due: transaction.open_table(DUE)?,
            busy: transaction.open_table(BUSY)?,
        })
    }

    pub(super) fn actor(&self, id: &DurableId) -> View<'_, ReadOnlyTable<&'static [u8], &'static [u8]>> {
        View::of(&self.rows, id)
    }
}

/// One actor's rows.
pub(super) struct View<'r, T> {
    pub(super) keys: Keys,
    rows: &'r T,
}

impl<'r, T: Rows> View<'r, T> {
    pub(super) fn of(rows: &'r T, id: &DurableId) -> Self {
        Self { keys: Keys::of(id), rows }
    }

    fn bytes(&self, key: &[u8]) -> Result<Option<AccessGuard<'r, &'static [u8]>>, Trouble> {
        Ok(self.rows.get(key)?)
    }

    /// The value under a key, if there is one.
    pub(super) fn row<R: Row>(&self, key: &[u8]) -> Result<Option<R>, Trouble> {
        let Some(row) = self.bytes(key)? else { return Ok(None) };
        Ok(Some(decode_row(key, row.value())?))
    }

    /// The value under a key that another row says is there.
    pub(super) fn sure<R: Row>(&self, key: &[u8]) -> Result<R, Trouble> {
        self.row(key)?.ok_or_else(|| keys::damaged(key, "it is missing").into())
    }

    pub(super) fn try_head(&self) -> Result<Option<Head>, Trouble> {
        self.row(&self.keys.head())
    }

    /// The head; [`Refusal::NoSuchActor`] if there is none.
    pub(super) fn head(&self) -> Result<Head, Trouble> {
        Ok(self.try_head()?.ok_or(Refusal::NoSuchActor)?)
    }

    /// The head, for whoever owns the actor.
    pub(super) fn owned(&self, epoch: Epoch) -> Result<Head, Trouble> {
        let head = self.head()?;
        head.check_owner(epoch)?;
        Ok(head)
    }

    /// Where a message is in the inbox, if it is.
    pub(super) fn place(&self, message: MessageId) -> Result<Option<Place>, Trouble> {
        let key = self.keys.place(message);
        let Some(row) = self.bytes(&key)? else { return Ok(None) };
        Ok(Some(Place::from_bytes(keys::unseal(&key, row.value())?)))
    }

    /// What is remembered of a handled message, and when it was handled.
    pub(super) fn handled(&self, message: MessageId) -> Result<Option<(Turn, Handled)>, Trouble> {
        let key = self.keys.handled(message);
        let Some(row) = self.bytes(&key)? else { return Ok(None) };
        Ok(Some(decode_handled(&key, row.value())?))
    }

    pub(super) fn is_dead(&self, message: MessageId) -> Result<bool, Trouble> {
        Ok(self.bytes(&self.keys.dead_letter(message))?.is_some())
    }

    /// All rows of a kind, in order.
    pub(super) fn pairs(
        &self,
        kind: Kind,
    ) -> Result<impl Iterator<Item = Result<Pair<'r>, StorageError>> + use<'r, T>, Trouble> {
        let [start, end] = self.keys.kind(kind);
        Ok(self.rows.range(start.as_slice()..end.as_slice())?)
    }

    /// Whether there is a row of a kind.
    pub(super) fn has(&self, kind: Kind) -> Result<bool, Trouble> {
        Ok(self.pairs(kind)?.next().transpose()?.is_some())
    }

    /// How many rows of a kind there are.
    pub(super) fn count(&self, kind: Kind) -> Result<usize, Trouble> {
        Ok(self.pairs(kind)?.try_fold(0, |count, pair| pair.map(|_| count + 1))?)
    }

    /// Whether the actor has something to do.
    pub(super) fn is_busy(&self, head: &Head) -> Result<bool, Trouble> {
        Ok(head.has_mail() || self.has(Kind::Outgoing)?)
    }

    /// All values of a kind, in order.
    pub(super) fn all<R: Row>(&self, kind: Kind) -> Result<Vec<R>, Trouble> {
        let mut values = Vec::new();
        for pair in self.pairs(kind)? {
            let (key, row) = pair?;
            values.push(decode_row(key.value(), row.value())?);
        }
        Ok(values)
    }

    /// A page of values of a kind, after a key.
    fn page<R: Row>(&self, kind: Kind, after: &[u8], limit: usize) -> Result<Vec<R>, Trouble> {
        let [_, end] = self.keys.kind(kind);
        let (mut room, mut page) = (Page::new(limit), Vec::new());
        let start = next(after);
        if start >= end {
            return Ok(page);
        }
        for pair in self.rows.range(start.as_slice()..end.as_slice())? {
            let (key, row) = pair?;
            if !room.takes(row.value().len()) {
                break;
            }
            page.push(decode_row(key.value(), row.value())?);
        }
        Ok(page)
    }

    pub(super) fn entries(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, Trouble> {
        let head = self.head()?;
        if after < head.trimmed {
            return Err(Refusal::Trimmed { trimmed: head.trimmed }.into());
        }
        let page: Vec<Entry> = self.page(Kind::Entry, &self.keys.entry(after), limit)?;
        let numbers = (after.0..).skip(1).take(page.len());
        if !page.iter().map(|entry| entry.sequence.0).eq(numbers)
            || page.is_empty() && limit > 0 && after < head.sequence
        {
            return Err(keys::damaged(&self.keys.entry(after), "the journal after it has a gap").into());
        }
        Ok(page)
    }

    pub(super) fn inbox(&self, after: Position, limit: usize) -> Result<Vec<Letter>, Trouble> {
        let mut page: Vec<Letter> = self.page(Kind::Letter, &self.keys.letter(after), limit)?;
        for letter in &mut page {
            let place = self.place(letter.message.id)?.filter(|place| place.position == letter.position);
            let key = || self.keys.letter(letter.position);
            letter.attempts = place.ok_or_else(|| keys::damaged(&key(), "nothing points at it"))?.attempts;
        }
        Ok(page)
    }

    pub(super) fn dead_letters(
        &self,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Trouble> {
        self.page_after(Kind::DeadLetter, after.map(|after| self.keys.dead_letter(after)), limit)
    }

    /// A page of values of a kind, after the key of one, or from the first on.
    fn page_after<R: Row>(
        &self,
        kind: Kind,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<R>, Trouble> {
        let [start, _] = self.keys.kind(kind);
        self.page(kind, &after.unwrap_or(start), limit)
    }

    pub(super) fn outbox(
        &self,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Outgoing>, Trouble> {
        self.page_after(Kind::Outgoing, after.map(|after| self.keys.outgoing(after)), limit)
    }

    pub(super) fn reminders(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Reminder>, Trouble> {
        self.page_after(Kind::Reminder, after.map(|after| self.keys.reminder(after)), limit)
    }

    pub(super) fn children(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Child>, Trouble> {
        self.page_after(Kind::Child, after.map(|after| self.keys.child(after)), limit)
    }

    pub(super) fn undelivered(
        &self,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, Trouble> {
        self.page_after(Kind::Undelivered, after.map(|after| self.keys.undelivered(after)), limit)
    }

    /// The ids that are remembered as handled, in the order they were.
    pub(super) fn remembered(&self) -> Result<Vec<MessageId>, Trouble> {
        let mut remembered = Vec::new();
        for pair in self.pairs(Kind::Order)? {
            let (key, row) = pair?;
            remembered.push(MessageId::from_bytes(keys::unseal(key.value(), row.value())?));
        }
        Ok(remembered)
    }

    pub(super) fn snapshot(&self, head: &Head) -> Result<Option<Snapshot>, Trouble> {
        let key = self.keys.snapshot();
        let snapshot: Option<Snapshot> = self.row(&key)?;
        if snapshot.as_ref().map(|snapshot| snapshot.sequence) != head.snapshot {
            return Err(keys::damaged(&key, "it is not the one that the head names").into());
        }
        Ok(snapshot)
    }

    pub(super) fn recovery(&self, head: &Head) -> Result<Recovery, Trouble> {
        Ok(Recovery {
            snapshot: self.snapshot(head)?,
            handled: self.remembered()?,
            outbox: self.all(Kind::Outgoing)?,
            reminders: self.all(Kind::Reminder)?,
            children: self.all(Kind::Child)?,
        })
    }
}

/// The row of a handled message: when it was handled, then what is remembered of it.
pub(super) fn decode_handled(key: &[u8], row: &[u8]) -> Result<(Turn, Handled), Refusal> {
    let short = || keys::damaged(key, format!("it has {} bytes", row.len()));
    let (turn, rest) = row.split_at_checked(Turn::BYTES).ok_or_else(short)?;
    let key = [key, turn].concat();
    Ok((Turn::from_bytes(turn).ok_or_else(short)?, decode_row(&key, rest)?))
}

/// The smallest key after this one.
pub(super) fn next(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

/// A page of heads. Other rows are skipped.
pub(super) fn heads(rows: &impl Rows, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, Trouble> {
    let mut heads = Vec::new();
    let mut start = after.map_or(Vec::new(), |after| Keys::of(after).after());
    while heads.len() < limit.min(PAGE_ROWS_MAX) {
        let Some(id) = actor_from(rows, &start)? else { break };
        let view = View::of(rows, &id);
        start = view.keys.after();
        heads.push(view.sure(&view.keys.head())?);
    }
    Ok(heads)
}

/// The first actor with rows at or after a key.
pub(super) fn actor_from(rows: &impl Rows, start: &[u8]) -> Result<Option<DurableId>, Trouble> {
    let Some(pair) = rows.range(start..)?.next() else { return Ok(None) };
    let (key, _) = pair?;
    let parts = keys::parts(key.value())?;
    Ok(Some(keys::actor_id(parts.actor.as_bytes())?))
}

/// The greatest epoch of all actors that were deleted.
pub(super) fn floor(meta: &impl Rows) -> Result<Epoch, Trouble> {
    let Some(row) = meta.get(keys::FLOOR_KEY)? else { return Ok(Epoch::ZERO) };
    Ok(Epoch(u64::from_le_bytes(keys::unseal(keys::FLOOR_KEY, row.value())?)))
}

/// The reminder that an index row names.
pub(super) fn reminder_at(rows: &impl Rows, key: &[u8]) -> Result<(WallTime, DurableId, Reminder), Trouble> {
    let (due, actor, name): (WallTime, DurableId, Name) = keys::due_parts(key)?;
    let view = View::of(rows, &actor);
    let reminder: Reminder = view.sure(&view.keys.reminder(&name))?;
    if reminder.due != due {
        return Err(keys::damaged(key, "the reminder is due at another time").into());
    }
    Ok((due, actor, reminder))
}
