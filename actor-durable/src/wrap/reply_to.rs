//! Where the reply to a command of a wrapped actor goes: into the turn that it is stored with.

use std::sync::{Arc, Mutex, PoisonError};

use actor_core::{Answer, CallFailure, Destination, ReplyPort};

/// Where the reply to a command goes. [`WrapActor::message`](super::WrapActor::message) puts it into the message.
///
/// The reply has to be sent before the handler returns. A port that is kept for later is closed then, and the command is refused as
/// [unanswered](super::WrapError::Unanswered), since a later reply could not be stored with its turn.
#[derive(Debug)]
pub struct ReplyTo<R> {
    slot: Slot<R>,
}

/// The reply, once it is there.
pub(super) struct Awaited<R> {
    slot: Slot<R>,
}

/// The outcome of the call, once there is one. The turn is over when only one of its two holders is left.
type Slot<R> = Arc<Mutex<Option<Result<R, CallFailure>>>>;

impl<R: Send + 'static> ReplyTo<R> {
    pub(super) fn new() -> (Self, Awaited<R>) {
        let slot = Slot::default();
        (Self { slot: slot.clone() }, Awaited { slot })
    }

    /// A port for the reply.
    pub fn port(self) -> ReplyPort<R> {
        self.port_as(|reply| reply)
    }

    /// A port for a message whose reply has another type: `to.port_as(Reply::Count)`.
    pub fn port_as<T: Send + 'static>(self, reply: fn(T) -> R) -> ReplyPort<T> {
        ReplyPort::foreign(Filled { slot: self.slot, reply }, None, Destination::default())
    }

    /// The reply to a message without a port. It counts if the handler does not fail.
    pub fn always(self, reply: R) {
        put(&self.slot, Ok(reply));
    }
}

impl<R> Awaited<R> {
    /// The outcome of the call so far.
    pub(super) fn take(self) -> Option<Result<R, CallFailure>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a port does with its answer.
struct Filled<T, R> {
    slot: Slot<R>,
    reply: fn(T) -> R,
}

impl<T, R: Send> Answer<T> for Filled<T, R> {
    fn answer(&mut self, result: Result<T, CallFailure>) {
        put(&self.slot, result.map(self.reply));
    }

    fn is_closed(&self) -> bool {
        // Until the turn is over, it holds the other one.
        Arc::strong_count(&self.slot) == 1
    }
}

fn put<R>(slot: &Slot<R>, result: Result<R, CallFailure>) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_closed_when_the_turn_is_over() {
        let (to, awaited) = ReplyTo::<u32>::new();
        let port = to.port();
        assert!(!port.is_closed());
        assert!(awaited.take().is_none());
        assert!(port.is_closed());
    }
}
