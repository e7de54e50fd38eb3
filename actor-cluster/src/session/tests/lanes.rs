//! Streams come and go: which one a lane is written to, and that nothing is lost with one.

use std::collections::VecDeque;
use std::time::Duration;

use actor_core::{Attempt, DeadReason, Exit, SendError};
use bytes::BytesMut;

use super::{A, B, Letter, answer_all, every_lane, frames, notes, reason};
use crate::session::streams::ConnectionId;
use crate::session::{Death, Event, Shape};
use crate::testing::pair::{Node, Pair, Saw, Side, outcome};
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::frame::Kind;
use crate::wire::{RemoteMessage, VariantTag};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn kinds(pair: &mut Pair, stream: usize, from: Side) -> Vec<Kind> {
    frames(&pair.written(stream, from)).iter().map(|frame| frame.kind).collect()
}

fn lost() -> CloseReason {
    CloseCode::Lost.into()
}

#[test]
fn each_frame_goes_to_the_stream_of_its_lane() {
    let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]);
    for stream in 0..3 {
        pair.written(stream, A);
    }
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.session(A).watch(1, None).unwrap();
    assert!(pair.session(A).wants_write());
    pair.drive();
    let written = [0, 1, 2].map(|stream| kinds(&mut pair, stream, A));
    assert_eq!(written, [vec![Kind::Control], vec![Kind::Begin, Kind::Define, Kind::Cast], vec![]]);
    assert!(!pair.session(A).wants_write());
}

/// Nobody is asked to carry it on, on either side: it is in its lane when `send` returns, and is reported by the call
/// that reads it.
#[test]
fn w18_a_message_makes_no_hop_between_its_sender_and_the_stream() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    pair.drive();
    pair.written(0, A);
    pair.send(A, 1, Letter::Note(1)).unwrap();
    let (now, stream) = (pair.now(), ConnectionId(0));
    let mut bytes = BytesMut::new();
    while let Some(piece) = pair.session(A).poll_transmit(stream) {
        bytes.extend_from_slice(&piece);
    }
    pair.session(B).handle_input(now, stream, &mut bytes);
    let event = pair.session(B).poll_event();
    assert!(matches!(&event, Some(Event::Messages(messages)) if messages.rest().len() == 1), "{event:?}");
}

#[test]
fn a_spare_stream_is_lost_without_a_word() {
    let mut pair = Pair::ready(&[LaneSet::ALL, LaneSet::ALL, LaneSet::DATA]);
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    pair.cut(1);
    pair.cut(2);
    pair.send(A, 1, Letter::Note(2)).unwrap();
    pair.drive();
    assert_eq!(pair.saw(A), []);
    assert_eq!(notes(pair.received(B)), [1, 2]);
}

#[test]
fn a_lane_goes_on_with_a_spare_stream() {
    for stream in [0, 1] {
        let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA, LaneSet::ALL]);
        (0..9).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
        let watch = pair.session(B).watch(7, None).unwrap();
        pair.cut(stream);
        pair.drive();
        (9..20).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
        pair.session(A).down(watch, &Exit::Drained);
        pair.drive();
        assert_eq!(notes(pair.received(B)), (0..20).collect::<Vec<_>>());
        assert_eq!(pair.saw(A), [Saw::Watch { watch, actor: 7 }], "nobody has to know");
        assert!(pair.saw(B).contains(&Saw::Down { watch, exit: Exit::Drained }));
    }
}

/// What was on its way when the stream was lost is written again, whichever side knows first,
/// and what had arrived does not arrive again.
#[test]
fn w04_a_session_goes_on_with_another_stream() {
    for first in [A, B] {
        let mut pair = Pair::ready(&[LaneSet::ALL]);
        let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
        (1..5).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
        pair.drive();
        pair.stall(0, A, true);
        pair.stall(0, B, true);
        (5..9).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
        let watch = pair.session(B).watch(7, None).unwrap();
        pair.drive();
        pair.lose(0, first, CloseCode::Lost);
        (9..12).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
        pair.open(LaneSet::ALL);
        pair.drive();
        pair.lose(0, first.other(), CloseCode::Lost);
        pair.session(A).down(watch, &Exit::Drained);
        pair.drive();
        let received = pair.received(B);
        answer_all(received);
        pair.drive();
        assert_eq!(outcome(&mut reply), Some(Ok(1)));
        let saws = Side::BOTH.map(|side| pair.saw(side));
        let at_b = |wanted: fn(&Saw) -> bool| saws[B as usize].iter().filter(|saw| wanted(saw)).count();
        assert_eq!(at_b(|saw| *saw == Saw::Message), 12);
        assert_eq!(at_b(|saw| *saw == Saw::Down { watch: 1, exit: Exit::Drained }), 1);
        let told = saws.map(|saws| {
            let is_about_streams =
                |saw: &Saw| matches!(saw, Saw::Interrupted(_) | Saw::Resumed | Saw::Ended(_));
            saws.into_iter().filter(is_about_streams).collect::<Vec<_>>()
        });
        assert_eq!(told[first as usize], [Saw::Interrupted(lost()), Saw::Resumed]);
        assert_eq!(told[first.other() as usize], [], "it had another by then");
    }
}

