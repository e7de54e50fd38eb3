//! The urgent lane: what goes first, and what it leaves to others.

use actor_cluster_derive::RemoteMessage;
use actor_core::{ReplyPort, SendError};
use bytes::Bytes;

use super::{A, B, Letter, answer_all, frames};
use crate::limits::{ANSWER_BACKLOG_BYTES_MAX, SEGMENT_BYTES, URGENT_TURNS};
use crate::session::TakesMore;
use crate::testing::pair::{Node, Pair, Side, outcome};
use crate::transport::LaneSet;
use crate::wire::Urgency;
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;

/// What others must not delay.
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/alarm", urgent)]
enum Alarm {
    Ring(Bytes),
    #[rpc]
    IsLit(ReplyPort<bool>),
}

fn pair(window: u64) -> Pair {
    let node = |number| Node::new(number).limits(1 << 20, window);
    Pair::ready_between(node(1), node(2), &[LaneSet::ALL])
}

/// The lanes of the messages that a side has written.
fn lanes(pair: &mut Pair, from: Side, kind: Kind) -> Vec<LaneId> {
    let frames = frames(&pair.written(0, from)).into_iter();
    frames.filter(|frame| frame.kind == kind).map(|frame| frame.lane).collect()
}

#[test]
fn what_is_urgent_goes_first_and_leaves_others_their_turn() {
    let mut pair = pair(64 << 20);
    pair.room(0, A, 1);
    pair.stall(0, A, true);
    let long = || vec![1; SEGMENT_BYTES].into();
    pair.send(A, 1, Letter::Parcel(long())).unwrap();
    pair.drive();
    for _ in 0..20 {
        pair.send(A, 1, Letter::Parcel(long())).unwrap();
        pair.send(A, 2, Alarm::Ring(long())).unwrap();
    }
    pair.written(0, A);
    pair.room(0, A, usize::MAX);
    pair.drive();
    let urgent: Vec<bool> = lanes(&mut pair, A, Kind::Cast).iter().map(|lane| lane.is_urgent()).collect();
    // One of the others was on its way before.
    let turns = std::iter::repeat_n(true, URGENT_TURNS as usize).chain([false]);
    let expected = [false].into_iter().chain(turns.cycle().take(20 + 2)).chain([false; 18]);
    assert_eq!(urgent, expected.collect::<Vec<_>>());
}

#[test]
fn a_full_lane_of_others_leaves_what_is_urgent_its_credit() {
    let mut pair = pair(64 * 1024);
    let parcel = || Letter::Parcel(vec![9; 10_000].into());
    while pair.send(A, 1, parcel()).is_ok() {}
    assert!(matches!(pair.send(A, 1, parcel()), Err(SendError::Full(_))));
    assert!(!pair.session(A).has_room(1, Urgency::Normal) && pair.session(A).has_room(1, Urgency::Urgent));
    pair.send(A, 2, Alarm::Ring(Bytes::new())).unwrap();
    pair.drive();
    let (to, first) = pair.receive::<Alarm>(B, 1).pop().unwrap();
    assert!(to == 2 && matches!(first, Alarm::Ring(_)), "it has gone first");
}

#[test]
fn answers_are_as_urgent_as_their_calls() {
    let mut pair = pair(64 << 20);
    let mut lit = pair.call(A, None, Alarm::IsLit);
    pair.drive();
    pair.written(0, B);
    for (_, alarm) in pair.received::<Alarm>(B) {
        let Alarm::IsLit(port) = alarm else { panic!("{alarm:?}") };
        port.send(true).unwrap();
    }
    pair.drive();
    assert_eq!(outcome(&mut lit), Some(Ok(true)));
    assert_eq!(lanes(&mut pair, B, Kind::Reply), [LaneId::URGENT]);
}

/// A peer that reads no answers is asked no more, in either lane for itself.
#[test]
fn unread_answers_to_others_keep_nothing_urgent_waiting() {
    let mut pair = pair(64 << 10);
    let answer = ANSWER_BACKLOG_BYTES_MAX as u32 / 8;
    pair.stall(0, B, true);
    // The longest answer may wait, and as much again as is the bound without.
    let mut replies = Vec::new();
    for answers in 0..=10 {
        assert_eq!(pair.session(B).wants_messages(), TakesMore::ALL, "{answers} answers");
        replies.push(pair.call(A, None, |port| Letter::Fetch(answer, port)));
        pair.drive();
        answer_all(pair.received(B));
    }
    assert_eq!(pair.session(B).wants_messages(), TakesMore { urgent: true, others: false });
}
