//! Messages too long for one frame, lanes beside each other, bulk.

use std::time::Duration;

use actor_cluster_derive::RemoteMessage;
use actor_core::{CallFailure, SendError};
use bytes::Bytes;

use super::{A, B, Letter, answer_all, frame, frames};
use crate::limits::{
    ACK_BYTES, BULK_TURN, FRAME_BODY_BYTES_MAX, LARGE_OPEN_MAX, PART_BYTES, PARTS_AHEAD_LEAST, SEGMENT_BYTES,
    SWEEP_INTERVAL,
};
use crate::testing::pair::{Node, Pair, Saw, Side, outcome};
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::Urgency;
use crate::wire::frame::{HEADER_BYTES, Head, Kind};
use crate::wire::lanes::LaneId;

/// What may take its time.
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/cargo", bulk)]
enum Cargo {
    Load(Bytes),
}

fn pair() -> Pair {
    narrow_pair(64 << 20)
}

fn narrow_pair(window: u64) -> Pair {
    let node = |number| Node::new(number).limits(16 << 20, window);
    Pair::ready_between(node(1), node(2), &[LaneSet::ALL])
}

/// A parcel that is known by its first byte.
fn parcel(byte: u8, bytes: usize) -> Letter {
    Letter::Parcel(vec![byte; bytes].into())
}

/// Of each letter that came: the actor, its first byte or its number, and its length.
fn received(pair: &mut Pair, side: Side) -> Vec<(u64, u32, usize)> {
    let letters = pair.received::<Letter>(side).into_iter();
    let known = letters.map(|(actor, letter)| match letter {
        Letter::Parcel(bytes) => {
            assert!(bytes.iter().all(|byte| *byte == bytes[0]), "put together wrongly");
            (actor, u32::from(bytes[0]), bytes.len())
        }
        Letter::Note(number) => (actor, number, 0),
        other => panic!("{other:?}"),
    });
    known.collect()
}

/// What a side has written: kind, index and length of each frame of a lane.
fn written(pair: &mut Pair, from: Side) -> Vec<(Kind, u32, usize)> {
    let frames = frames(&pair.written(0, from)).into_iter().filter(|frame| frame.lane != LaneId::NONE);
    frames.map(|frame| (frame.kind, frame.index, frame.body.len())).collect()
}

#[test]
fn a_long_message_goes_in_parts_and_arrives_whole() {
    let around = 8 + 3;
    for bytes in [FRAME_BODY_BYTES_MAX, FRAME_BODY_BYTES_MAX + 1, 3 * PART_BYTES, 3 * PART_BYTES + 1] {
        let mut pair = pair();
        pair.written(0, A);
        pair.send(A, 1, parcel(7, bytes - around)).unwrap();
        pair.drive();
        let parts = written(&mut pair, A).iter().filter(|(kind, ..)| *kind == Kind::Part).count();
        let expected = if bytes == FRAME_BODY_BYTES_MAX { 0 } else { bytes.div_ceil(PART_BYTES) };
        assert_eq!(parts, expected, "{bytes}");
        assert_eq!(received(&mut pair, B), [(1, 7, bytes - around)]);
    }
}

#[test]
fn others_get_their_turn_between_parts_and_the_same_recipient_waits() {
    let mut pair = pair();
    pair.send(A, 1, parcel(1, 1 << 20)).unwrap();
    for number in 10..13 {
        pair.send(A, 1, Letter::Note(number)).unwrap();
        pair.send(A, 2, Letter::Note(number)).unwrap();
    }
    pair.send(A, 1, parcel(2, 1 << 20)).unwrap();
    pair.send(A, 1, Letter::Note(13)).unwrap();
    pair.send(A, 3, parcel(3, 200_000)).unwrap();
    pair.drive();
    let all = received(&mut pair, B);
    let of = |actor| all.iter().filter(|(to, ..)| *to == actor).map(|(_, what, _)| *what).collect::<Vec<_>>();
    assert_eq!(of(1), [1, 10, 11, 12, 2, 13], "in the order in which they were sent");
    assert_eq!((of(2), of(3)), (vec![10, 11, 12], vec![3]));
    let order: Vec<_> = all.iter().map(|(actor, what, _)| (*actor, *what)).collect();
    assert_eq!(order[..4], [(2, 10), (2, 11), (2, 12), (3, 3)], "the short ones are not kept waiting");
}

