//! What messages bring along: each its own, whatever goes on around it, and nothing without.

use actor_core::{Attempt, ReplyPort, SendError};
use bytes::BytesMut;
use prost::Message;

use super::{A, B, Letter, frame, frames, notes, reason};
use crate::limits::{ANNOTATION_BYTES_MAX, FRAME_BODY_BYTES_MAX, MESSAGE_BYTES_MAX_LEAST, PART_BYTES};
use crate::session::Session;
use crate::session::capabilities::Capabilities;
use crate::testing::pair::{Node, Pair, Saw};
use crate::trace::TraceContext;
use crate::transport::{CloseCode, LaneSet};
use crate::wire::Urgency;
use crate::wire::annotation::{Annotation, Key};
use crate::wire::frame::{Head, Kind};

/// More than goes in one frame.
const LONG: usize = 2 * FRAME_BODY_BYTES_MAX;

fn pair() -> Pair {
    let node = |number| Node::new(number).limits(16 << 20, 64 << 20);
    Pair::ready_between(node(1), node(2), &[LaneSet::ALL])
}

fn trace(number: u64) -> Annotation {
    Annotation { trace: Some(TraceContext::new(7, number, 1).unwrap()), key: None }
}

fn send(pair: &Pair, actor: u64, letter: Letter, number: u64) {
    let now = pair.now();
    pair.session(A).send_at_once(now, actor, letter, Attempt::First, Some(&trace(number))).unwrap();
}

/// The numbers of what came along, 0 for nothing.
fn numbers(pair: &Pair) -> Vec<u64> {
    let annotations = pair.annotations(B).into_iter();
    annotations.map(|said| said.map_or(0, |said| said.trace.unwrap().parent_id())).collect()
}

#[test]
fn a_message_brings_its_own_along_and_no_other_does() {
    let mut pair = pair();
    send(&pair, 1, Letter::Note(1), 1);
    pair.send(A, 1, Letter::Note(2)).unwrap();
    let (port, _reply) = ReplyPort::new(None);
    send(&pair, 2, Letter::Ask(3, port), 3);
    let _reply = pair.call(A, None, |port| Letter::Ask(4, port));
    send(&pair, 1, Letter::Note(5), 5);
    pair.drive();
    assert_eq!(numbers(&pair), [1, 0, 3, 0, 5]);
    assert_eq!(pair.annotations(B)[0], Some(trace(1)));
}

/// What waits behind a long message, or is one, keeps its own, and what goes in between has none.
#[test]
fn long_messages_and_what_waits_behind_them_bring_their_own_along() {
    let mut pair = pair();
    pair.written(0, A);
    let parcel = || Letter::Parcel(vec![7; LONG].into());
    send(&pair, 1, parcel(), 1);
    send(&pair, 1, Letter::Note(2), 2);
    pair.send(A, 1, Letter::Note(3)).unwrap();
    send(&pair, 1, parcel(), 4);
    send(&pair, 2, parcel(), 5);
    pair.send(A, 2, parcel()).unwrap();
    send(&pair, 3, Letter::Note(6), 6);
    pair.drive();
    let annotations = numbers(&pair);
    let received = pair.received::<Letter>(B);
    let of = |actor: u64| {
        let both = received.iter().zip(&annotations).filter(|((to, _), _)| *to == actor);
        both.map(|(_, number)| *number).collect::<Vec<_>>()
    };
    assert_eq!((of(1), of(2), of(3)), (vec![1, 2, 0, 4], vec![5, 0], vec![6]));
    let mut annotated = false;
    for frame in frames(&pair.written(0, A)) {
        let is_message = matches!(frame.kind, Kind::Cast | Kind::Call | Kind::Large);
        assert!(!annotated || is_message, "a {:?} behind an annotation", frame.kind);
        annotated = frame.kind == Kind::Annotate;
    }
}

#[test]
fn what_is_not_sent_leaves_nothing_in_the_lane() {
    let mut pair = pair();
    let now = pair.now();
    let unsendable = Letter::Parcel(vec![0; 17 << 20].into());
    let refused = pair.session(A).send_at_once(now, 1, unsendable, Attempt::First, Some(&trace(1)));
    assert!(matches!(refused, Err(SendError::Unsendable(..))));
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    assert_eq!((numbers(&pair), notes(pair.received(B))), (vec![0], vec![1]));
}

