//! How a session begins and how it ends: ready, silent, said goodbye to.

use std::time::Duration;

use actor_core::{CallFailure, Exit};

use super::{A, B, Letter, answer_all, frames, notes, reason};
use crate::limits::{CLOSE_DETAIL_BYTES_MAX, SEGMENT_BYTES};
use crate::session::heartbeat::Pace;
use crate::testing::pair::{Node, Pair, Saw, outcome};
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::frame::Kind;

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn nodes() -> (Node, Node) {
    (Node::new(1), Node::new(2))
}

fn two_streams() -> Pair {
    Pair::ready(&[LaneSet::CONTROL, LaneSet::DATA])
}

/// A session is ready once all lanes are there and the peer is synced, in whichever
/// order that happens; not before.
#[test]
fn ready_takes_every_lane_and_the_peers_last_word() {
    let (one, two) = nodes();
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::CONTROL);
    pair.drive();
    pair.session(A).synced();
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]), "a lane is missing");
    pair.open(LaneSet::DATA);
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![Saw::Ready]), "B has not synced");
    assert!(!pair.session(A).is_ready() && pair.session(B).is_ready());
    pair.session(B).synced();
    pair.session(B).synced();
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![Saw::Ready], vec![]), "once, whatever is said twice");
}

#[test]
fn messages_flow_before_it_is_ready() {
    let (one, two) = nodes();
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    assert_eq!(notes(pair.received(B)), [1]);
}

/// One side is ready, the other is not yet, and ends with its streams: to who was ready that is a session that is lost.
#[test]
fn streams_lost_before_both_are_ready_end_the_session_and_who_has_sent_is_told() {
    let (one, two) = nodes();
    let patience = two.resume_timeout;
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    pair.session(A).synced();
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![Saw::Ready]));
    pair.send(B, 1, Letter::Note(1)).unwrap();
    let mut asked = pair.call(B, None, |port| Letter::Ask(2, port));
    pair.cut(0);
    pair.drive();
    assert_eq!(pair.session(A).ended().map(|reason| reason.code), Some(CloseCode::Lost));
    assert!(pair.session(B).ended().is_none(), "it may find other streams, for all it knows");
    pair.advance(patience);
    assert_eq!(pair.session(B).ended().map(|reason| reason.code), Some(CloseCode::Lost));
    assert_eq!(pair.unacked(B), 2);
    assert_eq!(outcome(&mut asked), Some(Err(CallFailure::NeverLeft)));
    assert_eq!(notes(pair.received(A)), []);
}

#[test]
fn b17_a_session_that_never_gets_ready_ends_at_its_deadline() {
    let (one, two) = nodes();
    let patience = one.patience;
    let mut pair = Pair::new(one, two);
    pair.open(LaneSet::ALL);
    pair.drive();
    pair.session(A).synced();
    pair.advance(patience - NANO);
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![Saw::Ready]));
    pair.advance(NANO);
    let end = Saw::Ended(reason(CloseCode::Timeout, "the session was not ready in time"));
    assert_eq!(pair.saw(A), [Saw::Room, end.clone()]);
    assert_eq!(pair.saw(B), [Saw::Room, Saw::Room, end], "it is told");
}

#[test]
fn w05_a_silent_peer_is_dead_at_the_exact_moment() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let mut reply = pair.call(A, None, |port| Letter::Ask(1, port));
    pair.advance(1500 * Duration::from_millis(1));
    pair.saw(B);
    // B's last sound was its pong, a second after the beginning.
    pair.stall(0, B, true);
    pair.advance(4 * SECOND + 500 * Duration::from_millis(1) - NANO);
    assert_eq!((pair.saw(A), outcome(&mut reply)), (vec![], None));
    pair.advance(NANO);
    let silent = reason(CloseCode::Timeout, "the peer is silent");
    assert_eq!(pair.saw(A), [Saw::Interrupted(silent.clone())]);
    assert_eq!(
        pair.saw(B),
        [Saw::Interrupted(CloseCode::Lost.into())],
        "it hears of it if it can still hear"
    );
    // Its stream is lost; it itself is when it does not come on another.
    pair.advance(5 * SECOND - NANO);
    assert_eq!((pair.saw(A), outcome(&mut reply)), (vec![], None));
    pair.advance(NANO);
    assert_eq!(pair.saw(A), [Saw::Failed(CallFailure::Unknown), Saw::Room, Saw::Ended(silent)]);
    assert_eq!(outcome(&mut reply), Some(Err(CallFailure::Unknown)));
    assert_eq!(pair.saw(B), [Saw::Room, Saw::Ended(CloseCode::Lost.into())]);
}