#[test]
fn small_messages_wait_for_one_part_at_most() {
    let mut pair = pair();
    pair.room(0, A, 1);
    pair.stall(0, A, true);
    pair.send(A, 1, parcel(1, 8 << 20)).unwrap();
    pair.drive();
    pair.send(A, 2, Letter::Note(1)).unwrap();
    pair.session(A).synced();
    pair.room(0, A, usize::MAX);
    pair.written(0, A);
    pair.drive();
    let written = written(&mut pair, A);
    let first_note = written.iter().position(|(kind, ..)| *kind == Kind::Cast).unwrap();
    let parts = written[..first_note].iter().filter(|(kind, ..)| *kind == Kind::Part).count();
    assert!(parts <= 1, "{parts} parts went before it");
    let first_control = written.iter().position(|(kind, ..)| *kind == Kind::Control).unwrap();
    assert!(first_control < first_note, "control waits for none that has not begun");
}

/// What is under way on a stream stands before all that comes after it.
#[test]
fn no_part_is_written_while_a_window_is_unacknowledged() {
    for window in [PARTS_AHEAD_LEAST / 8, PARTS_AHEAD_LEAST, 4 * PARTS_AHEAD_LEAST] {
        let mut pair = narrow_pair(window);
        let ahead = window.max(PARTS_AHEAD_LEAST) as usize;
        pair.send(A, 1, parcel(1, 8 << 20)).unwrap();
        pair.stall(0, A, true);
        pair.written(0, A);
        pair.drive();
        let under_way = pair.written(0, A).len();
        let overhead = 64 * (ahead / PART_BYTES + 1);
        assert!((ahead..ahead + PART_BYTES + overhead).contains(&under_way), "{under_way} bytes of {ahead}");
        assert!(!pair.session(A).wants_write(), "it waits to be woken");
        pair.send(A, 2, Letter::Note(3)).unwrap();
        pair.session(A).synced();
        pair.drive();
        let kinds: Vec<Kind> = written(&mut pair, A).iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [Kind::Control, Kind::Define, Kind::Cast], "these do not wait");
        pair.stall(0, A, false);
        pair.drive();
        assert_eq!(received(&mut pair, B), [(2, 3, 0), (1, 1, 8 << 20)]);
    }
}

/// Nobody hears any more what its reader acknowledges.
#[test]
fn what_is_left_of_a_long_message_is_written_before_the_goodbye() {
    let mut pair = narrow_pair(64 * 1024);
    pair.send(A, 1, parcel(1, 4 << 20)).unwrap();
    pair.stall(0, A, true);
    pair.drive();
    pair.session(A).close(&CloseReason::from(CloseCode::Shutdown));
    pair.stall(0, A, false);
    pair.drive();
    assert_eq!(received(&mut pair, B), [(1, 1, 4 << 20)]);
    assert_eq!(pair.session(B).ended().map(|reason| reason.code), Some(CloseCode::Shutdown));
}

/// Its reader is on the new stream and has all that was written; it does not know that the old one is lost.
#[test]
fn a_long_message_goes_on_though_what_was_acknowledged_is_lost() {
    let mut pair = narrow_pair(64 * 1024);
    pair.stall(0, B, true);
    pair.send(A, 1, parcel(1, 1 << 20)).unwrap();
    pair.drive();
    let untold = pair.session(B).messages.iter().map(|lane| lane.lane.incoming.untold()).max();
    assert!(untold < Some(ACK_BYTES), "there is nothing to tell");
    pair.stall(0, A, true);
    pair.lose(0, A, CloseCode::Lost);
    pair.open(LaneSet::ALL);
    pair.drive();
    assert_eq!(received(&mut pair, B), [(1, 1, 1 << 20)]);
}

