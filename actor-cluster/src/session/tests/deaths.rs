//! Casts that die: the other side is told of each once, exactly counted, and of no more than it may be.

use std::sync::Arc;
use std::time::Duration;

use actor_core::{ControlRequest, DeadReason};

use super::{A, B, Letter, control, frames, reason};
use crate::limits::{
    CLOSE_DETAIL_BYTES_MAX, DEATHS_BACKLOG_BYTES_MAX, DEATHS_INTERVAL, DEATHS_KEPT_MAX, DEATHS_PER_FRAME,
};
use crate::session::{Death, Shape};
use crate::testing::pair::{Node, Pair, Saw, Side};
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::control::{Body, Control, DeathSaid, Died};
use crate::wire::frame::Kind;
use crate::wire::{RemoteMessage, TypeTag, VariantTag};

fn note() -> Shape {
    Shape { message: Letter::TYPE, variant: VariantTag::named("Note") }
}

fn parcel() -> Shape {
    Shape { message: Letter::TYPE, variant: VariantTag::named("Parcel") }
}

/// A wants to know what becomes of its casts.
fn curious() -> Pair {
    let mut curious = Node::new(1);
    curious.myself.wants_dead_letters = true;
    Pair::ready_between(curious, Node::new(2), &[LaneSet::ALL])
}

/// A's casts come, and B has nobody to take them.
fn cast(pair: &mut Pair, casts: u64) {
    for number in 0..casts {
        pair.send(A, 7, Letter::Note(number as u32)).unwrap();
    }
    pair.drive();
    assert_eq!(pair.received::<Letter>(B).len() as u64, casts);
    pair.saw(A);
    pair.saw(B);
}

fn dies(pair: &Pair, actor: u64, why: DeadReason, detail: Option<&str>) {
    let now = pair.now();
    pair.session(B).died(now, actor, note(), why, detail.map(Arc::from));
}

fn death(kind: (u64, Shape), why: DeadReason, count: u64) -> Death {
    Death { kind: Some(kind), reason: why, detail: None, count }
}

fn many(count: u64) -> Death {
    Death { kind: None, reason: DeadReason::Unknown, detail: None, count }
}

/// All deaths that a side was told of.
fn told(pair: &mut Pair, side: Side) -> Vec<Death> {
    let saw = pair.saw(side).into_iter();
    saw.flat_map(|saw| if let Saw::Died(deaths) = saw { deaths } else { Vec::new() }).collect()
}

fn told_frames(bytes: &[u8]) -> usize {
    use prost::Message;
    let is_told = |body: &[u8]| matches!(Control::decode(body).unwrap().body, Some(Body::Died(_)));
    frames(bytes).iter().filter(|frame| frame.kind == Kind::Control && is_told(&frame.body)).count()
}

#[test]
fn those_of_one_kind_are_counted_together_and_told_in_time() {
    let mut pair = curious();
    cast(&mut pair, 6);
    dies(&pair, 7, DeadReason::NoSuchActor, None);
    dies(&pair, 7, DeadReason::Undecodable, Some("the first"));
    dies(&pair, 7, DeadReason::NoSuchActor, None);
    dies(&pair, 7, DeadReason::Undecodable, Some("the second"));
    dies(&pair, 8, DeadReason::NoSuchActor, None);
    pair.drive();
    assert_eq!(pair.saw(A), [], "not one by one");
    pair.advance(DEATHS_INTERVAL);
    let undecodable =
        Death { detail: Some("the first".into()), ..death((7, note()), DeadReason::Undecodable, 2) };
    let expected = [
        death((7, note()), DeadReason::NoSuchActor, 2),
        undecodable,
        death((8, note()), DeadReason::NoSuchActor, 1),
    ];
    assert_eq!(pair.saw(A), [Saw::Died(expected.to_vec())]);
    pair.advance(20 * DEATHS_INTERVAL);
    assert_eq!(told(&mut pair, A), [], "once");
}

#[test]
fn who_does_not_ask_is_not_told() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    cast(&mut pair, 1);
    dies(&pair, 7, DeadReason::NoSuchActor, None);
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.saw(A), []);
}

