//! Looks at a file without changing it, for tools: also at one that a process has left behind as it ended, and that redb
//! would repair.

mod summary;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use actor_core::Executor;
use redb::StorageBackend;
use redb::backends::FileBackend;

pub use self::summary::ActorSummary;
use super::open::{Opening, open_existing};
use super::overlay::Overlay;
use super::shared::Shared;
use super::verify::{StoreFault, Verified, verify};
use super::view;
use super::world::World;
use super::{Tables, Trouble, error, reads};
use crate::id::{DurableId, MessageId, Name, Position, Sequence, WallTime};
use crate::limits::CACHE_BYTES_DEFAULT;
use crate::store::{
    Child, DeadLetter, Due, DuePlace, Entry, Head, Letter, OutboxPosition, Outgoing, Recovery, Refusal,
    Reminder, Snapshot, StoreError, Undelivered,
};

/// A file that is looked at and not changed. What redb would repair is repaired in memory.
///
/// All of its functions block until the disk has answered. Several processes may look at a file at a time, and none while
/// a [`RedbStore`](super::RedbStore) has it.
#[derive(Debug)]
pub struct RedbInspection {
    shared: Shared,
    was_left_open: bool,
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
        let was_left_open = was_left_open(&backend).map_err(error::io)?;
        let opening = Opening { cache_bytes: CACHE_BYTES_DEFAULT, is_checked: true, is_made: false };
        let file = open_existing(Overlay::new(backend), opening)?;
        let shared = Shared::new(file, None, World::new(Executor::tokio()));
        Ok(Self { shared, was_left_open })
    }

    /// Whether the process that had the file last ended without closing it. What it was answered is there all the same; the
    /// next [`RedbStore`](super::RedbStore) that opens it repairs it.
    pub fn was_left_open(&self) -> bool {
        self.was_left_open
    }

    /// Says everything that cannot be in a store, one by one, and how much was looked at.
    ///
    /// # Errors
    ///
    /// What keeps it from reading on.
    pub fn verify(&self, mut report: impl FnMut(StoreFault)) -> Result<Verified, StoreError> {
        self.shared.read(|tables| verify(tables, &mut report))
    }

    /// Says what there is of each actor by id, from one on, until it is told to stop. All rows of those are read, and one
    /// summary at a time is in memory. In place of rows that belong to nobody their refusal is said.
    ///
    /// # Errors
    ///
    /// What keeps it from reading on.
    pub fn summaries(
        &self,
        from: Option<&DurableId>,
        mut visit: impl FnMut(Result<ActorSummary, Refusal>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.shared.read(|tables| summary::visit(tables, from, &mut visit))
    }

    /// What there is of one actor; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// What keeps it from reading.
    pub fn summary(&self, actor: &DurableId) -> Result<Option<ActorSummary>, StoreError> {
        let mut found = None;
        self.summaries(Some(actor), |summary| {
            found = summary.ok().filter(|summary| summary.id == *actor);
            ControlFlow::Break(())
        })?;
        Ok(found)
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

    /// The stored state, if there is one.
    ///
    /// # Errors
    ///
    /// As [`recovery`](Self::recovery).
    pub fn state(&self, actor: &DurableId) -> Result<Option<Snapshot>, StoreError> {
        self.of_actor(actor, |actor, head| actor.snapshot(head))
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

    /// The next messages of an outbox after one, in order.
    ///
    /// # Errors
    ///
    /// As [`recovery`](Self::recovery).
    pub fn outbox(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        self.of_actor(actor, |actor, _| actor.outbox(after, limit))
    }

    /// The reminders by name, after one.
    ///
    /// # Errors
    ///
    /// As [`recovery`](Self::recovery).
    pub fn reminders(
        &self,
        actor: &DurableId,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Reminder>, StoreError> {
        self.of_actor(actor, |actor, _| actor.reminders(after, limit))
    }

    /// The recorded children by name, after one.
    ///
    /// # Errors
    ///
    /// As [`recovery`](Self::recovery).
    pub fn children(
        &self,
        actor: &DurableId,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Child>, StoreError> {
        self.of_actor(actor, |actor, _| actor.children(after, limit))
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
    pub fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError> {
        self.shared.read(|tables| reads::due(tables, now, after, limit))
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

/// Where redb's header has its flags, and the one that says that the file is open, or was not closed.
const FLAGS_AT: u64 = 9;
const OPEN_FLAG: u8 = 2;

fn was_left_open(backend: &impl StorageBackend) -> io::Result<bool> {
    if backend.len()? <= FLAGS_AT {
        return Ok(false);
    }
    let mut flags = [0];
    backend.read(FLAGS_AT, &mut flags)?;
    Ok(flags[0] & OPEN_FLAG != 0)
}
