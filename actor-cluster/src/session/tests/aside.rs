//! Messages and answers that are encoded outside of their session's lock: what holds in between.

use actor_core::{Attempt, SendError};
use bytes::Bytes;

use super::{A, B, Letter, frames, reason};
use crate::limits::SWEEP_INTERVAL;
use crate::session::answering::Answered;
use crate::session::aside::{Encoded, Reservation};
use crate::session::send::Sent;
use crate::testing::pair::{Node, Pair, Saw, outcome};
use crate::transport::{CloseCode, LaneSet};
use crate::wire::Urgency;
use crate::wire::frame::Kind;
use crate::wire::schema::Schema;
use crate::wire::{EncodeError, RemoteMessage};

const MESSAGE: usize = 1 << 20;
const WINDOW: u64 = 64 << 10;
const LONG: usize = 300_000;

/// A later version of [`Letter`].
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/letter")]
enum Later {
    Note(u32),
    Parcel(Bytes, #[wire(default)] String),
}

fn pair() -> Pair {
    let node = |number| Node::new(number).limits(MESSAGE, WINDOW);
    let mut pair = Pair::ready_between(node(1), node(2), &[LaneSet::ALL]);
    drop((pair.saw(A), pair.saw(B), pair.written(0, A)));
    pair
}

fn long() -> Letter {
    Letter::Parcel(vec![3; LONG].into())
}

/// A begins a message that does not go into a frame.
fn begun<M: RemoteMessage>(pair: &Pair, message: M) -> (M, Reservation) {
    match pair.session(A).send(pair.now(), 1, message, Attempt::First, None) {
        Ok(Sent::Long(message, reservation)) => (message, reservation),
        _ => panic!("a long message was expected"),
    }
}

fn sent<M: RemoteMessage>(
    pair: &Pair,
    message: M,
    reservation: Reservation,
) -> Result<Sent<M>, SendError<M>> {
    let mut fields = Some(reservation.encode(&message));
    pair.session(A).send_encoded(pair.now(), message, reservation, &mut fields, None)
}

/// Its encoder fails, but only when it is asked once more.
fn give_up<M: RemoteMessage>(pair: &Pair, message: M, reservation: Reservation) {
    let mut failed = Some(Err(EncodeError::custom::<M>("not now")));
    let refused = pair.session(A).send_encoded(pair.now(), message, reservation, &mut failed, None);
    assert!(matches!(refused, Err(SendError::Unsendable(..))));
}

fn received(pair: &mut Pair) -> Vec<usize> {
    let letters = pair.received::<Letter>(B).into_iter();
    letters
        .map(|(_, letter)| match letter {
            Letter::Parcel(bytes) => bytes.len(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_long_message_has_its_credit_before_it_is_encoded() {
    let mut pair = pair();
    // Each costs half a window, as it turns out or not.
    let (first, aside) = begun(&pair, long());
    assert!(pair.session(A).has_room(1, Urgency::Normal));
    let (second, other) = begun(&pair, long());
    assert!(matches!(pair.send(A, 1, Letter::Note(1)), Err(SendError::Full(_))));
    assert!(matches!(sent(&pair, first, aside), Ok(Sent::Gone(_))), "it needs no more");
    assert!(!pair.session(A).has_room(1, Urgency::Normal));
    give_up(&pair, second, other);
    pair.drive();
    assert_eq!((pair.saw(A), received(&mut pair)), (vec![Saw::Room], vec![LONG]));
    pair.drive();
    // All of it came back: as much can begin as before.
    for _ in 0..2 {
        assert!(pair.session(A).has_room(1, Urgency::Normal));
        let _begun = begun(&pair, long());
    }
    assert!(!pair.session(A).has_room(1, Urgency::Normal));
}

#[test]
fn what_cannot_be_encoded_costs_nothing() {
    let mut pair = pair();
    for _ in 0..5 {
        let refused = pair.send(A, 1, Letter::Parcel(vec![0; MESSAGE].into()));
        let Err(SendError::Unsendable(Letter::Parcel(back), why)) = refused else { panic!("it is too long") };
        assert_eq!((back.len(), &*why), (MESSAGE, "the encoded form is over the limit of 1048552 bytes"));
    }
    pair.drive();
    let kinds: Vec<Kind> = frames(&pair.written(0, A)).iter().map(|frame| frame.kind).collect();
    assert!(!kinds.contains(&Kind::Large) && !kinds.contains(&Kind::Cast), "{kinds:?}");
    pair.send(A, 1, long()).unwrap();
    pair.drive();
    assert_eq!((received(&mut pair), pair.session(B).ended()), (vec![LONG], None));
}

/// It would be encoded in vain, again and again.
#[test]
fn what_has_begun_goes_though_its_actor_is_held_meanwhile() {
    let mut pair = pair();
    let (message, reservation) = begun(&pair, long());
    pair.session(B).hold(1);
    pair.drive();
    assert!(matches!(sent(&pair, message, reservation), Ok(Sent::Gone(_))));
    assert!(matches!(pair.send(A, 1, Letter::Note(1)), Err(SendError::Full(_))), "another does not");
    pair.drive();
    assert_eq!(received(&mut pair), [LONG]);
}

#[test]
fn a_session_that_ends_meanwhile_gives_the_message_back() {
    let pair = pair();
    let (message, aside) = begun(&pair, long());
    pair.session(A).close(&reason(CloseCode::Shutdown, "enough"));
    let Err(SendError::NotConnected(Letter::Parcel(back))) = sent(&pair, message, aside) else { panic!() };
    assert_eq!(back.len(), LONG);
}

/// The peer is heard to be of an older build, which could not read what was encoded.
#[test]
fn a_version_that_is_heard_of_meanwhile_has_it_encoded_once_more() {
    let mut pair = pair();
    let parcel = Later::Parcel(vec![4; LONG].into(), "what the older build has never heard of".to_owned());
    let (message, aside) = begun(&pair, parcel);
    pair.session(B).say_schema(Letter::TYPE, &Schema::of::<Letter>());
    pair.drive();
    let Ok(Sent::Long(message, aside)) = sent(&pair, message, aside) else {
        panic!("it is to be encoded anew")
    };
    assert!(matches!(sent(&pair, message, aside), Ok(Sent::Gone(_))));
    pair.drive();
    assert_eq!((received(&mut pair), pair.session(B).ended()), (vec![LONG], None));
}

#[test]
fn a_long_answer_goes_when_it_is_encoded_unless_nobody_waits_any_more() {
    for is_wanted in [true, false] {
        let mut pair = pair();
        let mut reply = pair.call(A, None, |port| Letter::Fetch(LONG as u32, port));
        pair.drive();
        let call = *pair.session(B).answering.keys().next().unwrap();
        let value = Bytes::from(vec![7; LONG]);
        let mut encoded = Some(Encoded::of_reply(pair.session(B).context(), &value));
        assert!(matches!(pair.session(B).answer(call, Ok(&value)), Answered::Long(_)));
        assert!(pair.session(B).is_answering(call), "it is open still");
        if !is_wanted {
            drop(reply);
            pair.advance(SWEEP_INTERVAL);
            pair.written(0, B);
            pair.session(B).answer_encoded(call, &mut encoded);
            pair.drive();
            assert!(frames(&pair.written(0, B)).iter().all(|frame| frame.kind != Kind::Large));
            continue;
        }
        pair.session(B).answer_encoded(call, &mut encoded);
        pair.drive();
        assert_eq!(outcome(&mut reply), Some(Ok(value)));
        assert!(!pair.session(B).is_answering(call));
    }
}
