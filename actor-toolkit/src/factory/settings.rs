//! What a factory is told: how it routes, orders, sheds, bounds and watches its jobs.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use actor_core::{Backoff, limits};

use super::reference::FactoryStats;
use super::{PRIORITIES_MAX, QUEUE_JOBS_DEFAULT, WORKERS_MAX};

/// How the worker for a job is found. Every one takes the same time for however many workers.
#[non_exhaustive]
pub enum Routing<K, M> {
    /// Jobs of one key go to one worker, one at a time, in the order of its [queue](Queueing). A key
    /// with jobs under way stays with its
    /// worker while the pool grows or shrinks. Each worker has a queue of its own.
    KeyPersistent,
    /// Whoever is idle; the others wait in one queue.
    Queuer,
    /// As [`Queuer`](Self::Queuer), but no two jobs of one key run at the same time: while one
    /// is under way, the next ones wait for its worker, in order. After
    /// [so many](limits::PRIORITY_AGEING_DEFAULT) of them in a row the worker has one that waits
    /// for anybody, so that a key that always has another job holds up no other for ever.
    StickyQueuer,
    /// One worker after another, busy or not. Each has a queue of its own.
    RoundRobin,
    /// The worker that has the fewest jobs, in hand and waiting. Each has a queue of its own.
    LeastLoaded,
    /// As a [`Router`] says. Each worker has a queue of its own.
    Custom(Box<dyn Router<K, M>>),
}

/// Picks the worker for a job. Every closure of the right form is one.
///
/// It is called by the factory for each job. What it gives is taken modulo the number of
/// workers, so that every number names one. If it panics, that is reported and counts as 0.
pub trait Router<K, M>: Send + 'static {
    /// The number of a worker, from 0.
    fn route(&mut self, key: &K, message: &M, workers: &Workers<'_>) -> usize;
}

impl<K, M, F> Router<K, M> for F
where
    F: FnMut(&K, &M, &Workers<'_>) -> usize + Send + 'static,
{
    fn route(&mut self, key: &K, message: &M, workers: &Workers<'_>) -> usize {
        self(key, message, workers)
    }
}

/// What a [`Router`] may look at.
#[derive(Clone, Copy)]
pub struct Workers<'a> {
    pub(super) pool: &'a dyn LookAtWorkers,
}

/// The pool, without the type of its jobs.
pub(super) trait LookAtWorkers {
    fn count(&self) -> usize;
    fn load(&self, worker: usize) -> usize;
    fn is_idle(&self, worker: usize) -> bool;
}

impl Workers<'_> {
    /// How many there are; zero if none was asked for yet.
    pub fn count(&self) -> usize {
        self.pool.count()
    }

    /// How many jobs a worker has, in hand and waiting for it alone.
    pub fn load(&self, worker: usize) -> usize {
        self.pool.load(worker)
    }

    /// Whether a worker would begin a job at once.
    pub fn is_idle(&self, worker: usize) -> bool {
        self.pool.is_idle(worker)
    }
}

impl fmt::Debug for Workers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("count", &self.count()).finish()
    }
}

/// In which order waiting jobs run, in each queue.
#[non_exhaustive]
pub enum Queueing<K, M> {
    /// First in, first out.
    Fifo,
    /// By [priority](super::Job::priority).
    Priority {
        /// How many there are: 0 is the most urgent. At most [`PRIORITIES_MAX`].
        levels: u8,
        /// After so many jobs of higher priorities one of a lower one has its turn; never, if
        /// there is none.
        ageing: Option<NonZeroU32>,
    },
    /// By a number that a closure gives to each job when it comes: the lowest first. If it
    /// panics, that is reported and counts as [`i64::MAX`].
    Ranked(Rank<K, M>),
}

/// Gives a job its rank.
pub type Rank<K, M> = Box<dyn FnMut(&K, &M) -> i64 + Send>;

impl<K, M> Queueing<K, M> {
    /// Five priorities, and the ageing of actor-core's mailboxes.
    pub const fn priority() -> Self {
        Self::Priority { levels: 5, ageing: Some(limits::PRIORITY_AGEING_DEFAULT) }
    }

    /// By a number that a closure gives: the lowest first.
    pub fn ranked(rank: impl FnMut(&K, &M) -> i64 + Send + 'static) -> Self {
        Self::Ranked(Box::new(rank))
    }
}

/// Who goes when a queue is full.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShedMode {
    /// The job that comes.
    #[default]
    Newest,
    /// The job that has waited longest, of those with the lowest priority. With
    /// [`Routing::StickyQueuer`], of those that wait behind the key of the job that comes, and
    /// then of those that are the first of their keys; if there is none, the job that comes.
    Oldest,
}

/// How many jobs may wait, beside those that run. The limit is one of each queue: of the
/// factory's one, or of every worker's where each has its own. A job that
/// [must stay](super::Job::keep) is not shed by either mode; it comes in above the limit.
#[non_exhaustive]
pub enum Discard {
    /// As many as memory holds: for factories whose senders are bounded otherwise.
    Never,
    /// So many.
    Static {
        /// With zero, a job runs at once or not at all.
        limit: usize,
        /// Who goes.
        mode: ShedMode,
    },
    /// As many as a closure says, again and again.
    Dynamic {
        /// Until it has been asked.
        limit: usize,
        /// Who goes.
        mode: ShedMode,
        /// How often it is asked, first after so long.
        interval: Duration,
        /// Says what the limit is now. It must not block. If it panics, that is reported and
        /// the limit stays.
        update: Controller,
    },
}

