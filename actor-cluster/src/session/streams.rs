//! The streams of a session: which lanes each carries, whether it is alive, and what is
//! written to it before anything of a lane.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actor_core::Instant;
use bytes::{Bytes, BytesMut};

use super::heartbeat::{Beat, Heartbeat, Pace};
use super::lane::{Position, Segment};
use crate::limits::URGENT_BACKLOG_BYTES_MAX;
use crate::transport::LaneSet;
use crate::wire::frame::{Kind, write_frame};
use crate::wire::lanes::{LANES_MAX, LaneId, LaneIds};

/// Tells one stream of a session from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The streams of a session, in the order in which they came, whatever their numbers say.
#[derive(Debug)]
pub(crate) struct Streams {
    pace: Pace,
    pings_second: bool,
    list: Vec<Stream>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: ConnectionId,
    pub(crate) lanes: LaneIds,
    /// What it shares with others, and its fate with them.
    carrier: Option<u64>,
    /// Whether anything was written to it or read from it.
    pub(crate) is_used: bool,
    heartbeat: Heartbeat,
    /// Where its reader is in each lane.
    positions: [Position; LANES_MAX],
    /// Frames of no lane.
    urgent: BytesMut,
    /// The rest of what has been begun: nothing comes in between.
    begun: VecDeque<Bytes>,
}

impl Streams {
    /// Of two ends one pings second.
    pub(crate) fn new(pace: Pace, pings_second: bool) -> Self {
        Self { pace, pings_second, list: Vec::new() }
    }

    pub(crate) fn attach(&mut self, now: Instant, id: ConnectionId, lanes: LaneIds) {
        debug_assert!(self.get(id).is_none(), "every stream has a number of its own");
        self.list.push(Stream {
            id,
            lanes,
            carrier: None,
            is_used: false,
            heartbeat: Heartbeat::new(self.pace, self.pings_second, now),
            positions: Default::default(),
            urgent: BytesMut::new(),
            begun: VecDeque::new(),
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
    pub(crate) fn of_lane(&self, lane: LaneId) -> Option<ConnectionId> {
        self.list.iter().find(|stream| stream.lanes.contains(lane)).map(|stream| stream.id)
    }

    /// Whether any stream carries a lane that is none of these.
    pub(crate) fn carry_without(&self, lane: LaneId, streams: &[ConnectionId]) -> bool {
        self.list.iter().any(|stream| stream.lanes.contains(lane) && !streams.contains(&stream.id))
    }

    /// Any stream, the oldest one.
    pub(crate) fn first(&self) -> Option<ConnectionId> {
        self.list.first().map(|stream| stream.id)
    }

    /// Which kinds of lanes a stream carries.
    pub(crate) fn lanes_of(&self, id: ConnectionId) -> LaneSet {
        self.list.iter().find(|stream| stream.id == id).map_or(LaneSet::NONE, |stream| stream.lanes.kinds())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is something to write that is of no lane.
    pub(crate) fn have_more(&self) -> bool {
        self.list.iter().any(|stream| !stream.urgent.is_empty() || !stream.begun.is_empty())
    }

    /// Which streams have a timer that is due, and what it asks for.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<(ConnectionId, Beat)> {
        if self.list.iter().any(|stream| stream.carrier.is_some() && stream.heartbeat.is_silent(now)) {
            self.share_what_was_heard();
        }
        let beats = self.list.iter_mut().map(|stream| (stream.id, stream.heartbeat.handle_timeout(now)));
        beats.filter(|(_, beat)| *beat != Beat::Nothing).collect()
    }

    /// Whoever was heard on a stream is heard on all that have the same carrier. That one may be slow, and what is more urgent comes
    /// first on it: then nothing comes on the others for as long as there is more of that.
    fn share_what_was_heard(&mut self) {
        let mut last: BTreeMap<u64, Instant> = BTreeMap::new();
        for (carrier, heard) in self.list.iter().filter_map(|s| Some((s.carrier?, s.heartbeat.heard()))) {
            last.entry(carrier).and_modify(|last| *last = heard.max(*last)).or_insert(heard);
        }
        for stream in &mut self.list {
            if let Some(heard) = stream.carrier.and_then(|carrier| last.get(&carrier)) {
                stream.heartbeat.on_heard(*heard);
            }
        }
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
    /// It has this carrier, and a sign of life of the others that have it is one of its own.
    pub(crate) fn share(&mut self, carrier: u64) {
        self.carrier = Some(carrier);
    }

    /// Something came from the peer.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heartbeat.on_heard(now);
    }

    pub(crate) fn on_ping(&mut self, now: Instant) {
        self.heartbeat.on_ping(now);
    }

    pub(crate) fn on_pong(&mut self, number: u64, now: Instant) {
        self.heartbeat.on_pong(number, now);
    }

    /// Where its reader is in a lane that it carries.
    pub(crate) fn position(&mut self, lane: LaneId) -> Option<&mut Position> {
        if self.lanes.contains(lane) { self.positions.get_mut(usize::from(lane.as_u8())) } else { None }
    }

    /// Writes a frame of no lane, before anything of a lane. Whether the peer reads such
    /// frames as fast as they are written.
    pub(crate) fn write(&mut self, kind: Kind, index: u32, body: &[&[u8]]) -> bool {
        write_frame(&mut self.urgent, kind, LaneId::NONE, index, body);
        self.urgent.len() <= URGENT_BACKLOG_BYTES_MAX
    }

    /// What comes before anything of a lane.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.begun.pop_front() {
            return Some(bytes);
        }
        if self.urgent.is_empty() { None } else { Some(self.urgent.split().freeze()) }
    }

    /// Writes a segment of a lane, and where it begins if that must be said; the first piece of
    /// it, behind which the others come.
    pub(crate) fn write_segment(&mut self, lane: LaneId, segment: Segment) -> Option<Bytes> {
        self.is_used = true;
        if let Some(offset) = segment.begin {
            self.write(Kind::Begin, u32::from(lane.as_u8()), &[&offset.to_le_bytes()]);
            self.begun.push_back(self.urgent.split().freeze());
        }
        self.begun.extend([segment.frames, segment.slice].into_iter().filter(|piece| !piece.is_empty()));
        self.pop()
    }
}
