//! The address of a factory: jobs go in here.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use actor_core::{ActorCell, ActorRef, Backoff, CallError, Control, Instant, ReplyPort, SendError};

use super::hooks::{FactoryHooks, FactoryObserver};
use super::job::{DiscardHandler, Handler, Job, JobError};
use super::message::{FactoryMessage, Request};
use super::parcel::{Accepted, Parcel, Shared};
use super::settings::{CapacityController, DeadMan, Discard, RateLimit, SettingsError};

/// The address of a factory. It dereferences to [`Control`]: stop, kill, drain, wait.
///
/// A [drain](Control::drain) lets it run what it has taken in, and what is in its mailbox; what
/// comes later is [refused](super::DiscardReason::Draining). It ends as
/// [`Exit::Drained`](actor_core::Exit::Drained) as soon as nothing is left.
///
/// What it sends waits in the factory's mailbox, which is bounded: [`dispatch`](Self::dispatch)
/// gives the job back if it is full, [`send`](Self::send) waits for room. How many jobs wait
/// behind the mailbox is what [`Discard`] bounds.
pub struct FactoryRef<K: Send + 'static, M: Send + 'static> {
    actor: ActorRef<FactoryMessage<K, M>>,
    shared: Arc<Shared<K, M>>,
}

/// What a factory has done, and is doing. `accepted` is `completed`, `lost`, `discarded`, `waiting`
/// and `in_hand` together, at any moment. `expired`, `shed` and `rate_limited` say why jobs were
/// refused or discarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FactoryStats {
    /// How many workers there shall be.
    pub workers: usize,
    /// Workers that could begin a job now.
    pub idle: usize,
    /// Jobs that workers have: as many workers are active.
    pub in_hand: usize,
    /// Jobs that wait in the factory; those in its mailbox are not counted.
    pub waiting: usize,
    /// Jobs that were taken in.
    pub accepted: u64,
    /// Jobs that were not, for whatever reason.
    pub refused: u64,
    /// Jobs that were done.
    pub completed: u64,
    /// Jobs that were lost with their worker.
    pub lost: u64,
    /// How often a job was put back, to be begun again or at all.
    pub returned: u64,
    /// Jobs that had been taken in, and will not run.
    pub discarded: u64,
    /// Jobs whose time to live passed.
    pub expired: u64,
    /// Jobs for which there was no room, or that were shed for another.
    pub shed: u64,
    /// Jobs over the rate.
    pub rate_limited: u64,
    /// How often a worker was found stuck.
    pub stuck: u64,
    /// How often a worker was started again.
    pub restarts: u64,
    /// Whether it takes no more jobs.
    pub is_draining: bool,
}

/// New settings for a factory that runs; what is not said stays. See
/// [`FactoryRef::update`].
#[must_use = "nothing changes unless a factory is updated with it"]
pub struct FactoryUpdate<K: Send + 'static, M: Send + 'static> {
    pub(super) workers: Option<usize>,
    pub(super) discard: Option<Discard>,
    pub(super) handler: Option<Handler<K, M>>,
    pub(super) rate: Option<Option<RateLimit>>,
    pub(super) dead_man: Option<Option<DeadMan>>,
    pub(super) capacity: Option<Option<CapacityController>>,
    pub(super) backoff: Option<Backoff>,
    pub(super) hooks: Option<Option<Arc<dyn FactoryHooks<K, M>>>>,
    pub(super) observer: Option<Option<Arc<dyn FactoryObserver>>>,
}

impl<K: Send + 'static, M: Send + 'static> FactoryRef<K, M> {
    pub(super) fn new(actor: ActorRef<FactoryMessage<K, M>>, shared: Arc<Shared<K, M>>) -> Self {
        Self { actor, shared }
    }

    /// The address of a factory that a supervisor has started: asks it for what its addresses
    /// share. It stays the same factory's from life to life.
    ///
    /// # Errors
    ///
    /// The factory did not answer; see [`CallError`].
    pub async fn connect(actor: ActorRef<FactoryMessage<K, M>>) -> Result<Self, CallError<()>> {
        let shared = ask(&actor, Request::Connect).await?;
        Ok(Self { actor, shared })
    }

    /// Sends a job if there is room in the factory's mailbox now. `Ok` means that it is on its
    /// way: if it does not run, the factory's [`DiscardHandler`] is told.
    ///
    /// # Errors
    ///
    /// Gives the job back: [`JobError::NotSent`].
    #[inline]
    pub fn dispatch(&self, key: K, message: M) -> Result<(), JobError<K, M>> {
        self.dispatch_job(Job::new(key, message))
    }

    /// [`dispatch`](Self::dispatch) for a job with options.
    ///
    /// # Errors
    ///
    /// As there, and [`JobError::NoSuchPriority`].
    #[inline]
    pub fn dispatch_job(&self, job: Job<K, M>) -> Result<(), JobError<K, M>> {
        let parcel = self.parcel(job, ReplyPort::nobody())?;
        self.actor.cast(FactoryMessage(Request::Dispatch(parcel))).map_err(unsent)
    }

