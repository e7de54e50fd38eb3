//! A job on its way: whoever drops it before it is done, reports it. So no way out of a
//! factory, of its mailbox or of a worker can lose a job in silence.
//!
//! ```text
//!  Job ─► Parcel ─► the factory's mailbox ─► the pool ─► Assignment ─► done
//!           └── dropped: Unsent ┴─ Ended, or why ┘    ├── not begun: returned
//!                                                   └── begun: retried, or Lost
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actor_core::{ActorRef, Executor, Instant, ReplyPort, SendError, Status};
use tracing::Span;

use super::job::{DiscardReason, Discarded, Handler, Job, JobOptions};
use super::message::{FactoryMessage, Request};
use super::pool::{Outcome, Tags};
use crate::contain::contained;

/// Where whoever offered a job hears if it was taken.
pub(super) type Accepted<K, M> = ReplyPort<Result<(), Refused<K, M>>>;

/// What one life of a factory shares with its addresses, its jobs and its workers.
pub(super) struct Shared<K: Send + 'static, M: Send + 'static> {
    /// Set when the factory starts, before anybody else sees this.
    factory: OnceLock<(ActorRef<FactoryMessage<K, M>>, Executor)>,
    handler: Mutex<Handler<K, M>>,
    /// How many priorities there are; none if they do not matter.
    pub(super) priorities: Option<u8>,
    /// Whether jobs run in the span that they were sent in.
    pub(super) is_traced: bool,
    late: Mutex<Late<K, M>>,
    has_late: AtomicBool,
}

/// What did not fit into the factory's mailbox, and must not be lost.
struct Late<K: Send + 'static, M: Send + 'static> {
    messages: Vec<FactoryMessage<K, M>>,
    /// Nobody will look here any more.
    is_over: bool,
}

impl<K: Send + 'static, M: Send + 'static> Shared<K, M> {
    pub(super) fn new(handler: Handler<K, M>, priorities: Option<u8>, is_traced: bool) -> Self {
        Self {
            factory: OnceLock::new(),
            handler: Mutex::new(handler),
            priorities,
            is_traced,
            late: Mutex::new(Late { messages: Vec::new(), is_over: false }),
            has_late: AtomicBool::new(false),
        }
    }

    pub(super) fn set_factory(&self, factory: &ActorRef<FactoryMessage<K, M>>, executor: &Executor) {
        // Only its own `pre_start` says this, once.
        _ = self.factory.set((factory.clone(), executor.clone()));
    }

    /// The time on the factory's clock.
    pub(super) fn now(&self) -> Instant {
        self.factory.get().map_or(Instant::ZERO, |(_, executor)| executor.now())
    }

    pub(super) fn set_handler(&self, handler: Handler<K, M>) {
        let former = std::mem::replace(&mut *locked(&self.handler), handler);
        contained("a discard handler's destructor", || drop(former));
    }

    /// Tells whoever wants to know of a job that will not run.
    pub(super) fn discard(&self, job: Discarded<K, M>) {
        let handler = locked(&self.handler).clone();
        contained("a discard handler, or the destructor of a job", || match handler {
            Some(handler) => handler.discard(job),
            None => drop(job),
        });
    }

    /// Tells the factory what must not be lost. If its mailbox is full, it has messages to
    /// handle, and looks here after each of them.
    pub(super) fn tell(&self, message: FactoryMessage<K, M>) {
        let Some((factory, _)) = self.factory.get() else { return };
        let Err(SendError::Full(message)) = factory.cast(message) else { return };
        {
            let mut late = locked(&self.late);
            if late.is_over {
                drop(late);
                // Dropped outside the lock: jobs report themselves.
                return drop(message);
            }
            late.messages.push(message);
            if late.messages.len() > 1 {
                // Whoever was first here sees to it that the factory looks.
                return;
            }
            // Release pairs with the acquire of whoever looks, who then takes the lock.
            self.has_late.store(true, Ordering::Release);
        }
        // Full once more means that there is a message which is handled after this.
        if let Err(SendError::Stopped(..)) = factory.cast(FactoryMessage(Request::Poke)) {
            drop(self.end());
        }
    }

    /// Why a job is dropped that nobody has refused: with the factory, or before it got there.
    fn reason_of_a_loss(&self) -> DiscardReason {
        let lives = |status| matches!(status, Status::Starting | Status::Running | Status::Draining);
        let is_there = self.factory.get().is_some_and(|(factory, _)| lives(factory.status()));
        if is_there && !locked(&self.late).is_over { DiscardReason::Unsent } else { DiscardReason::Ended }
    }

