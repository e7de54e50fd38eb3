//! How much a peer is heard.
//!
//! A peer may say anything, as fast as it likes. Each word costs this node time, and some cost an answer; so a peer has a ration of them,
//! which grows with time up to what it may have saved. What it says beyond that is not heard. Whoever behaves comes nowhere near.

use actor_core::Instant;

use super::codec::MEMBER_BYTES;
use super::frame::Frame;
use super::sync::BUCKETS;
use crate::limits::{
    MEMBERSHIP_PACKETS_MAX, MEMBERSHIP_PACKETS_PER_TICK, MEMBERSHIP_TICK, MEMBERSHIP_WORDS_MAX,
    MEMBERSHIP_WORDS_PER_TICK,
};

/// A digest is compared with all that is known: as much work as so many words.
const DIGEST_WORDS: usize = 4 * BUCKETS;

#[derive(Debug)]
pub(crate) struct Ration {
    words: usize,
    packets: usize,
    /// Up to when it has grown.
    grown: Instant,
}

impl Ration {
    pub(crate) fn new(now: Instant) -> Self {
        Self { words: MEMBERSHIP_WORDS_MAX, packets: MEMBERSHIP_PACKETS_MAX, grown: now }
    }

    /// Whether a word is heard.
    pub(crate) fn take(&mut self, frame: &Frame, now: Instant) -> bool {
        self.grow(now);
        let words = words_in(frame);
        let packets = usize::from(matches!(frame, Frame::Swim(_)));
        if self.words < words || self.packets < packets {
            return false;
        }
        self.words -= words;
        self.packets -= packets;
        true
    }

    fn grow(&mut self, now: Instant) {
        let ticks = (now - self.grown).as_nanos() / MEMBERSHIP_TICK.as_nanos();
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        self.grown = self.grown + MEMBERSHIP_TICK.saturating_mul(ticks);
        let grown = |left: usize, each: usize, most: usize| {
            let more = usize::try_from(ticks).unwrap_or(usize::MAX).saturating_mul(each);
            left.saturating_add(more).min(most)
        };
        self.words = grown(self.words, MEMBERSHIP_WORDS_PER_TICK, MEMBERSHIP_WORDS_MAX);
        self.packets = grown(self.packets, MEMBERSHIP_PACKETS_PER_TICK, MEMBERSHIP_PACKETS_MAX);
    }
}

/// How many things a frame says.
fn words_in(frame: &Frame) -> usize {
    1 + match frame {
        Frame::Swim(packet) => packet.len() / MEMBER_BYTES,
        Frame::Records { entries, .. } => entries.len(),
        Frame::Digest(_) => DIGEST_WORDS,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn heard(ration: &mut Ration, frame: &Frame, now: Instant) -> usize {
        (0..).take_while(|_| ration.take(frame, now)).count()
    }

    #[test]
    fn a_ration_grows_with_time_up_to_what_may_be_saved() {
        let packet = Frame::Swim(vec![0; MEMBER_BYTES - 1]);
        let mut ration = Ration::new(at(0));
        assert_eq!(heard(&mut ration, &packet, at(0)), MEMBERSHIP_PACKETS_MAX);
        assert_eq!(heard(&mut ration, &packet, at(124)), 0);
        assert_eq!(heard(&mut ration, &packet, at(125)), MEMBERSHIP_PACKETS_PER_TICK);
        assert_eq!(heard(&mut ration, &packet, at(249)), 0, "what is left of a tick does not count twice");
        assert_eq!(heard(&mut ration, &packet, at(250)), MEMBERSHIP_PACKETS_PER_TICK);
        assert_eq!(heard(&mut ration, &packet, at(60_000)), MEMBERSHIP_PACKETS_MAX);
    }

    #[test]
    fn a_frame_costs_as_much_as_it_says() {
        let wanted = Frame::Records { entries: Vec::new(), wanted: u32::MAX };
        let mut ration = Ration::new(at(0));
        assert_eq!(heard(&mut ration, &wanted, at(0)), MEMBERSHIP_WORDS_MAX);
        assert_eq!(heard(&mut ration, &wanted, at(125)), MEMBERSHIP_WORDS_PER_TICK);
        let digest = Frame::Digest(Box::new([0; BUCKETS]));
        let mut ration = Ration::new(at(0));
        assert_eq!(heard(&mut ration, &digest, at(0)), MEMBERSHIP_WORDS_MAX / (1 + DIGEST_WORDS));
        let packet = Frame::Swim(vec![0; 1000 * MEMBER_BYTES]);
        let mut ration = Ration::new(at(0));
        assert_eq!(heard(&mut ration, &packet, at(0)), MEMBERSHIP_WORDS_MAX / 1001);
        assert!(ration.take(&wanted, at(0)), "less is heard where much is not");
    }
}
