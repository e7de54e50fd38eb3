//! Random bytes, and good bytes gone bad: a session may end, and that is all that a
//! peer can do to it.

use std::time::Duration;

use actor_core::{Attempt, Exit, Instant, ReplyPort};
use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{A, B, Letter, begin, frames};
use crate::limits::{
    CONTROL_BACKLOG_BYTES_MAX, FRAME_BODY_BYTES_MAX, HANDSHAKE_BODY_BYTES_MAX, SEGMENT_BYTES,
};
use crate::session::heartbeat::Pace;
use crate::session::streams::ConnectionId;
use crate::session::{Config, Event, Session, Unread};
use crate::testing::pair::{Hand, Node, Outcome, Pair, shake, shake_through};
use crate::transport::{CloseReason, LaneSet};
use crate::wire::control::{Member, Publication};
use crate::wire::frame::{HEADER_BYTES, read_frame};

const MESSAGE_BYTES_MAX: usize = SEGMENT_BYTES;

/// A damage to a stream of bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Insert(Index, Vec<u8>),
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 1..=255_u8).prop_map(|(at, flip)| Damage::Flip(at, flip)),
        1 => (any::<Index>(), 1..64_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => (any::<Index>(), 1..64_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 0..32)).prop_map(|(at, new)| Damage::Insert(at, new)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match damage {
            Damage::Flip(at, flip) => bytes[at.index(length)] ^= flip,
            Damage::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..length.min(at + count));
            }
            Damage::Repeat(at, count) => {
                let at = at.index(length);
                let copy = bytes[at..length.min(at + count)].to_vec();
                bytes.splice(at..at, copy);
            }
            Damage::Insert(at, new) => drop(bytes.splice(at.index(length)..at.index(length), new.clone())),
            Damage::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

/// A session of B's in the middle of things: calls, watches, publications of its own.
fn busy_session(now: Instant) -> Session {
    let peer = shake(&Node::new(1), &Node::new(2).limits(MESSAGE_BYTES_MAX, 4096)).acceptor.peer();
    let config = Config {
        pace: Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(5) },
        patience: Duration::from_secs(10),
        resume_timeout: Duration::from_secs(5),
        message_bytes_max: MESSAGE_BYTES_MAX,
        window_bytes: 1 << 20,
        wants_dead_letters: false,
    };
    let mut session = Session::new(peer, config, now);
    session.attach(now, ConnectionId(1), super::every_lane(), None);
    session.synced();
    session.send_at_once(now, 1, Letter::of_bytes(4000), Attempt::First, None).unwrap();
    for number in 0..4 {
        let (port, reply) = ReplyPort::new(None);
        session.send_at_once(now, 1, Letter::Ask(number, port), Attempt::First, None).unwrap();
        drop(reply);
        session.watch(u64::from(number), None).unwrap();
    }
    while session.poll_transmit(ConnectionId(1)).is_some() {}
    session
}

/// Everything that a busy peer says, of every kind.
fn good_bytes() -> Vec<u8> {
    let mut pair = Pair::ready_between(
        Node::new(1).limits(MESSAGE_BYTES_MAX, 4096),
        Node::new(2).limits(MESSAGE_BYTES_MAX, 1 << 20),
        &[LaneSet::ALL],
    );
    let replies = [0, 1, 2].map(|number| pair.call(B, None, |port| Letter::Ask(number, port)));
    pair.send(B, 1, Letter::of_bytes(3000)).unwrap();
    let watch = pair.session(B).watch(1, None).unwrap();
    pair.drive();
    pair.written(0, A);
    super::answer_all(pair.receive(A, 1));
    drop(pair.received::<Letter>(A));
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.send(A, 2, Letter::of_bytes(3000)).unwrap();
    drop(pair.call(A, Some(pair.now()), |port| Letter::Ask(4, port)));
    let publication =
        Publication { actor: 1, message: 2, kind: 0, label: "name".into(), ..Publication::default() };
    {
        let mut session = pair.session(A);
        session.publish(&[publication.clone(), Publication { actor: 7, kind: 1, ..publication.clone() }]);
        session.unpublish(&[publication]);
        session.introduce_addresses(vec!["tcp+tls://host:1".into()]);
        session.gossip([Member { node: vec![9; 32], addresses: vec!["iroh://x".into()] }]);
        session.down(watch, &Exit::Failed("error".into()));
        let watch = session.watch(9, None).unwrap();
        session.unwatch(watch);
        session.request(3, &actor_core::ControlRequest::Stop(Some("enough".into())), None);
    }
    pair.advance(Duration::from_secs(3));
    drop(replies);
    pair.session(A).close(&CloseReason::new(crate::transport::CloseCode::Shutdown, "maintenance"));
    pair.drive();
    [begin(0, 0), begin(3, 0), pair.written(0, A)].concat()
}

