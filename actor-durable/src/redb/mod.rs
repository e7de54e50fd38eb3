//! The embedded store, over redb: one file, in one process at a time.
//!
//! ```text
//!  operations ──► queue ──► one writer thread ──► one transaction, one fsync for all that waited
//!  reads ───────► threads that may block ───────► a snapshot each: no read waits for a write
//! ```
//!
//! Keys, tables and rows are described in `docs/book/store-format.md`.

mod arrivals;
mod disk;
mod error;
#[cfg(any(test, feature = "testing"))]
mod faulty;
mod inspect;
mod keys;
mod open;
mod overlay;
mod reads;
mod shared;
mod verify;
mod view;
mod world;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actor_core::Executor;
use async_trait::async_trait;
use bytes::Bytes;

use self::error::Trouble;
#[cfg(any(test, feature = "testing"))]
pub use self::faulty::{DiskFault, FaultyDisk};
pub use self::inspect::{ActorSummary, RedbInspection};
use self::open::Opening;
use self::shared::{OpenFile, Opener, Shared};
pub use self::verify::{StoreFault, StoreRule, Verified};
use self::view::Tables;
use self::world::World;
use self::write::{
    Acquire, BeginAttempt, Delete, Discard, Enqueue, Fire, GiveUpDelivery, MarkDelivered, Operation, Purge,
    Redeliver, Release, Revive, SaveSnapshot, Transfer,
};
use self::writer::Queue;
use crate::id::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use crate::limits::CACHE_BYTES_DEFAULT;
use crate::store::{
    Arrivals, Claim, DeadLetter, Due, DuePlace, Enqueued, Entry, ErrorCause, Firing, GivingUp, Head, Letter,
    Message, OutboxPosition, Recovery, Refusal, Renewal, Snapshot, Store, StoreError, TurnCommit,
    Undelivered,
};

/// How a [`RedbStore`] is opened. See [`RedbStore::options`].
#[derive(Clone, Debug)]
pub struct RedbOptions {
    executor: Executor,
    opening: Opening,
}

impl RedbOptions {
    /// How much of the file is kept in memory, in bytes. [`CACHE_BYTES_DEFAULT`] unless set.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.opening.cache_bytes = bytes;
        self
    }

    /// Trusts a file that was closed properly: it opens at once, however large it is. Damage that has come to it since is then
    /// noticed only where it is read, if at all: a row that cannot be found because of damage may count as absent.
    ///
    /// Unless set, each opening checks the sums of the whole file. So does, in any case, the opening after a process has ended
    /// without closing the file.
    #[must_use]
    pub fn trust_clean_files(mut self) -> Self {
        self.opening.is_checked = false;
        self
    }

    /// Has [`open`](Self::open) fail with [`Refusal::Unavailable`], instead of creating a file, if there is none.
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.opening.is_made = false;
        self
    }

    /// Sets the executor, which gives the time and runs reads where they may block. [`Executor::tokio`] unless set.
    #[must_use]
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }

    /// Opens a file, or creates it, where links lead. A new file is written beside its place, under its name with an ending, and gets
    /// its name when it is complete. Of processes that create it at the same time one is the first, and its file stays.
    ///
    /// # Errors
    ///
    /// [`Refusal::InUse`] if the file is open in another process or already in this one; [`Refusal::Damaged`];
    /// [`Refusal::FutureVersion`]; [`Refusal::ReadOnly`]; [`Refusal::Denied`]; [`Refusal::NoSpace`];
    /// [`Refusal::Unavailable`] for any other reason.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the file may be created, and is in use until it has been opened and closed again.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<RedbStore, StoreError> {
        let path = std::path::absolute(path).map_err(error::io)?;
        let Self { executor, opening } = self;
        let clock = executor.clone();
        start(executor, opening, move |opening| open::open_file(&path, opening, &clock)).await
    }

    /// Opens the store on a disk that fails, or makes it there.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), but for what only files have.
    #[cfg(any(test, feature = "testing"))]
    pub async fn open_on(self, disk: FaultyDisk) -> Result<RedbStore, StoreError> {
        let Self { executor, opening } = self;
        start(executor, opening, move |opening| open::open_backend(disk.clone(), opening)).await
    }
}

