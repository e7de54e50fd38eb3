//! Maps in shards, whose keys have been hashed before: once, to find the shard and the place.

use std::hash::{BuildHasherDefault, Hasher};

/// How many parts a map has, each with a lock of its own: more threads than this seldom look at
/// once.
pub(super) const SHARDS: usize = 16;

/// What a shard is found by: other bits than a map of the standard library looks at.
pub(super) fn shard(hash: u64) -> usize {
    usize::try_from((hash >> 32) % SHARDS as u64).unwrap_or(0)
}

/// Takes a number for its own hash.
pub(super) type Hashed = BuildHasherDefault<AsItIs>;

#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only numbers are hashed");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Spreads numbers that follow each other over all bits.
pub(super) fn spread(number: u64) -> u64 {
    // SplitMix64's last steps; each can be undone, so that no two become one.
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
