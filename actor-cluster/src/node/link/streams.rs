//! The streams that a session has, as the node's threads share them: how they come and go, and where they come from.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actor_core::Instant;
use bytes::{Bytes, BytesMut};

use super::Link;
use crate::limits::STREAMS_PER_SESSION_MAX;
use crate::locked::locked;
use crate::session::streams::ConnectionId;
use crate::transport::{Address, CloseReason, ClusterBidiStream};
use crate::wire::lanes::LaneIds;

/// A stream that a session has.
#[derive(Clone)]
pub(in crate::node) struct Made {
    pub(in crate::node) connection: ConnectionId,
    pub(in crate::node) origin: Origin,
    pub(in crate::node) at: Instant,
}

/// Where a stream comes from.
#[derive(Clone)]
pub(in crate::node) enum Origin {
    /// This node has dialled there.
    Dialled(Address),
    /// The peer has dialled.
    Accepted,
    /// The program has made it, and the node can have no other for it.
    External,
}

/// What became of a stream that was handed to a session.
pub(in crate::node) enum Attached {
    Yes,
    /// The session has all it can have.
    Enough(Box<dyn ClusterBidiStream>),
    /// The session is over.
    Ended(Box<dyn ClusterBidiStream>),
}

/// A stream on its way to the session's task.
pub(in crate::node) struct Arrival {
    pub(in crate::node) connection: ConnectionId,
    pub(in crate::node) stream: Box<dyn ClusterBidiStream>,
    /// What is written before anything of the session's.
    pub(in crate::node) preface: Bytes,
    /// What was read behind the handshake.
    pub(in crate::node) rest: BytesMut,
}

impl Link {
    /// Hands a stream over to the session's task.
    pub(in crate::node) fn attach(
        &self,
        lanes: LaneIds,
        origin: Origin,
        stream: Box<dyn ClusterBidiStream>,
        preface: Bytes,
        rest: BytesMut,
    ) -> Attached {
        let mut inner = self.inner();
        // Under the lock: the task does not end before it has taken what came before.
        if inner.session.ended().is_some() {
            return Attached::Ended(stream);
        }
        if inner.made.len() >= STREAMS_PER_SESSION_MAX {
            return Attached::Enough(stream);
        }
        inner.connections_made += 1;
        let (connection, at) = (ConnectionId(inner.connections_made), self.executor.now());
        inner.made.push(Made { connection, origin, at });
        inner.session.attach(at, connection, lanes, stream.carrier());
        inner.arrivals.push(Arrival { connection, stream, preface, rest });
        drop(inner);
        self.waker.wake();
        Attached::Yes
    }

    /// Tells the session that a stream has ended, from its own task.
    pub(in crate::node) fn detach(&self, connection: ConnectionId, reason: CloseReason) {
        let now = self.executor.now();
        let mut inner = self.inner();
        inner.made.retain(|made| made.connection != connection);
        inner.session.detach(now, connection, reason);
    }

    /// Takes note that the session has given a stream up.
    pub(in crate::node) fn cut(&self, connection: ConnectionId) {
        self.inner().made.retain(|made| made.connection != connection);
    }

    /// The streams that it has.
    pub(in crate::node) fn made(&self) -> Vec<Made> {
        self.inner().made.clone()
    }

    /// Whether it is time to look whether other streams should take the place of these; the next time is after the interval.
    pub(in crate::node) fn begin_review(&self, now: Instant, interval: Duration) -> bool {
        if !self.state.is_ready() {
            return false;
        }
        let mut inner = self.inner();
        let is_due = now >= inner.next_review;
        if is_due {
            inner.next_review = now + interval;
        }
        is_due && !inner.is_renewing && inner.session.is_complete()
    }

    pub(in crate::node) fn note_renewing(&self, is_renewing: bool) {
        self.inner().is_renewing = is_renewing;
    }

    /// Counts another time that the session has lost its streams.
    pub(in crate::node) fn begin_interruption(&self) -> u64 {
        // Relaxed: whoever counts is the session's task, and only equality matters.
        self.interruptions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the session has found no streams since that time.
    pub(in crate::node) fn is_interrupted(&self, interruption: u64) -> bool {
        self.interruptions.load(Ordering::Relaxed) == interruption && !self.is_whole()
    }

    /// Whether every lane has a stream, or never will.
    pub(in crate::node) fn is_whole(&self) -> bool {
        let inner = self.inner();
        inner.session.is_complete() || inner.session.ended().is_some()
    }

    /// Where it was dialled.
    pub(in crate::node) fn note_dialled(&self, address: &Address) {
        locked(&self.dialled).get_or_insert_with(|| address.clone());
    }

    pub(in crate::node) fn dialled(&self) -> Option<Address> {
        locked(&self.dialled).clone()
    }

    pub(in crate::node) fn take_arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.inner().arrivals)
    }

    pub(in crate::node) fn has_arrivals(&self) -> bool {
        !self.inner().arrivals.is_empty()
    }
}
