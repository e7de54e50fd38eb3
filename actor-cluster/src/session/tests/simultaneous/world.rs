//! Two nodes and the streams between them, a piece at a time.

use std::collections::VecDeque;
use std::time::Duration;

use actor_core::{Attempt, CallFailure, Instant, ReplyFuture, ReplyPort};
use bytes::{Bytes, BytesMut};

use super::super::{A, B, Letter, every_lane};
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::handshake::SessionId;
use crate::session::heartbeat::Pace;
use crate::session::streams::ConnectionId;
use crate::testing::pair::{Hand, Host, Node, Outcome, Present, Saw, Side, outcome};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::frame::{Frame, read_frame};

const HOUR: Duration = Duration::from_secs(3600);

/// What a side writes to a stream, a step's worth at a time.
#[derive(Clone)]
enum Piece {
    Bytes(Bytes),
    End(CloseCode),
}

pub(super) struct Stream {
    dialler: Side,
    /// The session that the dialler knew to be mutual when it dialled.
    known: Option<SessionId>,
    /// By side, whoever dialled.
    ends: [End; 2],
    /// What each side has written and the other has not got.
    ways: [VecDeque<Piece>; 2],
}

enum End {
    Hand(Box<Hand>),
    Open(ConnectionId),
    Gone,
}

/// What a side's users have sent and got.
#[derive(Default)]
pub(super) struct Mail {
    sent: u32,
    got: Vec<u32>,
    calls: Vec<(u32, ReplyFuture<u32>)>,
    answers: Vec<(u32, Result<u32, CallFailure>)>,
    /// How many of its sessions are over.
    pub(super) ended: usize,
}

impl Mail {
    /// Takes note of the calls that have an end.
    fn note_answers(&mut self) {
        let answers = &mut self.answers;
        self.calls.retain_mut(|(number, reply)| {
            let end = outcome(reply);
            answers.extend(end.iter().cloned().map(|end| (*number, end)));
            end.is_none()
        });
    }
}

/// Two nodes, each of which speaks in a session as soon as it has one.
pub(super) struct World {
    /// What failed, should anything: a seed, an order.
    pub(super) what: String,
    now: Instant,
    pub(super) nodes: [Node; 2],
    hosts: [Option<Host>; 2],
    pub(super) mails: [Mail; 2],
    pub(super) streams: Vec<Stream>,
}

/// A piece that could arrive next: on which stream, and where.
pub(super) type Step = (usize, Side);

impl World {
    /// Each stream has a dialler, and a name for the session that it may begin.
    pub(super) fn new(streams: &[(Side, u64)]) -> Self {
        // Nobody pings, so that only what is scripted is under way.
        let pace = Pace { interval: HOUR, timeout: HOUR };
        let nodes = [1, 2].map(|number| Node { pace, ..Node::new(number) });
        // The proofs take most of the time, and mean nothing here.
        let ids = [nodes[0].myself.life.node, nodes[1].myself.life.node];
        let [one, two] = nodes;
        let nodes = [one.secret(None).sees(ids[1]), two.secret(None).sees(ids[0])];
        let now = Instant::ZERO + HOUR;
        let mut world = Self {
            what: format!("{streams:?}"),
            now,
            nodes,
            hosts: [None, None],
            mails: Default::default(),
            streams: Vec::new(),
        };
        streams.iter().for_each(|(dialler, name)| world.dial(*dialler, *name));
        world
    }

    pub(super) fn dial(&mut self, dialler: Side, name: u64) {
        let node = Node { session: SessionId::new(name), ..self.nodes[dialler as usize].clone() };
        let (dialling, hello) = Hand::dial(&node, LaneSet::ALL);
        let accepting = Hand::accept(&self.nodes[dialler.other() as usize]);
        let mut ends = [dialling, accepting].map(|hand| End::Hand(Box::new(hand)));
        if dialler == B {
            ends.reverse();
        }
        let mut ways = [VecDeque::new(), VecDeque::new()];
        ways[dialler as usize].extend(hello.map(Piece::Bytes));
        let known = self.present(dialler).filter(|present| present.live.is_mutual);
        let known = known.map(|present| present.live.session);
        self.streams.push(Stream { dialler, known, ends, ways });
    }

    fn present(&self, side: Side) -> Option<Present> {
        self.hosts[side as usize].as_ref().and_then(Host::present)
    }

    pub(super) fn session(&self, side: Side) -> Option<SessionId> {
        self.present(side).map(|present| present.live.session)
    }

