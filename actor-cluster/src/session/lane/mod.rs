//! One lane of a session, both ways: `docs/PROTOCOL.md` §1.
//!
//! [`Outgoing`] keeps what it has written until the peer has it; [`Incoming`] knows what has
//! arrived. Between the two a lane outlives its streams: nothing of it is lost, repeated or
//! overtaken, whichever streams come and go. [`Parts`](parts::Parts) cut what is long, and
//! [`Assemblies`] put it together again.

mod assembly;
mod incoming;
mod log;
mod message;
mod outgoing;
mod parts;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::assembly::Assemblies;
pub(crate) use self::assembly::{BadPart, Whole};
pub(crate) use self::incoming::{Gap, Incoming, Position};
pub(crate) use self::log::{FromTheFuture, Segment};
pub(crate) use self::message::MessageLane;
pub(crate) use self::outgoing::Outgoing;
pub(crate) use self::parts::Recipient;
use super::streams::ConnectionId;
use crate::wire::lanes::LaneId;

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) id: LaneId,
    pub(crate) out: Outgoing,
    pub(crate) incoming: Incoming,
    /// The stream that it is written to.
    stream: Option<ConnectionId>,
}

impl Lane {
    pub(crate) fn new(id: LaneId) -> Self {
        Self { id, out: Outgoing::default(), incoming: Incoming::default(), stream: None }
    }

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

    /// Takes the next segment out, if this stream is the lane's.
    pub(crate) fn pop_for(&mut self, stream: ConnectionId) -> Option<Segment> {
        if self.stream == Some(stream) { self.out.pop(self.id) } else { None }
    }

    /// Whether there is something to write, and a stream for it.
    pub(crate) fn wants_write(&self) -> bool {
        self.stream.is_some() && self.out.has_more()
    }
}