#[test]
fn w05_an_idle_session_lives_and_knows_its_round_trip() {
    let mut pair = two_streams();
    for side in [A, B] {
        pair.delay(0, side, 30 * Duration::from_millis(1));
    }
    pair.advance(3600 * SECOND);
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]));
    let round_trip = pair.session(A).round_trip();
    assert_eq!(round_trip, Some(60 * Duration::from_millis(1)), "of the stream that control is written to");
    for stream in [0, 1] {
        let bytes = pair.written(stream, A).len();
        assert!(
            bytes < 1500 * 2 * 16,
            "an hour of pings and pongs, one of each in two and a half seconds, took {bytes} bytes"
        );
    }
}

#[test]
fn w06_a_goodbye_comes_after_everything_that_was_sent() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    pair.room(0, A, 1);
    let sent = (0..1_000_000).take_while(|number| pair.send(A, 1, Letter::Note(*number)).is_ok()).count();
    assert!(sent < 1_000_000, "there is no end to the window");
    let watch = pair.session(B).watch(7, None).unwrap();
    pair.drive();
    pair.session(A).down(watch, &Exit::Drained);
    let goodbye = reason(CloseCode::Shutdown, "maintenance");
    pair.session(A).close(&goodbye);
    pair.session(A).close(&reason(CloseCode::Violation, "another reason"));
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Watch { watch, actor: 7 }, Saw::Room, Saw::Ended(goodbye.clone())]);
    let mut saw = pair.saw(B);
    assert_eq!(saw.pop(), Some(Saw::Ended(goodbye)));
    assert_eq!(saw.iter().filter(|saw| **saw == Saw::Message).count(), sent);
    assert!(saw.contains(&Saw::Down { watch, exit: Exit::Drained }), "the last word on a watch is kept");
    assert_eq!(notes(pair.received(B)), (0..sent as u32).collect::<Vec<_>>());
}

/// The frames that A writes last, by kind.
fn last_written(pair: &mut Pair, count: usize) -> Vec<Kind> {
    let kinds: Vec<Kind> = frames(&pair.written(0, A)).iter().map(|frame| frame.kind).collect();
    kinds[kinds.len().saturating_sub(count)..].to_vec()
}

#[test]
fn the_goodbye_is_written_last_and_after_a_violation_without_the_data() {
    for is_violated in [false, true] {
        let mut pair = Pair::ready(&[LaneSet::ALL]);
        pair.room(0, A, 0);
        pair.session(A).watch(7, None).unwrap();
        pair.send(A, 1, Letter::Note(1)).unwrap();
        pair.written(0, A);
        if is_violated {
            pair.session(A).violated("garbage");
        } else {
            pair.session(A).close(&reason(CloseCode::Shutdown, ""));
        }
        pair.room(0, A, usize::MAX);
        pair.drive();
        let expected = match is_violated {
            true => &[Kind::Control, Kind::Control][..],
            false => &[Kind::Ack, Kind::Begin, Kind::Define, Kind::Cast, Kind::Control, Kind::Control],
        };
        assert_eq!(last_written(&mut pair, 9), expected);
        assert_eq!(pair.saw(B).contains(&Saw::Message), !is_violated);
    }
}

/// On streams of their own the goodbye and the data race; whoever wins, the end comes
/// after both, and with the goodbye's reason.
#[test]
fn w06_a_goodbye_on_another_stream_waits_for_the_data_and_the_data_for_it() {
    for [control, data] in [[0, 0], [0, 3], [3, 0]] {
        let mut pair = two_streams();
        pair.delay(0, A, control * SECOND);
        pair.delay(1, A, data * SECOND);
        let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
        (0..100).for_each(|number| pair.send(A, 1, Letter::Note(number)).unwrap());
        let watch = pair.session(B).watch(7, None).unwrap();
        pair.drive();
        pair.session(A).down(watch, &Exit::Killed);
        let goodbye = reason(CloseCode::Shutdown, "maintenance");
        pair.session(A).close(&goodbye);
        pair.drive();
        assert_eq!(outcome(&mut reply), Some(Err(CallFailure::Unknown)), "nobody here waits any longer");
        pair.advance(4 * SECOND);
        let saw = pair.saw(B);
        assert_eq!(saw.last(), Some(&Saw::Ended(goodbye)), "control {control} s, data {data} s");
        assert_eq!(saw.iter().filter(|saw| **saw == Saw::Message).count(), 101);
        assert!(saw.contains(&Saw::Down { watch, exit: Exit::Killed }), "{saw:?}");
        answer_all(pair.received(B));
    }
}

