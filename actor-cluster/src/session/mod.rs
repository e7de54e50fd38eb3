//! The session with one incarnation of a peer, as a machine: frames, commands and
//! the time go in; frames, events and the next deadline come out. No socket, task,
//! clock or lock lives here.
//!
//! ```text
//!   handle_input ─────►┌───────────────────────────┐─────► poll_transmit
//!   send, answer, … ──►│ Session                   │─────► swap_events
//!   handle_timeout ───►│  calls flow heartbeat     │─────► next_timeout
//!   attach, detach ───►│  lanes types watches      │
//!                      └───────────────────────────┘
//! ```
//!
//! Whoever drives it drains both outputs after every input. A session owns a set of
//! streams and outlives them: when one is lost its lanes go on with another, or wait for one,
//! and nothing is lost with it. A session ends by a goodbye, by a violation, or when it has
//! waited for too long.
//!
//! Before a stream belongs to a session it goes through [`handshake`].

mod annotations;
pub(crate) mod answering;
pub(crate) mod aside;
pub(crate) mod audit;
mod calls;
pub(crate) mod capabilities;
mod choice;
pub(crate) mod codes;
mod control;
mod deaths;
mod ending;
mod event;
mod flow;
pub(crate) mod handshake;
pub(crate) mod heartbeat;
mod lane;
mod messages;
mod parting;
mod receive;
mod refusing;
mod schemas;
pub(crate) mod send;
pub(crate) mod streams;
#[cfg(test)]
mod tests;
mod types;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use actor_core::Instant;
use bytes::Bytes;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::annotations::Annotated;
use self::annotations::Annotations;
use self::calls::Calls;
pub(crate) use self::calls::Correlation;
pub(crate) use self::control::TakesMore;
pub(crate) use self::deaths::Death;
use self::deaths::Deaths;
pub(crate) use self::event::Event;
use self::flow::{ReceiveWindow, SendWindow};
use self::handshake::{Live, Peer};
use self::heartbeat::{Beat, Pace};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::lane::{Assemblies, BadPart, Outgoing, Recipient};
use self::lane::{Lane, MessageLane};
pub(crate) use self::messages::{Fields, Inbound, InboundCall, Messages, Unread, are_worth_copying};
use self::parting::Broken;
use self::schemas::Schemas;
pub(crate) use self::schemas::Verdict;
use self::streams::{ConnectionId, Streams};
pub(crate) use self::types::{Shape, Spoken};
use crate::limits::{
    BULK_TURN, CALLS_PER_TURN_LEAST, CALLS_PER_TURN_MOST, FRAMES_PER_TURN, PAYLOAD_HEAP_BYTES_MAX,
    SWEEP_INTERVAL, URGENT_TURNS,
};
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::context::Switchboard;
use crate::wire::control::Publication;
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;
use crate::wire::{PendingReplies, WireContext};

/// What a session is told about this node's limits.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) pace: Pace,
    /// How long a new session may take until it is ready, and a leaving peer until
    /// its streams have ended.
    pub(crate) patience: Duration,
    /// How long a session lives that has lost its streams.
    pub(crate) resume_timeout: Duration,
    pub(crate) message_bytes_max: usize,
    pub(crate) window_bytes: u64,
    /// Whether the peer was asked to tell of casts that die.
    pub(crate) wants_dead_letters: bool,
}

