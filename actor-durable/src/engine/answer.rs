//! Answers, on their way from a turn to whoever asked.

use actor_core::ReplyPort;

use crate::actor::Durable;
use crate::error::{AskError, NotApplied};

/// The answer to a caller.
pub(crate) type Answer<A> = Result<<A as Durable>::Reply, AskError<<A as Durable>::Error>>;

/// The answer on its way: what is rare is boxed, so that the others are short.
pub(crate) enum Told<A: Durable> {
    Reply(A::Reply),
    Refused(A::Error),
    Failed(Box<AskError<A::Error>>),
}

impl<A: Durable> From<Answer<A>> for Told<A> {
    #[inline]
    fn from(answer: Answer<A>) -> Self {
        match answer {
            Ok(reply) => Self::Reply(reply),
            Err(AskError::Refused(error)) => Self::Refused(error),
            Err(error) => Self::Failed(Box::new(error)),
        }
    }
}

impl<A: Durable> From<Told<A>> for Answer<A> {
    #[inline]
    fn from(told: Told<A>) -> Self {
        match told {
            Told::Reply(reply) => Ok(reply),
            Told::Refused(error) => Err(AskError::Refused(error)),
            Told::Failed(error) => Err(*error),
        }
    }
}

/// Where an answer goes. A caller that no longer waits does not miss it.
pub(crate) struct Port<A: Durable>(pub(crate) ReplyPort<Told<A>>);

impl<A: Durable> Port<A> {
    // Inlined, so that the answer is written once, to its place.
    #[inline(always)]
    pub(crate) fn tell(self, told: impl Into<Told<A>>) {
        drop(self.0.send(told.into()));
    }

    /// Whether the caller still waits.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.0.is_closed()
    }
}

/// A caller's command was certainly not applied.
pub(crate) fn not_applied<A: Durable>(port: Port<A>, why: impl Into<NotApplied>) {
    port.tell(Err(AskError::NotApplied(why.into())));
}
