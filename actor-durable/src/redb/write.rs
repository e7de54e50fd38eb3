//! One operation inside a write transaction. It reads first, decides by the head, and writes last, so that what is refused has changed
//! nothing.

mod commit;
mod inbox;
mod owner;
mod undelivered;

use redb::{ReadableTable, Table, WriteTransaction};

pub(super) use self::inbox::{Enqueue, Fire, Purge, Revive, Transfer};
pub(super) use self::owner::{Acquire, BeginAttempt, Delete, MarkDelivered, Release, SaveSnapshot};
pub(super) use self::undelivered::{Discard, GiveUpDelivery, Redeliver};
use super::error::Trouble;
use super::keys::{self, BUSY, DUE, FLOOR_KEY, Keys, META, Place, ROWS, Turn};
use super::view::{self, View};
use super::world::World;
use crate::id::{DurableId, Epoch, MessageId, Sequence, Target};
use crate::store::{Handled, Head, Letter, Message, Reminder, Row, encode_row};

/// An operation that the writer applies.
pub(super) trait Operation: Send + 'static {
    /// What it returns.
    type Output: Send + 'static;

    /// About how many bytes it stores.
    fn bytes(&self) -> usize;

    /// Applies it, or refuses it and changes nothing.
    fn apply(&self, writing: &mut Writing<'_>) -> Result<Self::Output, Trouble>;
}

type RowsTable<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// All tables, opened for writing.
pub(super) struct Writing<'t> {
    meta: RowsTable<'t>,
    rows: RowsTable<'t>,
    due: Table<'t, &'static [u8], ()>,
    busy: Table<'t, &'static [u8], ()>,
    pub(super) world: &'t World,
    /// Whether anything was changed.
    pub(super) has_changed: bool,
    /// The actors that have got messages.
    pub(super) arrived: Vec<Target>,
}

impl<'t> Writing<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, world: &'t World) -> Result<Self, Trouble> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            rows: transaction.open_table(ROWS)?,
            due: transaction.open_table(DUE)?,
            busy: transaction.open_table(BUSY)?,
            world,
            has_changed: false,
            arrived: Vec::new(),
        })
    }

    /// The rows of an actor.
    fn actor(&self, id: &DurableId) -> View<'_, RowsTable<'t>> {
        View::of(&self.rows, id)
    }

    /// The head of an actor, or that of a new one.
    fn head_or_new(&self, target: &Target) -> Result<Head, Trouble> {
        if let Some(head) = self.actor(&target.id).try_head()? {
            return Ok(head);
        }
        Ok(Head::new(target.clone(), view::floor(&self.meta)?, self.world.now()))
    }

    fn put_bytes(&mut self, key: &[u8], row: &[u8]) -> Result<(), Trouble> {
        self.has_changed = true;
        self.rows.insert(key, row)?;
        Ok(())
    }

    fn put<R: Row>(&mut self, key: &[u8], value: &R) -> Result<(), Trouble> {
        self.put_bytes(key, &encode_row(key, value))
    }

    fn drop_row(&mut self, key: &[u8]) -> Result<(), Trouble> {
        self.has_changed = true;
        self.rows.remove(key)?;
        Ok(())
    }

    fn drop_rows(&mut self, start: &[u8], end: &[u8]) -> Result<(), Trouble> {
        self.has_changed = true;
        self.rows.retain_in(start..end, |_, _| false)?;
        Ok(())
    }

    /// Stores a head, and whether its actor has something to do.
    fn put_head(&mut self, keys: &Keys, head: &Head) -> Result<(), Trouble> {
        self.put(&keys.head(), head)?;
        let id = head.target.id.as_str().as_bytes();
        if self.actor(&head.target.id).is_busy(head)? {
            if self.busy.get(id)?.is_none() {
                self.busy.insert(id, ())?;
            }
        } else {
            self.busy.remove(id)?;
        }
        Ok(())
    }

    fn put_place(&mut self, keys: &Keys, message: MessageId, place: Place) -> Result<(), Trouble> {
        let key = keys.place(message);
        self.put_bytes(&key, &keys::seal(&key, &place.to_bytes()))
    }

    /// Puts a message into the inbox, at the place that the head before names.
    fn put_letter(&mut self, keys: &Keys, head: &Head, message: &Message) -> Result<(), Trouble> {
        let place = Place { position: head.next, attempts: 0 };
        let letter = Letter { position: place.position, attempts: 0, message: message.clone() };
        self.put(&keys.letter(place.position), &letter)?;
        self.put_place(keys, message.id, place)
    }

    fn drop_letter(&mut self, keys: &Keys, message: MessageId, place: Place) -> Result<(), Trouble> {
        self.drop_row(&keys.letter(place.position))?;
        self.drop_row(&keys.place(message))
    }

    fn put_handled(&mut self, keys: &Keys, turn: Turn, handled: &Handled) -> Result<(), Trouble> {
        let key = keys.handled(handled.message);
        let summed = [key.as_slice(), &turn.to_bytes()].concat();
        let row = [turn.to_bytes().as_slice(), &encode_row(&summed, handled)].concat();
        self.put_bytes(&key, &row)?;
        let key = keys.order(turn);
        self.put_bytes(&key, &keys::seal(&key, &handled.message.to_bytes()))
    }

    fn drop_handled(&mut self, keys: &Keys, message: MessageId, turn: Turn) -> Result<(), Trouble> {
        self.drop_row(&keys.handled(message))?;
        self.drop_row(&keys.order(turn))
    }

    /// Sets a reminder, and replaces the one that is there.
    fn put_reminder(
        &mut self,
        keys: &Keys,
        before: Option<&Reminder>,
        reminder: &Reminder,
    ) -> Result<(), Trouble> {
        if let Some(before) = before {
            self.due.remove(keys.due(before.due, &before.name).as_slice())?;
        }
        self.due.insert(keys.due(reminder.due, &reminder.name).as_slice(), ())?;
        self.put(&keys.reminder(&reminder.name), reminder)
    }

    fn drop_reminder(&mut self, keys: &Keys, reminder: &Reminder) -> Result<(), Trouble> {
        self.due.remove(keys.due(reminder.due, &reminder.name).as_slice())?;
        self.drop_row(&keys.reminder(&reminder.name))
    }

    /// Drops the entries after one, up to another.
    fn trim(&mut self, keys: &Keys, from: Sequence, to: Sequence) -> Result<(), Trouble> {
        if from < to {
            self.drop_rows(&keys.entry(from), &view::next(&keys.entry(to)))?;
        }
        Ok(())
    }

    /// Deletes all rows of an actor. Its former owners stay fenced.
    fn forget_actor(&mut self, keys: &Keys, head: &Head, reminders: &[Reminder]) -> Result<(), Trouble> {
        let floor = view::floor(&self.meta)?.max(head.epoch);
        self.put_floor(floor)?;
        reminders.iter().try_for_each(|reminder| self.drop_reminder(keys, reminder))?;
        let [start, end] = keys.all();
        self.drop_rows(&start, &end)?;
        self.busy.remove(head.target.id.as_str().as_bytes())?;
        Ok(())
    }

    fn put_floor(&mut self, floor: Epoch) -> Result<(), Trouble> {
        self.has_changed = true;
        self.meta.insert(FLOOR_KEY, keys::seal(FLOOR_KEY, &floor.0.to_le_bytes()).as_slice())?;
        Ok(())
    }
}