#[test]
fn w04_messages_wait_for_a_stream_as_far_as_there_is_credit() {
    let window = 4096;
    let [one, two] = [1, 2].map(|number| Node::new(number).limits(64 * 1024, window));
    let mut pair = Pair::ready_between(one, two, &[LaneSet::ALL]);
    pair.cut(0);
    let send = |pair: &Pair, number| pair.send(A, 1, Letter::Note(number));
    let taken = (0..10_000).take_while(|number| send(&pair, *number).is_ok()).count();
    assert!((100..300).contains(&taken), "{taken}");
    assert!(matches!(send(&pair, 0), Err(SendError::Full(_))));
    pair.open(LaneSet::ALL);
    pair.drive();
    assert_eq!(notes(pair.received(B)), (0..taken as u32).collect::<Vec<_>>());
    pair.advance(NANO);
    assert_eq!(pair.saw(A).last(), Some(&Saw::Room));
    assert!(send(&pair, 0).is_ok());
}

#[test]
fn w04_a_session_without_streams_ends_at_the_exact_moment() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    (0..7).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
    let watch = pair.session(A).watch(7, None).unwrap();
    pair.cut(0);
    let mut too_late = pair.call(A, None, |port| Letter::Ask(1, port));
    assert_eq!(pair.saw(A), [Saw::Interrupted(lost())]);
    pair.advance(5 * SECOND - NANO);
    assert_eq!((pair.saw(A), outcome(&mut reply)), (vec![], None));
    pair.advance(NANO);
    let unknown = actor_core::CallFailure::Unknown;
    let never_left = actor_core::CallFailure::NeverLeft;
    let shape = Shape { message: Letter::TYPE, variant: VariantTag::named("Note") };
    let lost_casts =
        Death { kind: Some((1, shape)), reason: DeadReason::Unacknowledged, detail: None, count: 7 };
    let expected = [
        Saw::Died(vec![lost_casts]),
        Saw::Failed(unknown.clone()),
        Saw::Failed(never_left.clone()),
        Saw::Down { watch, exit: Exit::Unreachable },
        Saw::Room,
        Saw::Ended(lost()),
    ];
    assert_eq!(pair.saw(A), expected);
    assert_eq!(outcome(&mut reply), Some(Err(unknown)));
    assert_eq!(outcome(&mut too_late), Some(Err(never_left)));
    assert_eq!(pair.unacked(A), 9, "eight never left, and nobody has said that the first call arrived");
    assert_eq!(pair.unacked(B), 0);
}

#[test]
fn what_was_acknowledged_is_not_counted_as_lost() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    (0..7).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
    // B's pong comes with the acknowledgement.
    pair.advance(SECOND);
    pair.send(A, 1, Letter::Note(7)).unwrap();
    pair.cut(0);
    pair.advance(5 * SECOND);
    assert_eq!(pair.saw(A).last(), Some(&Saw::Ended(lost())));
    assert_eq!(pair.unacked(A), 1);
}

#[test]
fn with_no_time_to_resume_a_session_ends_with_its_streams() {
    let [one, two] = [1, 2].map(Node::new).map(|node| Node { resume_timeout: Duration::ZERO, ..node });
    let mut pair = Pair::ready_between(one, two, &[LaneSet::CONTROL, LaneSet::DATA]);
    pair.cut(1);
    assert_eq!(pair.saw(A), [Saw::Room, Saw::Ended(lost())]);
    assert!(matches!(pair.send(A, 1, Letter::Note(1)), Err(SendError::NotConnected(_))));
}

/// Both fall silent at the same moment, and the session ends with the first: its end is the last that is told.
#[test]
fn nothing_is_told_of_a_stream_that_dies_with_its_session() {
    let [one, two] = [1, 2].map(Node::new).map(|node| Node { resume_timeout: Duration::ZERO, ..node });
    let pair = Pair::ready_between(one, two, &[LaneSet::CONTROL, LaneSet::DATA]);
    let mut session = pair.session(A);
    let mut events = VecDeque::new();
    // It asks each second, and hears nothing.
    (1..10).for_each(|seconds| session.handle_timeout(pair.now() + seconds * SECOND));
    session.swap_events(&mut events);
    let silent = reason(CloseCode::Timeout, "the peer is silent");
    let is_told = matches!(
        events.make_contiguous(),
        [Event::Cut { connection: ConnectionId(0), .. }, Event::Room, Event::Ended { reason, unacked: 0 }]
            if *reason == silent
    );
    assert!(is_told, "{events:?}");
}

