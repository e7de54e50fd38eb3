//! Casts and calls: what arrives, what is answered, and that no caller is forgotten.

use std::time::Duration;

use actor_core::{CallFailure, Instant, Rejection, ReplyPort, SendError};
use bytes::Bytes;

use super::{A, B, Letter, answer_all, frames, notes, reason};
use crate::limits::{CALLS_MAX, SEGMENT_BYTES, SWEEP_INTERVAL};
use crate::session::Correlation;
use crate::testing::pair::{Node, Pair, Saw, Side, outcome};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::frame::Kind;

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::ready(&[LaneSet::ALL])
}

/// The port of the one call that came in.
fn only_port(pair: &mut Pair) -> ReplyPort<u32> {
    match pair.received(B).pop() {
        Some((_, Letter::Ask(_, port))) => port,
        other => panic!("a call was expected, not {other:?}"),
    }
}

#[test]
fn a_cast_arrives_at_its_target() {
    let mut pair = pair();
    pair.send(A, 42, Letter::Note(7)).unwrap();
    pair.send(B, 43, Letter::Note(8)).unwrap();
    pair.drive();
    for (side, actor, number) in [(B, 42, 7), (A, 43, 8)] {
        assert_eq!(pair.saw(side), [Saw::Message]);
        assert!(matches!(pair.received(side)[..], [(to, Letter::Note(n))] if (to, n) == (actor, number)));
    }
}

#[test]
fn a_call_is_answered() {
    let mut pair = pair();
    let mut reply = pair.call(A, None, |port| Letter::Ask(4, port));
    pair.drive();
    assert_eq!(outcome(&mut reply), None);
    answer_all(pair.received(B));
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Answered]);
    assert_eq!(outcome(&mut reply), Some(Ok(5)));
}

#[test]
fn w03_every_negative_answer_reaches_the_caller() {
    let mut pair = pair();
    let all = [
        CallFailure::Rejected(Rejection::NoSuchActor),
        CallFailure::Rejected(Rejection::Stopped),
        CallFailure::Rejected(Rejection::Full),
        CallFailure::Rejected(Rejection::Forbidden),
        CallFailure::Rejected(Rejection::Undecodable("why".into())),
        CallFailure::Expired,
        CallFailure::BadReply("why".into()),
        CallFailure::Unknown,
    ];
    for failure in all {
        let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
        pair.drive();
        only_port(&mut pair).fail(failure.clone());
        pair.drive();
        assert_eq!(outcome(&mut reply), Some(Err(failure)));
    }
    let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    drop(only_port(&mut pair));
    pair.drive();
    assert_eq!(outcome(&mut reply), Some(Err(CallFailure::NoReply)), "a port that was dropped");
}

#[test]
fn w03_an_answer_that_cannot_be_sent_or_read_is_an_answer() {
    let small = Node::new(1).limits(SEGMENT_BYTES, 4096);
    let mut pair = Pair::ready_between(small, Node::new(2), &[LaneSet::ALL]);
    let mut reply = pair.call(A, None, |port| Letter::Fetch(SEGMENT_BYTES as u32, port));
    pair.drive();
    answer_all(pair.received(B));
    pair.drive();
    let Some(Err(CallFailure::BadReply(text))) = outcome(&mut reply) else { panic!("it is over A's limit") };
    assert!(text.contains("over the limit"), "{text}");

    /// The same letter to whoever thinks that the answer is a text.
    #[derive(Debug, actor_cluster_derive::RemoteMessage)]
    #[wire(name = "test/letter")]
    enum Misprint {
        #[rpc]
        Ask(u32, ReplyPort<String>),
    }
    let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    let Some((_, Misprint::Ask(_, port))) = pair.received(B).pop() else { panic!("a call was sent") };
    port.send("seven".into()).unwrap();
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Failed(CallFailure::BadReply(text)), Saw::Misanswered]);
    assert!(matches!(outcome(&mut reply), Some(Err(CallFailure::BadReply(_)))));
}

