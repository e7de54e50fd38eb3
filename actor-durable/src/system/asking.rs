//! What awaiting a call runs. In the usual case the activation is known and takes the command at once, and nothing is asked of
//! the allocator; only whoever has to look for the activation, or wait for room, is boxed.
//!
//! ```text
//!  command ─┬─ known, has room ──► reply ──► the answer
//!           └─ else ──► again: resolve, call, and once more if the activation ended before
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actor_core::executor::Sleep;
use actor_core::{CallError, CallFailure, Instant, ReplyFuture};
use futures_util::FutureExt;
use pin_project_lite::pin_project;

use super::cache::CachedActivation;
use super::call::DurableRef;
use crate::actor::{Durability, Durable};
use crate::engine::{Answer, Incoming, Label, Port, Request, Told};
use crate::error::{AskError, Doubt, NotApplied};
use crate::id::MessageId;
use crate::limits::ACTIVATIONS_MAX;

pin_project! {
    /// What awaiting a [`DurableCall`](crate::DurableCall) runs.
    ///
    /// Inlined where it is made, as all on the way of a command, so that it is not copied at each step.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CallFuture<'a, A: Durable> {
        asking: Asking<'a, A>,
        #[pin]
        within: Option<Within>,
    }
}

pin_project! {
    /// How long a caller waits.
    struct Within {
        timeout: Duration,
        deadline: Instant,
        // Armed when the future first has to wait.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<'a, A: Durable> CallFuture<'a, A> {
    #[inline(always)]
    pub(super) fn new(
        actor: &'a DurableRef<A>,
        command: A::Command,
        id: Option<MessageId>,
        timeout: Option<Duration>,
    ) -> Self {
        let (command, reply, aside) = (Some(command), None, None);
        let mut label = id.map(|id| Label { id, is_chosen: true });
        let mut within = None;
        if let Some(timeout) = timeout {
            // Whoever gives up is told it.
            label = label.or_else(|| Some(made_for(actor)));
            within = Some(Within { timeout, deadline: actor.executor().now() + timeout, sleep: None });
        }
        Self { asking: Asking { actor, label, command, reply, aside }, within }
    }
}

impl<A: Durable> Future for CallFuture<'_, A> {
    type Output = Answer<A>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<A>> {
        let this = self.project();
        // What was told becomes the answer here alone, so that an answer, which is longer, is written once.
        let told = match this.asking.poll_told(cx) {
            Poll::Ready(told) => told,
            Poll::Pending => {
                let Some(within) = this.within.as_pin_mut() else { return Poll::Pending };
                ready!(this.asking.poll_timeout(within, cx))
            }
        };
        Poll::Ready(told.into())
    }
}

impl<A: Durable> fmt::Debug for CallFuture<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallFuture")
    }
}

/// One command on its way, until it is answered. What it is doing is beside each other, not one or the other: so each is put
/// in its place without anything being moved out of the way, and nothing is left to drop when it is over.
struct Asking<'a, A: Durable> {
    actor: &'a DurableRef<A>,
    label: Option<Label>,
    /// Until it is sent.
    command: Option<A::Command>,
    /// From then on.
    reply: Option<ReplyFuture<Told<A>>>,
    /// Unless the first activation has it.
    aside: Option<Aside<'a, A>>,
}

/// Where a command is that the first activation has not taken.
enum Aside<'a, A: Durable> {
    /// In a later one.
    Later(Arc<CachedActivation<A>>),
    /// On its way to one that is looked for.
    Again(Pin<Box<dyn Future<Output = Told<A>> + Send + 'a>>),
}

