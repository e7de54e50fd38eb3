//! Calls beyond what a session takes: none runs, each is answered, and what they cost is bounded.

use actor_cluster_derive::RemoteMessage;
use actor_core::{CallFailure, Rejection, ReplyFuture, ReplyPort};
use bytes::{Bytes, BytesMut};

use super::{A, B, Letter, frame, frames, reason};
use crate::limits::{
    ANSWER_BACKLOG_BYTES_MAX, ANSWERS_UNREAD_BYTES_MAX, CALLS_MAX, FRAME_BODY_BYTES_MAX, PART_BYTES,
    SWEEP_INTERVAL, TRACE_STATE_BYTES_MAX,
};
use crate::session::Correlation;
use crate::testing::pair::{Node, Pair, Saw, outcome};
use crate::trace::TraceContext;
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::Urgency;
use crate::wire::annotation::{Annotation, Key};
use crate::wire::frame::{HEADER_BYTES, Head, Kind};

const WINDOW: usize = 64 << 10;
const MESSAGE: usize = 256 << 10;
/// Nearly as long as may be.
const ANSWER: usize = MESSAGE - 4096;
/// Header, target, correlation, time left.
const CALL: usize = HEADER_BYTES + 24;
const FAILURE: usize = HEADER_BYTES + 8;
const REFUSED: CallFailure = CallFailure::Rejected(Rejection::Full);

/// What goes in another lane.
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/errand", bulk)]
enum Errand {
    #[rpc]
    Run(ReplyPort<u32>),
}

fn pair(streams: &[LaneSet]) -> Pair {
    let node = |number| Node::new(number).limits(MESSAGE, WINDOW as u64);
    Pair::ready_between(node(1), node(2), streams)
}

/// The same, and A has asked all that B takes at a time: what A waits for, and B has in hand.
fn busy(streams: &[LaneSet]) -> (Pair, Vec<ReplyFuture<u32>>, Vec<(u64, Letter)>) {
    let mut pair = pair(streams);
    let (mut replies, mut letters) = (Vec::new(), Vec::new());
    while replies.len() < CALLS_MAX {
        if pair.session(A).has_room(1, Urgency::Normal) {
            replies.push(pair.call(A, None, |port| Letter::Ask(0, port)));
            continue;
        }
        pair.drive();
        letters.extend(pair.received(B));
        pair.drive();
    }
    pair.drive();
    letters.extend(pair.received(B));
    pair.drive();
    assert_eq!(letters.len(), CALLS_MAX);
    drop((pair.saw(A), pair.saw(B), pair.written(0, B)));
    (pair, replies, letters)
}

/// The same, of which some answers will have so many bytes: those who wait for them, and who is to answer.
fn fetch(
    pair: &mut Pair,
    letters: &mut Vec<(u64, Letter)>,
    calls: usize,
    bytes: usize,
) -> (Vec<ReplyFuture<Bytes>>, Vec<(u64, Letter)>) {
    letters.truncate(CALLS_MAX - calls);
    pair.drive();
    let replies = (0..calls).map(|_| pair.call(A, None, |port| Letter::Fetch(bytes as u32, port))).collect();
    pair.drive();
    let fetches = pair.received(B);
    pair.drive();
    assert_eq!((fetches.len(), pair.session(B).answering.len()), (calls, CALLS_MAX));
    (replies, fetches)
}

fn call(correlation: u64) -> Vec<u8> {
    let body = [7_u64, correlation, 0].map(u64::to_le_bytes).concat();
    frame(Kind::Call, 0, &body)
}

/// Calls that nobody has open, from a number on.
fn more(from: u64, calls: usize) -> Vec<u8> {
    (from..).take(calls).flat_map(|number| call(u64::MAX - number)).collect()
}

/// A's session sends frames in the data lane, and counts what they cost.
fn inject(pair: &mut Pair, stream: usize, bytes: &[u8]) {
    // At least what they cost, one by one.
    let pieces = bytes.chunks(WINDOW / 2);
    pieces.for_each(|piece| pair.session(A).messages[2].send_window.sent(piece.len()));
    pair.inject(stream, A, bytes);
    pair.drive();
}

/// Why B has ended; its lock is not held while this is looked at.
fn ended(pair: &Pair) -> Option<CloseReason> {
    pair.session(B).ended().cloned()
}

