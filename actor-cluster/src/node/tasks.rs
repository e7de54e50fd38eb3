//! Every task of a node, so that a node that has shut down has none left.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::Executor;
use actor_core::executor::TaskHandle;
use tokio::sync::Notify;

/// The running tasks of a node.
pub(super) struct Tasks {
    executor: Executor,
    live: Arc<Live>,
}

#[derive(Default)]
struct Live {
    tasks: Mutex<BTreeMap<u64, TaskHandle>>,
    ended: Notify,
}

impl Tasks {
    pub(super) fn new(executor: Executor) -> Self {
        Self { executor, live: Arc::default() }
    }

    /// Starts a task that is known until it ends.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.live.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let number = tasks.last_key_value().map_or(0, |(last, _)| last + 1);
        let entry = Entry { live: self.live.clone(), number };
        // The task cannot take itself out before it is in: that needs the lock.
        let handle = self.executor.spawn(async move {
            let _entry = entry;
            task.await;
        });
        tasks.insert(number, handle);
    }

    /// Completes when no task is left.
    pub(super) async fn ended(&self) {
        loop {
            let ended = self.live.ended.notified();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Drops every task at its next await point.
    pub(super) fn abort(&self) {
        let tasks = self.live.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.values().for_each(TaskHandle::abort);
    }

    pub(super) fn count(&self) -> usize {
        self.live.tasks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Takes its task out when the task ends, however it ends.
struct Entry {
    live: Arc<Live>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let ended = self.live.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        drop(ended);
        self.live.ended.notify_waiters();
    }
}
