//! The streams of a session: which lanes each carries, whether it is alive, and what is
//! written to it before anything of a lane.

use std::time::Duration;

use actor_core::Instant;
use bytes::{Bytes, BytesMut};

use super::heartbeat::{Beat, Heartbeat, Pace};
use super::lane::Position;
use crate::limits::URGENT_BACKLOG_BYTES_MAX;
use crate::transport::{LaneKind, LaneSet};
use crate::wire::frame::{Kind, write_frame};

/// Tells one stream of a session from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The streams of a session, in the order in which they came, whatever their numbers say.
#[derive(Debug)]
pub(crate) struct Streams {
    pace: Pace,
    list: Vec<Stream>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: ConnectionId,
    pub(crate) lanes: LaneSet,
    /// Whether anything was written to it or read from it.
    pub(crate) is_used: bool,
    heartbeat: Heartbeat,
    /// Where its reader is in each lane.
    positions: [Position; LaneKind::ALL.len()],
    /// Frames of no lane.
    urgent: BytesMut,
    /// What its reader was told the place of, and that comes right behind.
    announced: Option<Bytes>,
}

impl Streams {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, list: Vec::new() }
    }

    pub(crate) fn attach(&mut self, now: Instant, id: ConnectionId, lanes: LaneSet) {
        debug_assert!(self.get(id).is_none(), "every stream has a number of its own");
        self.list.push(Stream {
            id,
            lanes,
            is_used: false,
            heartbeat: Heartbeat::new(self.pace, now),
            positions: Default::default(),
            urgent: BytesMut::new(),
            announced: None,
        });
    }

    pub(crate) fn detach(&mut self, id: ConnectionId) -> Option<Stream> {
        let at = self.list.iter().position(|stream| stream.id == id)?;
        Some(self.list.remove(at))
    }

    pub(crate) fn get(&mut self, id: ConnectionId) -> Option<&mut Stream> {
        self.list.iter_mut().find(|stream| stream.id == id)
    }

    /// The oldest stream that carries a lane: younger ones stand by, so that a lane keeps its
    /// stream for as long as that lives.
    pub(crate) fn of_lane(&self, lane: LaneKind) -> Option<ConnectionId> {
        self.list.iter().find(|stream| stream.lanes.contains(lane)).map(|stream| stream.id)
    }

    /// Any stream, the oldest one.
    pub(crate) fn first(&self) -> Option<ConnectionId> {
        self.list.first().map(|stream| stream.id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is something to write that is of no lane.
    pub(crate) fn have_more(&self) -> bool {
        self.list.iter().any(|stream| !stream.urgent.is_empty() || stream.announced.is_some())
    }

    /// Which streams have a timer that is due, and what it asks for.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<(ConnectionId, Beat)> {
        let beats = self.list.iter_mut().map(|stream| (stream.id, stream.heartbeat.handle_timeout(now)));
        beats.filter(|(_, beat)| *beat != Beat::Nothing).collect()
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let timeouts = self.list.iter().map(|stream| stream.heartbeat.next_timeout());
        timeouts.min().unwrap_or(Instant::FAR)
    }

    /// How long the last answered ping on a stream took.
    pub(crate) fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.list.iter().find(|stream| stream.id == id)?.heartbeat.round_trip()
    }
}

impl Stream {
    /// Something came from the peer.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heartbeat.on_heard(now);
    }

    pub(crate) fn on_pong(&mut self, number: u64, now: Instant) {
        self.heartbeat.on_pong(number, now);
    }

    pub(crate) fn position(&mut self, lane: LaneKind) -> &mut Position {
        &mut self.positions[lane as usize]
    }

    /// Writes a frame of no lane, before anything of a lane. Whether the peer reads such
    /// frames as fast as they are written.
    pub(crate) fn write(&mut self, kind: Kind, index: u32, body: &[&[u8]]) -> bool {
        write_frame(&mut self.urgent, kind, index, body);
        self.urgent.len() <= URGENT_BACKLOG_BYTES_MAX
    }

    /// What comes before anything else.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        if !self.urgent.is_empty() {
            return Some(self.urgent.split().freeze());
        }
        self.announced.take()
    }

    /// Says where the next segment of a lane begins, and writes it right after.
    pub(crate) fn announce(&mut self, lane: LaneKind, offset: u64, segment: Bytes) {
        self.write(Kind::Begin, lane as u32, &[&offset.to_le_bytes()]);
        self.announced = Some(segment);
    }
}
