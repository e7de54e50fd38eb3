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

    /// It says who is a member, and listens to that.
    pub(crate) const MEMBERSHIP: Self = Self(4);

    /// What every node can do that is built from this.
    pub(crate) const OURS: Self = Self(Self::SCHEMAS.0 | Self::ANNOTATIONS.0);

    /// What nodes can do that also look for members beyond their sessions.
    pub(crate) const TRANSITIVE: Self = Self(Self::OURS.0 | Self::MEMBERSHIP.0);

    /// What a node that can do this and a peer that says these bits can both do.
    pub(crate) fn shared_with(self, bits: u64) -> Self {
        Self(bits & self.0)
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
        assert_eq!(Capabilities::OURS.shared_with(u64::MAX), Capabilities::OURS);
        assert!(Capabilities::OURS.shared_with(u64::MAX).has(Capabilities::SCHEMAS));
        assert!(!Capabilities::OURS.shared_with(!1).has(Capabilities::SCHEMAS));
        assert!(!Capabilities::OURS.shared_with(u64::MAX).has(Capabilities::MEMBERSHIP));
        assert!(Capabilities::TRANSITIVE.shared_with(u64::MAX).has(Capabilities::MEMBERSHIP));
    }
}
