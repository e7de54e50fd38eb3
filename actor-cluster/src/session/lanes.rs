//! What waits to be written: a queue of segments for each lane, and which
//! connection each lane is written to.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::limits::SEGMENT_BYTES;
use crate::transport::{LaneKind, LaneSet};

/// Tells one stream of a session from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Frames of one lane, cut into segments so that a more urgent lane on the same
/// stream waits for one segment at most.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sealed: VecDeque<Bytes>,
    open: BytesMut,
    sealed_bytes: usize,
}

impl Outbox {
    /// Where the next frame is appended. Call [`seal`](Self::seal) after it.
    pub(crate) fn open(&mut self) -> &mut BytesMut {
        &mut self.open
    }

    /// Ends the open segment if it is long enough.
    pub(crate) fn seal(&mut self) {
        if self.open.len() >= SEGMENT_BYTES {
            let segment = self.open.split().freeze();
            self.sealed_bytes += segment.len();
            self.sealed.push_back(segment);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        if let Some(segment) = self.sealed.pop_front() {
            self.sealed_bytes -= segment.len();
            return Some(segment);
        }
        (!self.open.is_empty()).then(|| self.open.split().freeze())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.sealed_bytes + self.open.len()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The streams of a session.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// In the order in which they came, whatever their numbers say.
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: ConnectionId,
    lanes: LaneSet,
    /// Whether anything was written to it or read from it.
    is_used: bool,
}

impl Connections {
    pub(crate) fn attach(&mut self, connection: ConnectionId, lanes: LaneSet) {
        debug_assert!(!self.contains(connection), "every stream has a number of its own");
        self.streams.push(Stream { id: connection, lanes, is_used: false });
    }

    /// Removes a stream. The lanes in which something may have been lost with it:
    /// none if it had carried nothing either way.
    pub(crate) fn detach(&mut self, connection: ConnectionId) -> LaneSet {
        let Some(at) = self.streams.iter().position(|stream| stream.id == connection) else {
            return LaneSet::NONE;
        };
        let stream = self.streams.remove(at);
        if stream.is_used { stream.lanes } else { LaneSet::NONE }
    }

    pub(crate) fn mark_used(&mut self, connection: ConnectionId) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == connection) {
            stream.is_used = true;
        }
    }

    /// The stream that a lane is written to: the oldest that carries it. Younger
    /// ones stand by, so that a lane never changes streams and keeps its order.
    pub(crate) fn of_lane(&self, lane: LaneKind) -> Option<ConnectionId> {
        self.streams.iter().find(|stream| stream.lanes.contains(lane)).map(|stream| stream.id)
    }

    /// Whether a stream carries a lane.
    pub(crate) fn carries(&self, connection: ConnectionId, lane: LaneKind) -> bool {
        self.streams.iter().any(|stream| stream.id == connection && stream.lanes.contains(lane))
    }

    /// Whether every lane has a stream.
    pub(crate) fn are_complete(&self) -> bool {
        self.streams.iter().fold(LaneSet::NONE, |all, stream| all.union(stream.lanes)) == LaneSet::ALL
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    pub(crate) fn contains(&self, connection: ConnectionId) -> bool {
        self.streams.iter().any(|stream| stream.id == connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_out_in_order_and_are_counted() {
        let mut outbox = Outbox::default();
        let mut written = Vec::new();
        for byte in 0..5_u8 {
            let frame = vec![byte; SEGMENT_BYTES / 2];
            outbox.open().extend_from_slice(&frame);
            outbox.seal();
            written.extend(frame);
        }
        assert_eq!(outbox.bytes(), written.len());
        let segments: Vec<Bytes> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(
            segments.iter().map(Bytes::len).collect::<Vec<_>>(),
            [SEGMENT_BYTES, SEGMENT_BYTES, SEGMENT_BYTES / 2]
        );
        assert_eq!(segments.concat(), written);
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn a_lane_keeps_its_stream_and_a_spare_can_go() {
        let mut connections = Connections::default();
        let [first, data, spare] = [ConnectionId(3), ConnectionId(2), ConnectionId(1)];
        connections.attach(first, LaneSet::CONTROL);
        assert!(!connections.are_complete());
        connections.attach(data, LaneSet::DATA);
        connections.attach(spare, LaneSet::ALL);
        assert!(connections.are_complete());
        assert_eq!(connections.of_lane(LaneKind::Data), Some(data));
        connections.mark_used(data);
        assert!(connections.carries(spare, LaneKind::Data) && !connections.carries(first, LaneKind::Data));
        assert_eq!(connections.detach(spare), LaneSet::NONE, "it carried nothing, so nothing was lost");
        assert_eq!(connections.detach(data), LaneSet::DATA);
    }
}