/// The stream for Acks is lost, and the message's is not.
#[test]
fn a_long_message_goes_on_though_the_stream_for_acknowledgements_is_lost() {
    let node = |number| Node::new(number).limits(16 << 20, 64 * 1024);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::CONTROL, LaneSet::DATA]);
    pair.stall(0, B, true);
    pair.send(A, 1, parcel(1, 1 << 20)).unwrap();
    pair.drive();
    assert!(received(&mut pair, B).is_empty());
    pair.cut(0);
    pair.drive();
    assert_eq!(received(&mut pair, B), [(1, 1, 1 << 20)]);
}

#[test]
fn whole_frames_that_nobody_acknowledges_keep_no_part_waiting() {
    let mut pair = narrow_pair(64 * 1024);
    let many = 2 * PARTS_AHEAD_LEAST as usize / FRAME_BODY_BYTES_MAX;
    let mut replies: Vec<_> =
        (0..many).map(|_| pair.call(A, None, |port| Letter::Fetch(120_000, port))).collect();
    replies.push(pair.call(A, None, |port| Letter::Fetch(1 << 20, port)));
    pair.drive();
    pair.stall(0, A, true);
    pair.written(0, B);
    answer_all(pair.received(B));
    pair.drive();
    let parts = written(&mut pair, B).iter().filter(|(kind, ..)| *kind == Kind::Part).count();
    assert_eq!(parts * PART_BYTES, PARTS_AHEAD_LEAST as usize);
    pair.stall(0, A, false);
    pair.drive();
    assert!(replies.iter_mut().all(|reply| matches!(outcome(reply), Some(Ok(_)))));
}

#[test]
fn more_long_messages_than_may_be_open_take_turns() {
    let mut pair = pair();
    let many = LARGE_OPEN_MAX as u64 + 5;
    for actor in 0..many {
        pair.send(A, actor, parcel(actor as u8, 140_000)).unwrap();
    }
    pair.written(0, A);
    pair.drive();
    let heads: Vec<u32> = written(&mut pair, A)
        .iter()
        .filter(|(kind, ..)| *kind == Kind::Large)
        .map(|(_, index, _)| *index)
        .collect();
    assert_eq!(heads.len() as u64, many);
    assert_eq!(*heads.iter().max().unwrap(), LARGE_OPEN_MAX as u32 - 1);
    let actors: Vec<u64> = received(&mut pair, B).iter().map(|(actor, ..)| *actor).collect();
    assert_eq!(actors, (0..many).collect::<Vec<_>>(), "one part each, in turn");
}

/// It is free of credit, so it may come when a call waits for it, and no other answer has begun to come for that.
#[test]
fn w17_a_long_answer_is_kept_for_one_call_that_waits() {
    const LENGTH: usize = 8 << 20;
    let mut pair = pair();
    let call = pair.session(A).calls.next().as_u64();
    let mut reply = pair.call(A, None, |port| Letter::Fetch(0, port));
    pair.drive();
    let _port = pair.received::<Letter>(B);
    let head = Head { kind: Kind::Reply, index: 0, length: LENGTH as u32 };
    let first = |to: u64| {
        let mut part = to.to_le_bytes().to_vec();
        part.resize(PART_BYTES, 0);
        part
    };
    let kept = |pair: &Pair| -> usize {
        pair.session(A).messages.iter().map(|lane| lane.assemblies.kept_bytes()).sum()
    };
    for (number, to) in (0..).zip([call, call, call + 1, u64::MAX]) {
        pair.inject(0, B, &frame(Kind::Large, number, &head.to_bytes()));
        pair.inject(0, B, &frame(Kind::Part, number, &first(to)));
        pair.drive();
        assert_eq!(kept(&pair), LENGTH, "after {number}");
    }
    assert_eq!((pair.session(A).ended(), outcome(&mut reply)), (None, None));
    // Nobody waits for it any more, though it has begun.
    drop(reply);
    pair.advance(SWEEP_INTERVAL);
    assert_eq!((kept(&pair), pair.session(A).ended()), (0, None));
}

