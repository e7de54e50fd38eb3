//! How much may be under way: a sender stops, a receiver lends again, and neither
//! answers nor control wait for it.

use std::time::Duration;

use actor_core::{Attempt, CallFailure, SendError};

use super::{A, B, Letter, answer_all, frames, notes};
use crate::limits::{
    ACK_BYTES, ANNOTATION_BYTES_MAX, ANSWER_BACKLOG_BYTES_MAX, ANSWERS_UNREAD_BYTES_MAX,
    CONTROL_BACKLOG_BYTES_MAX, SEGMENT_BYTES, TRACE_STATE_BYTES_MAX, URGENT_BACKLOG_BYTES_MAX,
};
use crate::testing::pair::{Node, Pair, Saw, Side, outcome};
use crate::trace::TraceContext;
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::Urgency;
use crate::wire::annotation::Annotation;
use crate::wire::control::{Body, Control, Publication};
use crate::wire::frame::{HEADER_BYTES, Kind};

const WINDOW: usize = 4096;
/// The frame of a note: header, target, number.
const NOTE: usize = 20;

fn pair() -> Pair {
    let node = |number| Node::new(number).limits(SEGMENT_BYTES, WINDOW as u64);
    Pair::ready_between(node(1), node(2), &[LaneSet::ALL])
}

/// Sends notes until there is no room; how many went.
fn fill(pair: &Pair, from: Side, first: u32) -> u32 {
    for number in first..first + 1_000_000 {
        match pair.send(from, 1, Letter::Note(number)) {
            Ok(()) => {}
            Err(SendError::Full(Letter::Note(back))) if back == number => return number - first,
            Err(other) => panic!("{other:?}"),
        }
    }
    unreachable!("the window ends somewhere")
}

#[test]
fn w17_a_sender_stops_at_the_window_and_goes_on_when_there_is_room() {
    let mut pair = pair();
    let fits = WINDOW.div_ceil(NOTE) as u32;
    assert_eq!(fill(&pair, A, 0), fits, "the last one may overdraw");
    pair.drive();
    assert_eq!(fill(&pair, A, fits), 0, "that they have arrived pays nothing back");
    assert_eq!(pair.saw(A), []);
    // A quarter of a window in mailboxes is worth a grant; one note less is not.
    let quarter = (WINDOW / 4).div_ceil(NOTE);
    let mut got = notes(pair.receive(B, quarter - 1));
    pair.drive();
    assert_eq!(pair.saw(A), []);
    got.extend(notes(pair.receive(B, 1)));
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Room]);
    assert!(pair.session(A).has_room(1, Urgency::Normal));
    let more = fill(&pair, A, fits);
    assert!((quarter as u32 - 1..=quarter as u32).contains(&more), "{more}");
    pair.drive();
    got.extend(notes(pair.received(B)));
    assert_eq!(got, (0..fits + more).collect::<Vec<_>>(), "nothing is lost, doubled or overtaken");
}

#[test]
fn two_messages_may_be_longer_than_the_window_and_others_go_beside_one() {
    let mut pair = pair();
    let long = || Letter::of_bytes(SEGMENT_BYTES / 2);
    for _ in 0..3 {
        pair.send(A, 1, long()).unwrap();
        pair.send(A, 2, long()).unwrap();
        assert!(matches!(pair.send(A, 3, Letter::Note(0)), Err(SendError::Full(_))));
        pair.drive();
        assert_eq!(pair.received::<Letter>(B).len(), 2);
        pair.drive();
        assert_eq!(pair.saw(A), [Saw::Room]);
    }
    pair.send(A, 1, long()).unwrap();
    assert_eq!(fill(&pair, A, 0), (WINDOW / 2).div_ceil(NOTE) as u32);
    pair.drive();
    assert_eq!(pair.session(B).ended(), None);
}

