//! Two sessions wired in memory, under a clock that the test moves: no socket, no
//! task, no waiting. A test is *script, `drive()`, assert exactly what both saw*.
//!
//! ```text
//!  Session ◄─► end ══ stream: bytes, delayed, cut into pieces ══ end ◄─► Session
//!     ▲                                                                     ▲
//!     └────────── Pair: the clock, and what each side saw and got ──────────┘
//! ```
//!
//! It does what the shell around a session does, and nothing cleverer: it carries
//! segments to streams and frames to sessions, ends the streams of a session that
//! is over, and keeps the events.

mod hand;
mod host;

use std::collections::VecDeque;
use std::sync::MutexGuard;
use std::time::Duration;

use actor_core::{Attempt, Instant, ReplyFuture, ReplyPort, SendError};
use bytes::{Buf, Bytes, BytesMut};

pub(crate) use self::hand::{Hand, Node, Outcome, Present, Shaken, shake, shake_through};
pub(crate) use self::host::{Host, Saw, outcome};
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::Session;
use crate::session::handshake::HandshakeError;
use crate::session::streams::ConnectionId;
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::RemoteMessage;
use crate::wire::annotation::Annotation;
use crate::wire::frame::{Frame, HEADER_BYTES, read_frame};
use crate::wire::lanes::LaneIds;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    pub(crate) const BOTH: [Side; 2] = [Side::Dialler, Side::Acceptor];

    pub(crate) fn other(self) -> Self {
        match self {
            Side::Dialler => Side::Acceptor,
            Side::Acceptor => Side::Dialler,
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// See the module. Streams are known by the order in which they were opened.
pub(crate) struct Pair {
    now: Instant,
    nodes: [Node; 2],
    hosts: [Option<Host>; 2],
    streams: Vec<Stream>,
}

struct Stream {
    lanes: LaneIds,
    carrier: Option<u64>,
    ends: [End; 2],
    /// What each side writes.
    ways: [Way; 2],
}

enum End {
    Hand(Box<Hand>),
    Open(ConnectionId),
    Gone,
}

/// One direction of a stream.
struct Way {
    pieces: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// Arrived, and not a whole frame yet.
    inbox: BytesMut,
    /// Everything that was ever written.
    record: Vec<u8>,
    delay: Duration,
    /// How long the pieces are that arrive, one after the other, over and over;
    /// empty for as long as they were written.
    cuts: Vec<usize>,
    cuts_made: usize,
    /// The writer gets rid of a segment while fewer bytes than these are under way.
    room: usize,
    is_stalled: bool,
    is_shut: bool,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            bytes: 0,
            inbox: BytesMut::new(),
            record: Vec::new(),
            delay: Duration::ZERO,
            cuts: Vec::new(),
            cuts_made: 0,
            room: usize::MAX,
            is_stalled: false,
            is_shut: false,
        }
    }
}

impl Way {
    fn push(&mut self, now: Instant, mut bytes: Bytes) {
        self.record.extend_from_slice(&bytes);
        self.bytes += bytes.len();
        let due = self.pieces.back().map_or(Instant::ZERO, |(due, _)| *due).max(now + self.delay);
        while bytes.has_remaining() {
            let cut = match &self.cuts[..] {
                [] => bytes.len(),
                cuts => cuts[self.cuts_made % cuts.len()].clamp(1, bytes.len()),
            };
            self.cuts_made += 1;
            self.pieces.push_back((due, bytes.split_to(cut)));
        }
    }

    /// Moves the next piece that has arrived to the inbox.
    fn arrive(&mut self, now: Instant) -> bool {
        if self.is_stalled || self.pieces.front().is_none_or(|(due, _)| *due > now) {
            return false;
        }
        let (_, piece) = self.pieces.pop_front().expect("it was just seen");
        self.bytes -= piece.len();
        self.inbox.extend_from_slice(&piece);
        true
    }

    fn is_at_end(&self) -> bool {
        self.is_shut && !self.is_stalled && self.pieces.is_empty()
    }
}

impl Pair {
    /// Two nodes without a stream between them.
    pub(crate) fn new(dialler: Node, acceptor: Node) -> Self {
        Self {
            now: Instant::ZERO + Duration::from_secs(1000),
            nodes: [dialler, acceptor],
            hosts: [None, None],
            streams: Vec::new(),
        }
    }

