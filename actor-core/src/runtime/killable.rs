//! A hook that a kill ends at its next await point.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::address::LocalControl;
use crate::lifecycle::Flag;

pin_project_lite::pin_project! {
    /// Runs a hook until it ends or the actor is killed.
    pub(super) struct Killable<'a, F> {
        #[pin]
        hook: F,
        control: &'a LocalControl,
    }
}

/// The actor was killed before the hook was done.
#[derive(Debug)]
pub(super) struct Killed;

impl<'a, F> Killable<'a, F> {
    pub(super) fn new(control: &'a LocalControl, hook: F) -> Self {
        Self { hook, control }
    }
}

impl<F: Future> Future for Killable<'_, F> {
    type Output = Result<F::Output, Killed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.control.word().has(Flag::Kill) {
            return Poll::Ready(Err(Killed));
        }
        if let Poll::Ready(output) = this.hook.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // Registered before the word is read once more: a kill is either seen here
        // or wakes this task.
        this.control.register(cx.waker());
        if this.control.word().has(Flag::Kill) {
            return Poll::Ready(Err(Killed));
        }
        Poll::Pending
    }
}
