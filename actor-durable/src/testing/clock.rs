//! A wall clock that is moved by hand, over whatever runtime is current.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actor_core::executor::{BoxTask, LocalJob, LocalRuntime, LocalThread, Runtime, RuntimeTask, TaskHandle};
use actor_core::{Executor, Instant};

use crate::id::WallTime;

/// A wall clock that stands still unless it is moved, forward or back. Its [`executor`](Self::executor) runs tasks, timers and
/// all else on the tokio runtime of whoever calls. Clones are the same clock.
#[derive(Clone)]
pub struct WallClock {
    shared: Arc<Shared>,
}

struct Shared {
    millis: AtomicU64,
    executor: Executor,
}

impl WallClock {
    /// A clock that shows this time.
    pub fn at(time: WallTime) -> Self {
        let (millis, executor) = (AtomicU64::new(time.as_millis()), Executor::tokio());
        Self { shared: Arc::new(Shared { millis, executor }) }
    }

    /// What it shows.
    pub fn now(&self) -> WallTime {
        // It orders nothing but itself.
        WallTime::from_millis(self.shared.millis.load(Ordering::Relaxed))
    }

    /// Shows another time from now on, be it an earlier one.
    pub fn set(&self, time: WallTime) {
        self.shared.millis.store(time.as_millis(), Ordering::Relaxed);
    }

    /// Shows a time so much later from now on.
    pub fn pass(&self, time: Duration) {
        self.set(self.now().after(time));
    }

    /// An executor whose wall clock this is.
    pub fn executor(&self) -> Executor {
        Executor::custom(Arc::new(self.clone()))
    }

    /// An executor for a store, which counts leases by the monotonic clock and looks at messages' ids by the wall clock: both
    /// are this one. Nothing that sleeps is to run on it, as its timers know only the runtime's clock.
    pub fn store_executor(&self) -> Executor {
        Executor::custom(Arc::new(OneClock(self.clone())))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WallClock").field(&self.now()).finish()
    }
}

impl Runtime for WallClock {
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask> {
        Box::new(Spawned(self.shared.executor.spawn(task)))
    }

    fn local(&self, name: &str) -> io::Result<Arc<dyn LocalRuntime>> {
        Ok(Arc::new(Local(self.shared.executor.local_thread(name)?)))
    }

    fn now(&self) -> Instant {
        self.shared.executor.now()
    }

    fn sleep_until(&self, deadline: Instant) -> BoxTask {
        Box::pin(self.shared.executor.sleep_until(deadline))
    }

    fn unix_time(&self) -> Duration {
        WallClock::now(self).since(WallTime::ZERO)
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.shared.executor.fill_random(buffer);
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        // It begins all the same.
        drop(self.shared.executor.spawn_blocking(job));
    }
}

/// See [`WallClock::store_executor`].
struct OneClock(WallClock);

impl Runtime for OneClock {
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask> {
        Runtime::spawn(&self.0, task)
    }

    fn local(&self, name: &str) -> io::Result<Arc<dyn LocalRuntime>> {
        self.0.local(name)
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.unix_time())
    }

    fn sleep_until(&self, deadline: Instant) -> BoxTask {
        self.0.sleep_until(deadline)
    }

    fn unix_time(&self) -> Duration {
        self.0.unix_time()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.0.fill_random(buffer);
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        Runtime::spawn_blocking(&self.0, job);
    }
}

struct Spawned(TaskHandle);

impl RuntimeTask for Spawned {
    fn abort(&self) {
        self.0.abort();
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

struct Local(LocalThread);

impl LocalRuntime for Local {
    fn spawn(&self, job: LocalJob) {
        self.0.spawn(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_is_moved_by_hand_and_its_executor_shows_it() {
        let clock = WallClock::at(WallTime::from_millis(5_000));
        let executor = clock.executor();
        assert_eq!(executor.unix_time(), Duration::from_secs(5));
        clock.pass(Duration::from_secs(1));
        assert_eq!(executor.unix_time(), Duration::from_secs(6));
        clock.set(WallTime::from_millis(1));
        assert_eq!(executor.unix_time(), Duration::from_millis(1));
        executor.spawn(async {}).await;
        assert_eq!(executor.spawn_blocking(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn a_store_counts_leases_by_the_clock_that_is_moved() {
        let clock = WallClock::at(WallTime::from_millis(5_000));
        let executor = clock.store_executor();
        let began = executor.now();
        clock.pass(Duration::from_secs(3));
        assert_eq!(
            (executor.unix_time(), executor.now() - began),
            (Duration::from_secs(8), Duration::from_secs(3))
        );
        assert_eq!(executor.spawn_blocking(|| 7).await, Some(7));
    }
}
