//! A job: a key, a message, and how it is to be treated. And what becomes of one that does
//! not run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{CallFailure, SendError};

/// Work for a factory.
///
/// ```
/// use std::time::Duration;
/// use actor_toolkit::factory::{Job, Retry};
///
/// let job = Job::new("customer-7", "a letter".to_owned())
///     .priority(0)
///     .ttl(Duration::from_secs(5))
///     .retry(Retry::Times(2))
///     .keep();
/// ```
#[must_use = "a job does nothing unless it is dispatched"]
pub struct Job<K, M> {
    /// What it belongs to; some kinds of [`Routing`](super::Routing) look at it.
    pub key: K,
    /// What the worker gets.
    pub message: M,
    pub(super) options: JobOptions<M>,
}

/// How a job is to be treated.
pub(super) struct JobOptions<M> {
    pub(super) priority: Option<u8>,
    pub(super) ttl: Option<Duration>,
    pub(super) must_stay: bool,
    pub(super) retry: Option<Retries<M>>,
}

/// How often, and how the message is cloned for it.
type Retries<M> = (Retry, fn(&M) -> M);

/// How often a job begins again whose worker died with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Never: it is lost.
    #[default]
    Never,
    /// So often.
    Times(u32),
    /// Until it is done, or expires.
    Always,
}

impl Retry {
    pub(super) fn allows(self, retries: u32) -> bool {
        match self {
            Self::Never => false,
            Self::Times(times) => retries < times,
            Self::Always => true,
        }
    }
}

impl<K, M> Job<K, M> {
    /// A job of the middle priority, half of [how many](super::Queueing::Priority) there are, that does not expire, may be shed, and is not retried.
    pub fn new(key: K, message: M) -> Self {
        let options = JobOptions { priority: None, ttl: None, must_stay: false, retry: None };
        Self { key, message, options }
    }

    /// How urgent it is, where a factory has [priorities](super::Queueing::Priority): 0 before
    /// all others. A number that the factory does not have is an error when it is dispatched.
    pub fn priority(mut self, priority: u8) -> Self {
        self.options.priority = Some(priority);
        self
    }

    /// It is not to be begun later than so long after it was dispatched. That is looked at when
    /// its turn comes; one that runs is not interrupted.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl = Some(ttl);
        self
    }

    /// It is not shed when a queue is full, in neither [mode](super::ShedMode).
    pub fn keep(mut self) -> Self {
        self.options.must_stay = true;
        self
    }

    /// It begins again, before those that wait, if its worker dies with it, or fails. The
    /// worker keeps a clone of the message meanwhile.
    pub fn retry(mut self, retry: Retry) -> Self
    where
        M: Clone,
    {
        self.options.retry = Some((retry, M::clone));
        self
    }
}

impl<K: fmt::Debug, M> fmt::Debug for Job<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, options: JobOptions { priority, ttl, must_stay, .. }, .. } = self;
        f.debug_struct("Job")
            .field("key", key)
            .field("priority", priority)
            .field("ttl", ttl)
            .field("must_stay", must_stay)
            .finish_non_exhaustive()
    }
}

/// Why a job did not run, or not to its end. One that had begun [again](Discarded::retries) may have
/// run in part, whatever the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiscardReason {
    /// Its time to live had passed when its turn came.
    Expired,
    /// The queue was full.
    Shed,
    /// More jobs came than the [rate](super::RateLimit) allows.
    RateLimited,
    /// The factory drains, so it takes no more.
    Draining,
    /// The factory ended before the job began, or began again.
    Ended,
    /// It never reached the factory: whoever sent it did not wait until there was room.
    Unsent,
    /// The job had begun, and its worker died with it, or let go of it. It may have run in part.
    Lost,
}

impl fmt::Display for DiscardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "its time to live had passed",
            Self::Shed => "the queue was full",
            Self::RateLimited => "more jobs came than the rate allows",
            Self::Draining => "the factory drains",
            Self::Ended => "the factory ended before it was its turn",
            Self::Unsent => "whoever sent it did not wait for room",
            Self::Lost => "its worker ended with it in hand",
        })
    }
}

/// A job that will not run.
#[non_exhaustive]
pub struct Discarded<K, M> {
    /// The job's.
    pub key: K,
    /// The job's; none if its worker had taken it, and kept no clone for a retry.
    pub message: Option<M>,
    /// Why.
    pub reason: DiscardReason,
    /// How often it was begun again.
    pub retries: u32,
}

impl<K: fmt::Debug, M> fmt::Debug for Discarded<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discarded")
            .field("key", &self.key)
            .field("reason", &self.reason)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// Is told of each job that will not run, once, but for those that went back to whoever
/// [offered](super::FactoryRef::offer) them and waited for it. Every closure of the right form is one.
///
/// It is called wherever that becomes known: by the factory, by a worker that dies, or by
/// whoever ends them. It must not block. A panic is reported and goes no further.
pub trait DiscardHandler<K, M>: Send + Sync + 'static {
    /// A job will not run.
    fn discard(&self, job: Discarded<K, M>);
}

impl<K, M, F: Fn(Discarded<K, M>) + Send + Sync + 'static> DiscardHandler<K, M> for F {
    fn discard(&self, job: Discarded<K, M>) {
        self(job);
    }
}

/// A job was not taken, or not answered.
#[non_exhaustive]
pub enum JobError<K, M> {
    /// It did not reach the factory, which has no room or takes no more.
    NotSent(SendError<Job<K, M>>),
    /// The factory has so many priorities, and not the job's.
    NoSuchPriority(Job<K, M>, u8),
    /// The factory did not take it.
    Refused(Job<K, M>, DiscardReason),
    /// It was taken, or may have been, and there is no answer. What became of the job, the
    /// factory's [`DiscardHandler`] knows.
    Failed(CallFailure),
}

impl<K, M> JobError<K, M> {
    /// The job, unless it was taken.
    pub fn into_job(self) -> Option<Job<K, M>> {
        match self {
            Self::NotSent(error) => Some(error.into_message()),
            Self::NoSuchPriority(job, _) | Self::Refused(job, _) => Some(job),
            Self::Failed(_) => None,
        }
    }
}

impl<K, M> fmt::Display for JobError<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(error) => error.fmt(f),
            Self::NoSuchPriority(job, levels) => {
                let asked = job.options.priority.unwrap_or_default();
                write!(f, "the factory has the priorities 0 to {}, and not {asked}", levels.saturating_sub(1))
            }
            Self::Refused(_, reason) => write!(f, "the job was refused: {reason}"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl<K, M> fmt::Debug for JobError<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobError({self})")
    }
}

impl<K, M> std::error::Error for JobError<K, M> {}

/// Who is told of jobs that do not run, if somebody is.
pub(super) type Handler<K, M> = Option<Arc<dyn DiscardHandler<K, M>>>;
