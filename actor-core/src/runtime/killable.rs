//! A hook that a kill ends at its next await point.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::drive::ActorInbox;
use crate::lifecycle::Flag;

pin_project_lite::pin_project! {
    /// Runs a hook until it ends or the actor is killed.
    pub(super) struct Killable<'a, F, M> {
        #[pin]
        hook: F,
        inbox: &'a mut ActorInbox<M>,
    }
}

/// The actor was killed before the hook was done.
#[derive(Debug)]
pub(super) struct Killed;

impl<'a, F, M> Killable<'a, F, M> {
    pub(super) fn new(inbox: &'a mut ActorInbox<M>, hook: F) -> Self {
        Self { hook, inbox }
    }
}

impl<F: Future, M> Future for Killable<'_, F, M> {
    type Output = Result<F::Output, Killed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.inbox.owner().word().has(Flag::Kill) {
            return Poll::Ready(Err(Killed));
        }
        if let Poll::Ready(output) = this.hook.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if !this.inbox.suspend(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        // Our waker is known before the word is read once more: a kill is either seen
        // here or wakes this task.
        if this.inbox.owner().word().has(Flag::Kill) {
            return Poll::Ready(Err(Killed));
        }
        Poll::Pending
    }
}
