//! The writer: one thread that puts all operations that wait into one transaction, with one sync.
//!
//! ```text
//!  callers ── bounded queue ──► apply each (refused: nothing changed) ──► commit, one fsync ──► answer all
//! ```
//!
//! It does not wait for more operations: those that came while it worked are the next batch, and those that come while a batch is
//! applied join it. If the commit fails the store is closed for good, unless the disk was full. If the header was not written yet it
//! is certain that nothing was changed; otherwise nobody knows until the file is opened again.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{Database, WriteTransaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::error::{self, Trouble, failure};
use super::shared::Shared;
use super::write::{Operation, Writing};
use crate::error::panic_text;
use crate::limits::{
    GROUP_BYTES_MAX, GROUP_OPERATIONS_MAX, WRITE_QUEUE_BYTES_MAX, WRITE_QUEUE_OPERATIONS_MAX,
};
use crate::store::{ErrorCause, Refusal, StoreError};

/// Where callers put operations.
pub(super) struct Queue {
    sender: mpsc::Sender<Asked>,
    /// How many more bytes may wait.
    room: Arc<Semaphore>,
    shared: Arc<Shared>,
}

enum Asked {
    Write(Box<dyn Job>, OwnedSemaphorePermit),
    Compact(oneshot::Sender<Result<bool, StoreError>>),
}

/// Bytes are counted in kibibytes, so that the count fits a semaphore.
const ROOM_UNIT: usize = 1 << 10;

impl Queue {
    pub(super) fn new(shared: Arc<Shared>) -> (Self, Writer) {
        let (sender, asked) = mpsc::channel(WRITE_QUEUE_OPERATIONS_MAX);
        let room = Arc::new(Semaphore::new(WRITE_QUEUE_BYTES_MAX / ROOM_UNIT));
        (Self { sender, room, shared: shared.clone() }, Writer { asked, shared })
    }

    /// Runs an operation. Waits for room in the queue, then for the commit of its batch.
    pub(super) async fn write<O: Operation>(&self, operation: O) -> Result<O::Output, StoreError> {
        self.shared.check_open()?;
        let units = (operation.bytes() / ROOM_UNIT + 1).min(WRITE_QUEUE_BYTES_MAX / ROOM_UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = self.room.clone().acquire_many_owned(units).await;
        let permit = permit.map_err(|_| self.shared.closed())?;
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Pending { operation, outcome: None, answer });
        self.ask(Asked::Write(job, permit)).await?;
        answered.await.unwrap_or_else(|_| Err(unanswered()))
    }

    pub(super) async fn compact(&self) -> Result<bool, StoreError> {
        self.shared.check_open()?;
        let (answer, answered) = oneshot::channel();
        self.ask(Asked::Compact(answer)).await?;
        answered.await.unwrap_or_else(|_| Err(unanswered()))
    }

    /// How many operations the writer has not taken yet.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    async fn ask(&self, asked: Asked) -> Result<(), StoreError> {
        self.sender.send(asked).await.map_err(|_| self.shared.closed())
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

fn unanswered() -> StoreError {
    StoreError::Unknown(ErrorCause::new("the writer has ended"))
}

/// An operation that a caller waits for.
trait Job: Send {
    fn bytes(&self) -> usize;

    /// Applies it, and keeps its outcome until the commit.
    fn apply(&mut self, writing: &mut Writing<'_>) -> Result<(), Refusal>;

    /// Tells the caller the outcome: that of the operation, or the error of the whole batch.
    fn answer(self: Box<Self>, batch: Result<(), StoreError>);
}

struct Pending<O: Operation> {
    operation: O,
    outcome: Option<Result<O::Output, StoreError>>,
    answer: oneshot::Sender<Result<O::Output, StoreError>>,
}

impl<O: Operation> Job for Pending<O> {
    fn bytes(&self) -> usize {
        self.operation.bytes()
    }

    fn apply(&mut self, writing: &mut Writing<'_>) -> Result<(), Refusal> {
        self.outcome = Some(match self.operation.apply(writing) {
            Ok(output) => Ok(output),
            Err(Trouble::Refused(error)) => Err(error),
            Err(Trouble::Failed(refusal)) => return Err(refusal),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, batch: Result<(), StoreError>) {
        let Self { outcome, answer, .. } = *self;
        let outcome = match batch {
            Ok(()) => outcome.unwrap_or_else(|| Err(unanswered())),
            Err(error) => Err(error),
        };
        // The caller may have dropped its future.
        let _ = answer.send(outcome);
    }
}

/// The thread's end of the queue.
pub(super) struct Writer {
    asked: mpsc::Receiver<Asked>,
    shared: Arc<Shared>,
}

/// What is written together.
#[derive(Default)]
struct Batch {
    jobs: Vec<(Box<dyn Job>, OwnedSemaphorePermit)>,
    bytes: usize,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.jobs.len() < GROUP_OPERATIONS_MAX && self.bytes < GROUP_BYTES_MAX
    }
}

impl Writer {
    /// Works until the queue is dropped, then closes the file.
    pub(super) fn run(mut self) {
        let mut left = None;
        while let Some(asked) = left.take().or_else(|| self.asked.blocking_recv()) {
            match asked {
                Asked::Compact(answer) => drop(answer.send(self.shared.compact())),
                Asked::Write(job, permit) => left = self.write(job, permit),
            }
        }
        self.shared.end("its owner has dropped it");
    }