#[test]
fn b12_a_lost_session_fails_every_call_once_and_a_new_one_takes_new_ones() {
    let mut pair = pair();
    let [mut answered, mut in_hand, mut on_its_way] =
        [0, 1, 2].map(|number| pair.call(A, None, |port| Letter::Ask(number, port)));
    pair.drive();
    let mut at_b = pair.received(B);
    let port_of = |(_, letter): (u64, Letter)| match letter {
        Letter::Ask(_, port) => port,
        other => panic!("{other:?}"),
    };
    let unsent = port_of(at_b.pop().unwrap());
    let held = port_of(at_b.pop().unwrap());
    answer_all(at_b);
    pair.drive();
    pair.stall(0, B, true);
    unsent.send(9).unwrap();
    pair.drive();
    assert!(pair.in_flight(0, B) > 0);
    assert_eq!(pair.saw(A), [Saw::Answered]);

    pair.cut(0);
    pair.advance(5000 * MS);
    let interrupted = || Saw::Interrupted(CloseCode::Lost.into());
    let lost = || Saw::Ended(CloseCode::Lost.into());
    let failed = || Saw::Failed(CallFailure::Unknown);
    assert_eq!(pair.saw(A), [interrupted(), failed(), failed(), Saw::Room, lost()]);
    assert_eq!(pair.saw(B)[3..], [interrupted(), Saw::Room, lost()]);
    assert_eq!(outcome(&mut answered), Some(Ok(1)));
    assert_eq!(outcome(&mut in_hand), Some(Err(CallFailure::Unknown)));
    assert_eq!(outcome(&mut on_its_way), Some(Err(CallFailure::Unknown)));
    assert!(held.is_closed(), "the callee can see that nobody waits");
    held.send(1).unwrap();
    pair.advance(60_000 * MS);
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]), "nothing comes after the end");
    let refused = pair.send(A, 1, Letter::Note(1));
    assert!(matches!(refused, Err(SendError::NotConnected(Letter::Note(1)))));

    pair.open(LaneSet::ALL);
    pair.drive();
    let mut reply = pair.call(A, None, |port| Letter::Ask(4, port));
    pair.drive();
    answer_all(pair.received(B));
    pair.drive();
    assert_eq!(outcome(&mut reply), Some(Ok(5)));
}

#[test]
fn w03_a_caller_that_goes_away_is_swept_and_its_callee_told() {
    let mut pair = pair();
    let reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    let port = only_port(&mut pair);
    drop(reply);
    assert!(!port.is_closed(), "nobody has said so yet");
    pair.advance(SWEEP_INTERVAL - MS);
    assert!(!port.is_closed(), "nobody has looked yet");
    pair.advance(MS);
    assert_eq!(pair.saw(A), [Saw::Abandoned]);
    assert!(port.is_closed());
    pair.written(0, B);
    port.send(9).unwrap();
    pair.drive();
    assert!(pair.written(0, B).is_empty(), "an answer that nobody waits for is not even sent");
    assert_eq!(pair.saw(A), []);
}

#[test]
fn a_caller_that_timed_out_is_swept_and_one_that_waits_is_not() {
    let mut pair = pair();
    let deadline = Some(pair.now() + 1500 * MS);
    let [mut late, gone] = [0, 1].map(|number| pair.call(A, deadline, |port| Letter::Ask(number, port)));
    pair.advance(1501 * MS);
    assert_eq!(pair.saw(A), []);
    drop(gone);
    pair.advance(98 * MS);
    assert_eq!(pair.saw(A), []);
    pair.advance(MS);
    assert_eq!(pair.saw(A), [Saw::Abandoned], "as long as there are calls, somebody looks");
    // Whoever still waits is not told that the actor chose not to answer.
    pair.advance(5000 * MS);
    assert_eq!(outcome(&mut late), None);
    answer_all(pair.received(B));
    pair.drive();
    assert_eq!(outcome(&mut late), Some(Ok(1)));
}