/// Opens a file where it keeps no task waiting, and begins to write to it.
async fn start(
    executor: Executor,
    opening: Opening,
    open: impl Fn(Opening) -> Result<OpenFile, Refusal> + Send + Sync + 'static,
) -> Result<RedbStore, StoreError> {
    let opened = executor.spawn_blocking(move || open(opening).map(|file| (file, open))).await;
    let (file, open) = opened.ok_or_else(no_answer)??;
    // A file that has been removed since is not created again.
    let opener: Opener = Box::new(move || open(Opening { is_made: false, ..opening }));
    let shared = Arc::new(Shared::new(file, Some(opener), World::new(executor)));
    let (queue, writer) = Queue::new(shared.clone());
    let thread = std::thread::Builder::new().name("actor-durable-redb".into());
    let writer = thread.spawn(|| writer.run()).map_err(error::io)?;
    Ok(RedbStore { shared, queue: Some(queue), writer: Some(writer) })
}

/// Keeps durable actors in a file, by redb.
///
/// What it has answered with `Ok` outlives the process and the machine: it was synced to the disk before. Concurrent operations
/// share a sync.
///
/// # Failure
///
/// If a write or a sync fails the store closes for good. Operations in progress return what is certain, and later ones
/// [`Refusal::Closed`]. Opening the file again shows what is stored; a failed sync is never tried again on the same file.
///
/// A full disk does not close the store, if it is certain that nothing was changed: all operations, reads too, are refused with
/// [`Refusal::NoSpace`] until there is space. To find out, the store opens its file again when an operation is asked for, at most
/// once in a [`REOPEN_PAUSE`](crate::limits::REOPEN_PAUSE). Meanwhile the file is not locked, and another process may open it: then
/// operations are refused with [`Refusal::InUse`]. As that one may have put in messages, whoever listens is told
/// [`Arrival::Missed`](crate::store::Arrival::Missed) once the file is open again.
///
/// # Leases
///
/// Only one process at a time can have the file open, so leases are kept in memory, and those of earlier processes are over. They go
/// on while the disk is full; but as another process may have the file then, and take actors, each renewal says
/// [`Renewal::Begun`] meanwhile, and so does the next one after the file has been opened again.
///
/// # Dropping
///
/// Dropping the store blocks the thread until operations in progress are done, for a sync or two. [`close`](Self::close) does not.
#[derive(Debug)]
pub struct RedbStore {
    shared: Arc<Shared>,
    /// `None` once it is dropped.
    queue: Option<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl RedbStore {
    /// Opens a file, or creates it. See [`RedbOptions::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path).await
    }

    /// Options for opening a file.
    pub fn options() -> RedbOptions {
        let opening = Opening { cache_bytes: CACHE_BYTES_DEFAULT, is_checked: true, is_made: true };
        RedbOptions { executor: Executor::tokio(), opening }
    }

    /// Waits for the operations in progress, and closes the file.
    pub async fn close(self) {
        let executor = self.shared.world().executor().clone();
        executor.spawn_blocking(move || drop(self)).await;
    }

    /// Makes the file as small as it can be, and returns whether it has become smaller. It takes as long as writing the whole file,
    /// and all other operations, reads too, wait for it.
    ///
    /// # Errors
    ///
    /// As any operation of a [`Store`]. What is stored does not change in any case.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the file may be compacted all the same.
    pub async fn compact(&self) -> Result<bool, StoreError> {
        self.queue()?.compact().await
    }

    /// Checks everything that [holds in a store](StoreRule), reports each fault, and returns how much was checked. It reads a
    /// snapshot, a row at a time, while other operations go on.
    ///
    /// # Errors
    ///
    /// As any operation of a [`Store`] that reads. Damaged rows are faults and not errors, unless they keep it from reading on.
    pub async fn verify(
        &self,
        mut report: impl FnMut(StoreFault) + Send + 'static,
    ) -> Result<Verified, StoreError> {
        self.read(move |tables| verify::verify(tables, &mut report)).await
    }

