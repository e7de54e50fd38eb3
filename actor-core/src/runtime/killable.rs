//! A future that ends at its next await point when something is asked of its actor.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::drive::ActorInbox;
use crate::hook::Polled;
use crate::lifecycle::Flag;

/// Runs a hook until it ends or the actor is killed. The hook lies elsewhere, pinned:
/// a future is moved into place only once.
pub(super) type Killable<'a, F, M> = Interruptible<'a, F, M, { Flag::Kill as u32 }>;

/// Runs a future until it ends or one of these [`Flag`]s is set.
pub(super) struct Interruptible<'a, F, M, const FLAGS: u32> {
    inbox: &'a mut ActorInbox<M>,
    hook: Pin<&'a mut F>,
}

/// The flag was set before the future was done.
#[derive(Debug)]
pub(super) struct Interrupted;

impl<'a, F, M, const FLAGS: u32> Interruptible<'a, F, M, FLAGS> {
    pub(super) fn new(inbox: &'a mut ActorInbox<M>, hook: Pin<&'a mut F>) -> Self {
        Self { inbox, hook }
    }
}

impl<F: Future, M, const FLAGS: u32> Future for Interruptible<'_, F, M, FLAGS> {
    type Output = Result<F::Output, Interrupted>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Interruptible { inbox, hook } = &mut *self;
        if inbox.owner().word().has_any(FLAGS) {
            return Poll::Ready(Err(Interrupted));
        }
        let polled = {
            let _polled = Polled::new(|| inbox.owner().actor_id());
            hook.as_mut().poll(cx)
        };
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Ok(output));
        }
        if !inbox.suspend(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        // Our waker is known before the word is read once more: a flag is either seen
        // here, or whoever sets it wakes this task.
        if inbox.owner().word().has_any(FLAGS) {
            return Poll::Ready(Err(Interrupted));
        }
        Poll::Pending
    }
}