#[test]
fn a_stream_that_is_lost_between_the_two_loses_neither() {
    for bytes in 1..50 {
        let mut pair = pair();
        pair.send(A, 1, Letter::Note(0)).unwrap();
        pair.drive();
        pair.stall(0, A, true);
        send(&pair, 1, Letter::Note(1), 1);
        pair.drive();
        assert!(pair.in_flight(0, A) > bytes);
        pair.lose_behind(0, A, bytes);
        pair.stall(0, A, false);
        pair.drive();
        assert_eq!(numbers(&pair), [0]);
        pair.cut(0);
        pair.open(LaneSet::ALL);
        pair.drive();
        assert_eq!(numbers(&pair), [0, 1], "cut after {bytes} bytes");
    }
}

#[test]
fn it_costs_what_it_takes() {
    let node = |number| Node::new(number).limits(1 << 20, 4096);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    pair.written(0, A);
    let now = pair.now();
    let mut sent = 0;
    while pair.session(A).send_at_once(now, 1, Letter::Note(0), Attempt::First, Some(&trace(1))).is_ok() {
        sent += 1;
    }
    pair.drive();
    let written = frames(&pair.written(0, A));
    let mut charged = written.iter().filter(|frame| matches!(frame.kind, Kind::Annotate | Kind::Cast));
    let each = charged.by_ref().take(2).map(|frame| frame.bytes()).sum::<usize>();
    assert_eq!(sent, 4096_usize.div_ceil(each), "{each} bytes each");
    assert_eq!(pair.received::<Letter>(B).len(), sent);
    pair.drive();
    assert_eq!(pair.saw(A), [Saw::Room], "all of it is paid back");
    let again = (0..sent).all(|_| {
        pair.session(A).send_at_once(now, 1, Letter::Note(0), Attempt::First, Some(&trace(1))).is_ok()
    });
    assert!(again && !pair.session(A).has_room(1, Urgency::Normal));
}

/// Small messages that bring much along would else be many times the window.
#[test]
fn w17_whoever_brings_more_along_than_there_is_credit_for_cheats() {
    let node = |number| Node::new(number).limits(MESSAGE_BYTES_MAX_LEAST, 4096);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    let annotate = frame(Kind::Annotate, 0, &later(ANNOTATION_BYTES_MAX));
    let one = [annotate, frame(Kind::Cast, 0, &[0; 8])].concat();
    let most = 2 * 4096 - 1;
    pair.inject(0, A, &[frame(Kind::Define, 0, &[1; 16]), one.repeat(most / one.len())].concat());
    pair.drive();
    assert_eq!(pair.session(B).ended(), None);
    pair.inject(0, A, &one);
    pair.drive();
    let expected = reason(CloseCode::Violation, "more data than there was credit for");
    assert_eq!(pair.session(B).ended(), Some(&expected));
}

/// They are let go in segments, with parts of others in between.
#[test]
fn what_leads_a_message_that_waited_behind_a_long_one_stays_with_it() {
    let mut pair = pair();
    pair.send(A, 1, Letter::of_bytes(LONG)).unwrap();
    pair.send(A, 2, Letter::of_bytes(7 * LONG)).unwrap();
    // With 30 bytes in front of each, a segment would end right behind those.
    (0..5000).for_each(|_| send(&pair, 1, Letter::of_bytes(21), 7));
    pair.drive();
    assert_eq!(pair.session(B).ended(), None);
    assert_eq!(numbers(&pair).iter().sum::<u64>(), 7 * 5000);
    assert_eq!(pair.received::<Letter>(B).len(), 5002);
}