    /// Two ordinary nodes, ready, over streams that carry these lanes.
    pub(crate) fn ready(streams: &[LaneSet]) -> Self {
        Self::ready_between(Node::new(1), Node::new(2), streams)
    }

    /// The same, and each stream with what carries it.
    pub(crate) fn ready_on(streams: &[(LaneSet, u64)]) -> Self {
        let mut pair = Self::new(Node::new(1), Node::new(2));
        for (lanes, carrier) in streams {
            pair.open_on(*lanes, Some(*carrier));
        }
        pair.get_ready();
        pair
    }

    /// These nodes, ready.
    pub(crate) fn ready_between(dialler: Node, acceptor: Node, streams: &[LaneSet]) -> Self {
        let mut pair = Self::new(dialler, acceptor);
        for lanes in streams {
            pair.open(*lanes);
        }
        pair.get_ready();
        pair
    }

    fn get_ready(&mut self) {
        self.drive();
        Side::BOTH.iter().for_each(|side| self.session(*side).synced());
        self.drive();
        Side::BOTH.iter().for_each(|side| assert_eq!(self.saw(*side), [Saw::Ready]));
    }

    /// Dials another stream; [`drive`](Self::drive) shakes hands on it.
    pub(crate) fn open(&mut self, lanes: LaneSet) -> usize {
        self.open_on(lanes, None)
    }

    fn open_on(&mut self, lanes: LaneSet, carrier: Option<u64>) -> usize {
        let [dialler, acceptor] = &self.nodes;
        let (hand, hello) = Hand::dial(dialler, lanes);
        let mut ways = [Way::default(), Way::default()];
        hello.into_iter().for_each(|hello| ways[0].push(self.now, hello));
        let ends = [hand, Hand::accept(acceptor)].map(|hand| End::Hand(Box::new(hand)));
        let lanes = dialler.carried(lanes).lanes;
        self.streams.push(Stream { lanes, carrier, ends, ways });
        self.streams.len() - 1
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// # Panics
    ///
    /// If no handshake is done yet.
    pub(crate) fn session(&self, side: Side) -> MutexGuard<'_, Session> {
        self.host(side).session()
    }

    /// What a side has reported since this was asked last.
    pub(crate) fn saw(&mut self, side: Side) -> Vec<Saw> {
        self.host_mut(side).saw()
    }

    /// How many messages a session that is over says are lost, perhaps.
    pub(crate) fn unacked(&self, side: Side) -> u64 {
        self.host(side).unacked()
    }

    /// What each message brings along that came in and waits to be received.
    pub(crate) fn annotations(&self, side: Side) -> Vec<Option<Annotation>> {
        self.host(side).annotations()
    }

    /// Takes the messages that came in and pays their credit back.
    ///
    /// # Panics
    ///
    /// If one of them is no `M`.
    pub(crate) fn received<M: RemoteMessage>(&mut self, side: Side) -> Vec<(u64, M)> {
        self.host_mut(side).received(usize::MAX)
    }

    /// The same for the first few.
    pub(crate) fn receive<M: RemoteMessage>(&mut self, side: Side, most: usize) -> Vec<(u64, M)> {
        self.host_mut(side).received(most)
    }

    /// Sends a message to an actor of the other side's.
    pub(crate) fn send<M: RemoteMessage>(
        &self,
        from: Side,
        actor: u64,
        message: M,
    ) -> Result<(), SendError<M>> {
        self.send_as(from, actor, message, Attempt::First)
    }

    /// The same, of somebody who may have waited for room.
    pub(crate) fn send_as<M: RemoteMessage>(
        &self,
        from: Side,
        actor: u64,
        message: M,
        attempt: Attempt,
    ) -> Result<(), SendError<M>> {
        self.session(from).send_at_once(self.now, actor, message, attempt, None)
    }

