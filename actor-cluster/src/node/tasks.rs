//! Every task of a node, so that a node that has shut down has none left.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use actor_core::Executor;
use actor_core::executor::TaskHandle;
use pin_project_lite::pin_project;
use tokio::sync::Notify;

use crate::locked::locked;

/// The tasks of a node: those that run, and those that are about to.
pub(super) struct Tasks {
    executor: Executor,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    /// By their place's number; without a handle while it is being started.
    tasks: BTreeMap<u64, Option<TaskHandle>>,
    places_made: u64,
    /// Set for good: what is started now is dropped instead.
    is_closed: bool,
}

impl Tasks {
    pub(super) fn new(executor: Executor) -> Self {
        Self { executor, shared: Arc::default() }
    }

    /// Counts a task that is about to be started.
    pub(super) fn place(&self) -> Place {
        let mut state = locked(&self.shared.state);
        state.places_made += 1;
        let number = state.places_made;
        state.tasks.insert(number, None);
        Place { shared: self.shared.clone(), number }
    }

    /// Starts a task that is known until it ends.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_in(self.place(), task);
    }

    /// Starts a task that was counted before.
    pub(super) fn spawn_in(&self, place: Place, task: impl Future<Output = ()> + Send + 'static) {
        let number = place.number;
        let task = Placed { task, place };
        if locked(&self.shared.state).is_closed {
            return drop(task);
        }
        // Not under the lock: a runtime that shuts down drops the task right here, and
        // it takes itself out.
        let handle = self.executor.spawn(task);
        let mut state = locked(&self.shared.state);
        if state.is_closed {
            drop(state);
            return handle.abort();
        }
        if let Some(place) = state.tasks.get_mut(&number) {
            *place = Some(handle);
        }
    }

    /// Completes when no task is left.
    pub(super) async fn ended(&self) {
        loop {
            let ended = self.shared.ended.notified();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Drops every task at its next await point, and those that are started later
    /// before they begin.
    pub(super) fn close(&self) {
        let mut state = locked(&self.shared.state);
        state.is_closed = true;
        let handles: Vec<_> = state.tasks.values_mut().filter_map(Option::take).collect();
        drop(state);
        handles.iter().for_each(TaskHandle::abort);
    }

    pub(super) fn count(&self) -> usize {
        locked(&self.shared.state).tasks.len()
    }
}

/// One counted task. Dropped last of all that the task owns.
pub(super) struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let handle = locked(&self.shared.state).tasks.remove(&self.number);
        drop(handle);
        self.shared.ended.notify_waiters();
    }
}

pin_project! {
    /// A task in its place. The fields are dropped in this order.
    struct Placed<T> {
        #[pin]
        task: T,
        place: Place,
    }
}

impl<T: Future<Output = ()>> Future for Placed<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().task.poll(cx)
    }
}
