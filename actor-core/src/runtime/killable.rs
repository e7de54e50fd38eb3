//! A hook that a kill ends at its next await point.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::drive::ActorInbox;
use crate::lifecycle::Flag;

/// Runs a hook until it ends or the actor is killed. The hook lies elsewhere, pinned:
/// a future is moved into place only once.
pub(super) struct Killable<'a, F, M> {
    inbox: &'a mut ActorInbox<M>,
    hook: Pin<&'a mut F>,
}

/// The actor was killed before the hook was done.
#[derive(Debug)]
pub(super) struct Killed;

impl<'a, F, M> Killable<'a, F, M> {
    pub(super) fn new(inbox: &'a mut ActorInbox<M>, hook: Pin<&'a mut F>) -> Self {
        Self { inbox, hook }
    }
}

impl<F: Future, M> Future for Killable<'_, F, M> {
    type Output = Result<F::Output, Killed>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Killable { inbox, hook } = &mut *self;
        if inbox.owner().word().has(Flag::Kill) {
            return Poll::Ready(Err(Killed));
        }
        if let Poll::Ready(output) = hook.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if !inbox.suspend(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        // Our waker is known before the word is read once more: a kill is either seen
        // here or wakes this task.
        if inbox.owner().word().has(Flag::Kill) {
            return Poll::Ready(Err(Killed));
        }
        Poll::Pending
    }
}