/// Only what is about the stream alone is worth another one.
#[test]
fn a_peer_that_wants_no_more_is_taken_at_its_word() {
    for code in [CloseCode::Refused, CloseCode::Violation, CloseCode::Shutdown] {
        let mut pair = Pair::ready(&[LaneSet::ALL]);
        pair.lose(0, A, code);
        assert_eq!(pair.saw(A), [Saw::Room, Saw::Ended(code.into())]);
    }
}

/// A peer that says goodbye ends its streams in any order, and nobody is alarmed.
#[test]
fn a_stream_that_ends_properly_may_be_a_goodbye() {
    let quiet = crate::limits::GOODBYE_PATIENCE;
    let mut pair = Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA]);
    pair.lose(1, A, CloseCode::Done);
    pair.advance(quiet - NANO);
    assert_eq!(pair.saw(A), []);
    pair.advance(NANO);
    assert_eq!(pair.saw(A), [Saw::Interrupted(lost())], "it was none");
    pair.open(LaneSet::DATA);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Resumed]);
    let told = [Saw::Interrupted(lost()), Saw::Resumed];
    assert_eq!(pair.saw(B), told, "it saw the end of the same stream");
}

#[test]
fn a_silent_stream_is_given_up_and_its_lanes_go_on() {
    let mut pair = Pair::ready(&[LaneSet::ALL, LaneSet::ALL]);
    pair.stall(0, A, true);
    pair.stall(0, B, true);
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.advance(6 * SECOND);
    assert_eq!(notes(pair.received(B)), [1], "it came on the second stream");
    assert_eq!(pair.saw(A), []);
}

/// On a slow connection what is more urgent comes first, for long; that says that the peer lives.
#[test]
fn a_stream_is_not_given_up_while_another_of_its_carrier_is_heard() {
    let silent = || Saw::Interrupted(reason(CloseCode::Timeout, "the peer is silent"));
    for (carrier, saw, heard) in [(7, None, vec![1]), (8, Some(silent()), vec![])] {
        let mut pair = Pair::ready_on(&[(LaneSet::CONTROL, 7), (LaneSet::DATA, carrier)]);
        for side in [A, B] {
            pair.stall(1, side, true);
        }
        pair.send(A, 1, Letter::Note(1)).unwrap();
        pair.advance(9 * SECOND);
        assert_eq!(pair.saw(A).into_iter().next(), saw, "carrier {carrier}");
        for side in [A, B] {
            pair.stall(1, side, false);
        }
        pair.drive();
        assert_eq!(notes(pair.received(B)), heard, "carrier {carrier}");
    }
}

#[test]
fn streams_of_one_carrier_have_one_heartbeat() {
    for (carrier, has_ping) in [(7, [false, true]), (8, [true, true])] {
        let mut pair = Pair::ready_on(&[(LaneSet::DATA, carrier), (LaneSet::CONTROL, 7)]);
        pair.advance(SECOND - NANO);
        [0, 1].into_iter().for_each(|stream| pair.stall(stream, A, true));
        pair.advance(NANO);
        assert_eq!([0, 1].map(|stream| pair.in_flight(stream, A) > 0), has_ping, "carrier {carrier}");
    }
}

/// A timeout after the last that came on any of them.
#[test]
fn streams_of_one_carrier_are_lost_at_the_same_exact_moment() {
    let mut pair = Pair::ready_on(&[(LaneSet::CONTROL, 7), (LaneSet::DATA, 7)]);
    pair.stall(1, B, true);
    pair.advance(1500 * Duration::from_millis(1));
    // The last sound was a second after the beginning.
    pair.stall(0, B, true);
    pair.advance(4 * SECOND + 500 * Duration::from_millis(1) - NANO);
    assert_eq!(pair.saw(A), []);
    pair.advance(NANO);
    assert_eq!(pair.saw(A), [Saw::Interrupted(reason(CloseCode::Timeout, "the peer is silent"))]);
    assert_eq!([0, 1].map(|stream| pair.session(A).lanes_of(ConnectionId(stream))), [LaneSet::NONE; 2]);
}

#[test]
fn a_lane_keeps_its_stream_when_another_comes_whatever_its_number() {
    let (one, two) = (Node::new(1), Node::new(2));
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    let now = pair.now();
    let mut session = pair.session(A);
    let [first, second] = [ConnectionId(8), ConnectionId(7)];
    session.attach(now, first, every_lane(), None);
    session.detach(now, ConnectionId(0), lost());
    session.attach(now, second, every_lane(), None);
    session.send_at_once(now, 1, Letter::Note(1), Attempt::First, None).unwrap();
    assert!(session.poll_transmit(first).is_some(), "streams may get ready in any order");
    assert_eq!(session.poll_transmit(second), None);
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
    let now = pair.now();
    pair.session(A).detach(now, ConnectionId(99), lost());
    assert_eq!(pair.session(A).ended(), None);
}
