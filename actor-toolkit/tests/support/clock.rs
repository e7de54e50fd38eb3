//! A runtime whose wall clock can be set, around another runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actor_core::executor::{BoxTask, LocalJob, LocalRuntime, LocalThread, Runtime, RuntimeTask, TaskHandle};
use actor_core::{Executor, Instant};

/// Somebody who sets the wall clock.
#[derive(Clone)]
pub(crate) struct WallClock {
    executor: Executor,
    /// By how much it differs from the other runtime's, in milliseconds.
    offset: Arc<AtomicI64>,
}

impl WallClock {
    pub(crate) fn around(executor: Executor) -> Self {
        Self { executor, offset: Arc::default() }
    }

    pub(crate) fn executor(&self) -> Executor {
        Executor::custom(Arc::new(self.clone()))
    }

    /// Sets it by so many seconds.
    #[cfg(feature = "cron")]
    pub(crate) fn step(&self, seconds: i64) {
        self.offset.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    /// Sets it to a time since 1970, in seconds.
    pub(crate) fn set(&self, unix: u64) {
        let now = i64::try_from(self.unix_time().as_millis()).unwrap();
        self.offset.fetch_add(i64::try_from(unix).unwrap() * 1_000 - now, Ordering::SeqCst);
    }
}

impl Runtime for WallClock {
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask> {
        Box::new(Task(self.executor.spawn(task)))
    }

    fn local(&self, name: &str) -> io::Result<Arc<dyn LocalRuntime>> {
        Ok(Arc::new(Thread(self.executor.local_thread(name)?)))
    }

    fn now(&self) -> Instant {
        self.executor.now()
    }

    fn sleep_until(&self, deadline: Instant) -> BoxTask {
        Box::pin(self.executor.sleep_until(deadline))
    }

    fn unix_time(&self) -> Duration {
        let shown = i64::try_from(self.executor.unix_time().as_millis()).unwrap();
        Duration::from_millis(u64::try_from(shown + self.offset.load(Ordering::SeqCst)).unwrap())
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.executor.fill_random(buffer);
    }
}

struct Task(TaskHandle);

impl RuntimeTask for Task {
    fn abort(&self) {
        self.0.abort();
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

struct Thread(LocalThread);

impl LocalRuntime for Thread {
    fn spawn(&self, job: LocalJob) {
        self.0.spawn(job);
    }
}
