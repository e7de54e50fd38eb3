//! What a node can do beyond what its protocol version says, as bits of its Hello. A session uses what both
//! sides can; bits that nobody here knows are ignored.

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(u64);

impl Capabilities {
    /// It reads and says schemas.
    pub(crate) const SCHEMAS: Self = Self(1);

    /// It reads what messages bring along.
    pub(crate) const ANNOTATIONS: Self = Self(2);

    /// What this node can do.
    pub(crate) const OURS: Self = Self(Self::SCHEMAS.0 | Self::ANNOTATIONS.0);

    /// What this node and a peer that says these bits can both do.
    pub(crate) fn shared_with(bits: u64) -> Self {
        Self(bits & Self::OURS.0)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_later_versions_are_ignored() {
        assert_eq!(Capabilities::shared_with(u64::MAX), Capabilities::OURS);
        assert!(Capabilities::shared_with(u64::MAX).has(Capabilities::SCHEMAS));
        assert!(!Capabilities::shared_with(!1).has(Capabilities::SCHEMAS));
    }
}
