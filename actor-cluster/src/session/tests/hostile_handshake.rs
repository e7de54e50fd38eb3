//! Handshakes under attack: what is replayed, reflected, relayed, cut or bent gets
//! nobody in, and panics nobody.

use bytes::Bytes;
use prost::Message;

use super::{A, B};
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::handshake::HandshakeError as Error;
use crate::testing::pair::{Hand, Node, Outcome, shake, shake_through};
use crate::transport::LaneSet;
use crate::wire::frame::{HEADER_BYTES, Kind};
use crate::wire::hello::{Answer, Confirm, Handshake, Step};

fn nodes() -> (Node, Node) {
    (Node::new(1), Node::new(2))
}

/// The same handshake, some time later: fresh nonces.
fn later() -> (Node, Node) {
    (Node { nonce: [0x71; 32], ..Node::new(1) }, Node { nonce: [0x72; 32], ..Node::new(2) })
}

/// The four frames of a good handshake.
fn recorded(one: &Node, two: &Node) -> Vec<Bytes> {
    shake(one, two).frames.into_iter().map(|(_, frame)| frame).collect()
}

fn step(frame: &[u8]) -> Step {
    Handshake::decode(&frame[HEADER_BYTES..]).unwrap().step.unwrap()
}

fn encoded(step: Step) -> Vec<u8> {
    super::frame(Kind::Handshake, 0, &Handshake { step: Some(step) }.encode_to_vec())
}

#[test]
fn w09_a_recorded_handshake_gets_nobody_in() {
    let (one, two) = nodes();
    let old = recorded(&one, &two);
    let (fresh_one, fresh_two) = later();
    // Somebody plays the dialler's part to the acceptor.
    let mut acceptor = Hand::accept(&fresh_two);
    for number in [0, 2] {
        acceptor.handle_frame(&super::frames(&old[number])[0], None);
    }
    assert_eq!(acceptor.outcome, Outcome::Failed(Error::Secret), "a replayed confirm");
    // Somebody plays the acceptor's part to the dialler.
    let (mut dialler, _) = Hand::dial(&fresh_one, LaneSet::ALL);
    let refusal = dialler.handle_frame(&super::frames(&old[1])[0], None).unwrap();
    assert_eq!(dialler.outcome, Outcome::Failed(Error::Secret), "a replayed answer");
    assert!(matches!(step(&refusal), Step::Refuse(_)), "and no proof is given away");
}

fn refused(error: Error) -> Error {
    Error::Refused(Box::new(error))
}

#[test]
fn w09_a_proof_cannot_be_reflected() {
    let (one, two) = nodes();
    let old = recorded(&one, &two);
    let Step::Answer(Answer { proof, session, .. }) = step(&old[1]) else {
        panic!("the second is the answer")
    };
    let Step::Confirm(confirm) = step(&old[2]) else { panic!("the third is the confirm") };
    for session in [session, confirm.session, 0] {
        let shaken = shake_through(&one, &two, |_, number, frame| match number {
            2 => encoded(Step::Confirm(Confirm { proof: proof.clone(), session })),
            _ => frame.to_vec(),
        });
        assert_eq!(shaken.acceptor.error(), Error::Secret);
    }
}

#[test]
fn w09_a_relay_between_two_channels_is_noticed() {
    let (one, two) = nodes();
    for binding in [None, Some([1; 32])] {
        let shaken = shake(&one, &two.clone().binding(binding));
        assert_eq!(shaken.dialler.error(), Error::Secret, "every byte was carried faithfully");
        assert_eq!(shaken.acceptor.error(), refused(Error::Secret));
    }
}

