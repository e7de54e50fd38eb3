//! Answers across nodes: the actor's end of a call. The caller's is `pending.rs`, and the session is
//! between them.
//!
//! ```text
//!  caller's node                                        actor's node
//!  ReplyPort<T> ─► PendingReply ··· session ··· ReplyTo ─► ReplyPort<T> in the message
//!        ▲              │ decode T    ▲            │
//!        └── answer ────┘             └─ ReplySink ┘ encode T
//! ```

use std::fmt;
use std::sync::Arc;

use actor_core::{Answer, CallFailure, Destination, Instant, ReplyPort};

use super::encoder::Encoder;
use super::error::EncodeError;
use super::payload::Wire;
use super::schema::Dialect;

/// The actor's end of a call that came from another node: where its one answer goes.
/// Dropping it tells the caller [`CallFailure::NoReply`].
pub struct ReplyTo {
    /// Taken when answered, so that `drop` knows whether it was.
    sink: Option<Arc<dyn ReplySink>>,
    call: u64,
    deadline: Option<Instant>,
    destination: Destination,
    /// What the peer's build does not know of the call's types.
    dialect: Option<Arc<Dialect>>,
}

impl ReplyTo {
    /// The answer to the call that `sink` knows as `call`. `deadline` is when the
    /// caller stops waiting, on this node's clock.
    pub fn new(sink: Arc<dyn ReplySink>, call: u64, deadline: Option<Instant>) -> Self {
        Self { sink: Some(sink), call, deadline, destination: Destination::default(), dialect: None }
    }

    /// Says what the peer's build does not know of the types of the call.
    #[must_use]
    pub fn speaking(mut self, dialect: Arc<Dialect>) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Says where the call's message is going, so that its caller can be told if it dies there
    /// before a handler has seen it.
    #[must_use]
    pub fn meant_for(mut self, destination: Destination) -> Self {
        self.destination = destination;
        self
    }

    /// Where the call's message is going, as far as it was said.
    pub fn destination(&self) -> Destination {
        self.destination
    }

    /// When the caller stops waiting, on this node's clock.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The port that a message carries to its handler.
    pub fn into_port<T: Wire + Send + 'static>(self) -> ReplyPort<T> {
        let deadline = self.deadline;
        let destination = self.destination;
        ReplyPort::foreign(self, deadline, destination)
    }

    /// Answers `sink` instead of the caller; the call's number means nothing there.
    pub(crate) fn answering(mut self, sink: Arc<dyn ReplySink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// Lets the caller wait for somebody else's answer.
    pub(crate) fn abandon(mut self) {
        self.sink = None;
    }

    /// Tells the caller what became of the call instead of an answer.
    pub fn fail(mut self, failure: CallFailure) {
        self.resolve(Err(failure));
    }

    fn resolve(&mut self, answer: Result<&dyn EncodeReply, CallFailure>) {
        if let Some(sink) = self.sink.take() {
            sink.reply(self.call, answer);
        }
    }
}

impl<T: Wire + Send + 'static> Answer<T> for ReplyTo {
    fn answer(&mut self, result: Result<T, CallFailure>) {
        match result {
            Ok(value) => match self.dialect.take() {
                None => self.resolve(Ok(&value)),
                Some(dialect) => self.resolve(Ok(&Spoken { value, dialect })),
            },
            Err(failure) => self.resolve(Err(failure)),
        }
    }

    fn is_closed(&self) -> bool {
        self.sink.as_ref().is_none_or(|sink| sink.is_closed(self.call))
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        self.resolve(Err(CallFailure::NoReply));
    }
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTo")
            .field("call", &self.call)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Where the answers of many calls go. A session implements this; a [`ReplyTo`]
/// shares it, so that a call costs a reference count and not an allocation.
pub trait ReplySink: Send + Sync {
    /// Delivers the one answer to `call`. It may come from any thread and must not
    /// block. The value is only lent: encode it at once. If it cannot be encoded the
    /// caller must still be told, as [`CallFailure::BadReply`].
    fn reply(&self, call: u64, answer: Result<&dyn EncodeReply, CallFailure>);

    /// Whether nobody waits for the answer to `call` any more, as far as is known
    /// here.
    fn is_closed(&self, call: u64) -> bool;
}

/// A [`Wire`] value without its type.
pub trait EncodeReply {
    /// Appends the value.
    ///
    /// # Errors
    ///
    /// As [`Wire::encode`].
    fn encode_reply(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError>;
}

impl<T: Wire> EncodeReply for T {
    fn encode_reply(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.encode(enc)
    }
}

/// An answer to a peer that was built with another version of its types.
struct Spoken<T> {
    value: T,
    dialect: Arc<Dialect>,
}

impl<T: Wire> EncodeReply for Spoken<T> {
    fn encode_reply(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.speaking(&self.dialect, |enc| self.value.encode(enc))
    }
}