    /// Calls an actor of the other side's.
    ///
    /// # Panics
    ///
    /// If the call cannot be sent.
    pub(crate) fn call<M: RemoteMessage, T: Send + 'static>(
        &self,
        from: Side,
        deadline: Option<Instant>,
        message: impl FnOnce(ReplyPort<T>) -> M,
    ) -> ReplyFuture<T> {
        let (port, reply) = ReplyPort::new(deadline);
        let sent = self.send(from, 1, message(port));
        sent.map_err(|error| error.map(drop)).expect("there is room for the call");
        reply
    }

    /// Lets time pass: every timer goes off and every byte arrives when it should.
    pub(crate) fn advance(&mut self, span: Duration) {
        let until = self.now + span;
        self.drive();
        while let Some(next) = self.next_moment().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            for host in self.hosts.iter().flatten() {
                host.handle_timeout(self.now);
            }
            self.drive();
        }
        self.now = until;
    }

    /// Moves everything that can move without time passing.
    pub(crate) fn drive(&mut self) {
        while self.step() {}
    }

    pub(crate) fn delay(&mut self, stream: usize, from: Side, delay: Duration) {
        self.way(stream, from).delay = delay;
    }

    pub(crate) fn cut_into(&mut self, stream: usize, from: Side, pieces: &[usize]) {
        self.way(stream, from).cuts = pieces.to_vec();
    }

    /// Lets the writer run ahead of the reader by so many bytes, and a segment.
    pub(crate) fn room(&mut self, stream: usize, from: Side, bytes: usize) {
        self.way(stream, from).room = bytes;
    }

    /// Stops the bytes of one direction where they are, or lets them go on.
    pub(crate) fn stall(&mut self, stream: usize, from: Side, is_stalled: bool) {
        self.way(stream, from).is_stalled = is_stalled;
    }

    /// Cuts a stream: both ends lose it, and what is under way is gone.
    pub(crate) fn cut(&mut self, stream: usize) {
        Side::BOTH.iter().for_each(|side| self.lose(stream, *side, CloseCode::Lost));
    }

    /// One end loses a stream; the other may not know it yet.
    pub(crate) fn lose(&mut self, stream: usize, side: Side, code: CloseCode) {
        self.way(stream, side.other()).pieces.clear();
        self.close_end(stream, side, &CloseReason::from(code));
    }

    /// Of what is on its way, only so many bytes arrive.
    pub(crate) fn lose_behind(&mut self, stream: usize, from: Side, bytes: usize) {
        let way = self.way(stream, from);
        let mut left = bytes;
        for (_, piece) in &mut way.pieces {
            piece.truncate(left);
            left -= piece.len();
        }
        way.bytes = bytes - left;
    }

    /// Puts bytes on a stream as if this side's session had written them: whole frames of a lane
    /// that is written there have their place in it.
    pub(crate) fn inject(&mut self, stream: usize, from: Side, bytes: &[u8]) {
        let mut rest = Bytes::copy_from_slice(bytes);
        if let End::Open(connection) = self.streams[stream].ends[from.index()] {
            let mut session = self.session(from);
            while let Some(frame) = first_frame(&rest)
                && session.inject(connection, frame.clone())
            {
                rest.advance(frame.len());
            }
            drop(session);
            self.write(stream, from);
        }
        let now = self.now;
        self.way(stream, from).push(now, rest);
    }

    /// Everything a side has written to a stream since this was asked last.
    pub(crate) fn written(&mut self, stream: usize, from: Side) -> Vec<u8> {
        std::mem::take(&mut self.way(stream, from).record)
    }

    /// Bytes on their way.
    pub(crate) fn in_flight(&mut self, stream: usize, from: Side) -> usize {
        self.way(stream, from).bytes
    }

    fn step(&mut self) -> bool {
        let mut has_moved = false;
        for stream in 0..self.streams.len() {
            for side in Side::BOTH {
                has_moved |= self.write(stream, side);
                has_moved |= self.read(stream, side);
            }
        }
        for side in Side::BOTH {
            has_moved |= self.hosts[side.index()].as_mut().is_some_and(Host::drain);
            let cuts = self.hosts[side.index()].as_mut().map(Host::take_cuts).unwrap_or_default();
            for connection in cuts {
                let stream = usize::try_from(connection.0).expect("a small number");
                self.streams[stream].ends[side.index()] = End::Gone;
                self.way(stream, side).is_shut = true;
            }
        }
        has_moved
    }

    /// From the session to the stream.
    fn write(&mut self, stream: usize, side: Side) -> bool {
        let Some(host) = &self.hosts[side.index()] else { return false };
        let Stream { ends, ways, .. } = &mut self.streams[stream];
        let End::Open(id) = ends[side.index()] else { return false };
        let way = &mut ways[side.index()];
        let mut has_moved = false;
        while way.bytes < way.room && !way.is_shut {
            let mut session = host.session();
            match session.poll_transmit(id) {
                Some(segment) => way.push(self.now, segment),
                None if session.ended().is_some() => way.is_shut = true,
                None => break,
            }
            has_moved = true;
        }
        has_moved
    }

    /// From the stream to the handshake or the session.
    fn read(&mut self, stream: usize, side: Side) -> bool {
        let now = self.now;
        let has_moved = self.way(stream, side.other()).arrive(now);
        loop {
            match self.streams[stream].ends[side.index()] {
                End::Hand(_) => {}
                End::Open(id) => {
                    let inbox = &mut self.streams[stream].ways[side.other().index()].inbox;
                    let host = self.hosts[side.index()].as_ref().expect("an open stream has one");
                    if has_moved {
                        host.handle_input(now, id, inbox);
                    }
                    break;
                }
                End::Gone => return has_moved,
            }
            match read_frame(&mut self.way(stream, side.other()).inbox, HANDSHAKE_BODY_BYTES_MAX) {
                Ok(Some(frame)) => self.on_handshake(stream, side, &frame),
                Ok(None) => break,
                Err(error) => self.on_garbage(stream, side, &error.to_string()),
            }
        }
        if self.way(stream, side.other()).is_at_end() {
            self.close_end(stream, side, &CloseReason::from(CloseCode::Done));
            return true;
        }
        has_moved
    }

    fn on_handshake(&mut self, stream: usize, side: Side, frame: &Frame) {
        let host = &mut self.hosts[side.index()];
        let Stream { lanes, carrier, ends, ways } = &mut self.streams[stream];
        let end = &mut ends[side.index()];
        let End::Hand(hand) = end else { return };
        let present = host.as_ref().and_then(Host::present);
        let answer = hand.handle_frame(frame, present.as_ref());
        answer.into_iter().for_each(|bytes| ways[side.index()].push(self.now, bytes));
        if let Outcome::Done(peer) = &hand.outcome {
            let id = ConnectionId(stream as u64);
            if present.is_none_or(|present| present.live.session != peer.session) {
                let config = self.nodes[side.index()].config();
                *host = Some(Host::new(peer, config, self.now));
            }
            host.as_ref().expect("it is there now").session().attach(self.now, id, *lanes, *carrier);
            *end = End::Open(id);
        }
    }

    fn on_garbage(&mut self, stream: usize, side: Side, detail: &str) {
        self.way(stream, side.other()).inbox.clear();
        if let End::Hand(hand) = &mut self.streams[stream].ends[side.index()] {
            hand.fail(HandshakeError::Violation(detail.to_owned()));
        }
    }

    fn close_end(&mut self, stream: usize, side: Side, reason: &CloseReason) {
        let end = std::mem::replace(&mut self.streams[stream].ends[side.index()], End::Gone);
        if let (End::Open(id), Some(host)) = (end, &self.hosts[side.index()]) {
            host.session().detach(self.now, id, reason.clone());
        }
        self.way(stream, side).is_shut = true;
        if let Some(host) = &mut self.hosts[side.index()] {
            host.drain();
        }
    }

    fn next_moment(&self) -> Option<Instant> {
        let timers = self.hosts.iter().flatten().map(|host| host.session().next_timeout());
        let ways = self.streams.iter().flat_map(|stream| &stream.ways).filter(|way| !way.is_stalled);
        let arrivals = ways.filter_map(|way| way.pieces.front().map(|(due, _)| *due));
        timers.chain(arrivals).min()
    }

    fn host(&self, side: Side) -> &Host {
        self.hosts[side.index()].as_ref().expect("a handshake is done")
    }

    fn host_mut(&mut self, side: Side) -> &mut Host {
        self.hosts[side.index()].as_mut().expect("a handshake is done")
    }

    fn way(&mut self, stream: usize, from: Side) -> &mut Way {
        &mut self.streams[stream].ways[from.index()]
    }
}

/// The whole frame in front.
fn first_frame(bytes: &Bytes) -> Option<Bytes> {
    let [l0, l1, l2, ..] = *bytes.first_chunk::<HEADER_BYTES>()?;
    let frame_bytes = HEADER_BYTES + u32::from_le_bytes([l0, l1, l2, 0]) as usize;
    let frame = bytes.slice(..frame_bytes.min(bytes.len()));
    read_frame(&mut BytesMut::from(&frame[..]), usize::MAX).ok()??;
    Some(frame)
}