/// Whatever dies, so much is kept and so much is said at a time.
#[test]
fn a_flood_is_a_few_lines_and_counted_exactly() {
    let mut pair = curious();
    let flood = 10 * DEATHS_KEPT_MAX as u64;
    cast(&mut pair, flood);
    pair.written(0, B);
    (0..flood).for_each(|actor| dies(&pair, 1 + actor, DeadReason::NoSuchActor, None));
    let frames_max = DEATHS_KEPT_MAX / DEATHS_PER_FRAME + 1;
    let mut all = Vec::new();
    for _ in 0..frames_max {
        pair.advance(DEATHS_INTERVAL);
        let written = pair.written(0, B);
        assert!(told_frames(&written) <= 1, "others have their turn");
        let now = told(&mut pair, A);
        assert!(now.len() <= DEATHS_PER_FRAME);
        all.extend(now);
    }
    let (singles, rest) = all.split_at(DEATHS_KEPT_MAX);
    assert!(singles.iter().all(|death| death.kind.is_some() && death.count == 1));
    assert_eq!(rest, [many(flood - DEATHS_KEPT_MAX as u64)]);
    cast(&mut pair, 1);
    dies(&pair, 7, DeadReason::Stopped, None);
    pair.advance(DEATHS_INTERVAL);
    assert_eq!(told(&mut pair, A), [death((7, note()), DeadReason::Stopped, 1)], "there is room again");
}

/// Target 0 is nobody's, and on the wire the number of many.
#[test]
fn who_casts_to_nobody_is_told_a_number() {
    let mut pair = curious();
    cast(&mut pair, 2);
    dies(&pair, 0, DeadReason::NoSuchActor, None);
    dies(&pair, 0, DeadReason::NoSuchActor, None);
    pair.advance(DEATHS_INTERVAL);
    assert_eq!(told(&mut pair, A), [many(2)]);
}

#[test]
fn a_goodbye_comes_after_all_that_died() {
    let mut pair = curious();
    let dead = 3 * DEATHS_PER_FRAME as u64;
    cast(&mut pair, dead);
    (0..dead).for_each(|actor| dies(&pair, 1 + actor, DeadReason::Dropped, None));
    pair.session(B).close(&CloseReason::from(CloseCode::Shutdown));
    pair.drive();
    let told = told(&mut pair, A);
    assert_eq!(told.iter().map(|death| death.count).sum::<u64>(), dead);
    assert!(told.iter().all(|death| death.reason == DeadReason::Dropped), "none twice, as unacknowledged");
}

/// What dies while the streams are lost is counted together, and told when there are others, once.
#[test]
fn what_dies_without_a_stream_is_told_later() {
    let mut pair = curious();
    cast(&mut pair, 3);
    dies(&pair, 7, DeadReason::Stopped, None);
    pair.advance(DEATHS_INTERVAL);
    pair.cut(0);
    for _ in 0..2 {
        dies(&pair, 7, DeadReason::Stopped, None);
        pair.advance(5 * DEATHS_INTERVAL);
    }
    pair.open(LaneSet::ALL);
    pair.advance(Duration::from_secs(2));
    let told = told(&mut pair, A);
    assert_eq!(told, [1, 2].map(|count| death((7, note()), DeadReason::Stopped, count)));
}

/// A peer that does not read is not told on and on: what has died waits, and is counted meanwhile.
#[test]
fn who_does_not_read_is_told_later() {
    let mut pair = curious();
    cast(&mut pair, 2);
    pair.room(0, B, 0);
    let reason = ControlRequest::Stop(Some("x".repeat(CLOSE_DETAIL_BYTES_MAX).into()));
    let requests = DEATHS_BACKLOG_BYTES_MAX / CLOSE_DETAIL_BYTES_MAX + 1;
    (0..requests).for_each(|_| pair.session(B).request(9, &reason, None));
    for _ in 0..2 {
        dies(&pair, 7, DeadReason::Stopped, None);
        pair.advance(2 * DEATHS_INTERVAL);
    }
    pair.room(0, B, usize::MAX);
    pair.drive();
    assert_eq!(told(&mut pair, A), [], "nothing of it is behind the rest");
    pair.advance(2 * DEATHS_INTERVAL);
    assert_eq!(told(&mut pair, A), [death((7, note()), DeadReason::Stopped, 2)]);
}

/// The session is lost, and with it casts in every state: waiting, in parts, written.
#[test]
fn what_is_lost_with_a_session_is_told_of_exactly() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    cast(&mut pair, 3);
    // The peer has told that these have come.
    pair.advance(Duration::from_secs(2));
    pair.stall(0, A, true);
    for number in 0..4 {
        pair.send(A, 7, Letter::Note(number)).unwrap();
    }
    pair.send(A, 8, Letter::of_bytes(150_000)).unwrap();
    pair.send(A, 8, Letter::Note(1)).unwrap();
    drop(pair.call(A, None, |port| Letter::Ask(1, port)));
    pair.drive();
    // The streams are lost, and these never leave.
    pair.cut(0);
    pair.send(A, 9, Letter::of_bytes(150_000)).unwrap();
    pair.send(A, 9, Letter::of_bytes(150_000)).unwrap();
    pair.send(A, 9, Letter::Note(2)).unwrap();
    pair.saw(A);
    pair.advance(Duration::from_secs(6));
    let lost = |kind, count| death(kind, DeadReason::Unacknowledged, count);
    let mut expected = [
        lost((7, note()), 4),
        lost((8, note()), 1),
        lost((8, parcel()), 1),
        lost((9, note()), 1),
        lost((9, parcel()), 2),
    ];
    expected.sort_by_key(|death| death.kind);
    assert_eq!(told(&mut pair, A), expected);
    assert_eq!(pair.unacked(A), 10, "and a call, which has an answer");
}