    /// Asks the factory to drain, when it has taken in what its mailbox has now.
    pub(super) fn ask_to_drain(&self) {
        let Some((factory, _)) = self.factory.get() else { return };
        let behind = factory.mailbox_stats().map_or(0, |stats| stats.sent);
        self.tell(FactoryMessage(Request::Drain { behind }));
    }

    /// Takes what came while the mailbox was full, in exchange for an empty list.
    #[inline]
    pub(super) fn take_late(&self, list: &mut Vec<FactoryMessage<K, M>>) {
        if self.has_late.load(Ordering::Acquire) {
            let mut late = locked(&self.late);
            self.has_late.store(false, Ordering::Relaxed);
            std::mem::swap(list, &mut late.messages);
        }
    }

    /// Nobody will look here any more.
    pub(super) fn end(&self) -> Vec<FactoryMessage<K, M>> {
        let mut late = locked(&self.late);
        late.is_over = true;
        std::mem::take(&mut late.messages)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A job that has not begun. Dropping it reports it.
pub(super) struct Parcel<K: Send + 'static, M: Send + 'static> {
    /// Until it is taken out, to be run or given back.
    held: Option<Held<K, M>>,
}

pub(super) struct Held<K: Send + 'static, M: Send + 'static> {
    key: K,
    /// Until a worker takes it.
    message: Option<M>,
    options: JobOptions<M>,
    pub(super) shared: Arc<Shared<K, M>>,
    expires_at: Instant,
    retries: u32,
    /// Nobody's, if it was not offered.
    accepted: Accepted<K, M>,
    /// When the factory took it in, if somebody wants to know.
    pub(super) since: Instant,
    /// Where it was sent, if it is to run there.
    span: Option<Box<Span>>,
}

impl<K: Send + 'static, M: Send + 'static> Parcel<K, M> {
    #[inline]
    pub(super) fn new(
        job: Job<K, M>,
        shared: Arc<Shared<K, M>>,
        expires_at: Instant,
        accepted: Accepted<K, M>,
    ) -> Self {
        let Job { key, message, options } = job;
        let span = shared.is_traced.then(|| Box::new(Span::current()));
        let (message, since) = (Some(message), Instant::ZERO);
        let held = Held { key, message, options, shared, expires_at, retries: 0, accepted, since, span };
        Self { held: Some(held) }
    }

    fn held(&self) -> &Held<K, M> {
        self.held.as_ref().expect("it is taken by value alone")
    }

    pub(super) fn held_mut(&mut self) -> &mut Held<K, M> {
        self.held.as_mut().expect("it is taken by value alone")
    }

    /// What the factory has to know of it, but for its pick and its rank.
    pub(super) fn tags(&self) -> Tags {
        let Held { options, expires_at, shared, .. } = self.held();
        let middle = shared.priorities.unwrap_or(1) / 2;
        Tags {
            number: 0,
            pick: 0,
            rank: 0,
            level: options.priority.unwrap_or(middle),
            is_discardable: !options.must_stay,
            expires_at: *expires_at,
        }
    }

    pub(super) fn key(&self) -> &K {
        &self.held().key
    }

    pub(super) fn message(&self) -> &M {
        self.held().message.as_ref().expect("nobody has begun it")
    }

    pub(super) fn since(&self) -> Instant {
        self.held().since
    }

    pub(super) fn take_accepted(&mut self) -> Accepted<K, M> {
        std::mem::replace(&mut self.held_mut().accepted, ReplyPort::nobody())
    }

    pub(super) fn put_accepted(&mut self, accepted: Accepted<K, M>) {
        self.held_mut().accepted = accepted;
    }

    /// The job, for whoever gets it back.
    pub(super) fn into_job(mut self) -> Job<K, M> {
        self.held.take().and_then(|held| held.into_job().ok()).expect("nobody has begun it")
    }

    /// It will not run: back to whoever offered it, or reported.
    pub(super) fn discard(mut self, reason: DiscardReason) {
        if let Some(held) = self.held.take() {
            held.discard(reason);
        }
    }
}

impl<K: Send + 'static, M: Send + 'static> Held<K, M> {
    fn into_job(self) -> Result<Job<K, M>, Self> {
        match self {
            Self { key, message: Some(message), options, .. } => Ok(Job { key, message, options }),
            without => Err(without),
        }
    }

    /// Back to whoever offered it, or reported.
    fn discard(mut self, reason: DiscardReason) {
        let accepted = std::mem::replace(&mut self.accepted, ReplyPort::nobody());
        if accepted.is_nobody() || self.message.is_none() {
            return self.report(reason);
        }
        // Who offered it may have left: then it is dropped here, or where it lies for them.
        _ = accepted.send(Err(Refused { held: Some(self), reason }));
    }

    fn report(self, reason: DiscardReason) {
        let shared = self.shared.clone();
        shared.discard(self.discarded(reason));
    }

    fn discarded(self, reason: DiscardReason) -> Discarded<K, M> {
        Discarded { key: self.key, message: self.message, reason, retries: self.retries }
    }
}

impl<K: Send + 'static, M: Send + 'static> Drop for Parcel<K, M> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let reason = held.shared.reason_of_a_loss();
            held.discard(reason);
        }
    }
}

