//! One lane of a session, both ways: `docs/PROTOCOL.md` §1.
//!
//! [`Outgoing`] keeps what it has written until the peer has it; [`Incoming`] knows what has
//! arrived. Between the two a lane outlives its streams: nothing of it is lost, repeated or
//! overtaken, whichever streams come and go.

mod incoming;
mod outgoing;

pub(crate) use self::incoming::{Gap, Incoming, Position};
pub(crate) use self::outgoing::{FromTheFuture, Outgoing, Segment};
use super::streams::ConnectionId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) out: Outgoing,
    pub(crate) incoming: Incoming,
    /// The stream that it is written to.
    stream: Option<ConnectionId>,
}

impl Lane {
    /// The stream that it is written to.
    pub(crate) fn stream(&self) -> Option<ConnectionId> {
        self.stream
    }

    /// Goes on with this stream, or waits for one.
    pub(crate) fn write_to(&mut self, stream: Option<ConnectionId>) {
        if self.stream != stream {
            self.stream = stream;
            self.out.restart();
        }
    }
}