#[test]
fn a_step_out_of_order_ends_the_handshake() {
    let (one, two) = nodes();
    let frames = recorded(&one, &two);
    let out_of_order = Outcome::Failed(Error::Violation("a handshake step out of order".into()));
    let control = Bytes::from(super::frame(Kind::Control, 0, b""));
    let nothing = Bytes::from(super::frame(Kind::Handshake, 0, b""));
    for (wrong, frame) in frames.iter().chain([&control, &nothing]).enumerate() {
        let frame = &super::frames(frame)[0];
        for good_steps in 0..2 {
            let (mut dialler, _) = Hand::dial(&one, LaneSet::ALL);
            let mut acceptor = Hand::accept(&two);
            let [for_dialler, for_acceptor] = [1 + 2 * good_steps, 2 * good_steps];
            if good_steps == 1 {
                dialler.handle_frame(&super::frames(&frames[1])[0], None);
                acceptor.handle_frame(&super::frames(&frames[0])[0], None);
            }
            if wrong != for_dialler {
                dialler.handle_frame(frame, None);
                assert_eq!(dialler.outcome, out_of_order, "frame {wrong} after {good_steps}");
            }
            if wrong != for_acceptor {
                acceptor.handle_frame(frame, None);
                assert_eq!(acceptor.outcome, out_of_order, "frame {wrong} after {good_steps}");
            }
        }
    }
}

/// Runs the handshake with one of its frames replaced; what the one who got that
/// frame thinks, having been done or not.
fn with_frame(number: usize, replacement: &[u8]) -> Outcome {
    let (one, two) = nodes();
    let shaken =
        shake_through(
            &one,
            &two,
            |_, sent, frame| {
                if sent == number { replacement.to_vec() } else { frame.to_vec() }
            },
        );
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done(_));
    if number < 3 {
        assert!(!is_done(&shaken.dialler) && !is_done(&shaken.acceptor), "frame {number} is not proven");
    }
    if [A, B][number % 2] == A { shaken.acceptor } else { shaken.dialler }
}

#[test]
fn every_truncated_frame_is_an_error() {
    let (one, two) = nodes();
    for (number, frame) in recorded(&one, &two).iter().enumerate() {
        let body = &frame[HEADER_BYTES..];
        for end in 0..body.len() {
            let outcome = with_frame(number, &super::frame(Kind::Handshake, 0, &body[..end]));
            assert!(matches!(outcome, Outcome::Failed(_)), "frame {number} cut at {end}: {outcome:?}");
        }
        for end in 0..frame.len() {
            assert_eq!(with_frame(number, &frame[..end]), Outcome::Waiting, "frame {number}, {end} bytes");
        }
    }
}

#[test]
fn every_bent_byte_is_an_error() {
    let (one, two) = nodes();
    for (number, frame) in recorded(&one, &two).iter().enumerate() {
        for at in 0..frame.len() {
            for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut bent = frame.to_vec();
                bent[at] ^= flip;
                let announced = u32::from_le_bytes([bent[0], bent[1], bent[2], 0]) as usize;
                let is_short =
                    (frame.len() - HEADER_BYTES + 1..=HANDSHAKE_BODY_BYTES_MAX).contains(&announced);
                let outcome = with_frame(number, &bent);
                // A longer frame is announced, and never comes: the deadline is the shell's.
                let is_right = match outcome {
                    Outcome::Waiting => is_short,
                    Outcome::Failed(_) => !is_short,
                    Outcome::Done(_) => false,
                };
                assert!(is_right, "frame {number}, byte {at} ^ {flip:#x}: {outcome:?}");
            }
        }
    }
}

#[test]
fn garbage_and_giants_are_refused_by_their_first_bytes() {
    for number in 0..4 {
        let garbage = with_frame(number, b"GET / HTTP/1.1\r\n\r\n");
        assert!(matches!(garbage, Outcome::Failed(Error::Violation(_))), "{garbage:?}");
        let length = HANDSHAKE_BODY_BYTES_MAX + 1;
        let header = [length as u8, (length >> 8) as u8, 0, 1, 0, 0, 0, 255];
        let giant = with_frame(number, &header);
        assert_eq!(
            giant,
            Outcome::Failed(Error::Violation("a frame of 4097 bytes, where 4096 is the limit".into()))
        );
    }
}