    fn queue(&self) -> Result<&Queue, StoreError> {
        self.queue.as_ref().ok_or_else(|| self.shared.closed())
    }

    async fn write<O: Operation>(&self, operation: O) -> Result<O::Output, StoreError> {
        self.queue()?.write(operation).await
    }

    /// Reads where it keeps no task waiting.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tables) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.check_open()?;
        let shared = self.shared.clone();
        let executor = self.shared.world().executor();
        executor.spawn_blocking(move || shared.read(work)).await.ok_or_else(no_answer)?
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // Its panics are contained; there is nothing to hear.
            let _ = writer.join();
        }
    }
}

fn no_answer() -> StoreError {
    Refusal::Unavailable(ErrorCause::new("the runtime is shutting down")).into()
}

#[async_trait]
impl Store for RedbStore {
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError> {
        self.shared.check_open()?;
        Ok(self.shared.world().renew(owner, lease))
    }

    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError> {
        self.shared.check_open()?;
        self.shared.world().retire(owner);
        Ok(())
    }

    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError> {
        self.write(Acquire(claim)).await
    }

    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.write(Release { actor: actor.clone(), epoch }).await
    }

    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| reads::load(tables, &actor, epoch)).await
    }

    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| tables.actor(&actor).entries(after, limit)).await
    }

    async fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| reads::inbox(tables, &actor, epoch, after, limit)).await
    }

    async fn commit_turn(&self, commit: TurnCommit) -> Result<(), StoreError> {
        self.write(commit).await
    }

    async fn save_snapshot(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        self.write(SaveSnapshot { actor: actor.clone(), epoch, snapshot, trim }).await
    }

    async fn begin_attempt(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        self.write(BeginAttempt { actor: actor.clone(), epoch, message }).await
    }

    async fn mark_delivered(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        let delivered = delivered.to_vec();
        self.write(MarkDelivered { actor: actor.clone(), epoch, delivered }).await
    }

    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError> {
        self.write(Transfer { actor: actor.clone(), epoch, position }).await
    }

    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError> {
        self.write(GiveUpDelivery(giving_up)).await
    }

    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
        self.write(Enqueue(message)).await
    }

    async fn reply(
        &self,
        actor: &DurableId,
        message: MessageId,
    ) -> Result<Option<Option<Bytes>>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| reads::reply(tables, &actor, message)).await
    }

    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError> {
        let after = after.cloned();
        self.read(move |tables| reads::due(tables, now, after.as_ref(), limit)).await
    }

    async fn fire(&self, firing: Firing) -> Result<bool, StoreError> {
        self.write(Fire(firing)).await
    }

    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError> {
        let after = after.cloned();
        let shared = self.shared.clone();
        self.read(move |tables| reads::waiting(tables, shared.world(), after.as_ref(), limit)).await
    }

    fn arrivals(&self) -> Box<dyn Arrivals> {
        Box::new(self.shared.announcer().listen())
    }

    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError> {
        let after = after.cloned();
        self.read(move |tables| view::heads(&tables.rows, after.as_ref(), limit)).await
    }

    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| tables.actor(&actor).try_head()).await
    }

    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.write(Delete { actor: actor.clone(), epoch }).await
    }

    async fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| reads::dead_letters(tables, &actor, after, limit)).await
    }

    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        self.write(Revive { actor: actor.clone(), message }).await
    }

    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        self.write(Purge { actor: actor.clone(), message }).await
    }

    async fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| reads::undelivered(tables, &actor, after, limit)).await
    }

    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError> {
        self.write(Redeliver { actor: actor.clone(), position }).await
    }

    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError> {
        self.write(Discard { actor: actor.clone(), position }).await
    }
}