#[test]
fn a_peer_that_reads_none_is_told_none() {
    let pair = pair();
    let peer = pair.session(A).peer().clone();
    let without = crate::session::handshake::Peer { capabilities: Capabilities::SCHEMAS, ..peer };
    let config = Node::new(1).config();
    let mut session = Session::new(without, config, pair.now());
    assert!(!session.takes_annotations() && pair.session(A).takes_annotations());
    let connection = crate::session::streams::ConnectionId(0);
    session.attach(pair.now(), connection, super::every_lane(), None);
    session.send_at_once(pair.now(), 1, Letter::Note(1), Attempt::First, Some(&trace(1))).unwrap();
    // A trace can be left out; a key cannot.
    let key = Annotation { trace: None, key: Some(Key { number: 1, is_repeat: false }) };
    let refused = session.send_at_once(pair.now(), 1, Letter::Note(2), Attempt::First, Some(&key));
    assert!(matches!(refused, Err(SendError::Unsendable(Letter::Note(2), _))), "{refused:?}");
    let written: Vec<u8> = std::iter::from_fn(|| session.poll_transmit(connection)).flatten().collect();
    assert!(frames(&written).iter().all(|frame| frame.kind != Kind::Annotate));
    // Nor may it say any.
    let annotate = [super::begin(3, 0), frame(Kind::Annotate, 0, &[])].concat();
    session.handle_input(pair.now(), connection, &mut BytesMut::from(&annotate[..]));
    let expected = reason(CloseCode::Violation, "an annotation that was not agreed on");
    assert_eq!(session.ended(), Some(&expected));
}

/// A body of so many bytes, of which this version knows none.
fn later(bytes: usize) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Later {
        #[prost(fixed32, repeated, packed = "false", tag = "15")]
        more: Vec<u32>,
    }
    Later { more: vec![7; bytes / 5] }.encode_to_vec()
}

fn struck_by(bytes: &[u8]) -> Pair {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    pair.inject(0, A, bytes);
    pair.drive();
    pair
}

fn assert_violation(bytes: &[u8], detail: &str) {
    assert_eq!(struck_by(bytes).session(B).ended(), Some(&reason(CloseCode::Violation, detail)));
}

#[test]
fn an_annotation_belongs_to_the_message_right_behind_it() {
    let (annotate, define) = (frame(Kind::Annotate, 0, &[]), frame(Kind::Define, 0, &[1; 16]));
    let number = 7_u64.to_le_bytes();
    let cast = frame(Kind::Cast, 0, &number);
    let large = |kind| {
        let length = FRAME_BODY_BYTES_MAX as u32 + 1;
        frame(Kind::Large, 0, &Head { kind, index: 0, length }.to_bytes())
    };
    let stray = "an annotation without its message right behind it";
    let present = [&number[..], &[0; 16]].concat();
    for other in [
        annotate.clone(),
        frame(Kind::Define, 1, &[1; 16]),
        frame(Kind::Reply, 0, &number),
        frame(Kind::Failure, 0, &number),
        frame(Kind::Cancel, 0, &number),
        frame(Kind::Present, 0, &present),
        large(Kind::Reply),
    ] {
        assert_violation(&[&define[..], &annotate, &other].concat(), stray);
    }
    let part = frame(Kind::Part, 0, &[0; PART_BYTES]);
    assert_violation(&[&define[..], &large(Kind::Cast), &annotate, &part].concat(), stray);
    // One is pending, for as long as it takes, and other lanes are none of its business.
    let pair = struck_by(&[&define[..], &annotate].concat());
    assert_eq!((pair.session(B).ended(), pair.annotations(B)), (None, vec![]));
    let mut elsewhere = [&annotate[..], &frame(Kind::Define, 0, &[1; 16])].concat();
    elsewhere[7 + annotate.len()] = 1;
    let pair = struck_by(&[&define[..], &elsewhere, &cast, &cast].concat());
    assert_eq!(pair.session(B).ended(), None);
    assert_eq!(pair.annotations(B), [Some(Annotation::default()), None]);
}

#[test]
fn annotations_that_cannot_be_read() {
    assert_violation(
        &frame(Kind::Annotate, 0, &vec![0; ANNOTATION_BYTES_MAX + 1]),
        "an annotation: over the limit",
    );
    // A trace whose ids are zero, as all its fields are missing.
    assert_violation(&frame(Kind::Annotate, 0, &[0x0a, 0x00]), "an annotation: an id that is zero");
    let pair = struck_by(&frame(Kind::Annotate, 0, &[0xff; 9]));
    let ended = pair.session(B).ended().cloned().unwrap();
    assert!(ended.detail().starts_with("an annotation: "), "{ended}");
    // Words of a later version are skipped.
    let bytes = [
        frame(Kind::Define, 0, &[1; 16]),
        frame(Kind::Annotate, 0, &later(20)),
        frame(Kind::Cast, 0, &[0; 8]),
    ];
    let pair = struck_by(&bytes.concat());
    assert_eq!(pair.annotations(B), [Some(Annotation::default())]);
}