impl<A: Durable> Asking<'_, A> {
    #[inline]
    fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Told<A>> {
        let reply = match &mut self.reply {
            Some(reply) => reply,
            None => match self.begin(cx) {
                Some(reply) => reply,
                None => return self.poll_again(cx),
            },
        };
        Poll::Ready(match ready!(Pin::new(reply).poll(cx)) {
            Ok(told) => told,
            Err(failure) => self.unanswered(&failure),
        })
    }

    /// Puts the command, unless it is sent, into the activation that took the last one.
    #[inline]
    fn begin(&mut self, cx: &mut Context<'_>) -> Option<&mut ReplyFuture<Told<A>>> {
        let command = self.command.take()?;
        // Nothing of a volatile actor is remembered, so no id is needed unless the caller wants one.
        if self.label.is_none() && A::DURABILITY != Durability::Volatile {
            self.label = Some(made_for(self.actor));
        }
        match self.actor.known.only() {
            Some(known) => self.put(command, known, cx),
            None => self.begin_later(command, cx),
        }
    }

    #[cold]
    fn begin_later(
        &mut self,
        command: A::Command,
        cx: &mut Context<'_>,
    ) -> Option<&mut ReplyFuture<Told<A>>> {
        let Some(known) = self.actor.known.later() else { return self.look(command) };
        self.put(command, &known, cx)?;
        self.aside = Some(Aside::Later(known));
        self.reply.as_mut()
    }

    /// Puts the command into this activation. If that does not take it, another is looked for.
    #[inline(always)]
    fn put(
        &mut self,
        command: A::Command,
        known: &CachedActivation<A>,
        cx: &mut Context<'_>,
    ) -> Option<&mut ReplyFuture<Told<A>>> {
        let ask = |port| Incoming(Request::Ask { label: self.label, command, port: Port(port) });
        match known.actor.cast_call(cx, ask) {
            Ok(reply) => Some(self.reply.insert(reply)),
            Err(unsent) => match unsent.into_message().0 {
                Request::Ask { command, .. } => self.look(command),
                _ => None,
            },
        }
    }

    /// How the caller fares that has waited so long.
    fn poll_timeout(&mut self, within: Pin<&mut Within>, cx: &mut Context<'_>) -> Poll<Told<A>> {
        let mut within = within.project();
        if within.sleep.is_none() {
            within.sleep.set(Some(self.actor.executor().sleep_until(*within.deadline)));
        }
        let Some(sleep) = within.sleep.as_pin_mut() else { return Poll::Pending };
        ready!(sleep.poll(cx));
        // Closed before the caller learns the id. It may ask again with it, and that be handled and forgotten: an activation that
        // meets this command later must not take it for a new one.
        (self.reply, self.aside) = (None, None);
        Poll::Ready(Err(unknown(self.actor, self.label, Doubt::TimedOut(*within.timeout))).into())
    }

    #[cold]
    fn poll_again(&mut self, cx: &mut Context<'_>) -> Poll<Told<A>> {
        let Some(Aside::Again(again)) = &mut self.aside else {
            panic!("a future is not polled after it was ready")
        };
        again.as_mut().poll(cx)
    }

    /// There is no reply then: what looks for the activation has the answer.
    #[cold]
    fn look<R>(&mut self, command: A::Command) -> Option<R> {
        let again = ask(self.actor, self.label, command).map(Told::from);
        self.aside = Some(Aside::Again(Box::pin(again)));
        None
    }

    #[cold]
    fn unanswered(&self, failure: &CallFailure) -> Told<A> {
        let known = match &self.aside {
            Some(Aside::Later(known)) => Some(&**known),
            _ => self.actor.known.first(),
        };
        let why = known.map_or(NotApplied::ActivationEnded.into(), |known| {
            unanswered(self.actor, self.label, known, failure)
        });
        Err(why).into()
    }
}

/// The label of a command whose caller has not chosen its id.
fn made_for<A: Durable>(actor: &DurableRef<A>) -> Label {
    Label { id: actor.new_message_id(), is_chosen: false }
}

/// Looks for the activation, and waits for room in it.
async fn ask<A: Durable>(actor: &DurableRef<A>, label: Option<Label>, mut command: A::Command) -> Answer<A> {
    for _ in 0..ACTIVATIONS_MAX {
        let known = actor.resolve()?;
        let ask = |port| Incoming(Request::Ask { label, command, port: Port(port) });
        let unsent = match known.actor.call(ask).await {
            Ok(told) => return told.into(),
            Err(CallError::Failed(failure)) => return Err(unanswered(actor, label, &known, &failure)),
            Err(CallError::NotSent(unsent)) => unsent,
        };
        if let Some(failure) = known.active.failure.get() {
            return Err(NotApplied::NotActivated(failure).into());
        }
        // It ended before the command's turn came: another activation may be there.
        command = match unsent.into_message().0 {
            Request::Ask { command, .. } => command,
            _ => return Err(NotApplied::ActivationEnded.into()),
        };
    }
    Err(NotApplied::ActivationEnded.into())
}

/// What is certain of a command that an activation has taken and not answered.
#[cold]
fn unanswered<A: Durable>(
    actor: &DurableRef<A>,
    label: Option<Label>,
    known: &CachedActivation<A>,
    failure: &CallFailure,
) -> AskError<A::Error> {
    if let Some(failure) = known.active.failure.get() {
        return NotApplied::NotActivated(failure).into();
    }
    if failure.never_ran() {
        return NotApplied::ActivationEnded.into();
    }
    unknown(actor, label, Doubt::ActivationEnded)
}

/// Nobody knows whether the command was applied.
fn unknown<A: Durable>(actor: &DurableRef<A>, label: Option<Label>, why: Doubt) -> AskError<A::Error> {
    let Label { id, .. } = label.unwrap_or_else(|| made_for(actor));
    AskError::Unknown { id, why }
}
