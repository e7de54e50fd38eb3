//! Tasks that have begun, and how they end.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;

use super::world::Task;

/// A task that has begun. It need not be able to leave the thread.
pub(super) struct Living {
    pub(super) future: Pin<Box<dyn Future<Output = ()>>>,
    /// Dropped after the future, however that comes about.
    pub(super) ending: Ending,
}

/// Whoever waits for the end of a task is told when this is dropped.
pub(super) struct Ending(pub(super) Arc<Task>);

impl Living {
    pub(super) fn new(future: Pin<Box<dyn Future<Output = ()>>>, task: &Arc<Task>) -> Self {
        Self { future, ending: Ending(task.clone()) }
    }

    pub(super) fn place(&self) -> usize {
        self.ending.0.place
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// By their numbers: in the order in which they were spawned.
pub(super) fn in_order(mut tasks: Vec<Living>) -> Vec<Living> {
    tasks.sort_unstable_by_key(|task| task.ending.0.number);
    tasks
}

/// A destructor that panics keeps no other task from its end, and the test from saying
/// what it has failed by before.
pub(super) fn drop_tasks(begun: Vec<Living>, queued: VecDeque<Arc<Task>>) {
    let begun = begun.into_iter().map(|task| catch_unwind(AssertUnwindSafe(|| drop(task))));
    let queued = queued.into_iter().map(|task| catch_unwind(AssertUnwindSafe(|| task.give_up())));
    let panics: Vec<_> = begun.chain(queued).filter_map(Result::err).collect();
    if let Some(first) = panics.into_iter().next()
        && !thread::panicking()
    {
        resume_unwind(first);
    }
}