    /// As [`dispatch_job`](Self::dispatch_job), and waits for room.
    ///
    /// # Errors
    ///
    /// As there, but never [`SendError::Full`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future while it waits for room sends nothing: the [`DiscardHandler`] is told of
    /// the job as [unsent](super::DiscardReason::Unsent).
    pub async fn send(&self, job: Job<K, M>) -> Result<(), JobError<K, M>> {
        let parcel = self.parcel(job, ReplyPort::nobody())?;
        match self.actor.cast(FactoryMessage(Request::Dispatch(parcel))) {
            Err(SendError::Full(message)) => self.actor.send(message).await.map_err(unsent),
            done => done.map_err(unsent),
        }
    }

    /// Sends a job, waits for room, and says whether the factory took it. If it did not, the job
    /// comes back with the reason, and the [`DiscardHandler`] is not told. A job that was taken
    /// may still expire, be shed for another, or be lost.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`JobError::Refused`], also as
    /// [`Ended`](super::DiscardReason::Ended) if the factory ends before it takes the job.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves a job that was sent where it is, and if that is refused, the
    /// [`DiscardHandler`] is told. While it waits for room, it is as with [`send`](Self::send).
    pub async fn offer(&self, job: Job<K, M>) -> Result<(), JobError<K, M>> {
        let (port, accepted) = ReplyPort::new(None);
        let parcel = self.parcel(job, port)?;
        self.actor.send(FactoryMessage(Request::Dispatch(parcel))).await.map_err(unsent)?;
        match accepted.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => {
                let (job, reason) = refused.into_job();
                Err(JobError::Refused(job, reason))
            }
            Err(failure) => Err(JobError::Failed(failure)),
        }
    }

    /// [Offers](Self::offer) a job with a reply port in its message, and waits for the answer, as
    /// long as that takes: [`Executor::timeout`](actor_core::Executor::timeout) bounds it. A job
    /// whose caller has gone still runs, unless its [time to live](Job::ttl) passes before.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer); and [`JobError::Failed`] with
    /// [`NoReply`](actor_core::CallFailure::NoReply) if the
    /// port was dropped: by the worker, or with a job that did not run after all.
    ///
    /// # Cancellation
    ///
    /// As [`offer`](Self::offer).
    pub async fn call<T: Send + 'static>(
        &self,
        key: K,
        message: impl FnOnce(ReplyPort<T>) -> M,
    ) -> Result<T, JobError<K, M>> {
        self.call_job(|port| Job::new(key, message(port))).await
    }

    /// [`call`](Self::call) for a job with options.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn call_job<T: Send + 'static>(
        &self,
        job: impl FnOnce(ReplyPort<T>) -> Job<K, M>,
    ) -> Result<T, JobError<K, M>> {
        let (port, reply) = ReplyPort::new(None);
        self.offer(job(port)).await?;
        reply.await.map_err(JobError::Failed)
    }

    /// How many jobs wait in the factory.
    ///
    /// # Errors
    ///
    /// The factory has ended, or ends before it answers.
    pub async fn queue_depth(&self) -> Result<usize, CallError<()>> {
        Ok(self.stats().await?.waiting)
    }

    /// How many jobs would begin at once: how many workers are idle.
    ///
    /// # Errors
    ///
    /// As [`queue_depth`](Self::queue_depth).
    pub async fn available_capacity(&self) -> Result<usize, CallError<()>> {
        Ok(self.stats().await?.idle)
    }

    /// How many workers have a job.
    ///
    /// # Errors
    ///
    /// As [`queue_depth`](Self::queue_depth).
    pub async fn active_workers(&self) -> Result<usize, CallError<()>> {
        Ok(self.stats().await?.in_hand)
    }

    /// What the factory has done, and is doing.
    ///
    /// # Errors
    ///
    /// As [`queue_depth`](Self::queue_depth).
    pub async fn stats(&self) -> Result<FactoryStats, CallError<()>> {
        ask(&self.actor, Request::Stats).await
    }

    /// Changes how many workers there are. Those that are too many finish what they have in
    /// hand, and what waits for them alone.
    ///
    /// # Errors
    ///
    /// [`UpdateError`]; the pool stays as it was. Zero is one.
    pub async fn resize(&self, workers: usize) -> Result<(), UpdateError> {
        Ok(ask(&self.actor, |port| Request::Resize(workers, port)).await??)
    }

    /// Changes settings while the factory runs. They hold when this returns, for this life: a
    /// supervisor's next one begins with those of the builder.
    ///
    /// # Errors
    ///
    /// [`UpdateError`]; nothing was changed.
    pub async fn update(&self, update: FactoryUpdate<K, M>) -> Result<(), UpdateError> {
        Ok(ask(&self.actor, |port| Request::Update(Box::new(update), port)).await??)
    }

    /// The factory's untyped address.
    pub fn cell(&self) -> ActorCell {
        self.actor.cell()
    }

    /// The factory's address as an actor.
    pub fn actor(&self) -> &ActorRef<FactoryMessage<K, M>> {
        &self.actor
    }

    #[inline]
    fn parcel(&self, job: Job<K, M>, accepted: Accepted<K, M>) -> Result<Parcel<K, M>, JobError<K, M>> {
        if let (Some(level), Some(levels)) = (job.options.priority, self.shared.priorities)
            && level >= levels
        {
            return Err(JobError::NoSuchPriority(job, levels));
        }
        let expires_at = job.options.ttl.map_or(Instant::FAR, |ttl| self.shared.now() + ttl);
        Ok(Parcel::new(job, self.shared.clone(), expires_at, accepted))
    }
}

