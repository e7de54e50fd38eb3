//! Reads a file without changing it, for tools, even one that a process has not closed and that redb would repair.

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
use super::{Tables, Trouble, error};
use crate::id::{DurableId, MessageId, Name, Position, Sequence};
use crate::limits::CACHE_BYTES_DEFAULT;
use crate::store::{
    Child, DeadLetter, Entry, Head, Letter, OutboxPosition, Outgoing, Refusal, Reminder, Snapshot,
    StoreError, Undelivered,
};

/// A file of a [`RedbStore`](super::RedbStore) that is read and not changed. What redb would repair is repaired in memory.
///
/// All of its functions block the thread while the disk is read. Several processes may read a file at a time, but not while a
/// [`RedbStore`](super::RedbStore) has it open.
///
/// Functions that take a `limit` return pages, as those of a [`Store`](crate::store::Store) do.
#[derive(Debug)]
pub struct RedbInspection {
    shared: Shared,
    was_left_open: bool,
}

impl RedbInspection {
    /// Opens a file, and checks the sums of all of it.
    ///
    /// # Errors
    ///
    /// As [`RedbOptions::open`](super::RedbOptions::open), and [`Refusal::Unavailable`](crate::store::Refusal) if there is no
    /// such file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let kind = std::fs::metadata(path).map_err(error::io)?.file_type();
        // To open a pipe is to wait for whoever writes into it.
        if !kind.is_file() && !kind.is_dir() {
            return Err(error::damaged("it is no file").into());
        }
        let file = File::open(path).map_err(error::io)?;
        Self::on(FileBackend::new(file).map_err(error::opening)?)
    }

    /// Opens what is on a backend.
    pub(super) fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let was_left_open = was_left_open(&backend).map_err(error::io)?;
        let opening = Opening { cache_bytes: CACHE_BYTES_DEFAULT, is_checked: true, is_made: false };
        let file = open_existing(Overlay::new(backend), opening)?;
        let shared = Shared::new(file, None, World::new(Executor::tokio()));
        Ok(Self { shared, was_left_open })
    }

    /// Whether the last process that had the file open ended without closing it. What was stored is there all the same. The next
    /// [`RedbStore`](super::RedbStore) that opens the file repairs it.
    pub fn was_left_open(&self) -> bool {
        self.was_left_open
    }

    /// As [`RedbStore::verify`](super::RedbStore::verify).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn verify(&self, mut report: impl FnMut(StoreFault)) -> Result<Verified, StoreError> {
        self.shared.read(|tables| verify(tables, &mut report))
    }

    /// Visits the actors by id, from `from` on, until `visit` breaks. All of their rows are read, and one summary at a time is in
    /// memory. A row whose key belongs to no actor is visited as the [`Refusal`] that says so.
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

    /// The summary of one actor; `None` if nothing is stored of it.
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

    /// The stored state of an actor, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Store::load`](crate::store::Store::load), without an owner.
    pub fn state(&self, actor: &DurableId) -> Result<Option<Snapshot>, StoreError> {
        self.of_actor(actor, |actor, head| actor.snapshot(head))
    }

    /// A page of an actor's journal, in order.
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

    /// A page of an actor's inbox, in order.
    ///
    /// # Errors
    ///
    /// As [`Store::inbox`](crate::store::Store::inbox), without an owner.
    pub fn inbox(&self, actor: &DurableId, after: Position, limit: usize) -> Result<Vec<Letter>, StoreError> {
        self.of_actor(actor, |actor, _| actor.inbox(after, limit))
    }

    /// A page of an actor's outbox, in order.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn outbox(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        self.of_actor(actor, |actor, _| actor.outbox(after, limit))
    }

    /// A page of an actor's reminders, by name.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn reminders(
        &self,
        actor: &DurableId,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Reminder>, StoreError> {
        self.of_actor(actor, |actor, _| actor.reminders(after, limit))
    }

    /// A page of an actor's recorded children, by name.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn children(
        &self,
        actor: &DurableId,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Child>, StoreError> {
        self.of_actor(actor, |actor, _| actor.children(after, limit))
    }

    /// A page of an actor's dead letters, by id.
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

    /// A page of an actor's undelivered messages, in the order they were sent.
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

/// Where redb's header has its flags, and the one that says that the file is open or was not closed.
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