/// One session with one incarnation of a peer, as the module draws it.
#[derive(Debug)]
pub(crate) struct Session {
    peer: Peer,
    config: Config,
    context: WireContext,
    phase: Phase,
    streams: Streams,
    control: Lane,
    /// The bulk lane, then those for data.
    messages: Vec<MessageLane>,
    /// Which of them is the next to be written.
    turn: usize,
    /// How many segments of data were written since one of bulk.
    turns_without_bulk: u32,
    urgent_turns: u32,
    /// Whether the peer is to be told what has arrived, and what it may send.
    owes_ack: bool,
    /// Set while a lane waits for a stream.
    broken: Option<Broken>,
    /// Whether any stream was ever lost: then the peer is told which one takes its place.
    has_lost: bool,
    schemas: Schemas,
    annotations: Annotations,
    calls: Calls,
    /// About how many calls the peer had under way when it made the last one.
    peer_calls: usize,
    pending_replies: PendingReplies,
    /// When it is to be seen which callers have gone away; `None` while nobody calls.
    sweep_at: Option<Instant>,
    /// Calls of the peer's that are not answered yet, and the lanes that they came in.
    answering: BTreeMap<Correlation, LaneId>,
    /// What calls that were refused have cost in credit that the peer has not got back.
    refused: BTreeMap<LaneId, usize>,
    /// Actors of the peer's that have no room.
    held: BTreeSet<u64>,
    /// Whether the peer has said anything in this session.
    has_heard: bool,
    watches: Watches,
    deaths: Deaths,
    /// How many casts were sent that the peer has not said to have died.
    casts_sent: u64,
    /// What the peer publishes: this bounds it, and the node need not.
    publications: BTreeSet<Publication>,
    publication_bytes: usize,
    events: VecDeque<Event>,
    /// Empty, for the next messages.
    spare: Vec<Inbound>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Lanes or the peer's publications are missing still.
    Opening {
        until: Instant,
        is_synced: bool,
    },
    Ready,
    /// The peer has said goodbye; what is under way still comes.
    Leaving {
        until: Instant,
        reason: CloseReason,
    },
    /// Over; what is left to write is still written.
    Ended(CloseReason),
}

/// Open watches and links, by the number of whoever asked for them.
#[derive(Debug, Default)]
struct Watches {
    made: u64,
    ours: BTreeSet<u64>,
    theirs: BTreeSet<u64>,
}

impl Session {
    /// A session with a peer whose handshake is done, without streams yet.
    pub(crate) fn new(peer: Peer, config: Config, now: Instant) -> Self {
        let payload_bytes_max = peer.message_bytes_max - send::PREFIX_BYTES_MAX;
        let longest = peer.message_bytes_max.max(config.message_bytes_max);
        let heap_bytes_max = PAYLOAD_HEAP_BYTES_MAX.max(longest.saturating_mul(2));
        let context = WireContext { payload_bytes_max, heap_bytes_max, ..WireContext::default() };
        let lanes = LaneId::all(peer.data_lanes).filter(|lane| *lane != LaneId::CONTROL);
        let mut messages: Vec<MessageLane> = lanes
            .map(|lane| {
                let windows = (SendWindow::new(peer.window_bytes), ReceiveWindow::new(config.window_bytes));
                MessageLane::new(lane, windows.0, windows.1)
            })
            .collect();
        messages.shrink_to_fit();
        messages.sort_by_key(|lane| lane.lane.id);
        let phase = Phase::Opening { until: now + config.patience, is_synced: false };
        Self { messages, ..Self::bare(peer, config, context, phase) }
    }

