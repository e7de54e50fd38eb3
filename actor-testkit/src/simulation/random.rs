//! Numbers that look random and come from a seed.

/// SplitMix64, by Steele, Lea and Flood (2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of so many, from 0 on.
    #[cfg(any(feature = "cluster", feature = "process"))]
    pub(crate) fn below(&mut self, of: usize) -> usize {
        usize::try_from(self.draw() % of.max(1) as u64).unwrap_or(0)
    }

    /// From 0 to 1, without 1.
    #[cfg(any(feature = "cluster", feature = "process"))]
    pub(crate) fn unit(&mut self) -> f64 {
        const BITS: u32 = 53;
        #[allow(clippy::cast_precision_loss, reason = "so many bits fit")]
        let unit = (self.draw() >> (u64::BITS - BITS)) as f64 / (1u64 << BITS) as f64;
        unit
    }
}
