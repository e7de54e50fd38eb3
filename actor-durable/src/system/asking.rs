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
use pin_project_lite::pin_project;

use super::call::DurableRef;
use super::whereabouts::{Found, Known};
use crate::actor::{Durability, Durable};
use crate::engine::{Answer, Incoming, Port, Request, Told};
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
        within: Option<Within>,
        // Armed when the future first has to wait.
        #[pin]
        sleep: Option<Sleep>,
    }
}

/// How long a caller waits.
struct Within {
    timeout: Duration,
    deadline: Instant,
}

impl<'a, A: Durable> CallFuture<'a, A> {
    #[inline(always)]
    pub(super) fn new(
        actor: &'a DurableRef<A>,
        command: A::Command,
        id: Option<MessageId>,
        timeout: Option<Duration>,
    ) -> Self {
        let is_chosen = id.is_some();
        let (mut id, mut within) = (id, None);
        if let Some(timeout) = timeout {
            // Whoever gives up is told it.
            id = id.or_else(|| Some(actor.new_message_id()));
            within = Some(Within { timeout, deadline: actor.executor().now() + timeout });
        }
        let (command, reply, later, again) = (Some(command), None, None, None);
        let asking = Asking { actor, id, is_chosen, command, reply, later, again };
        Self { asking, within, sleep: None }
    }
}

impl<A: Durable> Future for CallFuture<'_, A> {
    type Output = Answer<A>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<A>> {
        let this = self.project();
        let answer = this.asking.poll_answer(cx);
        match this.within {
            Some(within) if answer.is_pending() => this.asking.poll_timeout(within, this.sleep, cx),
            _ => answer,
        }
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
    id: Option<MessageId>,
    /// Whether the caller has chosen it.
    is_chosen: bool,
    /// Until it is sent.
    command: Option<A::Command>,
    /// From then on.
    reply: Option<ReplyFuture<Told<A>>>,
    /// The activation that has it, unless it is the first.
    later: Option<Arc<Known<A>>>,
    /// If the activation was to be looked for.
    again: Option<Again<'a, A>>,
}

type Again<'a, A> = Pin<Box<dyn Future<Output = Answer<A>> + Send + 'a>>;

impl<A: Durable> Asking<'_, A> {
    #[inline]
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer<A>> {
        if let Some(command) = self.command.take() {
            self.begin(command, cx);
        }
        if let Some(reply) = &mut self.reply {
            return match ready!(Pin::new(reply).poll(cx)) {
                Ok(told) => Poll::Ready(told.into()),
                Err(failure) => Poll::Ready(Err(self.unanswered(&failure))),
            };
        }
        let again = self.again.as_mut().expect("a future is not polled after it was ready");
        again.as_mut().poll(cx)
    }

    /// Puts the command into the activation that took the last one.
    #[inline]
    fn begin(&mut self, command: A::Command, cx: &mut Context<'_>) {
        // Nothing of a volatile actor is remembered, so no id is needed unless the caller wants one.
        if self.id.is_none() && A::DURABILITY != Durability::Volatile {
            self.id = Some(self.actor.new_message_id());
        }
        let (id, is_chosen) = (self.id, self.is_chosen);
        let Some(known) = self.actor.known() else { return self.look(command) };
        let ask = |port| Incoming(Request::Ask { id, is_chosen, command, port: Port(port) });
        match known.actor.cast_call(cx, ask) {
            Ok(reply) => {
                self.reply = Some(reply);
                if let Found::Later(known) = known {
                    self.later = Some(known);
                }
            }
            Err(unsent) => {
                if let Request::Ask { command, .. } = unsent.into_message().0 {
                    self.look(command);
                }
            }
        }
    }

    /// How the caller fares that has waited so long.
    fn poll_timeout(
        &self,
        within: &Within,
        mut sleep: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Answer<A>> {
        if sleep.is_none() {
            sleep.set(Some(self.actor.executor().sleep_until(within.deadline)));
        }
        let Some(sleep) = sleep.as_pin_mut() else { return Poll::Pending };
        ready!(sleep.poll(cx));
        let id = self.id.unwrap_or_else(|| self.actor.new_message_id());
        Poll::Ready(Err(AskError::Unknown { id, why: Doubt::TimedOut(within.timeout) }))
    }

    #[cold]
    fn look(&mut self, command: A::Command) {
        self.again = Some(Box::pin(ask(self.actor, self.id, self.is_chosen, command)));
    }

    #[cold]
    fn unanswered(&self, failure: &CallFailure) -> AskError<A::Error> {
        match self.later.as_deref().or(self.actor.first_known()) {
            Some(known) => unanswered(self.actor, self.id, known, failure),
            None => NotApplied::Ended.into(),
        }
    }
}

/// Looks for the activation, and waits for room in it.
async fn ask<A: Durable>(
    actor: &DurableRef<A>,
    id: Option<MessageId>,
    is_chosen: bool,
    mut command: A::Command,
) -> Answer<A> {
    for _ in 0..ACTIVATIONS_MAX {
        let known = actor.resolve()?;
        let ask = |port| Incoming(Request::Ask { id, is_chosen, command, port: Port(port) });
        let unsent = match known.actor.call(ask).await {
            Ok(told) => return told.into(),
            Err(CallError::Failed(failure)) => return Err(unanswered(actor, id, &known, &failure)),
            Err(CallError::NotSent(unsent)) => unsent,
        };
        if let Some(failure) = known.active.failure.get() {
            return Err(NotApplied::NotActivated(failure).into());
        }
        // It ended before the command's turn came: another activation may be there.
        command = match unsent.into_message().0 {
            Request::Ask { command, .. } => command,
            _ => return Err(NotApplied::Ended.into()),
        };
    }
    Err(NotApplied::Ended.into())
}

/// What is certain of a command that an activation has taken and not answered.
#[cold]
fn unanswered<A: Durable>(
    actor: &DurableRef<A>,
    id: Option<MessageId>,
    known: &Known<A>,
    failure: &CallFailure,
) -> AskError<A::Error> {
    if let Some(failure) = known.active.failure.get() {
        return NotApplied::NotActivated(failure).into();
    }
    if failure.never_ran() {
        return NotApplied::Ended.into();
    }
    AskError::Unknown { id: id.unwrap_or_else(|| actor.new_message_id()), why: Doubt::Ended }
}