/// What a node sends itself, however long, does not keep it from taking what comes.
#[test]
fn a_long_message_of_ones_own_is_no_unread_answer() {
    let node = |number| Node::new(number).limits(2 * ANSWER_BACKLOG_BYTES_MAX, WINDOW as u64);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    pair.stall(0, B, true);
    pair.send(B, 1, Letter::of_bytes(ANSWER_BACKLOG_BYTES_MAX)).unwrap();
    assert!(pair.session(B).wants_messages().others);
    // The longest answer may wait, and as much again as is the bound without.
    for answers in 1..=3 {
        let _reply = pair.call(A, None, |port| Letter::Fetch(ANSWER_BACKLOG_BYTES_MAX as u32, port));
        pair.drive();
        answer_all(pair.received(B));
        assert_eq!(pair.session(B).wants_messages().others, answers < 3, "{answers} answers");
    }
}

/// The most that an honest sender can have under way: all of the window but a byte,
/// and then the longest frame.
#[test]
fn the_greatest_overdraft_is_still_honest() {
    let mut pair = pair();
    for _ in 0..WINDOW / NOTE - 1 {
        pair.send(A, 1, Letter::Note(0)).unwrap();
    }
    let left = WINDOW - (WINDOW / NOTE - 1) * NOTE;
    pair.send(A, 1, Letter::of_bytes(left - 1)).unwrap();
    // The longest of all is a call; a cast stops at 16 bytes less.
    let (now, longest) = (pair.now(), Letter::of_bytes(HEADER_BYTES + SEGMENT_BYTES - 16));
    let context = TraceContext::new(u128::MAX, u64::MAX, u8::MAX).unwrap();
    let context = context.with_tracestate(&"~".repeat(TRACE_STATE_BYTES_MAX)).unwrap();
    let annotation = Annotation { trace: Some(context), key: None };
    pair.session(A).send_at_once(now, 1, longest, Attempt::First, Some(&annotation)).unwrap();
    let refused = pair.session(A).send_at_once(now, 1, Letter::Note(0), Attempt::First, None);
    assert!(matches!(refused, Err(SendError::Full(_))));
    // Others have waited for credit. They come before the peer has given any.
    let mut waited = 0;
    while pair.session(A).send_at_once(now, 1, Letter::of_bytes(1000), Attempt::Again, None).is_ok() {
        waited += 1;
    }
    assert!(waited > 0);
    pair.drive();
    assert_eq!(pair.session(B).ended(), None);
    let longest = super::frame(Kind::Cast, 0, &[0; 16 + NOTE + ANNOTATION_BYTES_MAX]);
    pair.inject(0, A, &longest);
    pair.drive();
    let detail = "more data than there was credit for";
    assert_eq!(pair.session(B).ended(), Some(&CloseReason::new(CloseCode::Violation, detail)));
}

#[test]
fn answers_need_no_credit() {
    let mut pair = pair();
    let mut reply = pair.call(A, None, |port| Letter::Fetch(3 * WINDOW as u32, port));
    pair.drive();
    fill(&pair, B, 0);
    answer_all(pair.received(B));
    pair.drive();
    assert_eq!(outcome(&mut reply).map(|answer| answer.map(|bytes| bytes.len())), Some(Ok(3 * WINDOW)));
}

#[test]
fn w17_what_waits_for_a_peer_that_does_not_read_is_bounded() {
    let mut pair = pair();
    pair.stall(0, A, true);
    for round in 0..3 {
        let sent = fill(&pair, A, 0);
        pair.drive();
        assert_eq!(sent > 0, round == 0);
    }
    let under_way = pair.in_flight(0, A);
    assert!((WINDOW..WINDOW + NOTE + 64).contains(&under_way), "{under_way}");
}

