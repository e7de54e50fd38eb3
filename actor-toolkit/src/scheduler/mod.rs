//! Schedules: messages to an actor once, again and again, or by the wall clock.
//!
//! ```text
//!  once · every ──► the executor's clock: monotonic, virtual in a simulation
//!  once_at · cron ─► the wall clock, looked at once a minute: it may be set
//!        └─► a task beside the actor ──► its mailbox
//!              ▲ ended with the actor's life, or by Schedule::cancel
//! ```
//!
//! * A schedule belongs to its actor's life: one that is followed by another makes its schedules
//!   anew, in its `pre_start`, as it does its state.
//! * If the mailbox has no room when a message is due, the schedule waits for it. What falls due
//!   meanwhile is told by [`MissedTicks`]; a cron schedule leaves it out.
//! * Where the runtime has no timer, or none is current, scheduling panics, as
//!   [`ActorCell::stop_after`](actor_core::ActorCell::stop_after) does.
//!
//! # When the wall clock is set
//!
//! `once` and `every` do not care. The others notice within
//! [`CLOCK_LOOK`](limits::CLOCK_LOOK):
//!
//! * Set forward past a moment: the message is sent once, then; of a cron schedule the moments
//!   that were passed over are left out.
//! * Set back: a moment that has been does not come again; the next one comes when the clock
//!   shows it. By more than [`CLOCK_BACK_MAX`](limits::CLOCK_BACK_MAX), the clock had been wrong:
//!   a cron schedule goes by what it shows now.
//!
//! ```
//! use actor_core::{ActorRef, ActorSystem, MissedTicks};
//! use actor_toolkit::scheduler::Scheduler;
//! use std::time::Duration;
//!
//! # enum Display { Refresh, Hide }
//! # fn example(system: &ActorSystem, display: &ActorRef<Display>) -> Result<(), Box<dyn std::error::Error>> {
//! let scheduler = Scheduler::new(system);
//! let second = Duration::from_secs(1);
//! let refreshing = scheduler.every(display, second, MissedTicks::Skip, || Display::Refresh)?;
//! scheduler.once(display, 60 * second, Display::Hide)?;
//! println!("{} sent, {} left out", refreshing.sent(), refreshing.missed());
//! refreshing.cancel();
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "cron")]
mod cron;
pub mod limits;
mod ticks;
mod wall;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actor_core::executor::Pace;
use actor_core::{ActorSystem, Attachment, Executor, Exit, MissedTicks, Recipient, SendError, Status};

#[cfg(feature = "cron")]
pub use self::cron::{Cron, CronError};
#[cfg(feature = "cron")]
use self::wall::Look;
use self::wall::sleep_towards;
use crate::contain::contained;

/// Sends messages when they are due. Clones are the same; dropping them ends no schedule.
///
/// See the [module](self) for what holds.
#[derive(Clone, Debug)]
pub struct Scheduler {
    executor: Executor,
}

/// Nothing was scheduled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A period of zero would never let anybody else run.
    #[error("not scheduled: a period of zero")]
    ZeroPeriod,
    /// The cron expression does not parse.
    #[cfg(feature = "cron")]
    #[error("not scheduled: {0}")]
    Cron(#[from] CronError),
    /// The cron expression is for no moment to come, as of the 30th of February.
    #[error("not scheduled: that moment never comes")]
    Never,
    /// The actor has ended, and how if that is known. Look it up again.
    #[error("not scheduled: the actor is no more")]
    Stopped(Option<Exit>),
    /// The actor lives on another node; what is due for it is scheduled there.
    #[error("not scheduled: the actor lives on another node")]
    Elsewhere,
}

impl Scheduler {
    /// Schedules by the system's clocks.
    pub fn new(system: &ActorSystem) -> Self {
        Self { executor: system.executor().clone() }
    }