/// The deadline that the callee sees of a call sent with this much time left.
fn deadline_of(pair: &mut Pair, deadline: Option<Instant>) -> Option<Instant> {
    let _reply = pair.call(A, deadline, |port| Letter::Ask(0, port));
    pair.advance(10 * MS);
    only_port(pair).deadline()
}

#[test]
fn w08_a_deadline_crosses_to_the_microsecond_and_never_becomes_none() {
    let mut pair = pair();
    pair.delay(0, A, 10 * MS);
    let us = Duration::from_micros(1);
    let all = [
        (Duration::ZERO, us),
        (Duration::from_nanos(1), us),
        (Duration::from_nanos(1999), us),
        (999 * us, 999 * us),
        (1500 * us, 1500 * us),
        (Duration::from_secs(7200), Duration::from_secs(7200)),
    ];
    for (left, expected) in all {
        let arrival = pair.now() + 10 * MS;
        let sent_with = pair.now() + left;
        assert_eq!(deadline_of(&mut pair, Some(sent_with)), Some(arrival + expected), "{left:?}");
    }
    assert_eq!(deadline_of(&mut pair, None), None);
    assert_eq!(deadline_of(&mut pair, Some(Instant::ZERO)), Some(pair.now() + us), "past already");
    let far = deadline_of(&mut pair, Some(Instant::FAR)).unwrap();
    assert!(far > pair.now() + Duration::from_secs(3600 * 24 * 365 * 500));
}

#[test]
fn a_call_is_answered_once_whoever_tries() {
    let mut pair = pair();
    let mut reply = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    answer_all(pair.received(B));
    pair.written(0, B);
    let first = Correlation::from_u64(0);
    assert!(!pair.session(B).is_answering(first), "the port has answered it");
    pair.session(B).answer(first, Ok(&7_u32));
    pair.drive();
    let kinds: Vec<Kind> = frames(&pair.written(0, B)).iter().map(|frame| frame.kind).collect();
    assert_eq!((kinds, outcome(&mut reply)), (vec![Kind::Begin, Kind::Reply], Some(Ok(1))));
}

#[test]
fn a_late_answer_does_not_reach_the_next_call() {
    let mut pair = pair();
    let first = pair.call(A, None, |port| Letter::Ask(0, port));
    pair.drive();
    let port = only_port(&mut pair);
    pair.stall(0, B, true);
    port.send(666).unwrap();
    drop(first);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.saw(A), [Saw::Abandoned]);
    let mut second = pair.call(A, None, |port| Letter::Ask(1, port));
    pair.stall(0, B, false);
    pair.drive();
    assert_eq!((outcome(&mut second), pair.saw(A)), (None, vec![]));
    answer_all(pair.received(B));
    pair.drive();
    assert_eq!(outcome(&mut second), Some(Ok(2)));
}

#[test]
fn calls_are_bounded_casts_go_on_and_an_answer_makes_room() {
    let roomy = |number| Node::new(number).limits(SEGMENT_BYTES, 1 << 30);
    let mut pair = Pair::ready_between(roomy(1), roomy(2), &[LaneSet::ALL]);
    let mut replies: Vec<_> =
        (0..CALLS_MAX).map(|_| pair.call(A, None, |port| Letter::Ask(0, port))).collect();
    let (port, _reply) = ReplyPort::new(None);
    assert!(matches!(pair.send(A, 1, Letter::Ask(1, port)), Err(SendError::Full(Letter::Ask(1, _)))));
    pair.send(A, 1, Letter::Note(1)).expect("a cast needs no slot");
    pair.drive();
    let first = pair.receive(B, 1);
    answer_all(first);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Room, Saw::Answered], "whoever waits for a slot is told");
    replies.push(pair.call(A, None, |port| Letter::Ask(0, port)));
    pair.drive();
    answer_all(pair.received(B));
    pair.drive();
    assert!(replies.iter_mut().all(|reply| outcome(reply) == Some(Ok(1))));
    assert_eq!(pair.session(B).ended(), None, "the last slot is no violation");
}