    /// Writes a batch that begins with this job. Returns what was taken from the queue but does not belong to the batch.
    fn write(&mut self, first: Box<dyn Job>, permit: OwnedSemaphorePermit) -> Option<Asked> {
        let mut batch = Batch { bytes: first.bytes(), jobs: vec![(first, permit)] };
        let mut left = None;
        let shared = self.shared.clone();
        let outcome = shared.with_file(|file| {
            file.health.begin();
            let work = AssertUnwindSafe(|| self.transact(&file.database, &mut batch, &mut left));
            let outcome = catch_unwind(work).unwrap_or_else(|panic| {
                let text = panic_text(&*panic);
                Err(Refusal::Unavailable(ErrorCause::new(format!("the writer has panicked: {text}"))))
            });
            outcome.map_err(|refusal| (refusal, file.health.was_published()))
        });
        let outcome = match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err((refusal, was_published))) => Err(shared.fail(refusal, was_published)),
            Err(error) => Err(error),
        };
        for (job, _permit) in batch.jobs {
            job.answer(outcome.clone());
        }
        left
    }

    fn transact(
        &mut self,
        database: &Database,
        batch: &mut Batch,
        left: &mut Option<Asked>,
    ) -> Result<(), Refusal> {
        let transaction = self.begin(database).map_err(failure)?;
        let shared = self.shared.clone();
        let mut writing = Writing::open(&transaction, shared.world()).map_err(failure)?;
        let mut applied = 0;
        while let Some((job, _)) = batch.jobs.get_mut(applied) {
            job.apply(&mut writing)?;
            applied += 1;
            if applied == batch.jobs.len() {
                self.take_more(batch, left);
            }
        }
        let (has_changed, arrived) = (writing.has_changed, std::mem::take(&mut writing.arrived));
        drop(writing);
        if !has_changed {
            return transaction.abort().map_err(error::storage);
        }
        transaction.commit().map_err(Trouble::from).map_err(failure)?;
        self.shared.announcer().announce(arrived);
        Ok(())
    }

    fn begin(&self, database: &Database) -> Result<WriteTransaction, Trouble> {
        // `Durability::Immediate` is redb's default: a commit returns after its sync.
        Ok(database.begin_write()?)
    }

    /// Takes the operations that have come meanwhile, as far as there is room in the batch.
    fn take_more(&mut self, batch: &mut Batch, left: &mut Option<Asked>) {
        while left.is_none() && batch.has_room() {
            match self.asked.try_recv() {
                Ok(Asked::Write(job, permit)) => {
                    batch.bytes += job.bytes();
                    batch.jobs.push((job, permit));
                }
                Ok(asked) => *left = Some(asked),
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actor_core::Executor;

    use super::*;
    use crate::limits::CACHE_BYTES_DEFAULT;
    use crate::redb::faulty::FaultyDisk;
    use crate::redb::open::{Opening, open_backend};
    use crate::redb::world::World;

    /// Is so large, and is never applied.
    struct OfSize(usize);

    impl Job for OfSize {
        fn bytes(&self) -> usize {
            self.0
        }

        fn apply(&mut self, _: &mut Writing<'_>) -> Result<(), Refusal> {
            Ok(())
        }

        fn answer(self: Box<Self>, _: Result<(), StoreError>) {}
    }

    /// How many of the jobs that wait, which are so large, join one of the same size in its batch.
    fn joins(waiting: usize, bytes: usize, is_compacted_first: bool) -> (usize, bool) {
        let opening = Opening { cache_bytes: CACHE_BYTES_DEFAULT, is_checked: true, is_made: true };
        let file = open_backend(FaultyDisk::new(), opening).expect("it is empty");
        let shared = Arc::new(Shared::new(file, None, World::new(Executor::tokio())));
        let (queue, mut writer) = Queue::new(shared);
        let permit = || queue.room.clone().try_acquire_many_owned(1).expect("there is room");
        let put = |asked| assert!(queue.sender.try_send(asked).is_ok(), "there is room");
        if is_compacted_first {
            put(Asked::Compact(oneshot::channel().0));
        }
        (0..waiting).for_each(|_| put(Asked::Write(Box::new(OfSize(bytes)), permit())));
        let mut batch = Batch { jobs: vec![(Box::new(OfSize(bytes)), permit())], bytes };
        let mut left = None;
        writer.take_more(&mut batch, &mut left);
        (batch.jobs.len() - 1, left.is_some())
    }

    #[test]
    fn a_batch_is_so_many_operations_and_so_many_bytes_until_something_else_is_asked() {
        assert_eq!(joins(GROUP_OPERATIONS_MAX - 1, 0, false), (GROUP_OPERATIONS_MAX - 1, false));
        assert_eq!(joins(GROUP_OPERATIONS_MAX + 9, 0, false), (GROUP_OPERATIONS_MAX - 1, false));
        assert_eq!(joins(9, GROUP_BYTES_MAX / 4, false), (3, false));
        assert_eq!(joins(9, 0, true), (0, true));
    }
}
