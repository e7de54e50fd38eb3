//! What awaiting a call runs. In the usual case the activation is known and takes the command at once, and nothing is asked of
//! the allocator; only whoever has to look for the activation, or wait for room, is boxed.
//!
//! ```text
//!  Begin ─┬─ known, has room ──► Waiting ──► the answer
//!         └─ else ──► Again: resolve, call, and once more if the activation ended before
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actor_core::executor::Timeout;
use actor_core::{CallError, CallFailure, ReplyFuture};
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
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CallFuture<'a, A: Durable> {
        #[pin]
        state: State<'a, A>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<'a, A: Durable> {
        Asking { asking: Asking<'a, A> },
        Within {
            #[pin]
            asking: Timeout<Asking<'a, A>>,
            id: MessageId,
            timeout: Duration,
        },
    }
}

impl<'a, A: Durable> CallFuture<'a, A> {
    pub(super) fn new(
        actor: &'a DurableRef<A>,
        command: A::Command,
        id: Option<MessageId>,
        timeout: Option<Duration>,
    ) -> Self {
        let Some(timeout) = timeout else {
            let asking = Asking { actor, id, is_chosen: id.is_some(), step: Step::Begin(command) };
            return Self { state: State::Asking { asking } };
        };
        let is_chosen = id.is_some();
        let id = id.unwrap_or_else(|| actor.new_message_id());
        let asking = Asking { actor, id: Some(id), is_chosen, step: Step::Begin(command) };
        Self { state: State::Within { asking: actor.executor().timeout(timeout, asking), id, timeout } }
    }
}

impl<A: Durable> Future for CallFuture<'_, A> {
    type Output = Answer<A>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<A>> {
        match self.project().state.project() {
            Projected::Asking { asking } => asking.poll_answer(cx),
            Projected::Within { asking, id, timeout } => {
                let unknown = |_| Err(AskError::Unknown { id: *id, why: Doubt::TimedOut(*timeout) });
                asking.poll(cx).map(|answer| answer.unwrap_or_else(unknown))
            }
        }
    }
}

impl<A: Durable> fmt::Debug for CallFuture<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallFuture")
    }
}

/// One command on its way, until it is answered.
struct Asking<'a, A: Durable> {
    actor: &'a DurableRef<A>,
    id: Option<MessageId>,
    /// Whether the caller has chosen it.
    is_chosen: bool,
    step: Step<'a, A>,
}

enum Step<'a, A: Durable> {
    Begin(A::Command),
    Waiting { reply: ReplyFuture<Told<A>>, known: Found<'a, A> },
    Again(Pin<Box<dyn Future<Output = Answer<A>> + Send + 'a>>),
    Done,
}

/// The command is moved out by value; nothing in here is ever pinned in place.
impl<A: Durable> Unpin for Asking<'_, A> {}

impl<A: Durable> Future for Asking<'_, A> {
    type Output = Answer<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<A>> {
        self.poll_answer(cx)
    }
}

impl<'a, A: Durable> Asking<'a, A> {
    #[inline]
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer<A>> {
        if let Step::Begin(_) = &self.step
            && let Step::Begin(command) = std::mem::replace(&mut self.step, Step::Done)
        {
            self.step = self.begin(command, cx);
        }
        match &mut self.step {
            Step::Waiting { reply, known } => {
                let answer = match ready!(Pin::new(reply).poll(cx)) {
                    Ok(told) => told.into(),
                    Err(failure) => Err(unanswered(self.actor, self.id, known, &failure)),
                };
                Poll::Ready(answer)
            }
            Step::Again(again) => again.as_mut().poll(cx),
            Step::Begin(_) | Step::Done => unreachable!("a future is not polled after it was ready"),
        }
    }

    /// Puts the command into the activation that took the last one.
    #[inline]
    fn begin(&mut self, command: A::Command, cx: &mut Context<'_>) -> Step<'a, A> {
        // Nothing of a volatile actor is remembered, so no id is needed unless the caller wants one.
        if self.id.is_none() && A::DURABILITY != Durability::Volatile {
            self.id = Some(self.actor.new_message_id());
        }
        let (actor, id, is_chosen) = (self.actor, self.id, self.is_chosen);
        let Some(known) = actor.known() else { return again(actor, id, is_chosen, command) };
        let ask = |port| Incoming(Request::Ask { id, is_chosen, command, port: Port(port) });
        match known.actor.cast_call(cx, ask) {
            Ok(reply) => Step::Waiting { reply, known },
            Err(error) => match error.into_message().0 {
                Request::Ask { command, .. } => again(actor, id, is_chosen, command),
                _ => Step::Done,
            },
        }
    }
}

#[cold]
fn again<A: Durable>(
    actor: &DurableRef<A>,
    id: Option<MessageId>,
    is_chosen: bool,
    command: A::Command,
) -> Step<'_, A> {
    Step::Again(Box::pin(ask(actor, id, is_chosen, command)))
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
