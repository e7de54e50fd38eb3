//! Chance from a seed, for cases that do whatever comes: the same seed gives the same case.

use actor_core::Executor;

/// SplitMix64.
pub(in crate::testing) struct Dice {
    pub(super) seed: u64,
    state: u64,
}

impl Dice {
    /// From the environment variable `ACTOR_STORE_SEED`, in decimal; otherwise another seed each time.
    pub(in crate::testing) fn new() -> Self {
        let seed = std::env::var("ACTOR_STORE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| Executor::tokio().random_u64());
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something happens that happens once in so many times.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub(in crate::testing) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let len = from.len() as u64;
        if len == 0 { None } else { from.get(usize::try_from(self.below(len)).ok()?) }
    }
}