#[test]
fn w17_answers_beyond_what_may_be_unread_are_failures() {
    let mib = 1 << 20;
    let node = |number| Node::new(number).limits(2 * mib, mib as u64);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    // In three lanes, those of bulk and of what is urgent are two, two windows and four of the longest messages may be unread
    // beside.
    let calls = ANSWERS_UNREAD_BYTES_MAX / mib + 3 * (2 + 4 * 2);
    let mut replies: Vec<_> =
        (0..calls + 3).map(|_| pair.call(A, None, |port| Letter::Fetch(mib as u32, port))).collect();
    pair.drive();
    pair.stall(0, B, true);
    answer_all(pair.received(B));
    assert_eq!(pair.session(B).ended(), None, "a peer that reads, only not now, is not blamed");
    pair.stall(0, B, false);
    pair.drive();
    let outcomes = replies.iter_mut().map(|reply| outcome(reply).unwrap().map(|bytes| bytes.len()));
    let (answers, failures): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
    assert_eq!(answers, vec![Ok(mib); calls]);
    let failure = CallFailure::BadReply("too many answers wait to be read: ask for fewer at a time".into());
    assert_eq!(failures, vec![Err(failure); 3]);
}

fn publication(number: u64) -> Publication {
    Publication {
        actor: number,
        message: 1,
        kind: 0,
        label: format!("actor-{number}"),
        ..Publication::default()
    }
}

/// Where the control frames are among the bytes.
fn control_frames(bytes: &[u8]) -> Vec<(usize, Body)> {
    let mut at = 0;
    let mut found = Vec::new();
    for frame in frames(bytes) {
        if frame.kind == Kind::Control {
            let control: Control = prost::Message::decode(&frame.body[..]).unwrap();
            found.extend(control.body.map(|body| (at, body)));
        }
        at += frame.bytes();
    }
    found
}

#[test]
fn w19_data_never_delays_control_by_more_than_a_segment() {
    let node = |number| Node::new(number).limits(SEGMENT_BYTES, 1 << 20);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    pair.room(0, A, 1);
    pair.stall(0, A, true);
    pair.written(0, A);
    fill(&pair, A, 0);
    pair.drive();
    assert!(pair.in_flight(0, A) > 0, "one segment is out of the session's hands");
    pair.session(A).publish(&[publication(1)]);
    pair.stall(0, A, false);
    pair.drive();
    let written = pair.written(0, A);
    let control = control_frames(&written);
    assert_eq!(control.len(), 1);
    // In front of it all the reader is told where the data begins.
    assert!(control[0].0 <= 16 + SEGMENT_BYTES + NOTE + 32, "after {} bytes", control[0].0);
    assert!(written.len() > 1 << 20, "a megabyte was waiting");
}

#[test]
fn a_segment_ends_with_the_frame_that_fills_it() {
    let node = |number| Node::new(number).limits(1 << 20, 8 << 20);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    let long = 100_000;
    for _ in 0..3 {
        pair.send(A, 1, Letter::of_bytes(long)).unwrap();
    }
    // The reader is told where the lane begins, then there is one segment.
    pair.room(0, A, 17);
    pair.stall(0, A, true);
    pair.drive();
    assert_eq!(pair.in_flight(0, A), 16 + long + 32, "a long frame is written whole, and alone");
}

#[test]
fn w17_control_frames_that_nobody_reads_end_the_session() {
    let mut pair = pair();
    pair.room(0, A, 0);
    let entries: Vec<Publication> = (0..64).map(publication).collect();
    let mut rounds = 0;
    while pair.session(A).ended().is_none() {
        pair.session(A).publish(&entries);
        rounds += 1;
        assert!(rounds < 10_000, "it grows without a bound");
    }
    let bytes_per_round = 64 * 15;
    assert!(rounds * bytes_per_round > CONTROL_BACKLOG_BYTES_MAX / 2, "{rounds}");
    pair.drive();
    let end = || Saw::Ended(CloseReason::new(CloseCode::Timeout, "the peer does not read"));
    assert_eq!(pair.saw(A), [Saw::Room, end()]);
    pair.written(0, A);
    pair.room(0, A, usize::MAX);
    pair.drive();
    assert_eq!(
        pair.written(0, A).len(),
        HEADER_BYTES + 28,
        "of all that waited, only the goodbye is written"
    );
    assert_eq!(pair.saw(B).last(), Some(&end()));
}

