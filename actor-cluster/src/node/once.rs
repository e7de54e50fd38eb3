//! Calls that were asked with a key: they run once, and whoever asks again is told what became of them, in
//! whichever session. What is remembered is the [machine's](crate::once) to decide.
//!
//! ```text
//!  a call with a key ─► ask ─► Run: its port answers the Sink ─► finish ─► every Waiter, in its session
//!                         └──► otherwise: whoever asks is a Waiter, or is told at once
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use actor_core::{CallFailure, Executor, Instant, Rejection};
use bytes::{Bytes, BytesMut};

use super::catalog::{Undone, Waiting};
use super::link::Link;
use crate::locked::locked;
use crate::once::{CallMemory, Decision, Outcome, Outcomes, Target, Ticket};
use crate::session::Correlation;
use crate::wire::annotation::Key;
use crate::wire::{EncodeError, EncodeReply, Encoder, ReplySink, ReplyTo, WireContext};

/// What a node remembers. Its lock is taken before that of any [`Link`], and none is held where an
/// outcome is told.
pub(super) struct KeyedCalls {
    outcomes: Mutex<Outcomes<Waiter>>,
    executor: Executor,
}

/// Somebody who waits for an outcome.
struct Waiter {
    link: Arc<Link>,
    call: Correlation,
}

impl Waiter {
    fn is_there(&self) -> bool {
        self.link.is_answering(self.call)
    }

    fn tell(&self, outcome: &Outcome) {
        let answer: Result<&dyn EncodeReply, CallFailure> = match outcome {
            Outcome::Answer(bytes) => Ok(&Encoded(bytes)),
            Outcome::Failure(failure) => Err(failure.clone()),
        };
        self.link.reply(self.call.as_u64(), answer);
    }
}

/// An answer that was encoded before.
struct Encoded<'a>(&'a Bytes);

impl EncodeReply for Encoded<'_> {
    fn encode_reply(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(self.0)
    }
}

impl KeyedCalls {
    pub(super) fn new(memory: CallMemory, executor: Executor) -> Self {
        Self { outcomes: Mutex::new(Outcomes::new(memory)), executor }
    }

    /// Decides what becomes of a call that may be asked. `None` if it must not run: then whoever asks has been
    /// told, or will be.
    pub(super) fn ask(
        self: &Arc<Self>,
        link: &Arc<Link>,
        key: Key,
        target: Target,
        call: Correlation,
        reply: ReplyTo,
    ) -> Option<(ReplyTo, Unrun)> {
        let waiter = Waiter { link: link.clone(), call };
        if !waiter.is_there() {
            // It has given up, or its session is over: it may have asked again by another one already.
            reply.abandon();
            return None;
        }
        let now = self.executor.now();
        // The lock is let go before anybody is told.
        let decision =
            locked(&self.outcomes).ask(now, link.info.life(), key, target, waiter, Waiter::is_there);
        match decision {
            Decision::Run(ticket) => {
                let unrun = Unrun { once: self.clone(), ticket };
                let sink = Sink { once: self.clone(), ticket, context: link.context.clone() };
                return Some((reply.answering(Arc::new(sink)), unrun));
            }
            Decision::Joined => reply.abandon(),
            Decision::Known(outcome) => {
                reply.abandon();
                Waiter { link: link.clone(), call }.tell(&outcome);
            }
            Decision::Forgotten => reply.fail(CallFailure::Forgotten),
            Decision::OtherCall => reply.fail(CallFailure::Rejected(Rejection::OtherCall)),
            Decision::Full => reply.fail(CallFailure::Rejected(Rejection::Full)),
        }
        None
    }

    /// Lets go of what is old: asked now and then, though no call comes.
    pub(super) fn sweep(&self, now: Instant) {
        locked(&self.outcomes).sweep(now);
    }

    /// How many calls it remembers that have ended.
    #[cfg(test)]
    pub(super) fn finished(&self) -> usize {
        locked(&self.outcomes).finished()
    }

    fn finish(&self, ticket: Ticket, outcome: Outcome) {
        let waiters = locked(&self.outcomes).finish(self.executor.now(), ticket, outcome.clone());
        waiters.iter().for_each(|waiter| waiter.tell(&outcome));
    }
}

/// Where the port of a call with a key answers.
struct Sink {
    once: Arc<KeyedCalls>,
    ticket: Ticket,
    /// Of the session by which it was asked first: the peer is the same in all others.
    context: WireContext,
}

impl ReplySink for Sink {
    fn reply(&self, _: u64, answer: Result<&dyn EncodeReply, CallFailure>) {
        let encoded = |value: &dyn EncodeReply| -> Result<Bytes, EncodeError> {
            let mut buffer = BytesMut::new();
            let mut encoder = Encoder::new(&mut buffer, &self.context);
            EncodeError::contained::<dyn EncodeReply>(|| value.encode_reply(&mut encoder))?;
            Ok(buffer.freeze())
        };
        let outcome = match answer.map(encoded) {
            Ok(Ok(bytes)) => Outcome::Answer(bytes),
            Ok(Err(error)) => Outcome::Failure(CallFailure::BadReply(error.to_string().into())),
            Err(failure) => Outcome::Failure(failure),
        };
        self.once.finish(self.ticket, outcome);
    }

    /// The answer is kept, so it is wanted though nobody waits.
    fn is_closed(&self, _: u64) -> bool {
        false
    }
}

/// A call that is not in its actor's mailbox yet.
pub(super) struct Unrun {
    once: Arc<KeyedCalls>,
    ticket: Ticket,
}

impl Unrun {
    /// Takes note that it is not in its mailbox yet.
    pub(super) fn undone(self, undone: Undone) -> Undone {
        match undone {
            Undone::Waiting(waiting) => Undone::Waiting(Box::pin(WaitingRun { unrun: Some(self), waiting })),
            // Whoever refuses it tells its port, and that finishes it.
            refused => refused,
        }
    }
}

/// A call that waits for room. Dropped before it is ready, it has not run, and is noted so before the message
/// itself is dropped, whose port does not know.
struct WaitingRun {
    unrun: Option<Unrun>,
    waiting: Waiting,
}

impl Future for WaitingRun {
    type Output = Option<Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Rejection>> {
        let polled = self.waiting.as_mut().poll(cx);
        if polled.is_ready() {
            self.unrun = None;
        }
        polled
    }
}

impl Drop for WaitingRun {
    fn drop(&mut self) {
        if let Some(Unrun { once, ticket }) = self.unrun.take() {
            once.finish(ticket, Outcome::Failure(CallFailure::Expired));
        }
    }
}