#[test]
fn w22_a_type_is_introduced_once_and_named_never_again() {
    let mut pair = pair();
    pair.written(0, A);
    for number in 0..3 {
        pair.send(A, 1, Letter::Note(number)).unwrap();
        pair.send(A, 1, Letter::Parcel(Bytes::new())).unwrap();
    }
    pair.drive();
    let kinds: Vec<_> =
        frames(&pair.written(0, A)).iter().map(|frame| (frame.kind, frame.index, frame.bytes())).collect();
    let expected = [
        (Kind::Begin, 3, 16),
        (Kind::Define, 0, 32),
        (Kind::Cast, 0, 20),
        (Kind::Define, 1, 32),
        (Kind::Cast, 1, 17),
        (Kind::Cast, 0, 20),
        (Kind::Cast, 1, 17),
        (Kind::Cast, 0, 20),
        (Kind::Cast, 1, 17),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn w07_a_message_over_the_limit_comes_back_and_nothing_else_happens() {
    let node = |number| Node::new(number).limits(SEGMENT_BYTES, 1 << 20);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    pair.written(0, A);
    let too_long = Letter::Parcel(vec![1; SEGMENT_BYTES].into());
    let Err(SendError::Unsendable(Letter::Parcel(back), why)) = pair.send(A, 1, too_long) else {
        panic!("it is over the limit")
    };
    assert_eq!((back.len(), &*why), (SEGMENT_BYTES, "the encoded form is over the limit of 65512 bytes"));
    // The limit counts the longest prefix, a call's, so casts stop 16 bytes short of it.
    pair.send(A, 1, Letter::of_bytes(8 + SEGMENT_BYTES - 16)).unwrap();
    pair.send(A, 2, Letter::Note(2)).unwrap();
    pair.drive();
    assert_eq!(pair.saw(B), [Saw::Message, Saw::Message]);
    assert_eq!(notes(pair.received(B).split_off(1)), [2]);
    let defined = frames(&pair.written(0, A)).iter().filter(|frame| frame.kind == Kind::Define).count();
    assert_eq!(defined, 2, "the variant that could not be sent was defined, once");
}

#[test]
fn an_ended_session_takes_nothing_and_says_why() {
    let mut pair = pair();
    pair.session(A).close(&reason(CloseCode::Shutdown, "maintenance"));
    let refused = pair.send(A, 1, Letter::Note(1));
    assert!(matches!(refused, Err(SendError::NotConnected(Letter::Note(1)))));
    pair.drive();
    let refused = pair.send(B, 1, Letter::Note(2));
    assert!(matches!(refused, Err(SendError::NotConnected(Letter::Note(2)))));
    assert_eq!(pair.session(B).watch(1, None), None);
    assert_eq!(pair.session(B).ended(), Some(&reason(CloseCode::Shutdown, "maintenance")));
}

/// Convoys: both nodes waiting for each other in turn.
#[test]
fn the_more_calls_are_under_way_the_more_are_taken_at_a_time() {
    for (calls, expected) in [(0, 32), (1, 8), (63, 8), (64, 8), (256, 32), (1000, 64)] {
        let mut pair = pair();
        let replies: Vec<_> =
            (0..calls).map(|number| pair.call(A, None, |port| Letter::Ask(number, port))).collect();
        assert_eq!(pair.session(A).frames_per_turn(), expected, "{calls}");
        pair.drive();
        // The callee is told the number of bits.
        let of_callee = pair.session(B).frames_per_turn();
        assert!((expected.div_ceil(2)..=expected * 2).contains(&of_callee), "{calls}: {of_callee}");
        answer_all(pair.received(B));
        pair.drive();
        drop(replies);
        assert_eq!(Side::BOTH.map(|side| pair.session(side).frames_per_turn()), [32, 32]);
    }
}
