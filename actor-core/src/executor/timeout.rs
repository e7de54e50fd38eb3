//! A future with a deadline, on any executor.

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Executor, Sleep};
use crate::time::Instant;

pin_project_lite::pin_project! {
    /// See [`Executor::timeout_at`]. `E` is the executor, or a reference to it.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timeout<F, E = Executor> {
        #[pin]
        future: F,
        // Armed when the future first has to wait.
        #[pin]
        sleep: Option<Sleep>,
        executor: E,
        deadline: Instant,
    }
}

/// The deadline came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline has passed")]
pub struct Elapsed;

impl<F, E> Timeout<F, E> {
    pub(super) fn new(executor: E, deadline: Instant, future: F) -> Self {
        Self { future, sleep: None, executor, deadline }
    }
}

impl<F: Future, E: Borrow<Executor>> Future for Timeout<F, E> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if this.sleep.is_none() {
            this.sleep.set(Some((*this.executor).borrow().sleep_until(*this.deadline)));
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx).map(|()| Err(Elapsed)),
            None => Poll::Pending,
        }
    }
}