/// Feeds a session pieces of bytes as its shell would, and checks its bounds.
fn feed(session: &mut Session, bytes: &[u8], piece: usize) {
    let mut now = Instant::ZERO;
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        while !session.handle_input(now, ConnectionId(1), &mut buffer) {}
        let most = HEADER_BYTES + FRAME_BODY_BYTES_MAX + 2 * bytes.len() + 64;
        assert!(buffer.capacity() <= most, "{} bytes reserved", buffer.capacity());
        now = now + Duration::from_millis(7);
        session.handle_timeout(now);
        let written: Vec<u8> =
            std::iter::from_fn(|| session.poll_transmit(ConnectionId(1))).flatten().collect();
        frames(&written);
        assert!(written.len() <= CONTROL_BACKLOG_BYTES_MAX + (1 << 21));
        while let Some(event) = session.poll_event() {
            let Event::Messages(mut messages) = event else { continue };
            while let Some(Unread { message, .. }) = messages.front() {
                session.delivered(message.lane, message.bytes);
                messages.pop_front();
            }
        }
    }
    session.close(&CloseReason::from(crate::transport::CloseCode::Done));
    let events: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
    let ends = events.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
    assert!(ends <= 1 && session.ended().is_some());
}

#[test]
fn the_good_bytes_are_good() {
    let mut session = busy_session(Instant::ZERO);
    let bytes = good_bytes();
    let kinds: std::collections::BTreeSet<u8> = frames(&bytes).iter().map(|frame| frame.kind as u8).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13],
        "every kind is there, but Take"
    );
    let mut buffer = BytesMut::from(&bytes[..]);
    while !session.handle_input(Instant::ZERO, ConnectionId(1), &mut buffer) {}
    assert_eq!((session.ended(), buffer.len()), (None, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_end_a_session_at_worst(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        piece in 1..100_usize,
    ) {
        feed(&mut busy_session(Instant::ZERO), &bytes, piece);
    }

    /// Random bodies behind good headers get further.
    #[test]
    fn random_frames_end_a_session_at_worst(
        bodies in prop::collection::vec((1..=8_u8, 0..4_u8, prop::collection::vec(any::<u8>(), 0..64)), 0..40),
        piece in 1..100_usize,
    ) {
        let mut bytes = Vec::new();
        for (kind, index, body) in bodies {
            let index = if matches!(kind, 3 | 4 | 6 | 7) { index } else { 0 };
            bytes.extend([body.len() as u8, 0, 0, kind, index, 0, 0, u8::from(kind > 2)]);
            bytes.extend(body);
        }
        feed(&mut busy_session(Instant::ZERO), &bytes, piece);
    }

    #[test]
    fn good_bytes_gone_bad_end_a_session_at_worst(
        damages in prop::collection::vec(damage(), 1..8),
        piece in 1..5000_usize,
    ) {
        let bytes = damaged(good_bytes(), &damages);
        feed(&mut busy_session(Instant::ZERO), &bytes, piece);
    }

    #[test]
    fn a_damaged_handshake_is_never_done(number in 0..4_usize, damages in prop::collection::vec(damage(), 1..6)) {
        let (one, two) = (Node::new(1), Node::new(2));
        let mut was_hurt = false;
        let shaken = shake_through(&one, &two, |_, sent, frame| {
            if sent != number {
                return frame.to_vec();
            }
            let bytes = damaged(frame.to_vec(), &damages);
            // What is repeated or put behind the whole frame hurts nobody yet.
            was_hurt = !bytes.starts_with(frame);
            bytes
        });
        let reader = if number % 2 == 0 { shaken.acceptor } else { shaken.dialler };
        prop_assert!(!was_hurt || !matches!(reader, Outcome::Done(_)), "{:?}", reader);
    }

    #[test]
    fn random_bytes_never_finish_a_handshake(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut dialler, _) = Hand::dial(&Node::new(1), LaneSet::ALL);
        let mut acceptor = Hand::accept(&Node::new(2));
        let mut buffer = BytesMut::new();
        buffer.extend_from_slice(&super::frame(crate::wire::frame::Kind::Handshake, 0, &bytes));
        let frame = read_frame(&mut buffer, HANDSHAKE_BODY_BYTES_MAX).unwrap().unwrap();
        dialler.handle_frame(&frame, None);
        acceptor.handle_frame(&frame, None);
        prop_assert!(matches!(dialler.outcome, Outcome::Failed(_)));
        prop_assert!(matches!(acceptor.outcome, Outcome::Failed(_)));
    }
}
