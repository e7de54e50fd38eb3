//! What two sessions tell each other of their types: once, and only as much as is needed.

use actor_core::{ReplyPort, SendError};

use super::{A, B, Letter, control, frame, frames, notes, reason};
use crate::limits::{SCHEMA_BYTES_MAX, SCHEMAS_BYTES_MAX, SCHEMAS_MAX};
use crate::session::Verdict;
use crate::testing::pair::{Pair, Saw, Side};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::control::{Body, SchemaSaid};
use crate::wire::frame::Kind;
use crate::wire::schema::{Difference, Schema};
use crate::wire::{RemoteMessage, TypeTag};

/// A later version of [`Letter`].
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/letter")]
enum Later {
    Note(u32, #[wire(default)] String),
    Telegram,
    #[rpc]
    Ask(u32, ReplyPort<u32>),
}

/// One with which there is nothing to talk about.
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/letter")]
enum Other {
    Note(u64),
}

const LETTER: TypeTag = TypeTag::named("test/letter");

fn pair() -> Pair {
    Pair::ready(&[LaneSet::ALL])
}

fn say<M: RemoteMessage>(pair: &mut Pair, side: Side) {
    pair.session(side).say_schema(LETTER, &Schema::of::<M>());
    pair.drive();
}

fn defines(pair: &mut Pair, side: Side) -> Vec<Vec<u8>> {
    let written = frames(&pair.written(0, side)).into_iter();
    written.filter(|frame| frame.kind == Kind::Define).map(|frame| frame.body.to_vec()).collect()
}

fn agreed<M: RemoteMessage>(pair: &Pair, side: Side) -> Verdict {
    pair.session(side).agree(LETTER, &Schema::of::<M>())
}

#[test]
fn a_schema_is_said_once_and_is_not_repeated_to_those_who_have_it() {
    let mut pair = pair();
    pair.written(0, B);
    say::<Letter>(&mut pair, B);
    say::<Letter>(&mut pair, B);
    assert_eq!(frames(&pair.written(0, B)).iter().filter(|frame| frame.kind == Kind::Control).count(), 1);
    assert!(matches!(agreed::<Letter>(&pair, A), Verdict::Same));
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    let fingerprint = Schema::of::<Letter>().fingerprint().as_u64().to_le_bytes();
    let [define] = &defines(&mut pair, A)[..] else { panic!("one type was sent") };
    assert_eq!((define.len(), &define[16..]), (24, &fingerprint[..]));
}

#[test]
fn whoever_knows_of_a_difference_says_its_schema_and_leaves_out_what_the_other_does_not_know() {
    let mut pair = pair();
    say::<Letter>(&mut pair, B);
    pair.written(0, A);
    let text = || "what the older build has never heard of".to_owned();
    pair.send(A, 1, Later::Note(7, text())).unwrap();
    pair.drive();
    let [define] = &defines(&mut pair, A)[..] else { panic!("one type was sent") };
    assert_eq!(&define[24..], Schema::of::<Later>().as_str().as_bytes());
    // These are the very bytes that the older build would have sent.
    assert_eq!(notes(pair.received(B)), [7]);
    assert!(
        matches!(agreed::<Letter>(&pair, B), Verdict::Common(Some(_))),
        "it lacks variants of its own there"
    );
    let Err(SendError::Unsendable(Later::Telegram, why)) = pair.send(A, 1, Later::Telegram) else { panic!() };
    assert_eq!(&*why, "the peer's version of test/letter has no variant `Telegram`");
    assert!(defines(&mut pair, A).is_empty(), "what cannot be sent is not announced");
}

#[test]
fn builds_that_do_not_understand_each_other_send_nothing() {
    let mut pair = pair();
    say::<Other>(&mut pair, B);
    pair.written(0, A);
    for _ in 0..2 {
        let Err(SendError::Unsendable(Letter::Note(1), why)) = pair.send(A, 1, Letter::Note(1)) else {
            panic!()
        };
        assert_eq!(&*why, "`test/letter::Note.0` is `u32` on this node and `u64` on the peer");
    }
    pair.drive();
    assert_eq!(frames(&pair.written(0, A)).len(), 0);
}

#[test]
fn a_peer_that_says_nothing_is_believed_to_be_alike() {
    let mut pair = pair();
    assert!(matches!(agreed::<Letter>(&pair, A), Verdict::Unsaid));
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    assert_eq!(pair.received::<Letter>(B).len(), 1);
}

/// As happens with an actor whose address came ahead of its schema.
#[test]
fn what_was_sent_before_the_peers_schema_was_known_is_compared_once_it_is() {
    let mut pair = pair();
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    pair.written(0, A);
    say::<Later>(&mut pair, B);
    pair.send(A, 1, Letter::Note(2)).unwrap();
    pair.send(A, 1, Letter::Note(3)).unwrap();
    pair.drive();
    let [define] = &defines(&mut pair, A)[..] else { panic!("it is defined anew, once") };
    assert_eq!(&define[24..], Schema::of::<Letter>().as_str().as_bytes());
    assert_eq!(notes(pair.received(B)), [1, 2, 3]);
}

#[test]
fn what_is_not_understood_is_sent_until_that_is_known_and_no_longer() {
    let mut pair = pair();
    pair.send(B, 1, Letter::Note(1)).unwrap();
    say::<Other>(&mut pair, A);
    assert!(matches!(pair.send(B, 1, Letter::Note(1)), Err(SendError::Unsendable(..))));
}

fn said(message: u64, text: &str) -> Vec<u8> {
    control(Body::Schema(SchemaSaid { message, fingerprint: 1, text: text.to_owned() }))
}

fn strike(bytes: &[u8]) -> Pair {
    let mut pair = pair();
    pair.inject(0, A, bytes);
    pair.drive();
    pair
}

#[test]
fn what_a_peer_says_is_bounded() {
    let ended = |bytes: &[u8]| strike(bytes).session(B).ended().cloned();
    let violation = Some(reason(CloseCode::Violation, "more schemas than it may say"));
    assert_eq!(ended(&said(1, &"x".repeat(SCHEMA_BYTES_MAX))), None);
    assert_eq!(ended(&said(1, &"x".repeat(SCHEMA_BYTES_MAX + 1))), violation);
    let most = SCHEMAS_BYTES_MAX / SCHEMA_BYTES_MAX;
    let full = |count: usize| -> Vec<u8> {
        (0..count as u64).flat_map(|message| said(message, &"x".repeat(SCHEMA_BYTES_MAX))).collect()
    };
    assert_eq!(ended(&full(most)), None);
    assert_eq!(ended(&full(most + 1)), violation);
    let many =
        |count: usize| -> Vec<u8> { (0..count as u64).flat_map(|message| said(message, "")).collect() };
    assert_eq!(ended(&many(SCHEMAS_MAX)), None);
    assert_eq!(ended(&many(SCHEMAS_MAX + 1)), violation);
    // What was said before takes no room.
    assert_eq!(ended(&said(1, &"x".repeat(SCHEMA_BYTES_MAX)).repeat(2 * most)), None);
    // Behind a type in the data lane the same bounds hold.
    let define = |n: u32, text: &str| {
        let body = [&[u8::try_from(n).unwrap(); 24][..], text.as_bytes()].concat();
        frame(Kind::Define, n, &body)
    };
    let all: Vec<u8> = (0..=most as u32).flat_map(|n| define(n, &"x".repeat(SCHEMA_BYTES_MAX))).collect();
    assert_eq!(ended(&all), violation);
    let garbage = frame(Kind::Define, 0, &[0xff; 30]);
    assert_eq!(ended(&garbage), Some(reason(CloseCode::Violation, "a schema that is no text")));
}

#[test]
fn a_schema_that_cannot_be_read_is_another_version() {
    let of = |text: &str| {
        let pair = strike(&said(LETTER.as_u64(), text));
        let Verdict::Incompatible(mismatch) = agreed::<Letter>(&pair, B) else {
            panic!("{text:?} is not ours")
        };
        mismatch.difference.clone()
    };
    assert_eq!(
        of("garbage"),
        Difference::Unreadable("line 1: a type's kind and its name are expected".into())
    );
    assert_eq!(of(""), Difference::Unsaid);
    assert_eq!(of("message else\n"), Difference::Root { there: "else".into() });
    let mut pair = strike(&said(LETTER.as_u64(), "garbage"));
    assert!(matches!(pair.send(B, 1, Letter::Note(1)), Err(SendError::Unsendable(..))));
    assert!(!pair.saw(B).iter().any(|saw| matches!(saw, Saw::Ended(_))), "the session goes on");
}

#[test]
fn a_text_that_comes_later_settles_what_was_open() {
    let mut pair = pair();
    let fingerprint = Schema::of::<Later>().fingerprint().as_u64();
    let said = |text: &str| {
        control(Body::Schema(SchemaSaid { message: LETTER.as_u64(), fingerprint, text: text.to_owned() }))
    };
    pair.inject(0, A, &said(""));
    pair.drive();
    assert!(matches!(agreed::<Letter>(&pair, B), Verdict::Incompatible(_)));
    pair.inject(0, A, &said(Schema::of::<Later>().as_str()));
    pair.drive();
    assert!(matches!(agreed::<Letter>(&pair, B), Verdict::Common(_)));
    // What is said first of a type counts: nothing changes under messages that are under way.
    say::<Other>(&mut pair, A);
    assert!(matches!(agreed::<Letter>(&pair, B), Verdict::Common(_)));
}
