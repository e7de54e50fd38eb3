//! The seam to the runtime: spawn, block, sleep, tell the time, draw random bytes.
//!
//! ```text
//!  actors, sessions ──► Executor ──┬─► tokio   the default: no dyn, no boxing
//!                                  └─► dyn Runtime   a simulator's scheduler
//! ```
//!
//! Nothing else in this crate, nor in the cluster's shell, asks an operating
//! system or a runtime for any of these.

mod ambient;
mod timeout;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use self::ambient::TokioRuntime;
pub use self::timeout::{Elapsed, Timeout};
use crate::contain::contained;
pub use crate::pace::Pace;
use crate::time::Instant;

/// A boxed task for a [`Runtime`].
pub type BoxTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A boxed job that starts a `!Send` task on a [`LocalRuntime`]'s thread.
pub type LocalJob = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A runtime other than tokio, such as a simulator with a virtual clock and a
/// seed. Everything an actor system does in time goes through one of these.
pub trait Runtime: Send + Sync + 'static {
    /// Runs a task until it ends or is aborted.
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask>;

    /// A place where `!Send` tasks run.
    ///
    /// # Errors
    ///
    /// Whatever keeps the runtime from making one, such as a thread limit.
    fn local(&self, name: &str) -> io::Result<Arc<dyn LocalRuntime>>;

    /// The monotonic time since the runtime's beginning.
    fn now(&self) -> Instant;

    /// Completes once `now()` has reached `deadline`.
    fn sleep_until(&self, deadline: Instant) -> BoxTask;

    /// The wall-clock time since 1970.
    fn unix_time(&self) -> Duration;

    /// Fills the buffer with random bytes. A simulator draws them from its seed;
    /// everybody else from a source fit for cryptography.
    fn fill_random(&self, buffer: &mut [u8]);

    /// Runs a job that may block, or compute for long, where it keeps no task waiting: once, or never if the runtime shuts
    /// down before. Unless implemented it runs before this returns, as is right in a simulation; a runtime that serves
    /// real clients implements it.
    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

/// A task that a [`Runtime`] runs. Dropping it lets the task run on.
pub trait RuntimeTask: Send {
    /// Drops the task's future at its next await point.
    fn abort(&self);

    /// Ready once the task's future has been dropped.
    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// One thread's worth of a [`Runtime`]: tasks on it never move.
pub trait LocalRuntime: Send + Sync + 'static {
    /// Calls the job on the thread and runs the task it returns there.
    fn spawn(&self, job: LocalJob);
}

/// What an actor system runs on. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Executor {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Tokio(TokioRuntime),
    Custom(Arc<dyn Runtime>),
}

impl Executor {
    /// The tokio runtime of whoever calls: each spawn goes to the runtime that
    /// is current at that moment.
    pub fn tokio() -> Self {
        Self { kind: Kind::Tokio(TokioRuntime::ambient()) }
    }

    /// A given tokio runtime, also from threads outside it.
    pub fn tokio_on(handle: tokio::runtime::Handle) -> Self {
        Self { kind: Kind::Tokio(TokioRuntime::on(handle)) }
    }

    /// Any other runtime.
    pub fn custom(runtime: Arc<dyn Runtime>) -> Self {
        Self { kind: Kind::Custom(runtime) }
    }