/// What B has answered: the code of each Failure, and whose it is.
fn refusals(pair: &mut Pair) -> Vec<(u32, u64)> {
    let frames = frames(&pair.written(0, B)).into_iter().filter(|frame| frame.kind == Kind::Failure);
    frames.map(|frame| (frame.index, u64::from_le_bytes(frame.body[..].try_into().unwrap()))).collect()
}

/// An honest peer: its Cancel is overtaken.
#[test]
fn b16_a_call_that_overtakes_a_cancel_is_refused_and_nobody_is_blamed() {
    let (mut pair, mut replies, _letters) = busy(&[LaneSet::CONTROL, LaneSet::BULK, LaneSet::DATA]);
    pair.stall(2, A, true);
    drop(replies.pop());
    pair.advance(SWEEP_INTERVAL);
    assert_eq!(pair.saw(A), [Saw::Room, Saw::Abandoned]);
    let mut early = pair.call(A, None, Errand::Run);
    pair.drive();
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![Saw::Room, Saw::Failed(REFUSED)], vec![]));
    assert_eq!(outcome(&mut early), Some(Err(REFUSED)));
    assert_eq!(pair.saw(B), [], "it never ran");
    pair.stall(2, A, false);
    pair.drive();
    let mut late = pair.call(A, None, Errand::Run);
    pair.drive();
    assert_eq!((outcome(&mut late), pair.saw(B)), (None, vec![Saw::Message]), "the cancel has come");
    assert_eq!(ended(&pair), None);
}

#[test]
fn b16_more_calls_than_a_session_takes_are_refused_one_by_one() {
    let (mut pair, _replies, mut letters) = busy(&[LaneSet::ALL]);
    // Each is new, as it is answered.
    inject(&mut pair, 0, &[call(u64::MAX), call(u64::MAX), call(u64::MAX - 1)].concat());
    assert_eq!(refusals(&mut pair), [(3, u64::MAX), (3, u64::MAX), (3, u64::MAX - 1)]);
    assert_eq!((pair.saw(A), pair.saw(B)), (vec![], vec![]));
    assert!(!pair.session(B).is_answering(Correlation::from_u64(u64::MAX)));
    // One is answered, and one more is taken.
    super::answer_all(letters.split_off(CALLS_MAX - 1));
    inject(&mut pair, 0, &more(2, 2));
    assert_eq!(refusals(&mut pair), [(3, u64::MAX - 3)]);
    assert_eq!(pair.saw(B), [Saw::Message]);
    // Of those that are open, none can be made again.
    inject(&mut pair, 0, &call(u64::MAX - 2));
    let end = reason(CloseCode::Violation, "two calls of the same correlation");
    assert_eq!(ended(&pair), Some(end));
}

#[test]
fn b16_long_calls_and_those_that_bring_something_along_are_refused_alike() {
    const LENGTH: usize = FRAME_BODY_BYTES_MAX + 1;
    let (mut pair, _replies, _letters) = busy(&[LaneSet::ALL]);
    let head = Head { kind: Kind::Call, index: 0, length: LENGTH as u32 }.to_bytes();
    let parts = |correlation: u64| {
        let mut body = [7_u64, correlation, 0].map(u64::to_le_bytes).concat();
        body.resize(LENGTH, 0);
        let parts = body.chunks(PART_BYTES).flat_map(|part| frame(Kind::Part, 0, part));
        [frame(Kind::Large, 0, &head), parts.collect()].concat()
    };
    let context =
        TraceContext::new(1, 2, 3).unwrap().with_tracestate(&"~".repeat(TRACE_STATE_BYTES_MAX)).unwrap();
    let annotation = Annotation { trace: Some(context), key: Some(Key { number: 5, is_repeat: false }) };
    let mut said = BytesMut::new();
    annotation.write(&mut said, Kind::Annotate.usual_lane());
    let annotated = |call: Vec<u8>| [said.to_vec(), call].concat();
    // Far more than the window, one by one.
    for round in 0..8 {
        let number = |number: u64| (4 * round + number + 1) << 40;
        let calls =
            [parts(number(0)), annotated(call(number(1))), annotated(parts(number(2))), parts(number(3))];
        calls.iter().for_each(|call| inject(&mut pair, 0, call));
        assert_eq!(ended(&pair), None);
        assert_eq!(refusals(&mut pair), [0, 1, 2, 3].map(|call| (3, number(call))));
    }
    // What is brought along is a part of what they cost.
    for round in 0..(4 * MESSAGE / WINDOW) as u64 {
        let calls = (1 << 20..).take(WINDOW / 2 / said.len()).map(|number| annotated(call(number)));
        inject(&mut pair, 0, &calls.collect::<Vec<_>>().concat());
        assert_eq!(ended(&pair), None, "round {round}");
    }
    assert_eq!(pair.saw(B), []);
}

