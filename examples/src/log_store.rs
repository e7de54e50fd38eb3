//! A store of durable actors in one file that only grows while it is open. `docs/book/write-your-own-store.md` takes it apart.
//!
//! ```text
//!  LogStore ── job ──► a thread: Tables ── what has changed, one record ──► Log: append, sync
//!     ▲                                                                        │
//!     └───────────────────────────── the answers ◄─────────────────────────────┘
//! ```
//!
//! | file | |
//! |---|---|
//! | `store` | the contract, as jobs |
//! | `tables`, `turns`, `mail` | what each operation changes |
//! | `rows` | keys and values, and undoing |
//! | `log` | bytes on a disk |

mod log;
mod mail;
mod rows;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod turns;

use std::path::Path;
use std::thread::{self, JoinHandle};

use actor_core::Executor;
use actor_durable::Target;
use actor_durable::limits::ARRIVALS_BEHIND_MAX;
use actor_durable::store::{ErrorCause, Refusal, StoreError};
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, oneshot};

use self::log::{Lock, Log};
use self::rows::{Changes, Rows};
use self::tables::Tables;

/// How many operations may wait for the thread. The caller of a further one waits for room.
const JOBS_MAX: usize = 1_024;

/// The most operations in one record.
const GROUP_MAX: usize = 256;

/// A record takes no further operation once it has this many bytes, nor a further row when a log is rewritten.
const GROUP_BYTES: usize = 4 << 20;

/// A log that is larger than its contents by this factor and by [`GROUP_BYTES`] is rewritten when it is opened.
const GROWTH_MAX: u64 = 2;

/// Keeps durable actors in memory, and every change in a file. One process has the file open at a time.
///
/// Dropping it waits for operations in progress. If a write or a sync fails the store closes for good: the operations in progress are
/// unknown, and opening the file again shows what is stored.
#[derive(Debug)]
pub struct LogStore {
    /// None once it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    arrivals: broadcast::Sender<Target>,
    torn_bytes: u64,
}

/// An operation. Its answer waits until its record is stored.
type Job = Box<dyn FnOnce(&mut Tables) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&Outcome) + Send>;

/// What became of the record that an operation is in.
enum Outcome {
    Stored,
    /// Nobody knows.
    Unknown(ErrorCause),
    /// An earlier one failed.
    Closed(ErrorCause),
}

