//! Looks at a file without changing it, for tools: also at one that a process has left behind as it ended, and that redb
//! would repair.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actor_core::Executor;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::open::{Opening, open_existing};
use super::shared::Shared;
use super::verify::{StoreFault, Verified, verify};
use super::view;
use super::world::World;
use super::{Tables, Trouble, error, reads};
use crate::id::{DurableId, MessageId, Position, Sequence, WallTime};
use crate::limits::CACHE_BYTES_DEFAULT;
use crate::store::{DeadLetter, Due, Entry, Head, Letter, OutboxPosition, Recovery, StoreError, Undelivered};

/// A file that is looked at and not changed. What redb would repair is repaired in memory.
///
/// All of its functions block until the disk has answered. Several processes may look at a file at a time, and none while
/// a [`RedbStore`](super::RedbStore) has it.
#[derive(Debug)]
pub struct RedbInspection {
    shared: Shared,
}

impl RedbInspection {
    /// Opens a file to look at, and checks the sums of all of it.
    ///
    /// # Errors
    ///
    /// As [`RedbOptions::open`](super::RedbOptions::open), and [`Refusal::Unavailable`](crate::store::Refusal) if there is no
    /// such file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(error::io)?;
        Self::on(FileBackend::new(file).map_err(error::opening)?)
    }

    /// Looks at what lies on a backend.
    pub(super) fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let opening = Opening { cache_bytes: CACHE_BYTES_DEFAULT, is_checked: true };
        let (database, health) = open_existing(Overlay::new(backend), opening)?;
        let shared = Shared::new(database, health, World::new(Executor::tokio()));
        Ok(Self { shared })
    }

    /// Says everything that cannot be in a store, one by one, and how much was looked at.
    ///
    /// # Errors
    ///
    /// What keeps it from reading on.
    pub fn verify(&self, mut report: impl FnMut(StoreFault)) -> Result<Verified, StoreError> {
        self.shared.read(|tables| verify(tables, &mut report))
    }

    /// The actors by id, after one, at most so many.
    ///
    /// # Errors
    ///
    /// As [`Store::actors`](crate::store::Store::actors).
    pub fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.shared.read(|tables| view::heads(&tables.rows, after, limit))
    }

    /// One actor; `None` if the store has never heard of it.
    ///
    /// # Errors
    ///
    /// As [`Store::head`](crate::store::Store::head).
    pub fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        self.shared.read(|tables| tables.actor(actor).try_head())
    }

    /// What its owner would begin with.
    ///
    /// # Errors
    ///
    /// As [`Store::load`](crate::store::Store::load), without an owner.
    pub fn recovery(&self, actor: &DurableId) -> Result<Recovery, StoreError> {
        self.of_actor(actor, |actor, head| actor.recovery(head))
    }

    /// The next entries of a journal after one.
    ///
    /// # Errors
    ///
    /// As [`Store::entries`](crate::store::Store::entries).
    pub fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.of_actor(actor, |actor, _| actor.entries(after, limit))
    }

    /// The next messages of an inbox after one.
    ///
    /// # Errors
    ///
    /// As [`Store::inbox`](crate::store::Store::inbox), without an owner.
    pub fn inbox(&self, actor: &DurableId, after: Position, limit: usize) -> Result<Vec<Letter>, StoreError> {
        self.of_actor(actor, |actor, _| actor.inbox(after, limit))
    }

    /// The dead letters by id, after one.
    ///
    /// # Errors
    ///
    /// As [`Store::dead_letters`](crate::store::Store::dead_letters).
    pub fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.of_actor(actor, |actor, _| actor.dead_letters(after, limit))
    }

    /// What an actor has sent and was given up, after one.
    ///
    /// # Errors
    ///
    /// As [`Store::undelivered`](crate::store::Store::undelivered).
    pub fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        self.of_actor(actor, |actor, _| actor.undelivered(after, limit))
    }

    /// The reminders of all actors that are due at a time.
    ///
    /// # Errors
    ///
    /// As [`Store::due`](crate::store::Store::due).
    pub fn due(&self, now: WallTime, limit: usize) -> Result<Due, StoreError> {
        self.shared.read(|tables| reads::due(tables, now, limit))
    }

    fn of_actor<T>(
        &self,
        actor: &DurableId,
        work: impl FnOnce(&ActorView<'_>, &Head) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        self.shared.read(|tables: &Tables| {
            let actor = tables.actor(actor);
            let head = actor.head()?;
            work(&actor, &head)
        })
    }
}

type ActorView<'t> = view::View<'t, redb::ReadOnlyTable<&'static [u8], &'static [u8]>>;

/// What is written at a time.
const BLOCK_BYTES: usize = 4 << 10;

/// Reads what lies below, and keeps in memory what is written.
#[derive(Debug)]
struct Overlay<B> {
    below: B,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    /// `None` as long as the length is that of what lies below.
    length: Option<u64>,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl<B: StorageBackend> Overlay<B> {
    fn new(below: B) -> Self {
        Self { below, written: Mutex::default() }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block as it is below, with zeros after the end.
    fn block(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK_BYTES];
        let start = number * BLOCK_BYTES as u64;
        let there = self.below.len()?.saturating_sub(start).min(BLOCK_BYTES as u64);
        let there = usize::try_from(there).map_err(io::Error::other)?;
        self.below.read(start, &mut block[..there])?;
        Ok(block)
    }

    /// Goes through the blocks of a range: their number, where in the block, where in the range, how many bytes.
    fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = offset + done as u64;
            let within = usize::try_from(at % BLOCK_BYTES as u64).expect("it is less than a block");
            let part = (BLOCK_BYTES - within).min(length - done);
            let from = done;
            done += part;
            (part > 0).then_some((at / BLOCK_BYTES as u64, within, from, part))
        })
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        let length = self.written().length;
        length.map_or_else(|| self.below.len(), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(out.len() as u64) > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let written = self.written();
        for (number, within, from, part) in Self::blocks(offset, out.len()) {
            let below;
            let block = match written.blocks.get(&number) {
                Some(block) => block,
                None => {
                    below = self.block(number)?;
                    &below
                }
            };
            out[from..from + part].copy_from_slice(&block[within..within + part]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // What is cut off and comes again would be as it is below: redb writes before it reads there.
        self.written().length = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        for (number, within, from, part) in Self::blocks(offset, data.len()) {
            let block = match written.blocks.entry(number) {
                Slot::Occupied(block) => block.into_mut(),
                Slot::Vacant(vacant) => vacant.insert(self.block(number)?),
            };
            block[within..within + part].copy_from_slice(&data[from..from + part]);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    /// Whoever looks shares the file with others who do, and with nobody who writes.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}