    /// Starts a task.
    ///
    /// # Panics
    ///
    /// On [`tokio()`](Self::tokio), if no tokio runtime is current.
    #[inline]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> TaskHandle {
        match &self.kind {
            Kind::Tokio(tokio) => TaskHandle { task: Task::Tokio(tokio.spawn(task)) },
            Kind::Custom(runtime) => TaskHandle { task: Task::Custom(runtime.spawn(Box::pin(task))) },
        }
    }

    /// Runs a job that may block, or compute for long, where it keeps no task waiting. It begins whether or not the future is
    /// polled, and dropping the future does not stop it: what it gives is dropped where it ran then. On tokio it is one of
    /// `tokio::task::spawn_blocking`: jobs beyond that pool's threads wait, in a queue without a bound, and a runtime that is
    /// dropped waits for those that have begun.
    ///
    /// Gives `None` if the job panics, or the runtime shuts down before it has begun.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn), and if the system gives no thread.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let (done, result) = oneshot::channel();
        let job = move || contained("a blocking job", || drop(done.send(job())));
        match &self.kind {
            Kind::Tokio(tokio) => tokio.spawn_blocking(job),
            Kind::Custom(runtime) => runtime.spawn_blocking(Box::new(job)),
        }
        async { result.await.ok() }
    }

    /// Whether a task can be spawned here and now.
    pub(crate) fn can_spawn(&self) -> bool {
        match &self.kind {
            Kind::Tokio(tokio) => tokio.can_spawn(),
            Kind::Custom(_) => true,
        }
    }

    /// Makes a thread of its own on which `!Send` tasks run.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub fn local_thread(&self, name: &str) -> io::Result<LocalThread> {
        let runtime = match &self.kind {
            Kind::Tokio(_) => ambient::local_thread(name)?,
            Kind::Custom(runtime) => runtime.local(name)?,
        };
        Ok(LocalThread { runtime })
    }

    /// The monotonic time.
    pub fn now(&self) -> Instant {
        match &self.kind {
            Kind::Tokio(tokio) => tokio.now(),
            Kind::Custom(runtime) => runtime.now(),
        }
    }

    /// Completes once [`now`](Self::now) has reached `deadline`; never for
    /// [`Instant::FAR`].
    ///
    /// # Panics
    ///
    /// On [`tokio()`](Self::tokio), if no runtime with its timer enabled is current; on
    /// [`tokio_on`](Self::tokio_on), if that runtime has no timer.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        match &self.kind {
            _ if deadline == Instant::FAR => Sleep::Never,
            Kind::Tokio(tokio) => Sleep::Tokio { sleep: tokio.sleep_until(deadline) },
            Kind::Custom(runtime) => Sleep::Custom { sleep: runtime.sleep_until(deadline) },
        }
    }

    /// Completes after `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Runs a future until it ends or the deadline has come. The timer is not
    /// armed before the future first has to wait.
    pub fn timeout_at<F: Future>(&self, deadline: Instant, future: F) -> Timeout<F> {
        Timeout::new(self.clone(), deadline, future)
    }

    /// [`timeout_at`](Self::timeout_at) for whoever holds on to the executor
    /// meanwhile: it is borrowed, and not counted once more.
    pub(crate) fn until<F: Future>(&self, deadline: Instant, future: F) -> Timeout<F, &Self> {
        Timeout::new(self, deadline, future)
    }

    /// [`timeout_at`](Self::timeout_at), `duration` from now.
    pub fn timeout<F: Future>(&self, duration: Duration, future: F) -> Timeout<F> {
        self.timeout_at(self.now() + duration, future)
    }

    /// The wall-clock time since 1970. It may jump; measure nothing with it.
    pub fn unix_time(&self) -> Duration {
        match &self.kind {
            Kind::Tokio(_) => ambient::unix_time(),
            Kind::Custom(runtime) => runtime.unix_time(),
        }
    }

    /// Fills the buffer with random bytes fit for cryptography, except in a
    /// simulation, where they come from its seed.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give, which on a running
    /// system does not happen.
    pub fn fill_random(&self, buffer: &mut [u8]) {
        match &self.kind {
            Kind::Tokio(_) => ambient::fill_random(buffer),
            Kind::Custom(runtime) => runtime.fill_random(buffer),
        }
    }

    /// A random number; see [`fill_random`](Self::fill_random).
    pub fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Tokio(_) => "Executor(tokio)",
            Kind::Custom(_) => "Executor(custom)",
        })
    }
}

/// A task. Awaiting it waits until the task has ended, however it ended;
/// dropping it lets the task run on.
#[must_use = "dropping the handle detaches the task"]
pub struct TaskHandle {
    task: Task,
}

enum Task {
    Tokio(tokio::task::JoinHandle<()>),
    Custom(Box<dyn RuntimeTask>),
}

impl TaskHandle {
    /// Lets the task run on without a handle.
    pub fn detach(self) {}

    /// Drops the task's future at its next await point.
    pub fn abort(&self) {
        match &self.task {
            Task::Tokio(handle) => handle.abort(),
            Task::Custom(task) => task.abort(),
        }
    }
}

impl Future for TaskHandle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.task {
            Task::Tokio(handle) => Pin::new(handle).poll(cx).map(drop),
            Task::Custom(task) => task.poll_finished(cx),
        }
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskHandle")
    }
}

/// A thread on which `!Send` tasks run. It ends when every handle is dropped and
/// every task on it has ended.
#[derive(Clone)]
pub struct LocalThread {
    runtime: Arc<dyn LocalRuntime>,
}

impl LocalThread {
    /// Calls `job` on the thread and runs the future it returns there.
    pub fn spawn<F: Future<Output = ()> + 'static>(&self, job: impl FnOnce() -> F + Send + 'static) {
        self.runtime.spawn(Box::new(move || Box::pin(job())));
    }
}

impl fmt::Debug for LocalThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalThread")
    }
}

pin_project_lite::pin_project! {
    /// A moment that is waited for; see [`Executor::sleep_until`].
    #[project = SleepProjected]
    #[must_use = "a sleep does nothing unless it is awaited"]
    pub enum Sleep {
        #[doc(hidden)]
        Tokio { #[pin] sleep: tokio::time::Sleep },
        #[doc(hidden)]
        Custom { sleep: BoxTask },
        #[doc(hidden)]
        Never,
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project() {
            SleepProjected::Tokio { sleep } => sleep.poll(cx),
            SleepProjected::Custom { sleep } => sleep.as_mut().poll(cx),
            SleepProjected::Never => Poll::Pending,
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleep")
    }
}
