//! Two nodes that dial each other at the same time keep one session, the same one,
//! in whichever order their frames arrive.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{A, B};
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::handshake::{Decision, HandshakeError, Live, Peer, SessionId};
use crate::testing::pair::{Hand, Node, Outcome, Pair, Present, Side, shake};
use crate::transport::LaneSet;
use crate::wire::frame::read_frame;

/// One stream: its handshake, and which session each end has it in.
struct Stream {
    /// By side, whoever dialled.
    hands: [Hand; 2],
    frames: VecDeque<(Side, Bytes)>,
    carries: [Option<SessionId>; 2],
}

struct World {
    live: [Option<Peer>; 2],
    streams: Vec<Stream>,
}

impl World {
    /// Each stream has a dialler, and a name for the session that it may begin.
    fn new(nodes: &[Node; 2], streams: &[(Side, u64)]) -> Self {
        let streams = streams.iter().map(|(dialler, name)| {
            let session = SessionId::new(*name);
            let node = Node { session, ..nodes[*dialler as usize].clone() };
            let (dialling, hello) = Hand::dial(&node, LaneSet::ALL);
            let accepting = Hand::accept(&nodes[dialler.other() as usize]);
            let hands = if *dialler == A { [dialling, accepting] } else { [accepting, dialling] };
            let frames = hello.map(|hello| (dialler.other(), hello)).into_iter().collect();
            Stream { hands, frames, carries: [None; 2] }
        });
        Self { live: [None, None], streams: streams.collect() }
    }

    /// Delivers the next frame of a stream, if there is one.
    fn deliver(&mut self, stream: usize) -> bool {
        let Stream { hands, frames, carries } = &mut self.streams[stream];
        let Some((to, bytes)) = frames.pop_front() else { return false };
        let frame = read_frame(&mut BytesMut::from(&bytes[..]), HANDSHAKE_BODY_BYTES_MAX).unwrap().unwrap();
        let hand = &mut hands[to as usize];
        let was_waiting = hand.outcome == Outcome::Waiting;
        let present = self.live[to as usize].as_ref().map(Present::silent);
        let answer = hand.handle_frame(&frame, present.as_ref());
        frames.extend(answer.map(|answer| (to.other(), answer)));
        if let (true, Outcome::Done(peer)) = (was_waiting, &hand.outcome) {
            carries[to as usize] = Some(peer.session);
            if self.live[to as usize].as_ref().is_none_or(|live| live.session != peer.session) {
                self.live[to as usize] = Some(peer.clone());
            }
        }
        true
    }

    /// Ends every session that lost a stream, until none does any more.
    fn settle(&mut self) {
        let mut has_ended = true;
        while has_ended {
            has_ended = false;
            for side in Side::BOTH {
                let Some(session) = self.live[side as usize].as_ref().map(|live| live.session) else {
                    continue;
                };
                let other = self.live[side.other() as usize].as_ref().map(|live| live.session);
                let is_cut = |stream: &Stream| {
                    stream.carries[side as usize] == Some(session)
                        && (stream.carries[side.other() as usize] != Some(session) || other != Some(session))
                };
                if self.streams.iter().any(is_cut) {
                    self.live[side as usize] = None;
                    has_ended = true;
                }
            }
        }
    }
}

/// Runs one order of arrival; the sessions that are left.
fn run(nodes: &[Node; 2], streams: &[(Side, u64)], order: &[usize]) -> [Option<SessionId>; 2] {
    let mut world = World::new(nodes, streams);
    for stream in order {
        world.deliver(*stream);
    }
    for stream in 0..streams.len() {
        while world.deliver(stream) {}
    }
    world.settle();
    world.live.map(|live| live.map(|live| live.session))
}

/// Every order in which so many frames of each of the streams can arrive.
fn orders(streams: usize, frames: usize) -> Vec<Vec<usize>> {
    fn extend(left: &mut [usize], order: &mut Vec<usize>, orders: &mut Vec<Vec<usize>>) {
        if left.iter().all(|left| *left == 0) {
            orders.push(order.clone());
        }
        for stream in 0..left.len() {
            if left[stream] > 0 {
                left[stream] -= 1;
                order.push(stream);
                extend(left, order, orders);
                order.pop();
                left[stream] += 1;
            }
        }
    }
    let mut orders = Vec::new();
    extend(&mut vec![frames; streams], &mut Vec::new(), &mut orders);
    orders
}

#[test]
fn whoever_dials_at_the_same_time_keeps_one_session() {
    let nodes = [Node::new(1), Node::new(2)];
    let orders = orders(2, 4);
    assert_eq!(orders.len(), 70);
    for diallers in [[A, B], [B, A], [A, A], [B, B]] {
        for names in [[1, 2], [2, 1]] {
            let streams = [(diallers[0], names[0]), (diallers[1], names[1])];
            for order in &orders {
                let left = run(&nodes, &streams, order);
                assert!(left[0].is_some(), "{streams:?} {order:?}: no session is left");
                assert_eq!(left[0], left[1], "{streams:?} {order:?}");
            }
        }
    }
}

#[test]
fn three_streams_at_once_never_leave_two_sessions() {
    let nodes = [Node::new(1), Node::new(2)];
    // Every 37th order: all of them take too long.
    for order in orders(3, 4).into_iter().step_by(37) {
        let left = run(&nodes, &[(A, 2), (B, 1), (A, 3)], &order);
        assert_eq!(left[0], left[1], "{order:?}");
    }
}

/// The dialler has lost the session, and dials again. Whoever knows that it had it
/// lets it in at once; whoever does not may have been overtaken.
#[test]
fn a_peer_that_lost_the_session_gets_another_at_once() {
    let (one, mut two) = (Node::new(1), Node::new(2));
    let former = shake(&one, &two).acceptor.peer();
    let again = Node { session: SessionId::new(u64::MAX), ..one };
    for (has_heard, expected) in [(true, Decision::Begin), (false, Decision::Changed)] {
        let live = Live::of(&former, has_heard);
        two.present = Some(Present { peer: former.clone(), live });
        let shaken = shake(&again, &two);
        match expected {
            Decision::Changed => assert_eq!(shaken.acceptor.error(), HandshakeError::Changed),
            _ => assert_eq!(shaken.acceptor.peer().decide(Some(live)), expected),
        }
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