#[test]
fn parts_survive_the_loss_of_their_stream() {
    for lost_at in [0, 1, 70_000, 131_072, 200_000, 1 << 20] {
        let mut pair = pair();
        pair.send(A, 1, parcel(1, 1 << 20)).unwrap();
        pair.send(A, 1, Letter::Note(5)).unwrap();
        pair.send(A, 2, parcel(2, 300_000)).unwrap();
        pair.room(0, A, lost_at);
        pair.cut_into(0, A, &[9_999]);
        pair.drive();
        pair.cut(0);
        pair.open(LaneSet::ALL);
        pair.drive();
        let mut all = received(&mut pair, B);
        all.sort_unstable();
        assert_eq!(all, [(1, 1, 1 << 20), (1, 5, 0), (2, 2, 300_000)]);
        assert_eq!(pair.session(A).ended(), None);
    }
}

#[test]
fn long_calls_and_long_answers() {
    let mut pair = pair();
    let mut short = pair.call(A, None, |port| Letter::Fetch(1, port));
    let mut long = pair.call(A, None, |port| Letter::Fetch(1 << 20, port));
    pair.drive();
    answer_all(pair.received(B));
    pair.drive();
    assert_eq!(outcome(&mut short), Some(Ok(Bytes::from_static(&[7]))));
    assert_eq!(outcome(&mut long), Some(Ok(vec![7; 1 << 20].into())));
}

#[test]
fn what_is_lost_with_a_session_is_counted_and_what_never_left_is_known() {
    let mut pair = pair();
    pair.stall(0, A, true);
    pair.room(0, A, 1);
    pair.send(A, 1, parcel(1, 1 << 20)).unwrap();
    pair.send(A, 1, Letter::Note(1)).unwrap();
    let mut behind = pair.call(A, None, |port| Letter::Ask(1, port));
    pair.send(A, 2, parcel(2, 1 << 20)).unwrap();
    pair.drive();
    let mut other = pair.call(A, None, |port| Letter::Ask(2, port));
    pair.cut(0);
    pair.advance(Duration::from_secs(6));
    assert_eq!(outcome(&mut behind), Some(Err(CallFailure::NeverLeft)), "it waited behind the parts");
    assert_eq!(outcome(&mut other), Some(Err(CallFailure::NeverLeft)));
    assert_eq!(pair.unacked(A), 5);
}

/// A caller that goes away cancels behind its own call, not before.
#[test]
fn a_cancellation_stays_behind_its_call() {
    let mut pair = pair();
    pair.stall(0, A, true);
    pair.room(0, A, 1);
    pair.send(A, 1, parcel(1, 1 << 20)).unwrap();
    pair.drive();
    drop(pair.call(A, None, |port| Letter::Ask(1, port)));
    pair.advance(Duration::from_secs(1));
    pair.room(0, A, usize::MAX);
    pair.written(0, A);
    pair.stall(0, A, false);
    pair.drive();
    let kinds: Vec<Kind> = written(&mut pair, A).iter().map(|(kind, ..)| *kind).collect();
    let place = |kind| kinds.iter().position(|it| *it == kind).unwrap();
    assert!(place(Kind::Call) < place(Kind::Cancel));
}

#[test]
fn a_full_bulk_lane_keeps_nobody_else_waiting() {
    let node = |number| Node::new(number).limits(1 << 20, 64 * 1024);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    let load = || Cargo::Load(vec![9; 10_000].into());
    let loads = std::iter::repeat_with(load).take_while(|_| pair.send(A, 1, load()).is_ok()).count();
    assert_eq!(loads, 7);
    assert!(matches!(pair.send(A, 1, load()), Err(SendError::Full(_))));
    assert!(!pair.session(A).has_room(1, Urgency::Bulk) && pair.session(A).has_room(1, Urgency::Normal));
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    assert_eq!(pair.saw(B), vec![Saw::Message; 8]);
    let (_, first) = pair.receive::<Letter>(B, 1).pop().unwrap();
    assert!(matches!(first, Letter::Note(1)), "it has gone first");
    assert_eq!(pair.received::<Cargo>(B).len(), 7);
    pair.drive();
    assert!(pair.session(A).has_room(1, Urgency::Bulk), "its credit came back");
}