impl LogStore {
    /// Opens a file, or creates it. This blocks the thread while it reads the whole file. A symbolic link is the file that it leads to;
    /// do not give the file a second name by a hard link, as it is replaced when it is rewritten.
    ///
    /// # Errors
    ///
    /// [`Refusal::InUse`]; [`Refusal::Damaged`]; [`Refusal::FutureVersion`]; and the system's errors.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_on(path, Executor::tokio())
    }

    /// [`open`](Self::open) with the clocks of an executor.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(path: impl AsRef<Path>, executor: Executor) -> Result<Self, StoreError> {
        let path = &log::resolve(path.as_ref())?;
        let lock = Lock::take(path)?;
        let (mut log, contents) = log::open(path)?;
        let mut tables = Tables::new(executor);
        for payload in &contents.payloads {
            tables.rows.restore(decode(path, payload)?);
        }
        let all = contents_of(&tables.rows);
        let bytes: usize = all.iter().map(Vec::len).sum();
        if log.bytes() > GROWTH_MAX * bytes as u64 + GROUP_BYTES as u64 {
            log = log::replace(path, &all)?;
        }
        let mut store = Self::on(tables, log, Some(lock))?;
        store.torn_bytes = contents.torn_bytes;
        Ok(store)
    }

    /// How many bytes of an unfinished record were cut off when the file was opened. A crash had torn it, and nobody had been answered
    /// for it.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    fn on(tables: Tables, log: Log, lock: Option<Lock>) -> Result<Self, StoreError> {
        let (jobs, jobs_there) = mpsc::channel(JOBS_MAX);
        let (arrivals, _) = broadcast::channel(ARRIVALS_BEHIND_MAX);
        let told = arrivals.clone();
        let work = move || {
            work(jobs_there, tables, log, &told);
            drop(lock);
        };
        let thread = thread::Builder::new().name("log-store".into()).spawn(work).map_err(log::refusal)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), arrivals, torn_bytes: 0 })
    }

    /// Runs an operation that may change what is stored.
    async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(operation, StoreError::Unknown).await
    }

    /// Runs an operation that only reads. It also sees what still waits for the disk, and so is answered after that is stored.
    async fn read<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(operation, |cause| Refusal::Closed(cause).into()).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
        lost: fn(ErrorCause) -> StoreError,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let answer = tables.atomically(operation);
            Box::new(move |outcome| {
                let answer = match (outcome, answer) {
                    (Outcome::Stored, answer) => answer,
                    (Outcome::Unknown(cause), Ok(_)) => Err(lost(cause.clone())),
                    (Outcome::Unknown(cause) | Outcome::Closed(cause), _) => {
                        Err(Refusal::Closed(cause.clone()).into())
                    }
                };
                // The caller may have dropped its future.
                drop(tell.send(answer));
            })
        });
        let gone = || ErrorCause::new("the store's thread has ended");
        let Some(jobs) = &self.jobs else { return Err(Refusal::Closed(gone()).into()) };
        jobs.send(job).await.map_err(|_| Refusal::Closed(gone()))?;
        told.await.unwrap_or_else(|_| Err(lost(gone())))
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // After a panic of the thread the callers have got an error.
            drop(thread.join());
        }
    }
}

/// Runs operations until the store is dropped. Those that wait at the same time are one record, and so one sync.
fn work(
    mut jobs: mpsc::Receiver<Job>,
    mut tables: Tables,
    mut log: Log,
    arrivals: &broadcast::Sender<Target>,
) {
    let mut failed: Option<ErrorCause> = None;
    while let Some(first) = jobs.blocking_recv() {
        let mut answers = vec![first(&mut tables)];
        while answers.len() < GROUP_MAX
            && tables.rows.changed_bytes() < GROUP_BYTES
            && let Ok(job) = jobs.try_recv()
        {
            answers.push(job(&mut tables));
        }
        let (changes, arrived) = tables.take();
        let outcome = match &failed {
            Some(cause) => Outcome::Closed(cause.clone()),
            None if changes.is_empty() => Outcome::Stored,
            None => match log.append(&encode(&changes)) {
                Ok(()) => Outcome::Stored,
                Err(error) => {
                    // It is not known what a failed sync has lost, and a second one would not tell.
                    let cause = ErrorCause::new(error);
                    failed = Some(cause.clone());
                    Outcome::Unknown(cause)
                }
            },
        };
        answers.into_iter().for_each(|answer| answer(&outcome));
        if matches!(outcome, Outcome::Stored) {
            // There may be no listeners.
            arrived.into_iter().for_each(|target| drop(arrivals.send(target)));
        }
    }
}

/// All rows, as records.
fn contents_of(rows: &Rows) -> Vec<Vec<u8>> {
    let (mut records, mut changes, mut bytes) = (Vec::new(), Changes::new(), 0);
    for (key, value) in rows.all() {
        bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        changes.push((key, value));
        if bytes >= GROUP_BYTES {
            records.push(encode(&changes));
            (changes, bytes) = (Changes::new(), 0);
        }
    }
    records.push(encode(&changes));
    records
}

fn encode(changes: &Changes) -> Vec<u8> {
    postcard::to_stdvec(changes).expect("keys and values have a form")
}

fn decode(path: &Path, payload: &[u8]) -> Result<Changes, Refusal> {
    postcard::from_bytes(payload).map_err(|error| {
        let detail = format!("a record that is whole cannot be read: {error}");
        Refusal::Damaged { what: path.display().to_string(), detail }
    })
}