    /// One that has no lanes for messages, and in which nothing has happened.
    fn bare(peer: Peer, config: Config, context: WireContext, phase: Phase) -> Self {
        Self {
            phase,
            streams: Streams::new(config.pace, peer.dialler == peer.life.node),
            held: BTreeSet::new(),
            has_heard: false,
            context,
            peer,
            config,
            control: Lane::new(LaneId::CONTROL),
            messages: Vec::new(),
            turn: 0,
            turns_without_bulk: 0,
            urgent_turns: 0,
            owes_ack: false,
            broken: None,
            has_lost: false,
            schemas: Schemas::default(),
            annotations: Annotations::default(),
            calls: Calls::default(),
            peer_calls: 0,
            pending_replies: PendingReplies::default(),
            sweep_at: None,
            answering: BTreeMap::new(),
            refused: BTreeMap::new(),
            watches: Watches::default(),
            deaths: Deaths::default(),
            casts_sent: 0,
            publications: BTreeSet::new(),
            publication_bytes: 0,
            events: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What a handshake with the same peer wants to know of this session.
    pub(crate) fn live(&self) -> Live {
        Live::of(&self.peer, self.has_heard)
    }

    pub(crate) fn context(&self) -> &WireContext {
        &self.context
    }

    /// Lends its codec what addresses in payloads are put to.
    pub(crate) fn lend(&mut self, switchboard: Switchboard) {
        self.context.switchboard = Some(switchboard);
    }

    /// How many lanes for data it has.
    pub(crate) fn data_lanes(&self) -> u8 {
        self.peer.data_lanes
    }

    #[cfg(test)]
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Why the session is over, if it is.
    pub(crate) fn ended(&self) -> Option<&CloseReason> {
        match &self.phase {
            Phase::Ended(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether messages can be sent.
    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Opening { .. } | Phase::Ready)
    }

    /// Tells the session the time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &self.phase {
            Phase::Ended(_) => return,
            Phase::Opening { until, .. } if now >= *until => {
                return self.abort(CloseCode::Timeout, "the session was not ready in time");
            }
            Phase::Leaving { until, reason } if now >= *until => return self.end(reason.clone(), |_| true),
            // A peer that has said goodbye no longer pings, so its silence means nothing.
            Phase::Leaving { .. } => return,
            _ => {}
        }
        for (connection, beat) in self.streams.handle_timeout(now) {
            if self.ended().is_some() {
                // With the stream before this one.
                return;
            }
            match beat {
                Beat::Nothing => {}
                Beat::Dead => {
                    let silent = CloseReason::new(CloseCode::Timeout, "the peer is silent");
                    self.cut(now, connection, &silent);
                }
                Beat::Ping(number) => {
                    self.write(connection, Kind::Ping, 0, &[&number.to_le_bytes()]);
                    self.owes_ack |= self.has_untold();
                    let messages = self.messages.iter_mut().map(|lane| &mut lane.lane);
                    let lanes = messages.chain([&mut self.control]);
                    let streams = &self.streams;
                    let is_here = |stream| streams.are_together(stream, connection);
                    let here = lanes.filter(|lane| lane.stream().is_some_and(is_here));
                    here.for_each(|lane| lane.out.rest());
                }
            }
        }
        if self.sweep_at.is_some_and(|sweep| now >= sweep) {
            self.abandon_calls();
            self.sweep_at = (!self.calls.is_empty()).then(|| now + SWEEP_INTERVAL);
        }
        self.check_deaths(now);
        self.check_broken(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) fn next_timeout(&self) -> Instant {
        let broken = self.broken.as_ref().map_or(Instant::FAR, Broken::next_timeout);
        let sweep = self.sweep_at.unwrap_or(Instant::FAR);
        let beat = self.streams.next_timeout().min(broken).min(sweep).min(self.deaths.tell_at());
        match &self.phase {
            Phase::Opening { until, .. } => beat.min(*until),
            Phase::Leaving { until, .. } => *until,
            Phase::Ready => beat,
            Phase::Ended(_) => Instant::FAR,
        }
    }

    /// The next bytes to write to a stream: whole frames, those of no lane first, then the more
    /// urgent lane's. After a goodbye the goodbye comes last.
    pub(crate) fn poll_transmit(&mut self, connection: ConnectionId) -> Option<Bytes> {
        if self.owes_ack && self.ack_stream() == Some(connection) {
            self.write_ack(connection);
        }
        if let Some(bytes) = self.streams.get(connection)?.pop() {
            return Some(bytes);
        }
        let lane = self.next_lane(connection)?;
        let segment = self.lane(lane)?.pop_for(connection)?;
        self.streams.get(connection)?.write_segment(lane, segment)
    }

    /// Which lane has something to write to a stream, and its turn.
    fn next_lane(&mut self, connection: ConnectionId) -> Option<LaneId> {
        let wants = |lane: &Lane| lane.stream() == Some(connection) && lane.out.has_more();
        let control = wants(&self.control).then_some(LaneId::CONTROL);
        if self.ended().is_some() {
            // The goodbye is the last word.
            let messages = self.messages.iter().map(|lane| &lane.lane);
            return messages.filter(|lane| wants(lane)).map(|lane| lane.id).next().or(control);
        }
        if control.is_some() {
            return control;
        }
        let lanes = self.messages.len();
        let is_data = |lane: &usize| *lane != BULK && *lane != URGENT;
        let in_turn = (0..lanes).map(|step| (self.turn + step) % lanes).filter(is_data);
        let data = in_turn.into_iter().find(|lane| wants(&self.messages[*lane].lane));
        let wants_bulk = wants(&self.messages[BULK].lane);
        let do_others_wait = wants_bulk || data.is_some();
        if wants(&self.messages[URGENT].lane) && !(do_others_wait && self.urgent_turns >= URGENT_TURNS) {
            self.urgent_turns += u32::from(do_others_wait);
            return Some(LaneId::URGENT);
        }
        self.urgent_turns = 0;
        if wants_bulk && (data.is_none() || self.turns_without_bulk >= BULK_TURN) {
            self.turns_without_bulk = 0;
            return Some(LaneId::BULK);
        }
        let data = data?;
        self.turn = data + 1;
        self.turns_without_bulk += u32::from(wants_bulk);
        Some(self.messages[data].lane.id)
    }

    /// Whether there is something to write.
    pub(crate) fn wants_write(&self) -> bool {
        (self.owes_ack && self.ack_stream().is_some())
            || self.streams.have_more()
            || self.lanes().any(Lane::wants_write)
    }

    /// How many frames are taken in one turn, before the actors that they are for have theirs.
    pub(crate) fn frames_per_turn(&self) -> usize {
        let of_peer = if self.answering.is_empty() { 0 } else { self.peer_calls.max(1) };
        let calls = self.calls.len().max(of_peer);
        match calls {
            0 => FRAMES_PER_TURN,
            calls => (calls / 8).clamp(CALLS_PER_TURN_LEAST, CALLS_PER_TURN_MOST),
        }
    }

    /// Whether there is something to report.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next thing to report: one by one, for tests.
    #[cfg(test)]
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes all that there is to report, in order, for an empty queue that is used from now on.
    pub(crate) fn swap_events(&mut self, empty: &mut VecDeque<Event>) {
        debug_assert!(empty.is_empty(), "nothing is lost");
        std::mem::swap(&mut self.events, empty);
    }

    /// Takes back the list of messages that were delivered, for its room.
    pub(crate) fn reuse(&mut self, list: Vec<Inbound>) {
        if list.capacity() > self.spare.capacity() {
            self.spare = list;
        }
    }

    /// How long the last answered ping took, on the stream of the control lane.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.streams.round_trip(self.control.stream()?)
    }

    /// Which kinds of lanes a stream carries.
    pub(crate) fn lanes_of(&self, stream: ConnectionId) -> LaneSet {
        self.streams.lanes_of(stream)
    }

    fn check_ready(&mut self) {
        if matches!(self.phase, Phase::Opening { is_synced: true, .. }) && self.is_complete() {
            self.phase = Phase::Ready;
            self.events.push_back(Event::Ready);
        }
    }

    /// Whether something has arrived that the peer was not told of.
    fn has_untold(&self) -> bool {
        self.lanes().any(|lane| lane.incoming.untold() > 0)
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.control).chain(self.messages.iter().map(|lane| &lane.lane))
    }

    /// A lane, if the session has it.
    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        lane_of(&mut self.control, &mut self.messages, id)
    }

    fn message_lane(&mut self, id: LaneId) -> Option<&mut MessageLane> {
        self.messages.get_mut(id.message_place()?)
    }
}

/// A lane among all; apart from the session, so that its streams can be had beside it.
fn lane_of<'a>(control: &'a mut Lane, messages: &'a mut [MessageLane], id: LaneId) -> Option<&'a mut Lane> {
    match id {
        LaneId::CONTROL => Some(control),
        id => messages.get_mut(id.message_place()?).map(|lane| &mut lane.lane),
    }
}

/// The bulk lane's place among those that carry messages.
const BULK: usize = 0;
/// The urgent lane's.
const URGENT: usize = 1;