/// At most [`QUEUE_JOBS_DEFAULT`]; the job that comes goes.
impl Default for Discard {
    fn default() -> Self {
        Self::Static { limit: QUEUE_JOBS_DEFAULT, mode: ShedMode::Newest }
    }
}

/// Looks at the factory and says a number: of workers, or of jobs that may wait.
pub type Controller = Box<dyn FnMut(&FactoryStats) -> usize + Send>;

/// Says again and again how many workers there shall be.
pub struct CapacityController {
    /// How often it is asked, first after so long.
    pub interval: Duration,
    /// It must not block. Zero is not listened to; more than [`WORKERS_MAX`] are that many. If
    /// it panics, that is reported and the pool stays as it is.
    pub workers: Controller,
}

/// A bucket of tokens, of which each job takes one: `refill` come in each interval, up to `max`.
/// Who finds none is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many the bucket holds: as many jobs may come at once. Not zero.
    pub max: u32,
    /// How many come in each interval; with zero, `initial` jobs come and then none.
    pub refill: u32,
    /// How long an interval is.
    pub interval: Duration,
    /// How many are in it at first, up to `max`.
    pub initial: u32,
}

/// When a worker counts as stuck: it has had one job in hand for `timeout`. That is looked at
/// when it is due, not at intervals. A worker without a job is never stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadMan {
    /// How long a job may take.
    pub timeout: Duration,
    /// Whether a stuck worker is killed, so that another life begins. It ends at its next await
    /// point; code that never awaits cannot be ended.
    pub is_killing: bool,
}

/// A factory's settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A pool that runs cannot be told to have no workers, which would have its jobs wait for ever.
    #[error("a pool that runs cannot be resized to no workers; drain it, or resize it to one")]
    NoWorkers,
    /// More workers than [`WORKERS_MAX`].
    #[error("{0} workers are more than {WORKERS_MAX}")]
    TooManyWorkers(usize),
    /// No priorities, or more than [`PRIORITIES_MAX`].
    #[error("a factory has from 1 to {PRIORITIES_MAX} priorities, not {0}")]
    Priorities(u8),
    /// What must not be zero is zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// A backoff's first delay is longer than its cap, or its jitter is not between 0 and 1.
    #[error("the backoff cannot be used: its first delay is over its cap, or its jitter is not from 0 to 1")]
    Backoff,
}

pub(super) fn check_workers(workers: usize) -> Result<(), SettingsError> {
    if workers > WORKERS_MAX { Err(SettingsError::TooManyWorkers(workers)) } else { Ok(()) }
}

pub(super) fn check_backoff(backoff: &Backoff) -> Result<(), SettingsError> {
    let is_usable = backoff.first <= backoff.cap && (0.0..=1.0).contains(&backoff.jitter);
    if is_usable { Ok(()) } else { Err(SettingsError::Backoff) }
}

impl<K, M> Queueing<K, M> {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        match self {
            Self::Priority { levels, .. } if *levels == 0 || *levels > PRIORITIES_MAX => {
                Err(SettingsError::Priorities(*levels))
            }
            _ => Ok(()),
        }
    }
}

impl Discard {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        match self {
            Self::Dynamic { interval, .. } => check_time("the interval of a limit", *interval),
            _ => Ok(()),
        }
    }

    /// What holds until a closure says otherwise.
    pub(super) fn limit(&self) -> Option<(usize, ShedMode)> {
        match self {
            Self::Never => None,
            Self::Static { limit, mode } | Self::Dynamic { limit, mode, .. } => Some((*limit, *mode)),
        }
    }
}

impl CapacityController {
    /// Asks a closure at each interval.
    pub fn new(interval: Duration, workers: impl FnMut(&FactoryStats) -> usize + Send + 'static) -> Self {
        Self { interval, workers: Box::new(workers) }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_time("the interval of a capacity controller", self.interval)
    }
}

impl RateLimit {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_time("the interval of a rate", self.interval)?;
        if self.max == 0 { Err(SettingsError::Zero("what a rate's bucket holds")) } else { Ok(()) }
    }
}

impl DeadMan {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_time("the timeout of a dead man's switch", self.timeout)
    }
}

fn check_time(what: &'static str, time: Duration) -> Result<(), SettingsError> {
    if time.is_zero() { Err(SettingsError::Zero(what)) } else { Ok(()) }
}

impl<K, M> fmt::Debug for Routing<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyPersistent => "KeyPersistent",
            Self::Queuer => "Queuer",
            Self::StickyQueuer => "StickyQueuer",
            Self::RoundRobin => "RoundRobin",
            Self::LeastLoaded => "LeastLoaded",
            Self::Custom(_) => "Custom",
        })
    }
}

impl<K, M> fmt::Debug for Queueing<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fifo => f.write_str("Fifo"),
            Self::Priority { levels, ageing } => {
                f.debug_struct("Priority").field("levels", levels).field("ageing", ageing).finish()
            }
            Self::Ranked(_) => f.write_str("Ranked"),
        }
    }
}

impl fmt::Debug for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Discard").field(&self.limit()).finish()
    }
}

impl fmt::Debug for CapacityController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapacityController").field("interval", &self.interval).finish_non_exhaustive()
    }
}
