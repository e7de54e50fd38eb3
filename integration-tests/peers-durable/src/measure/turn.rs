//! The rows that a turn of a counter comes to, for those who insert them without an actor. Only the bytes' number matters:
//! they are made once, and afterwards numbers are written into them.

use actor_durable::store::{Body, Cause, Entry, Handled, Head, Snapshot, Source, encode_row};
use actor_durable::{ActorType, DurableId, Epoch, MessageId, OwnerId, Sequence, Target, WallTime};

/// As a counter's rows are after some two thousand turns.
pub(super) struct TurnRows {
    pub(super) head: Vec<u8>,
    pub(super) snapshot: Vec<u8>,
    pub(super) entry: Vec<u8>,
    pub(super) handled: Vec<u8>,
}

impl TurnRows {
    pub(super) fn of(name: &str) -> Self {
        let id = DurableId::new(name).expect("a good id");
        let target = Target { id, actor_type: ActorType::new("counter").expect("a good name") };
        let (now, sequence) = (WallTime::from_millis(1_800_000_000_000), Sequence(2_000));
        let message = MessageId::new(now, u128::MAX / 3);
        let head = Head {
            epoch: Epoch(1),
            owner: Some(OwnerId::new(u128::MAX / 3)),
            sequence,
            snapshot: Some(sequence),
            trimmed: Sequence(1_900),
            horizon: now,
            ..Head::new(target, Epoch::ZERO, now)
        };
        let number = postcard::to_stdvec(&2_000_u64).expect("a number has a form");
        let body = Body { version: 1, bytes: number.clone().into() };
        let reply = Some([&[0], &number[..]].concat().into());
        let (cause, events, sent) = (Cause::Message(message), Vec::new(), Vec::new());
        Self {
            head: encode_row(b"", &head),
            snapshot: encode_row(b"", &Snapshot { sequence, body }),
            entry: encode_row(b"", &Entry { sequence, at: now, cause, has_changed: true, events, sent }),
            handled: encode_row(b"", &Handled { message, was: Source::Caller, reply }),
        }
    }
}

/// An id that no other turn has: that of an actor and a turn, in the order of the turns as ids are by their times.
pub(super) fn message(actor: usize, turn: u64) -> [u8; 16] {
    let random = (u128::from(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 8) | actor as u128;
    MessageId::new(WallTime::from_millis(1_800_000_000_000 + turn), random).to_bytes()
}