/// A job on its way back to whoever offered it. If they do not take it, it is reported.
pub(super) struct Refused<K: Send + 'static, M: Send + 'static> {
    held: Option<Held<K, M>>,
    reason: DiscardReason,
}

impl<K: Send + 'static, M: Send + 'static> Refused<K, M> {
    /// The job, for whoever offered it, and why it was not taken.
    pub(super) fn into_job(mut self) -> (Job<K, M>, DiscardReason) {
        let job = self.held.take().and_then(|held| held.into_job().ok());
        (job.expect("nobody has begun it"), self.reason)
    }
}

impl<K: Send + 'static, M: Send + 'static> Drop for Refused<K, M> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.report(self.reason);
        }
    }
}

/// A job in a worker's hands.
///
/// A worker that is an actor of its own gets it as a message: it [takes](Self::take) the
/// message, and says when it is [done](Self::done). Until then it gets no other job.
///
/// Dropping it says that the job was not done. If the message was not taken, the job is begun
/// again; if it was, the job is begun again if it may be [retried](Job::retry), and is
/// [lost](DiscardReason::Lost) otherwise.
#[must_use = "a job that is dropped was not done"]
pub struct Assignment<K: Send + 'static, M: Send + 'static> {
    held: Option<Held<K, M>>,
    tags: Tags,
    worker: u32,
    ticket: u64,
    is_begun: bool,
    /// Whether its worker dies if it drops it.
    is_fatal: bool,
}

impl<K: Send + 'static, M: Send + 'static> Assignment<K, M> {
    pub(super) fn new(mut parcel: Parcel<K, M>, tags: Tags, worker: u32, ticket: u64) -> Self {
        Self { held: parcel.held.take(), tags, worker, ticket, is_begun: false, is_fatal: false }
    }

    /// The job's key.
    #[expect(clippy::missing_panics_doc, reason = "only `done` and `drop` take it out")]
    pub fn key(&self) -> &K {
        &self.held.as_ref().expect("it is there until it is done").key
    }

    /// Where the job was sent, if it is to run there.
    pub(super) fn span(&self) -> Option<Span> {
        self.held.as_ref()?.span.as_deref().cloned()
    }

    /// How often the job was begun again.
    pub fn retries(&self) -> u32 {
        self.held.as_ref().map_or(0, |held| held.retries)
    }

    /// The message; none if it was taken already. The job has begun.
    pub fn take(&mut self) -> Option<M> {
        let held = self.held.as_mut()?;
        if self.is_begun {
            return None;
        }
        // Before the clone, which is a user's: one that panics is a try.
        self.is_begun = true;
        let retries = held.retries;
        let retry = held.options.retry.filter(|(retry, _)| retry.allows(retries));
        let copy = retry.and_then(|(_, clone)| held.message.as_ref().map(clone));
        std::mem::replace(&mut held.message, copy)
    }

    /// The job is done; the worker gets its next one.
    pub fn done(mut self) {
        if let Some(held) = self.held.take() {
            let (worker, ticket) = (self.worker, self.ticket);
            held.shared.tell(FactoryMessage(Request::Finished { worker, ticket, outcome: Outcome::Done }));
        }
    }

    /// Whoever drops it from now on dies of it.
    pub(super) fn or_die(mut self) -> Self {
        self.is_fatal = true;
        self
    }
}

impl<K: Send + 'static, M: Send + 'static> Drop for Assignment<K, M> {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        let outcome = if self.is_fatal && self.is_begun { Outcome::Fatal } else { Outcome::Lost };
        let (shared, worker, ticket) = (held.shared.clone(), self.worker, self.ticket);
        if held.message.is_some() {
            held.retries += u32::from(self.is_begun);
            let job = Box::new((Parcel { held: Some(held) }, self.tags));
            return shared.tell(FactoryMessage(Request::Returned { worker, ticket, outcome, job }));
        }
        held.discard(DiscardReason::Lost);
        shared.tell(FactoryMessage(Request::Finished { worker, ticket, outcome }));
    }
}

impl<K: Send + 'static, M: Send + 'static> std::fmt::Debug for Assignment<K, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assignment").field("worker", &self.worker).finish_non_exhaustive()
    }
}