    /// What the other hands of a side propose.
    fn proposed(&self, side: Side, but: usize) -> Vec<SessionId> {
        let others = self.streams.iter().enumerate().filter(|(at, _)| *at != but);
        let hands = others.filter_map(|(_, stream)| match &stream.ends[side as usize] {
            End::Hand(hand) => hand.proposed(),
            End::Open(_) | End::Gone => None,
        });
        hands.collect()
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        let all = (0..self.streams.len()).flat_map(|stream| Side::BOTH.map(|to| (stream, to)));
        all.filter(|(stream, to)| !self.streams[*stream].ways[to.other() as usize].is_empty()).collect()
    }

    /// Lets the next piece of a stream arrive, and both sides do what they can.
    pub(super) fn take(&mut self, (stream, to): Step) {
        match self.streams[stream].ways[to.other() as usize].pop_front() {
            None => {}
            Some(Piece::End(code)) => self.close(stream, to, code),
            Some(Piece::Bytes(bytes)) => self.on_bytes(stream, to, BytesMut::from(&bytes[..])),
        }
        Side::BOTH.iter().for_each(|side| self.settle(*side));
    }

    fn on_bytes(&mut self, stream: usize, to: Side, mut inbox: BytesMut) {
        while !inbox.is_empty() {
            match self.streams[stream].ends[to as usize] {
                End::Gone => return,
                End::Open(id) => {
                    let host = self.hosts[to as usize].as_ref().unwrap();
                    return host.handle_input(self.now, id, &mut inbox);
                }
                End::Hand(_) => {
                    let frame = read_frame(&mut inbox, HANDSHAKE_BODY_BYTES_MAX).unwrap().unwrap();
                    self.on_step(stream, to, &frame);
                }
            }
        }
    }

    /// A step of a handshake.
    fn on_step(&mut self, stream: usize, to: Side, frame: &Frame) {
        let proposed = self.proposed(to, stream);
        let mut present = self.present(to);
        let Stream { dialler, known, ends, ways } = &mut self.streams[stream];
        let End::Hand(hand) = &mut ends[to as usize] else { return };
        if let Some(present) = present.as_mut().filter(|_| to == *dialler) {
            present.live.is_mutual &= *known == Some(present.live.session);
        }
        let answer = hand.handle_frame_beside(frame, present.as_ref(), &proposed);
        ways[to as usize].extend(answer.map(Piece::Bytes));
        match &hand.outcome {
            Outcome::Waiting => {}
            Outcome::Failed(_) => self.close(stream, to, CloseCode::Done),
            Outcome::Done(peer) => {
                let peer = peer.clone();
                let id = ConnectionId(stream as u64);
                if present.is_none_or(|present| present.live.session != peer.session) {
                    self.end_session(to);
                    let host = Host::new(&peer, self.nodes[to as usize].config(), self.now);
                    self.hosts[to as usize] = Some(host);
                    self.streams[stream].ends[to as usize] = End::Open(id);
                    self.speak(to);
                }
                self.hosts[to as usize].as_ref().unwrap().session().attach(self.now, id, every_lane(), None);
                self.streams[stream].ends[to as usize] = End::Open(id);
            }
        }
    }

    /// All that users do with a session that has just begun: a cast, a call, a cast.
    fn speak(&mut self, side: Side) {
        let mail = &mut self.mails[side as usize];
        let mut session = self.hosts[side as usize].as_ref().unwrap().session();
        session.synced();
        let (port, reply) = ReplyPort::new(None);
        let number = mail.sent;
        mail.sent += 3;
        mail.calls.push((number + 1, reply));
        for letter in [Letter::Note(number), Letter::Ask(number + 1, port), Letter::Note(number + 2)] {
            session.send_at_once(self.now, 1, letter, Attempt::First, None).unwrap();
        }
    }

    /// Lets a side see what came, answer it and write.
    fn settle(&mut self, side: Side) {
        let Some(host) = &mut self.hosts[side as usize] else { return };
        let mail = &mut self.mails[side as usize];
        while host.drain() {
            for (_, letter) in host.received::<Letter>(usize::MAX) {
                match letter {
                    Letter::Note(number) => mail.got.push(number),
                    Letter::Ask(number, port) => {
                        mail.got.push(number);
                        port.send(number + 1).unwrap();
                    }
                    other => panic!("nobody sends {other:?}"),
                }
            }
        }
        if host.saw().iter().any(|saw| matches!(saw, Saw::Ended(_))) {
            return self.end_session(side);
        }
        self.write(side);
    }