/// What they cost is given back, and that as it is for others: as long as the peer reads.
#[test]
fn w17_refused_calls_take_no_credit_for_good() {
    let (mut pair, _replies, _letters) = busy(&[LaneSet::ALL]);
    let most = WINDOW / 2 / CALL;
    for round in 0..8 {
        inject(&mut pair, 0, &more(round * most as u64, most));
        assert_eq!(refusals(&mut pair).len(), most);
        assert_eq!(ended(&pair), None, "round {round}");
    }
    assert_eq!(pair.saw(B), []);
}

#[test]
fn w17_a_peer_that_reads_no_refusals_gets_no_credit_until_it_does() {
    for reads in [true, false] {
        let (mut pair, _replies, mut letters) = busy(&[LaneSet::CONTROL, LaneSet::DATA]);
        // Answers that nearly fill what may wait.
        let (_answers, fetches) =
            fetch(&mut pair, &mut letters, ANSWER_BACKLOG_BYTES_MAX / ANSWER - 1, ANSWER);
        pair.room(1, B, 0);
        let room = fetches.len();
        super::answer_all(fetches);
        inject(&mut pair, 1, &more(1 << 40, room));
        let (mut sent, step) = (0, WINDOW / 4 / CALL);
        let mut next = |pair: &mut Pair| {
            inject(pair, 1, &more(sent, step));
            sent += step as u64;
            // The failures of all calls that there is credit for, and of one message that overdraws it.
            let failures = ((WINDOW + MESSAGE) / CALL + 1) * FAILURE;
            let most = ANSWER_BACKLOG_BYTES_MAX + MESSAGE + failures;
            let unsent = pair.session(B).messages[2].lane.out.unsent_bytes();
            assert!(unsent <= most, "{unsent} bytes");
        };
        while pair.session(B).wants_messages().others {
            next(&mut pair);
        }
        assert_eq!(ended(&pair), None);
        if reads {
            pair.room(1, B, usize::MAX);
            pair.drive();
            for _ in 0..10 * MESSAGE / WINDOW {
                next(&mut pair);
            }
            assert_eq!(ended(&pair), None, "it may go on for as long as it likes");
            continue;
        }
        while ended(&pair).is_none() {
            next(&mut pair);
        }
        let end = reason(CloseCode::Violation, "more data than there was credit for");
        assert_eq!(ended(&pair), Some(end), "whoever goes on regardless");
    }
}

#[test]
fn w17_refusals_that_nobody_acknowledges_end_the_session() {
    let (mut pair, _replies, mut letters) = busy(&[LaneSet::ALL]);
    // Two windows and four long messages in each of three lanes, those of bulk and of what is urgent are two, and answers: all
    // of that but a little.
    let most = ANSWERS_UNREAD_BYTES_MAX + 3 * (2 * WINDOW + 4 * MESSAGE);
    let failures = MESSAGE + ANSWER_BACKLOG_BYTES_MAX;
    // Of one frame each: they are written, whoever reads them.
    let answer = FRAME_BODY_BYTES_MAX - 1024;
    let (_answers, fetches) = fetch(&mut pair, &mut letters, most / answer - 1, answer);
    pair.stall(0, B, true);
    let room = fetches.len();
    super::answer_all(fetches);
    inject(&mut pair, 0, &more(1 << 40, room));
    assert_eq!(ended(&pair), None);
    let (mut sent, step) = (0, WINDOW / 4 / CALL);
    while ended(&pair).is_none() {
        let kept: u64 = pair.session(B).messages.iter().map(|lane| lane.lane.out.kept_bytes()).sum();
        assert!(kept <= (most + failures) as u64, "it grows without a bound");
        inject(&mut pair, 0, &more(sent, step));
        sent += step as u64;
    }
    assert_eq!(ended(&pair), Some(reason(CloseCode::Timeout, "the peer does not read")));
}