    /// Sends a message after a time.
    ///
    /// # Errors
    ///
    /// Gives the message back if the actor has ended, or lives on another node.
    pub fn once<M: Send + 'static>(
        &self,
        to: impl Into<Recipient<M>>,
        delay: Duration,
        message: M,
    ) -> Result<Schedule, SendError<M>> {
        let sleep = self.executor.sleep(delay);
        self.send_after(to.into(), message, |_| sleep)
    }

    /// Sends a message when the wall clock shows a moment, given as the time since 1970: at once
    /// if it has been.
    ///
    /// # Errors
    ///
    /// As [`once`](Self::once).
    pub fn once_at<M: Send + 'static>(
        &self,
        to: impl Into<Recipient<M>>,
        unix: Duration,
        message: M,
    ) -> Result<Schedule, SendError<M>> {
        self.send_after(to.into(), message, |executor| async move {
            while sleep_towards(&executor, unix).await.is_some() {}
        })
    }

    /// Sends a message again and again, first after one period. A panic of `message` is one of
    /// the actor.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] for a period of zero, and if the actor has ended or lives on another
    /// node.
    pub fn every<M: Send + 'static>(
        &self,
        to: impl Into<Recipient<M>>,
        period: Duration,
        missed: MissedTicks,
        mut message: impl FnMut() -> M + Send + 'static,
    ) -> Result<Schedule, ScheduleError> {
        let to = to.into();
        if period.is_zero() {
            return Err(ScheduleError::ZeroPeriod);
        }
        is_here(&to)?;
        let executor = self.executor.clone();
        needs_timer(&executor);
        let counts = Arc::new(Counts::default());
        let due = executor.now() + period;
        Ok(Schedule::beside(&to.clone(), counts.clone(), async move {
            let (mut due, mut pace) = (due, Pace::new());
            loop {
                executor.sleep_until(due).await;
                if !counts.send(&to, message()).await {
                    return;
                }
                let (next, left_out) = ticks::next(missed, due, executor.now(), period);
                counts.missed.fetch_add(left_out, Ordering::Relaxed);
                due = next;
                pace.sent_one().await;
            }
        }))
    }

    /// Sends a message at each moment of a [cron expression](Cron), in UTC. A panic of `message`
    /// is one of the actor.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] if the expression does not parse or is for no moment to come, and if the
    /// actor has ended or lives on another node.
    #[cfg(feature = "cron")]
    pub fn cron<M: Send + 'static>(
        &self,
        to: impl Into<Recipient<M>>,
        expression: &str,
        mut message: impl FnMut() -> M + Send + 'static,
    ) -> Result<Schedule, ScheduleError> {
        let to = to.into();
        let cron: Cron = expression.parse()?;
        is_here(&to)?;
        let executor = self.executor.clone();
        needs_timer(&executor);
        let mut look = Look::at(&executor);
        let mut due = cron.next_after(look.unix).ok_or(ScheduleError::Never)?;
        let counts = Arc::new(Counts::default());
        Ok(Schedule::beside(&to.clone(), counts.clone(), async move {
            loop {
                while let Some(now) = sleep_towards(&executor, due).await {
                    if now.is_set_back_since(look) {
                        look = now;
                        let Some(next) = cron.next_after(now.unix) else { return };
                        due = next;
                    }
                }
                if !counts.send(&to, message()).await {
                    return;
                }
                // What fell due while there was no room is left out; what has been, if the clock
                // was set back meanwhile, does not come again, unless it had been wrong.
                let now = Look::at(&executor);
                let after = if now.is_set_back_since(look) { now.unix } else { now.unix.max(due) };
                look = now;
                let Some(next) = cron.next_after(after) else { return };
                due = next;
            }
        }))
    }

    fn send_after<M: Send + 'static, F: Future<Output = ()> + Send + 'static>(
        &self,
        to: Recipient<M>,
        message: M,
        wait: impl FnOnce(Executor) -> F,
    ) -> Result<Schedule, SendError<M>> {
        match is_here(&to) {
            Ok(()) => {}
            Err(ScheduleError::Stopped(exit)) => return Err(SendError::Stopped(message, exit)),
            Err(elsewhere) => return Err(SendError::Unsendable(message, elsewhere.to_string().into())),
        }
        let counts = Arc::new(Counts::default());
        needs_timer(&self.executor);
        let wait = wait(self.executor.clone());
        Ok(Schedule::beside(&to.clone(), counts.clone(), async move {
            wait.await;
            counts.send(&to, message).await;
        }))
    }
}

/// A schedule is a task beside its actor.
fn is_here<M: Send + 'static>(to: &Recipient<M>) -> Result<(), ScheduleError> {
    if !to.is_local() {
        return Err(ScheduleError::Elsewhere);
    }
    if to.status() >= Status::Stopping { Err(ScheduleError::Stopped(to.exit())) } else { Ok(()) }
}

/// Panics where there is no timer: here, as whoever schedules is to know, and not beside the actor,
/// which would fail of it.
fn needs_timer(executor: &Executor) {
    drop(executor.sleep(Duration::ZERO));
}

/// One schedule. Clones are the same; dropping it does not end it.
#[derive(Clone)]
pub struct Schedule {
    attachment: Attachment,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    missed: AtomicU64,
}

impl Counts {
    /// Waits for room; `false` if the actor takes no more.
    async fn send<M: Send + 'static>(&self, to: &Recipient<M>, message: M) -> bool {
        match to.send(message).await {
            Ok(()) => _ = self.sent.fetch_add(1, Ordering::Relaxed),
            // A mailbox that lets nobody wait: it has missed this one.
            Err(SendError::Full(message)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                contained("the destructor of a message", || drop(message));
            }
            Err(error) => {
                tracing::debug!(actor = %to.id(), %error, "a schedule ends: its actor takes no more");
                contained("the destructor of a message", || drop(error));
                return false;
            }
        }
        true
    }
}

impl Schedule {
    fn beside<M: Send + 'static>(
        to: &Recipient<M>,
        counts: Arc<Counts>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { attachment: to.cell().attach(task), counts }
    }

    /// Ends the schedule: nothing more is sent, not even what waits for room. What another thread
    /// is putting into the mailbox at this moment may be there yet.
    pub fn cancel(&self) {
        self.attachment.cancel();
    }

    /// Whether nothing more will be sent: it was cancelled, has sent all, or the actor's life has
    /// ended.
    pub fn is_over(&self) -> bool {
        self.attachment.is_over()
    }

    /// How many messages the mailbox has accepted.
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::Relaxed)
    }

    /// How many ticks were left out: of an interval that came too late, and those that a mailbox
    /// gave back which lets nobody wait.
    pub fn missed(&self) -> u64 {
        self.counts.missed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("is_over", &self.is_over())
            .field("sent", &self.sent())
            .field("missed", &self.missed())
            .finish()
    }
}
