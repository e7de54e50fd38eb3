//! A future that ends at its next await point when something is asked of its actor. Of a
//! traced actor it runs in the span of the message in hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::drive::ActorInbox;
use crate::hook::Polled;
use crate::lifecycle::Flag;
use crate::mailbox::Owner;

/// Runs a hook until it ends or the actor is killed. The hook lies elsewhere, pinned:
/// a future is moved into place only once.
pub(super) type Killable<'a, F, M> = Interruptible<'a, F, M, { Flag::Kill as u32 }>;

/// Runs a future until it ends or one of these [`Flag`]s is set.
///
/// When it is done, or dropped before that, this thread is in the span of the message in
/// hand: what becomes of the hook, its destructor above all, still belongs to the message.
/// Whoever ends the message leaves the span.
pub(super) struct Interruptible<'a, F, M, const FLAGS: u32> {
    /// `None` when it is done.
    inbox: Option<&'a mut ActorInbox<M>>,
    hook: Pin<&'a mut F>,
}

/// The flag was set before the future was done.
#[derive(Debug)]
pub(super) struct Interrupted;

impl<'a, F, M, const FLAGS: u32> Interruptible<'a, F, M, FLAGS> {
    pub(super) fn new(inbox: &'a mut ActorInbox<M>, hook: Pin<&'a mut F>) -> Self {
        Self { inbox: Some(inbox), hook }
    }
}

impl<F: Future, M, const FLAGS: u32> Future for Interruptible<'_, F, M, FLAGS> {
    type Output = Result<F::Output, Interrupted>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inbox: place, hook } = &mut *self;
        let Some(inbox) = place else { panic!("polled after it was done") };
        let word = inbox.owner().word();
        if word.has_any(FLAGS | TRACED) {
            if word.has_any(TRACED) {
                enter(inbox);
            }
            if word.has_any(FLAGS) {
                return Poll::Ready(Err(Interrupted));
            }
        }
        let polled = {
            let _polled = Polled::new(|| inbox.owner().actor_id());
            hook.as_mut().poll(cx)
        };
        if let Poll::Ready(output) = polled {
            *place = None;
            return Poll::Ready(Ok(output));
        }
        if !inbox.suspend(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        // Our waker is known before the word is read once more: a flag is either seen
        // here, or whoever sets it wakes this task.
        let word = inbox.owner().word();
        if word.has_any(FLAGS | TRACED) {
            if word.has_any(FLAGS) {
                return Poll::Ready(Err(Interrupted));
            }
            leave(inbox);
        }
        Poll::Pending
    }
}

impl<F, M, const FLAGS: u32> Drop for Interruptible<'_, F, M, FLAGS> {
    #[inline(always)]
    fn drop(&mut self) {
        // The hook is dropped after this. If it is done, the span has not been left since.
        if let Some(inbox) = &self.inbox
            && inbox.owner().word().has_any(TRACED)
        {
            enter(inbox);
        }
    }
}

const TRACED: u32 = Flag::Traced as u32;

#[cold]
fn enter<M>(inbox: &ActorInbox<M>) {
    if let Some(in_hand) = inbox.owner().mailbox().in_hand() {
        in_hand.enter();
    }
}

#[cold]
fn leave<M>(inbox: &ActorInbox<M>) {
    if let Some(in_hand) = inbox.owner().mailbox().in_hand() {
        in_hand.leave();
    }
}