#[test]
fn bulk_gets_its_turn() {
    let mut pair = pair();
    pair.room(0, A, 1);
    pair.stall(0, A, true);
    pair.send(A, 1, parcel(1, 4)).unwrap();
    pair.drive();
    for _ in 0..40 {
        pair.send(A, 1, parcel(2, SEGMENT_BYTES)).unwrap();
        pair.send(A, 1, Cargo::Load(vec![3; SEGMENT_BYTES].into())).unwrap();
    }
    pair.written(0, A);
    pair.room(0, A, usize::MAX);
    pair.drive();
    let lanes: Vec<LaneId> = frames(&pair.written(0, A))
        .into_iter()
        .filter(|frame| frame.kind == Kind::Cast)
        .map(|frame| frame.lane)
        .collect();
    let first_bulk = lanes.iter().position(|lane| *lane == LaneId::BULK).unwrap();
    assert_eq!(first_bulk, 1 + BULK_TURN as usize, "the short one was on its way before");
    let of_first_half = lanes[..40].iter().filter(|lane| **lane == LaneId::BULK).count();
    assert_eq!(of_first_half, 4, "one in nine");
    assert_eq!(lanes.len(), 81);
}

/// Each recipient has one lane; each lane its own credit and its own numbers for types.
#[test]
fn recipients_are_spread_over_the_lanes() {
    const LANES: u8 = 4;
    let node = |number| Node { data_lanes: LANES, ..Node::new(number).limits(1 << 20, 4096) };
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    pair.written(0, A);
    for round in 0..3 {
        for actor in 0..16 {
            pair.send(A, actor, Letter::Note(round)).unwrap();
        }
    }
    pair.drive();
    let mut lanes = vec![0; usize::from(LANES) + 3];
    for frame in frames(&pair.written(0, A)).iter().filter(|frame| frame.kind == Kind::Cast) {
        let actor = u64::from_le_bytes(*frame.body.first_chunk().unwrap());
        assert_eq!(frame.lane, LaneId::of_recipient(actor, LANES));
        lanes[usize::from(frame.lane.as_u8())] += 1;
    }
    assert!(lanes[3..].iter().all(|messages| (6..=18).contains(messages)), "{lanes:?}");
    let all = received(&mut pair, B);
    for actor in 0..16 {
        let of: Vec<u32> = all.iter().filter(|(to, ..)| *to == actor).map(|(_, number, _)| *number).collect();
        assert_eq!(of, [0, 1, 2]);
    }
    // One that takes all of its lane's credit leaves the others theirs.
    let greedy = 1;
    while pair.send(A, greedy, parcel(1, 1000)).is_ok() {}
    let lane_of = |actor| LaneId::of_recipient(actor, LANES);
    for actor in 0..16 {
        let shares_its_lane = lane_of(actor) == lane_of(greedy);
        assert_eq!(pair.session(A).has_room(actor, Urgency::Normal), !shares_its_lane, "{actor}");
    }
}

#[test]
fn a_session_has_as_many_lanes_as_who_began_it_wanted() {
    let node = |number, data_lanes| Node { data_lanes, ..Node::new(number) };
    let mut pair = Pair::ready_between(node(1, 3), node(2, 7), &[LaneSet::CONTROL, LaneSet::DATA]);
    assert_eq!([A, B].map(|side| pair.session(side).data_lanes()), [3, 3]);
    for actor in 0..20 {
        pair.send(A, actor, Letter::Note(1)).unwrap();
        pair.send(B, actor, Letter::Note(1)).unwrap();
    }
    pair.drive();
    assert_eq!((pair.received::<Letter>(A).len(), pair.received::<Letter>(B).len()), (20, 20));
    let overhead = HEADER_BYTES + 8 + 4;
    assert!(pair.written(1, A).len() >= 20 * overhead);
}