#[test]
fn credit_flows_while_data_stands_still() {
    let mut pair = Pair::ready_between(
        Node::new(1).limits(SEGMENT_BYTES, WINDOW as u64),
        Node::new(2).limits(SEGMENT_BYTES, WINDOW as u64),
        &[LaneSet::CONTROL, LaneSet::DATA],
    );
    let sent = fill(&pair, A, 0);
    pair.drive();
    pair.stall(1, B, true);
    assert_eq!(pair.received::<Letter>(B).len() as u32, sent);
    pair.advance(Duration::from_millis(1));
    assert_eq!(pair.saw(A), [Saw::Room], "the grant came on the control stream");
}

#[test]
fn w17_an_actor_is_spared_alone_and_for_as_long_as_the_peer_asks() {
    let mut pair = pair();
    pair.session(B).hold(1);
    pair.session(B).hold(1);
    pair.drive();
    assert!(matches!(pair.send(A, 1, Letter::Note(0)), Err(SendError::Full(Letter::Note(0)))));
    assert!(!pair.session(A).has_room(1, Urgency::Normal) && pair.session(A).has_room(2, Urgency::Normal));
    pair.send(A, 2, Letter::Note(1)).unwrap();
    pair.session(B).release(3);
    pair.drive();
    assert_eq!(pair.saw(A), [], "it was another's");
    pair.session(B).release(1);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Room]);
    pair.send(A, 1, Letter::Note(2)).unwrap();
    pair.drive();
    assert_eq!(notes(pair.received(B)), [1, 2]);
}

/// What was asked for survives the stream it was asked on.
#[test]
fn w17_an_actor_that_is_spared_is_so_on_the_next_stream() {
    let mut pair = pair();
    pair.stall(0, B, true);
    pair.session(B).hold(1);
    pair.drive();
    pair.cut(0);
    pair.open(LaneSet::ALL);
    pair.drive();
    assert!(!pair.session(A).has_room(1, Urgency::Normal));
}

#[test]
fn what_has_arrived_is_acknowledged_before_it_is_much() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    let acks = |pair: &mut Pair| {
        pair.drive();
        frames(&pair.written(0, B)).iter().filter(|frame| frame.kind == Kind::Ack).count()
    };
    acks(&mut pair);
    let half = ACK_BYTES as usize / 2;
    pair.send(A, 1, Letter::of_bytes(half)).unwrap();
    assert_eq!(acks(&mut pair), 0);
    pair.send(A, 1, Letter::of_bytes(half)).unwrap();
    assert_eq!(acks(&mut pair), 1, "though nothing is in a mailbox yet, so that there is no credit to give");
    pair.send(A, 1, Letter::of_bytes(half)).unwrap();
    assert_eq!(acks(&mut pair), 0);
}

#[test]
fn w17_pings_whose_answers_nobody_reads_end_the_session() {
    let mut pair = pair();
    pair.room(0, B, 0);
    let ping = super::frame(Kind::Ping, 0, &[7; 8]);
    let most = URGENT_BACKLOG_BYTES_MAX / ping.len();
    pair.inject(0, A, &ping.repeat(most));
    pair.drive();
    assert_eq!(pair.session(B).ended(), None, "the limit is not met yet");
    pair.inject(0, A, &ping);
    pair.drive();
    let end = CloseReason::new(CloseCode::Timeout, "the peer does not read");
    assert_eq!(pair.session(B).ended(), Some(&end));
}

/// It is longer than what led to it, and so would not have room either.
#[test]
fn w17_a_goodbye_has_room_where_nothing_else_has() {
    let mut pair = pair();
    pair.stall(0, B, true);
    // As many as go, and then one more at a time.
    for (batch, far) in [(2000, 40_000), (1, 0)] {
        while pair.session(A).ended().is_none()
            && (far == 0 || pair.session(A).control.out.kept_bytes() + far < CONTROL_BACKLOG_BYTES_MAX as u64)
        {
            (0..batch).for_each(|_| pair.session(A).release(1));
            pair.drive();
        }
    }
    let end = CloseReason::new(CloseCode::Timeout, "the peer does not read");
    assert_eq!(pair.session(A).ended(), Some(&end));
}