async fn ask<K: Send + 'static, M: Send + 'static, T: Send + 'static>(
    actor: &ActorRef<FactoryMessage<K, M>>,
    request: impl FnOnce(ReplyPort<T>) -> Request<K, M>,
) -> Result<T, CallError<()>> {
    actor.call(|port| FactoryMessage(request(port))).await.map_err(|error| error.map(drop))
}

/// The job of a message that was not sent.
#[cold]
fn unsent<K: Send + 'static, M: Send + 'static>(error: SendError<FactoryMessage<K, M>>) -> JobError<K, M> {
    JobError::NotSent(error.map(|message| match message.0 {
        Request::Dispatch(parcel) => parcel.into_job(),
        _ => unreachable!("a job was sent"),
    }))
}

/// A factory did not take new settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// They cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The factory has ended, or ended before it answered.
    #[error(transparent)]
    Failed(#[from] CallError<()>),
}

impl<K: Send + 'static, M: Send + 'static> FactoryUpdate<K, M> {
    /// Changes nothing.
    pub fn new() -> Self {
        Self {
            workers: None,
            discard: None,
            handler: None,
            rate: None,
            dead_man: None,
            capacity: None,
            backoff: None,
            hooks: None,
            observer: None,
        }
    }

    /// How many workers there are; see [`FactoryRef::resize`].
    pub fn workers(self, workers: usize) -> Self {
        Self { workers: Some(workers), ..self }
    }

    /// How many jobs may wait. Those that wait already are shed when the next one comes.
    pub fn discard(self, discard: Discard) -> Self {
        Self { discard: Some(discard), ..self }
    }

    /// Who is told of jobs that do not run.
    pub fn on_discard(self, handler: impl DiscardHandler<K, M>) -> Self {
        Self { handler: Some(Some(Arc::new(handler))), ..self }
    }

    /// How many jobs may come in a time. The bucket is new.
    pub fn rate_limit(self, rate: Option<RateLimit>) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// When a worker is stuck. Jobs in hand are judged by it, from when they began; if there was
    /// none before, from now. A worker that was found stuck by another one is found again.
    pub fn dead_man(self, dead_man: Option<DeadMan>) -> Self {
        Self { dead_man: Some(dead_man), ..self }
    }

    /// Who decides how many workers there are.
    pub fn capacity(self, controller: Option<CapacityController>) -> Self {
        Self { capacity: Some(controller), ..self }
    }

    /// How long workers wait that end from now on.
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    /// Nobody is told of jobs that do not run.
    pub fn without_discard_handler(self) -> Self {
        Self { handler: Some(None), ..self }
    }

    /// What is called at the turns of the factory's life.
    pub fn hooks(self, hooks: impl FactoryHooks<K, M>) -> Self {
        Self { hooks: Some(Some(Arc::new(hooks))), ..self }
    }

    /// Nothing is called.
    pub fn without_hooks(self) -> Self {
        Self { hooks: Some(None), ..self }
    }

    /// Who is told what happens. If there was nobody before, the times it is told are counted
    /// from now.
    pub fn observer(self, observer: impl FactoryObserver) -> Self {
        Self { observer: Some(Some(Arc::new(observer))), ..self }
    }

    /// Nobody is told what happens.
    pub fn without_observer(self) -> Self {
        Self { observer: Some(None), ..self }
    }
}

impl<K: Send + 'static, M: Send + 'static> Default for FactoryUpdate<K, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Send + 'static, M: Send + 'static> fmt::Debug for FactoryUpdate<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactoryUpdate").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl<K: Send + 'static, M: Send + 'static> Deref for FactoryRef<K, M> {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.actor
    }
}

impl<K: Send + 'static, M: Send + 'static> Clone for FactoryRef<K, M> {
    fn clone(&self) -> Self {
        Self { actor: self.actor.clone(), shared: self.shared.clone() }
    }
}

impl<K: Send + 'static, M: Send + 'static> fmt::Debug for FactoryRef<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FactoryRef({:?})", &**self)
    }
}