    fn write(&mut self, side: Side) {
        let Some(host) = &self.hosts[side as usize] else { return };
        for stream in &mut self.streams {
            let End::Open(id) = stream.ends[side as usize] else { continue };
            let pieces = std::iter::from_fn(|| host.session().poll_transmit(id));
            let written: Vec<u8> = pieces.flatten().collect();
            if !written.is_empty() {
                stream.ways[side as usize].push_back(Piece::Bytes(written.into()));
            }
        }
    }

    /// A session is over, or is replaced.
    fn end_session(&mut self, side: Side) {
        let Some(mut host) = self.hosts[side as usize].take() else { return };
        host.session().close(&CloseCode::Lost.into());
        host.drain();
        self.hosts[side as usize] = Some(host);
        self.write(side);
        self.hosts[side as usize] = None;
        self.mails[side as usize].ended += 1;
        for stream in &mut self.streams {
            if let End::Open(_) = stream.ends[side as usize] {
                stream.ends[side as usize] = End::Gone;
                stream.ways[side as usize].push_back(Piece::End(CloseCode::Done));
            }
        }
    }

    /// One side has no more use for a stream, or has lost it.
    fn close(&mut self, stream: usize, side: Side, code: CloseCode) {
        let Stream { ends, ways, .. } = &mut self.streams[stream];
        match std::mem::replace(&mut ends[side as usize], End::Gone) {
            End::Gone => return,
            End::Hand(_) => {}
            End::Open(id) => {
                let host = self.hosts[side as usize].as_ref().unwrap();
                host.session().detach(self.now, id, code.into());
            }
        }
        ways[side as usize].push_back(Piece::End(CloseCode::Done));
    }

    /// A stream is lost with all that is under way; each side will see it.
    pub(super) fn cut(&mut self, stream: usize) {
        for way in &mut self.streams[stream].ways {
            way.clear();
            way.push_back(Piece::End(CloseCode::Lost));
        }
    }

    pub(super) fn drive(&mut self) {
        while let Some(step) = self.steps().first() {
            self.take(*step);
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        let is_ready = |side: Side| {
            let host = self.hosts[side as usize].as_ref()?;
            let session = host.session();
            Some(session.is_ready() && session.is_complete())
        };
        self.session(A) == self.session(B) && Side::BOTH.iter().all(|side| is_ready(*side) == Some(true))
    }

    /// Dials again until there is one session on both sides.
    pub(super) fn mend(&mut self) {
        self.drive();
        for name in 100..120 {
            if self.is_settled() {
                return;
            }
            let dialler = if name % 2 == 0 { A } else { B };
            self.dial(dialler, name);
            self.drive();
            if name % 4 == 3 && !self.is_settled() {
                // More than the patience of a session that opens, or waits for a stream.
                self.now = self.now + Duration::from_secs(11);
                for side in Side::BOTH {
                    self.hosts[side as usize].iter().for_each(|host| host.handle_timeout(self.now));
                    self.settle(side);
                }
                self.drive();
            }
        }
        panic!("{}: there are {:?} and {:?}", self.what, self.session(A), self.session(B));
    }

    /// Nothing was lost, repeated or reordered, and each call was answered once.
    pub(super) fn assert_whole(&mut self) {
        let what = &self.what;
        for side in Side::BOTH {
            let sent = self.mails[side.other() as usize].sent;
            let mail = &mut self.mails[side as usize];
            assert_eq!(mail.got, (0..sent).collect::<Vec<_>>(), "at {side:?}, {what}");
            mail.note_answers();
            let asked: Vec<u32> = (0..mail.sent / 3).map(|session| 3 * session + 1).collect();
            let answers: Vec<_> = asked.iter().map(|asked| (*asked, Ok(asked + 1))).collect();
            assert_eq!((&mail.answers, mail.calls.len()), (&answers, 0), "of {side:?}, {what}");
            assert_eq!(mail.ended, 0, "at {side:?}, {what}");
        }
    }

    /// Nothing was repeated or reordered, and each call has an end.
    pub(super) fn assert_honest(&mut self) {
        for mail in &mut self.mails {
            assert!(mail.got.is_sorted_by(|before, after| before < after), "{}: {:?}", self.what, mail.got);
            mail.note_answers();
            assert_eq!(mail.calls.len(), 0, "{}", self.what);
        }
    }
}
