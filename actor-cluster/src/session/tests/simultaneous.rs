//! Two nodes that dial each other at the same time: they keep one session, the same one, in
//! whichever order their frames arrive; and each may use what it has from the first moment on.

use std::collections::VecDeque;
use std::time::Duration;

use actor_core::{CallFailure, Instant, ReplyFuture, ReplyPort};
use bytes::{Bytes, BytesMut};

use super::{A, B, Letter, every_lane};
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::handshake::{Decision, HandshakeError, Live, SessionId};
use crate::session::heartbeat::Pace;
use crate::session::streams::ConnectionId;
use crate::testing::pair::{Hand, Host, Node, Outcome, Pair, Present, Saw, Side, outcome, shake};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::frame::{Frame, read_frame};

const HOUR: Duration = Duration::from_secs(3600);

/// What a side writes to a stream, a step's worth at a time.
#[derive(Clone)]
enum Piece {
    Bytes(Bytes),
    End(CloseCode),
}

struct Stream {
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
struct Mail {
    sent: u32,
    got: Vec<u32>,
    calls: Vec<(u32, ReplyFuture<u32>)>,
    answers: Vec<(u32, Result<u32, CallFailure>)>,
    /// How many of its sessions are over.
    ended: usize,
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
struct World {
    /// What failed, should anything: a seed, an order.
    what: String,
    now: Instant,
    nodes: [Node; 2],
    hosts: [Option<Host>; 2],
    mails: [Mail; 2],
    streams: Vec<Stream>,
}

/// A piece that could arrive next: on which stream, and where.
type Step = (usize, Side);

impl World {
    /// Each stream has a dialler, and a name for the session that it may begin.
    fn new(streams: &[(Side, u64)]) -> Self {
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

    fn dial(&mut self, dialler: Side, name: u64) {
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

    fn session(&self, side: Side) -> Option<SessionId> {
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

    fn steps(&self) -> Vec<Step> {
        let all = (0..self.streams.len()).flat_map(|stream| Side::BOTH.map(|to| (stream, to)));
        all.filter(|(stream, to)| !self.streams[*stream].ways[to.other() as usize].is_empty()).collect()
    }

    /// Lets the next piece of a stream arrive, and both sides do what they can.
    fn take(&mut self, (stream, to): Step) {
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
                self.hosts[to as usize].as_ref().unwrap().session().attach(self.now, id, every_lane());
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
            session.send(self.now, 1, letter, None).unwrap();
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
    fn cut(&mut self, stream: usize) {
        for way in &mut self.streams[stream].ways {
            way.clear();
            way.push_back(Piece::End(CloseCode::Lost));
        }
    }

    fn drive(&mut self) {
        while let Some(step) = self.steps().first() {
            self.take(*step);
        }
    }

    fn is_settled(&self) -> bool {
        let is_ready = |side: Side| {
            let host = self.hosts[side as usize].as_ref()?;
            let session = host.session();
            Some(session.is_ready() && session.is_complete())
        };
        self.session(A) == self.session(B) && Side::BOTH.iter().all(|side| is_ready(*side) == Some(true))
    }

    /// Dials again until there is one session on both sides.
    fn mend(&mut self) {
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
    fn assert_whole(&mut self) {
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
    fn assert_honest(&mut self) {
        for mail in &mut self.mails {
            assert!(mail.got.is_sorted_by(|before, after| before < after), "{}: {:?}", self.what, mail.got);
            mail.note_answers();
            assert_eq!(mail.calls.len(), 0, "{}", self.what);
        }
    }
}

/// Runs `check` for every order in which the pieces of a world can arrive. Two that arrive one
/// after the other at different sides, and could have in either order, count as one order.
fn every_order(begin: impl Fn() -> World, mut check: impl FnMut(&mut World, &[Step])) -> usize {
    let mut path: Vec<usize> = Vec::new();
    let mut runs = 0;
    loop {
        let mut world = begin();
        let (mut taken, mut widths): (Vec<Step>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut before: Vec<Step> = Vec::new();
        let is_whole = loop {
            let steps = world.steps();
            let is_inverted = |step: &&Step| {
                step.1 == A && taken.last().is_some_and(|last| last.1 == B) && before.contains(step)
            };
            let fresh: Vec<Step> = steps.iter().filter(|step| !is_inverted(step)).copied().collect();
            if fresh.is_empty() {
                break steps.is_empty();
            }
            let choice = path.get(taken.len()).copied().unwrap_or(0);
            widths.push(fresh.len());
            taken.push(fresh[choice]);
            before = steps;
            world.take(fresh[choice]);
        };
        if is_whole {
            runs += 1;
            check(&mut world, &taken);
        }
        path.resize(widths.len(), 0);
        let Some(last) = (0..path.len()).rev().find(|at| path[*at] + 1 < widths[*at]) else { return runs };
        path.truncate(last + 1);
        path[last] += 1;
    }
}

/// What a session is used for before the other handshake is done is not lost with it.
#[test]
fn whoever_dials_at_the_same_time_keeps_one_session_and_all_that_is_in_it() {
    for diallers in [[A, B], [A, A], [B, B]] {
        for names in [[1, 2], [2, 1]] {
            let streams = [(diallers[0], names[0]), (diallers[1], names[1])];
            let runs = every_order(
                || World::new(&streams),
                |world, order| {
                    let what = format!("{streams:?} {order:?}");
                    world.what.clone_from(&what);
                    assert!(world.is_settled(), "{what}");
                    world.assert_whole();
                    // Whoever was refused finds it when it dials again.
                    let session = world.session(A);
                    [A, B].into_iter().zip(7..).for_each(|(side, name)| world.dial(side, name));
                    world.drive();
                    assert!(world.is_settled() && world.session(A) == session, "{what}");
                    world.assert_whole();
                },
            );
            assert!(runs > 700, "{runs}");
        }
    }
}

/// A small generator with a printed seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Runs a random order of several dials, with some streams lost on the way.
fn random(seed: u64, cuts: usize) -> World {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let side = |dice: &mut Dice| if dice.below(2) == 0 { A } else { B };
    let first = side(&mut dice);
    let mut world = World::new(&[(first, 50), (first.other(), 40)]);
    world.what = format!("seed {seed}");
    let (mut dials, mut cuts) = (dice.below(4), cuts);
    loop {
        let steps = world.steps();
        if dials > 0 && (steps.is_empty() || dice.below(8) == 0) {
            let dialler = side(&mut dice);
            world.dial(dialler, 1 + dice.below(90) as u64);
            dials -= 1;
        } else if cuts > 0 && dice.below(8) == 0 {
            let stream = dice.below(world.streams.len());
            world.cut(stream);
            cuts -= 1;
        } else if steps.is_empty() {
            break;
        } else {
            world.take(steps[dice.below(steps.len())]);
        }
    }
    world.mend();
    world
}

#[test]
fn many_who_dial_at_once_keep_one_session_and_all_that_is_in_it() {
    for seed in 0..1000 {
        random(seed, 0).assert_whole();
    }
}

/// A session that opens ends with its stream. What is left is one session, and nothing comes twice.
#[test]
fn streams_that_are_lost_meanwhile_leave_one_session() {
    let mut unscathed = 0;
    for seed in 0..1000 {
        let mut world = random(seed, 2);
        world.assert_honest();
        if world.mails.iter().all(|mail| mail.ended == 0) {
            world.assert_whole();
            unscathed += 1;
        }
    }
    assert!(unscathed > 100, "{unscathed}");
}

/// The dialler has lost the session, and says so by naming another.
#[test]
fn a_peer_that_lost_the_session_gets_another_at_once() {
    let (one, mut two) = (Node::new(1), Node::new(2));
    let former = shake(&one, &two).acceptor.peer();
    let again = Node { session: SessionId::new(u64::MAX), ..one };
    for has_heard in [true, false] {
        two.present = Some(Present { peer: former.clone(), live: Live::of(&former, has_heard) });
        let peer = shake(&again, &two).acceptor.peer();
        let decided = peer.decide(two.myself.life.node, Some(former.session), false);
        assert_eq!((peer.session, decided), (again.session, Decision::Begin));
    }
}

/// The acceptor names no session. It has lost it, or its answer is older than that.
#[test]
fn a_dialler_replaces_only_what_the_peer_is_known_to_have_had() {
    let (one, two) = (Node::new(1), Node::new(2));
    let session = SessionId::new(9);
    for has_heard in [true, false] {
        // The other one has dialled it.
        let peer = shake(&Node { session, ..two.clone() }, &one).acceptor.peer();
        let present = Some(Present { live: Live::of(&peer, has_heard), peer });
        let shaken = shake(&Node { present, ..one.clone() }, &two);
        match has_heard {
            true => {
                let peer = shaken.dialler.peer();
                let decided = peer.decide(one.myself.life.node, Some(session), false);
                assert_eq!((peer.session, peer.had, decided), (one.session, Some(session), Decision::Begin));
            }
            false => {
                assert_eq!(shaken.dialler.error(), HandshakeError::Changed);
                let refused = HandshakeError::Refused(Box::new(HandshakeError::Changed));
                assert_eq!(shaken.acceptor.error(), refused);
            }
        }
    }
}

/// A session is begun by both or by neither.
#[test]
fn a_stream_does_not_join_what_is_gone_meanwhile() {
    let [mut one, mut two] = [1, 2].map(Node::new);
    let first = shake(&one, &two);
    let session = first.dialler.clone().peer().session;
    one.present = Some(Present::silent(&first.dialler.peer()));
    two.present = Some(Present::silent(&first.acceptor.peer()));
    let second = shake(&one, &two);
    for (peer, myself) in [(second.dialler.peer(), &one), (second.acceptor.peer(), &two)] {
        for (live, expected) in [
            (Some(session), Decision::Join),
            (None, Decision::Changed),
            (Some(SessionId::new(9)), Decision::Changed),
        ] {
            assert_eq!(peer.decide(myself.myself.life.node, live, false), expected, "{live:?}");
        }
    }
}

/// The smaller node waits for the word on its own; the greater one does not.
#[test]
fn of_two_that_are_proposed_the_smaller_nodes_is_let_in() {
    let (one, two) = (Node::new(1), Node::new(2));
    for (dialler, acceptor, expected) in [(&one, &two, Decision::Begin), (&two, &one, Decision::Changed)] {
        let peer = shake(dialler, acceptor).acceptor.peer();
        assert_eq!(peer.decide(acceptor.myself.life.node, None, true), expected);
        assert_eq!(peer.decide(acceptor.myself.life.node, None, false), Decision::Begin);
    }
}

/// What a session was heard of is what it tells the next handshake.
#[test]
fn a_session_is_mutual_once_something_came() {
    let (one, two) = (Node::new(1), Node::new(2));
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    assert!(pair.session(A).live().is_mutual, "the acceptor has let it in");
    assert!(!pair.session(B).live().is_mutual, "its accept may be on its way");
    pair.session(A).synced();
    pair.drive();
    assert!(pair.session(B).live().is_mutual);
}
