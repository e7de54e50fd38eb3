//! Where the reply to a command of a wrapped actor goes: into the turn that it is stored with.

use std::sync::{Arc, Mutex, PoisonError};

use actor_core::{Answer, CallFailure, Destination, ReplyPort};

/// Where the reply to one command goes, for [`WrapActor::message`](super::WrapActor::message) to put into the message.
///
/// The reply counts if it is there when the handler returns. A port that is kept for later is closed by then, and the command is
/// refused as [unanswered](super::WrapError::Unanswered): what is answered later could not be stored with its turn.
#[derive(Debug)]
pub struct ReplyTo<R> {
    slot: Slot<R>,
}

/// The reply, once it is there.
pub(super) struct Awaited<R> {
    slot: Slot<R>,
}

/// What became of the call, once that is known. The turn is over when one of its two holders is gone.
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

    /// A port for a message whose answer is another type: `to.port_as(Reply::Count)`.
    pub fn port_as<T: Send + 'static>(self, reply: fn(T) -> R) -> ReplyPort<T> {
        ReplyPort::foreign(Filled { slot: self.slot, reply }, None, Destination::default())
    }

    /// The reply to a message that has no port: it counts if the handler does not fail.
    pub fn always(self, reply: R) {
        put(&self.slot, Ok(reply));
    }
}

impl<R> Awaited<R> {
    /// What became of the call by now.
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
        // The turn holds the other end.
        Arc::strong_count(&self.slot) == 1
    }
}

fn put<R>(slot: &Slot<R>, result: Result<R, CallFailure>) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
}
