//! The order of what one side sends while its stream takes nothing: long messages go in parts, which take turns
//! with whole frames.

use actor_cluster_derive::RemoteMessage;
use bytes::Bytes;

use super::{A, B, Letter};
use crate::limits::{FRAME_BODY_BYTES_MAX, MESSAGE_BYTES_MAX, SEGMENT_BYTES, WINDOW_BYTES};
use crate::session::streams::ConnectionId;
use crate::testing::pair::{Node, Pair, Saw};
use crate::transport::LaneSet;
use crate::wire::Urgency;
use crate::wire::reference::Token;

#[derive(Debug, RemoteMessage)]
#[wire(name = "test/other")]
enum Other {
    Parcel(Bytes),
}

fn wide() -> Pair {
    let node = |number| Node::new(number).limits(MESSAGE_BYTES_MAX, 2 * WINDOW_BYTES);
    Pair::ready_between(node(1), node(2), &[LaneSet::ALL])
}

/// A's stream takes nothing for a while.
fn blocked() -> Pair {
    let mut pair = wide();
    pair.stall(0, A, true);
    pair.room(0, A, 1);
    pair.send(A, 9, Letter::Note(0)).unwrap();
    pair.drive();
    pair
}

fn let_go(pair: &mut Pair) {
    pair.room(0, A, usize::MAX);
    pair.stall(0, A, false);
    pair.drive();
}

#[test]
fn a_long_message_does_not_overtake_short_ones_to_the_same_actor() {
    let mut pair = blocked();
    for byte in 1..11 {
        pair.send(A, 1, Letter::Parcel(vec![byte; SEGMENT_BYTES].into())).unwrap();
    }
    pair.send(A, 1, Letter::Parcel(vec![99; 3 * SEGMENT_BYTES].into())).unwrap();
    let_go(&mut pair);
    let order: Vec<u8> = pair
        .received::<Letter>(B)
        .into_iter()
        .filter_map(|(_, letter)| match letter {
            Letter::Parcel(bytes) => Some(bytes[0]),
            _ => None,
        })
        .collect();
    assert_eq!(order, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99]);
}

#[test]
fn a_long_message_of_a_new_type_does_not_overtake_its_define() {
    let mut pair = blocked();
    for byte in 1..11 {
        pair.send(A, 1, Letter::Parcel(vec![byte; SEGMENT_BYTES].into())).unwrap();
    }
    pair.send(A, 2, Other::Parcel(vec![99; 3 * SEGMENT_BYTES].into())).unwrap();
    let_go(&mut pair);
    assert_eq!(pair.session(B).ended(), None);
}

/// It waits behind another for the same actor, and that one is out before the definition is.
#[test]
fn a_long_message_of_a_new_type_behind_a_long_one_does_not_overtake_its_define() {
    let mut pair = blocked();
    pair.send(A, 1, Letter::Parcel(vec![1; 3 * SEGMENT_BYTES].into())).unwrap();
    for byte in 2..11 {
        pair.send(A, 2, Letter::Parcel(vec![byte; SEGMENT_BYTES].into())).unwrap();
    }
    pair.send(A, 1, Other::Parcel(vec![99; 3 * SEGMENT_BYTES].into())).unwrap();
    let_go(&mut pair);
    assert_eq!(pair.session(B).ended(), None);
    assert_eq!(pair.session(A).ended(), None);
}

/// A token is shown in the lane ahead of the first message.
#[test]
fn a_long_message_does_not_overtake_the_token_that_gives_the_right_to_send_it() {
    let mut pair = blocked();
    for byte in 1..11 {
        pair.send(A, 1, Letter::Parcel(vec![byte; SEGMENT_BYTES].into())).unwrap();
    }
    assert!(pair.session(A).present(2, Urgency::Normal, &Token::from_bytes([7; 16])));
    pair.send(A, 2, Letter::Parcel(vec![99; 3 * SEGMENT_BYTES].into())).unwrap();
    let_go(&mut pair);
    // What came behind the token: one message, if it is in order.
    let saw = pair.saw(B);
    let behind = saw.iter().rev().take_while(|saw| **saw == Saw::Message).count();
    assert_eq!(behind, 1, "{saw:?}");
}

/// What waited behind the first goes to the end of what is sealed, and the second behind that.
#[test]
fn a_short_message_between_two_long_ones_is_not_overtaken() {
    let mut pair = blocked();
    pair.send(A, 1, Letter::Parcel(vec![1; 3 * SEGMENT_BYTES].into())).unwrap();
    pair.send(A, 1, Letter::Note(2)).unwrap();
    pair.send(A, 1, Letter::Parcel(vec![3; 3 * SEGMENT_BYTES].into())).unwrap();
    for _ in 0..9 {
        pair.send(A, 2, Letter::Parcel(vec![0; SEGMENT_BYTES].into())).unwrap();
    }
    let_go(&mut pair);
    let order: Vec<u32> = pair
        .received::<Letter>(B)
        .into_iter()
        .filter(|(actor, _)| *actor == 1)
        .map(|(_, letter)| match letter {
            Letter::Parcel(bytes) => u32::from(bytes[0]),
            Letter::Note(number) => number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [1, 2, 3]);
}

/// What waited behind a long message is not one segment, for which control would wait.
#[test]
fn what_waited_behind_a_long_message_goes_in_segments() {
    let pair = wide();
    pair.send(A, 1, Letter::Parcel(vec![1; 3 * SEGMENT_BYTES].into())).unwrap();
    while pair.send(A, 1, Letter::Parcel(vec![2; 1000].into())).is_ok() {}
    let mut longest = 0;
    loop {
        let Some(piece) = pair.session(A).poll_transmit(ConnectionId(0)) else { break };
        longest = longest.max(piece.len());
    }
    assert!(longest <= SEGMENT_BYTES + FRAME_BODY_BYTES_MAX, "{longest} bytes without a turn for control");
}
