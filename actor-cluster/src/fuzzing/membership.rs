//! Words of membership, from members and strangers, in any order.

use std::time::Duration;

use actor_core::Instant;
use arbitrary::{Arbitrary, Unstructured};

use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{MEMBERS_MAX, MEMBERSHIP_FRAME_BYTES_MAX, SUSPICION_WINDOW};
use crate::membership::frame::Frame;
use crate::membership::{Config, Effect, Membership, PeerNews, SessionEnd};

/// What happens next.
#[derive(Arbitrary)]
enum Step {
    Word { from: u8, word: Vec<u8> },
    Ready { from: u8, speaks: bool },
    Interrupted { from: u8 },
    Resumed { from: u8 },
    Ended { from: u8, is_lost: bool },
    Time { millis: u16 },
}

fn life(number: u8) -> NodeLife {
    NodeLife::new(NodeId::from_bytes([1 + number % 4; 32]), Incarnation::from_u64(u64::from(number / 64)))
}

/// Whatever peers say, the machine knows no more members than it may, says nothing that is too long, and says only what can be read.
///
/// # Panics
///
/// If that does not hold.
pub fn membership(bytes: &[u8]) {
    if let Ok(Some(frame)) = Frame::decode(bytes) {
        let again = Frame::decode(&frame.clone().encode());
        assert_eq!(again, Ok(Some(frame)), "what was read is written as it was");
    }
    let mut input = Unstructured::new(bytes);
    let mut now = Instant::ZERO;
    let config = Config {
        life: NodeLife::new(NodeId::from_bytes([0; 32]), Incarnation::from_u64(1)),
        name: "fuzzed".to_owned(),
        addresses: Vec::new(),
        is_transitive: true,
        suspicion_window: SUSPICION_WINDOW,
        seeds: Vec::new(),
    };
    let mut machine = Membership::new(config, 7, now);
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else { return };
        match step {
            Step::Word { from, word } => {
                if let Ok(Some(frame)) = Frame::decode(&word) {
                    machine.handle_frame(life(from), frame, now);
                }
            }
            Step::Ready { from, speaks } => {
                let news =
                    PeerNews { life: life(from), name: "peer".to_owned(), addresses: Vec::new(), speaks };
                machine.handle_ready(news, now);
            }
            Step::Interrupted { from } => machine.handle_interrupted(life(from), now),
            Step::Resumed { from } => machine.handle_resumed(life(from), now),
            Step::Ended { from, is_lost } => {
                let end = if is_lost { SessionEnd::Lost } else { SessionEnd::Shutdown };
                machine.handle_ended(life(from), end, now);
            }
            Step::Time { millis } => {
                now = now + Duration::from_millis(millis.into());
                machine.handle_timeout(now);
            }
        }
        check(&mut machine);
    }
}

fn check(machine: &mut Membership) {
    while let Some(effect) = machine.poll_effect() {
        if let Effect::Send { frame, .. } = effect {
            let bytes = frame.clone().encode();
            assert!(bytes.len() <= MEMBERSHIP_FRAME_BYTES_MAX, "a peer would end the session");
            assert_eq!(Frame::decode(&bytes), Ok(Some(frame)));
        }
    }
    assert!(machine.members().members.len() <= 2 * MEMBERS_MAX);
}
