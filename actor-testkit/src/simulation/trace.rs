//! What happened in a world, as one number: two runs that did the same have the same.

use actor_core::Instant;

/// A running hash. Not a cryptographic one: nobody is to be fooled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(crate) fn note(&mut self, word: u64) {
        // A multiplication carries a difference upwards only, so the upper half is folded down.
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    pub(crate) fn note_instant(&mut self, instant: Instant) {
        let elapsed = instant.elapsed();
        self.note(elapsed.as_secs() << 32 | u64::from(elapsed.subsec_nanos()));
    }

    pub(crate) fn note_bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.note(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.note(u64::from_le_bytes(last));
        self.note(bytes.len() as u64);
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}