/// Who tells of a death says before that it had come.
#[test]
fn what_has_died_is_not_lost_as_well() {
    for streams in [&[LaneSet::ALL][..], &[LaneSet::CONTROL, LaneSet::DATA]] {
        let mut curious = Node::new(1);
        curious.myself.wants_dead_letters = true;
        let mut pair = Pair::ready_between(curious, Node::new(2), streams);
        cast(&mut pair, 2);
        dies(&pair, 7, DeadReason::NoSuchActor, None);
        dies(&pair, 7, DeadReason::NoSuchActor, None);
        pair.advance(DEATHS_INTERVAL);
        (0..streams.len()).for_each(|stream| pair.cut(stream));
        pair.send(A, 7, Letter::Note(3)).unwrap();
        pair.advance(Duration::from_secs(6));
        let expected = [(DeadReason::NoSuchActor, 2), (DeadReason::Unacknowledged, 1)];
        assert_eq!(told(&mut pair, A), expected.map(|(why, count)| death((7, note()), why, count)));
    }
}

/// Who says goodbye says what has come by then; what comes later dies.
#[test]
fn a_peers_goodbye_says_what_has_come() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    cast(&mut pair, 5);
    pair.session(B).close(&CloseReason::from(CloseCode::Shutdown));
    // They cross with the goodbye.
    for number in 0..3 {
        pair.send(A, 7, Letter::Note(number)).unwrap();
    }
    pair.drive();
    assert_eq!(told(&mut pair, A), [death((7, note()), DeadReason::Unacknowledged, 3)]);
}

/// What this side has sent before its own goodbye is read by the peer.
#[test]
fn a_goodbye_of_ones_own_loses_nothing() {
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    pair.saw(B);
    for number in 0..3 {
        pair.send(A, 7, Letter::Note(number)).unwrap();
    }
    pair.session(A).close(&CloseReason::from(CloseCode::Shutdown));
    pair.drive();
    assert_eq!(told(&mut pair, A), []);
    assert_eq!(pair.received::<Letter>(B).len(), 3);
}

/// A peer that says what cannot be.
#[test]
fn lies_about_the_dead_are_violations() {
    let said = |count| DeathSaid {
        actor: 7,
        message: note().message.as_u64(),
        variant: note().variant.as_u64(),
        reason: 1,
        count,
        text: None,
    };
    let other = DeadReason::Unknown;
    let unknown_type = DeathSaid { message: TypeTag::named("nobody's").as_u64(), ..said(1) };
    let never_sent = DeathSaid { variant: parcel().variant.as_u64(), ..said(1) };
    let lies: [(Vec<DeathSaid>, &str); 8] = [
        (vec![said(4)], "more dead casts than were sent"),
        (vec![said(2), said(2)], "more dead casts than were sent"),
        (vec![said(3), DeathSaid { actor: 0, ..said(1) }], "more dead casts than were sent"),
        (vec![said(u64::MAX), said(1)], "more dead casts than were sent"),
        (vec![said(0)], "none of a kind of dead casts"),
        (vec![unknown_type], "dead casts of a type that was not sent"),
        (vec![never_sent], "dead casts of a type that was not sent"),
        (vec![said(1); DEATHS_PER_FRAME + 1], "too many dead casts at once"),
    ];
    for (entries, detail) in lies {
        let mut pair = curious();
        cast(&mut pair, 3);
        pair.inject(0, B, &control(Body::Died(Died { entries })));
        pair.drive();
        assert_eq!(pair.session(A).ended(), Some(&reason(CloseCode::Violation, detail)));
    }
    let mut pair = Pair::ready(&[LaneSet::ALL]);
    cast(&mut pair, 3);
    pair.inject(0, B, &control(Body::Died(Died { entries: vec![said(1)] })));
    pair.drive();
    let expected = reason(CloseCode::Violation, "dead casts that nobody asked about");
    assert_eq!(pair.session(A).ended(), Some(&expected));
    // What it may say: nothing, a reason of a later version, a long text.
    let mut pair = curious();
    cast(&mut pair, 3);
    let long = DeathSaid { reason: 1000, text: Some("x".repeat(1000)), ..said(3) };
    for entries in [Vec::new(), vec![long]] {
        pair.inject(0, B, &control(Body::Died(Died { entries })));
    }
    pair.drive();
    let expected = Death { detail: Some("x".repeat(256).into()), ..death((7, note()), other, 3) };
    assert_eq!(told(&mut pair, A), [expected]);
}