#[test]
fn a_peer_that_says_goodbye_and_stays_is_left_at_the_deadline() {
    let (mut one, two) = nodes();
    one.pace = Pace { interval: SECOND, timeout: 2 * SECOND };
    let patience = one.patience;
    let mut pair = Pair::ready_between(one, two, &[LaneSet::ALL]);
    let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    let goodbye = reason(CloseCode::Shutdown, "maintenance");
    let frame = goodbye_frame(&goodbye);
    pair.inject(0, B, &frame);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Room], "whoever waits for room learns that there will be none");
    assert!(matches!(pair.send(A, 1, Letter::Note(0)), Err(actor_core::SendError::NotConnected(_))));
    pair.stall(0, B, true);
    pair.advance(patience - NANO);
    let now = pair.now();
    pair.session(A).handle_timeout(now);
    pair.drive();
    assert_eq!((pair.saw(A), outcome(&mut reply)), (vec![], None), "silence is no news now");
    pair.advance(NANO);
    assert_eq!(pair.saw(A), [Saw::Failed(CallFailure::Unknown), Saw::Room, Saw::Ended(goodbye)]);
}

#[test]
fn saying_goodbye_again_and_again_buys_no_time() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let patience = Node::new(1).patience;
    let last = reason(CloseCode::Shutdown, "I mean it");
    for _ in 0..3 {
        let frame = goodbye_frame(&last);
        pair.inject(0, B, &frame);
        pair.advance(patience / 3);
    }
    pair.advance(NANO * 3);
    assert_eq!(pair.saw(A).last(), Some(&Saw::Ended(last)));
}

#[test]
fn an_answer_can_still_come_behind_a_goodbye_of_the_other_lane() {
    let mut pair = two_streams();
    let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    answer_all(pair.received(B));
    pair.delay(1, B, SECOND);
    pair.session(B).close(&reason(CloseCode::Shutdown, ""));
    pair.drive();
    assert_eq!(outcome(&mut reply), None);
    pair.advance(SECOND);
    assert_eq!(outcome(&mut reply), Some(Ok(1)));
    assert_eq!(pair.saw(A), [Saw::Room, Saw::Answered, Saw::Room, Saw::Ended(CloseCode::Shutdown.into())]);
}

#[test]
fn a_goodbye_of_a_later_version_and_a_long_one_are_taken() {
    for (code, detail, expected) in [
        (99, "who knows".to_owned(), reason(CloseCode::Lost, "who knows")),
        (1, "x".repeat(5000), reason(CloseCode::Shutdown, &"x".repeat(CLOSE_DETAIL_BYTES_MAX))),
    ] {
        let mut pair = Pair::ready(&[LaneSet::ALL]);
        let frame = super::control(crate::wire::control::Body::Goodbye(crate::wire::control::Goodbye {
            code,
            detail,
        }));
        pair.inject(0, B, &frame);
        pair.drive();
        pair.lose(0, A, CloseCode::Lost);
        assert_eq!(pair.saw(A).last(), Some(&Saw::Ended(expected)));
    }
}

#[test]
fn both_may_leave_at_once() {
    let mut pair = two_streams();
    let reasons = [reason(CloseCode::Shutdown, "A"), reason(CloseCode::Shutdown, "B")];
    pair.session(A).close(&reasons[0]);
    pair.session(B).close(&reasons[1]);
    pair.drive();
    let ends = reasons.map(|reason| vec![Saw::Room, Saw::Ended(reason)]);
    assert_eq!([pair.saw(A), pair.saw(B)], ends, "each with its own reason, and once");
    pair.advance(3600 * SECOND);
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]));
}

/// However the bytes are cut on their way, handshake and session see the same.
#[test]
fn pieces_make_no_difference() {
    for pieces in [&[1][..], &[7, 1, 3], &[SEGMENT_BYTES - 1, 2], &[8], &[9, 8]] {
        let (one, two) = nodes();
        let mut pair = Pair::new(one, two);
        pair.open(LaneSet::ALL);
        for side in [A, B] {
            pair.cut_into(0, side, pieces);
        }
        pair.drive();
        pair.session(A).synced();
        pair.session(B).synced();
        let mut reply = pair.call(A, None, |port| Letter::Ask(1, port));
        pair.send(A, 1, Letter::of_bytes(SEGMENT_BYTES + 100)).unwrap();
        pair.drive();
        assert_eq!(pair.saw(B), [Saw::Ready, Saw::Message, Saw::Message]);
        answer_all(pair.received(B));
        pair.drive();
        assert_eq!(outcome(&mut reply), Some(Ok(2)), "{pieces:?}");
    }
}

fn goodbye_frame(reason: &CloseReason) -> Vec<u8> {
    use crate::wire::control::{Body, Goodbye};
    super::control(Body::Goodbye(Goodbye { code: reason.code.as_u32(), detail: reason.detail().to_owned() }))
}
