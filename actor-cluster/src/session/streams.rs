//! The streams of a session: which lanes each carries, whether what carries it is alive, and what is
//! written to it before anything of a lane.

use std::collections::VecDeque;
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
    /// One for each carrier of any stream.
    heartbeats: Vec<(Carrier, Heartbeat)>,
}

/// What lives and dies as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// The stream itself.
    Own(ConnectionId),
    /// A connection that several streams may share.
    Shared(u64),
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: ConnectionId,
    pub(crate) lanes: LaneIds,
    carrier: Carrier,
    /// Whether anything was written to it or read from it.
    pub(crate) is_used: bool,
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
        Self { pace, pings_second, list: Vec::new(), heartbeats: Vec::new() }
    }

    /// A stream that comes is a sign of life of what carries it.
    pub(crate) fn attach(&mut self, now: Instant, id: ConnectionId, lanes: LaneIds, carrier: Option<u64>) {
        debug_assert!(self.get(id).is_none(), "every stream has a number of its own");
        let carrier = carrier.map_or(Carrier::Own(id), Carrier::Shared);
        match self.heartbeat(carrier) {
            Some(heartbeat) => heartbeat.on_heard(now),
            None => self.heartbeats.push((carrier, Heartbeat::new(self.pace, self.pings_second, now))),
        }
        self.list.push(Stream {
            id,
            lanes,
            carrier,
            is_used: false,
            positions: Default::default(),
            urgent: BytesMut::new(),
            begun: VecDeque::new(),
        });
    }

    pub(crate) fn detach(&mut self, id: ConnectionId) -> Option<Stream> {
        let at = self.list.iter().position(|stream| stream.id == id)?;
        let stream = self.list.remove(at);
        if self.list.iter().all(|other| other.carrier != stream.carrier) {
            self.heartbeats.retain(|(carrier, _)| *carrier != stream.carrier);
        }
        Some(stream)
    }

    /// Whether two streams have one carrier.
    pub(crate) fn are_together(&self, one: ConnectionId, other: ConnectionId) -> bool {
        self.carrier_of(one).is_some_and(|carrier| self.carrier_of(other) == Some(carrier))
    }

    fn carrier_of(&self, id: ConnectionId) -> Option<Carrier> {
        self.list.iter().find(|stream| stream.id == id).map(|stream| stream.carrier)
    }

    fn heartbeat(&mut self, carrier: Carrier) -> Option<&mut Heartbeat> {
        self.heartbeats.iter_mut().find(|(its, _)| *its == carrier).map(|(_, heartbeat)| heartbeat)
    }

    /// The heartbeat of what carries a stream.
    pub(crate) fn heartbeat_of(&mut self, id: ConnectionId) -> Option<&mut Heartbeat> {
        self.heartbeat(self.carrier_of(id)?)
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

    /// What each carrier's heartbeat asks for, and of which streams: a ping goes on one of those that it carries, and all of them die together.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<(ConnectionId, Beat)> {
        let mut asked = Vec::new();
        for (carrier, heartbeat) in &mut self.heartbeats {
            let carried = self.list.iter().filter(|stream| stream.carrier == *carrier);
            match heartbeat.handle_timeout(now) {
                Beat::Nothing => {}
                Beat::Dead => asked.extend(carried.map(|stream| (stream.id, Beat::Dead))),
                ping @ Beat::Ping(_) => {
                    // On the stream of the control lane, if it is here: nothing goes before that one, so the ping waits for nothing.
                    let one = carried.min_by_key(|stream| !stream.lanes.contains(LaneId::CONTROL));
                    asked.extend(one.map(|stream| (stream.id, ping)));
                }
            }
        }
        asked
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let timeouts = self.heartbeats.iter().map(|(_, heartbeat)| heartbeat.next_timeout());
        timeouts.min().unwrap_or(Instant::FAR)
    }

    /// How long the last answered ping took on what carries a stream.
    pub(crate) fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        let carrier = self.carrier_of(id)?;
        self.heartbeats.iter().find(|(its, _)| *its == carrier)?.1.round_trip()
    }
}

impl Stream {
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
