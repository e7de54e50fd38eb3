//! Streams come and go: which one a lane is written to, and which loss is harmless.

use actor_core::SendError;

use super::{A, B, Letter, frames, notes};
use crate::session::lanes::ConnectionId;
use crate::testing::pair::{Node, Pair, Saw};
use crate::transport::{CloseCode, LaneKind, LaneSet};
use crate::wire::frame::Kind;

#[test]
fn each_frame_goes_to_the_stream_of_its_lane() {
    let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]);
    for stream in 0..3 {
        pair.written(stream, A);
    }
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.session(A).watch(1).unwrap();
    assert_eq!(pair.session(A).wants_write(LaneKind::Control), Some(ConnectionId(0)));
    assert_eq!(pair.session(A).wants_write(LaneKind::Data), Some(ConnectionId(1)));
    pair.drive();
    let kinds = |bytes: Vec<u8>| frames(&bytes).iter().map(|frame| frame.kind).collect::<Vec<_>>();
    let written = [0, 1, 2].map(|stream| kinds(pair.written(stream, A)));
    assert_eq!(written, [vec![Kind::Control], vec![Kind::Define, Kind::Cast], vec![]]);
    assert_eq!(pair.session(A).wants_write(LaneKind::Data), None);
}

#[test]
fn a_spare_stream_is_lost_without_harm() {
    let mut pair = Pair::ready(&[LaneSet::ALL, LaneSet::ALL, LaneSet::DATA]);
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    pair.cut(1);
    pair.cut(2);
    pair.send(A, 1, Letter::Note(2)).unwrap();
    pair.drive();
    assert_eq!(pair.saw(A), []);
    assert_eq!(notes(pair.received(B)), [1, 2]);
    let end = Saw::Ended(CloseCode::Lost.into());
    pair.cut(0);
    assert_eq!(pair.saw(A), [Saw::Room, end], "the stream that carried it all is another matter");
}

#[test]
fn a_stream_that_carried_a_frame_takes_the_session_with_it() {
    for stream in [0, 1] {
        let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]);
        pair.send(A, 1, Letter::Note(1)).unwrap();
        pair.drive();
        pair.cut(stream);
        let end = Saw::Ended(CloseCode::Lost.into());
        assert_eq!(pair.saw(A), [Saw::Room, end.clone()]);
        assert_eq!(pair.saw(B), [Saw::Message, Saw::Room, end]);
    }
}

/// The loss of a segment must not be papered over by sending what follows it on
/// another stream.
#[test]
fn nothing_is_written_behind_a_gap() {
    let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]);
    pair.room(1, A, 1);
    pair.stall(1, A, true);
    let sent = (0..1_000_000).take_while(|number| pair.send(A, 1, Letter::Note(*number)).is_ok()).count();
    assert!(sent < 1_000_000, "there is no end to the window");
    pair.drive();
    let lost = pair.in_flight(1, A);
    assert!(lost > 0 && pair.session(A).wants_write(LaneKind::Data).is_some(), "the rest still waits");
    pair.written(2, A);
    pair.lose(1, A, CloseCode::Lost);
    pair.drive();
    assert!(pair.written(2, A).is_empty());
    assert!(notes(pair.received(B)).is_empty());
}

/// The same while saying goodbye.
#[test]
fn nothing_is_written_behind_a_gap_after_a_goodbye_either() {
    let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]);
    pair.room(1, A, 1);
    pair.stall(1, A, true);
    let sent = (0..1000).take_while(|_| pair.send(A, 1, Letter::of_bytes(20_000)).is_ok()).count();
    assert!(sent < 1000, "there is no end to the window");
    pair.room(2, A, 0);
    pair.drive();
    pair.session(A).close(&CloseCode::Shutdown.into());
    pair.lose(1, A, CloseCode::Lost);
    pair.written(2, A);
    pair.room(2, A, usize::MAX);
    pair.drive();
    assert!(pair.written(2, A).is_empty());
    pair.stall(1, A, false);
    pair.drive();
    assert_eq!(pair.saw(B).last(), Some(&Saw::Ended(CloseCode::Shutdown.into())), "the goodbye has arrived");
}

#[test]
fn a_lane_keeps_its_stream_when_another_comes_whatever_its_number() {
    let pair = Pair::ready(&[LaneSet::ALL]);
    pair.session(A).detach(ConnectionId(0), CloseCode::Done.into());
    assert!(pair.session(A).ended().is_some(), "it was the only one");

    let (one, two) = (Node::new(1), Node::new(2));
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    let mut session = pair.session(A);
    let [first, second] = [ConnectionId(8), ConnectionId(7)];
    session.attach(first, LaneSet::ALL);
    session.detach(ConnectionId(0), CloseCode::Lost.into());
    session.attach(second, LaneSet::ALL);
    session.send(pair.now(), 1, Letter::Note(1)).unwrap();
    assert_eq!(session.wants_write(LaneKind::Data), Some(first), "streams may get ready in any order");
}

#[test]
fn a_lane_without_a_stream_does_not_hang_its_callers() {
    // Not one frame of data yet: losing the stream loses nothing, but nothing can be
    // sent any more.
    let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA]);
    pair.cut(1);
    assert_eq!(pair.saw(A), [Saw::Room, Saw::Ended(CloseCode::Lost.into())]);
    assert!(matches!(pair.send(A, 1, Letter::Note(1)), Err(SendError::NotConnected(_))));
}

#[test]
fn while_it_opens_a_lost_stream_may_come_again() {
    let mut pair = Pair::new(Node::new(1), Node::new(2));
    pair.open(LaneSet::CONTROL);
    pair.open(LaneSet::DATA);
    pair.drive();
    pair.cut(1);
    pair.session(A).synced();
    pair.session(B).synced();
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]));
    assert!(!pair.session(A).is_complete());
    pair.open(LaneSet::DATA);
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![Saw::Ready], vec![Saw::Ready]));
    assert!(pair.session(A).is_complete());
}

#[test]
fn an_unknown_stream_is_lost_without_harm() {
    let pair = Pair::ready(&[LaneSet::ALL]);
    pair.session(A).detach(ConnectionId(99), CloseCode::Lost.into());
    assert_eq!(pair.session(A).ended(), None);
}
