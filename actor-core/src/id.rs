//! Names for actors and for the systems they live in: plain values, no lookups.

use std::fmt;

/// One life of one actor system: a restarted process is another incarnation.
///
/// The upper 42 bits hold the wall-clock time of the start in milliseconds, the
/// lower 22 bits are random, so a later incarnation of a node compares greater
/// unless its clock went backwards between two starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(u64);

impl Incarnation {
    const RANDOM_BITS: u32 = 22;

    /// Makes an incarnation from the wall-clock time and random bits.
    pub const fn new(unix_ms: u64, random: u64) -> Self {
        Self((unix_ms << Self::RANDOM_BITS) | (random & ((1 << Self::RANDOM_BITS) - 1)))
    }

    /// Takes back what [`as_u64`](Self::as_u64) gave.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that crosses the wire.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

/// Names one actor for ever: no other actor of any system has the same id, and
/// the id means the same actor on every node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId {
    incarnation: Incarnation,
    serial: u64,
}

impl ActorId {
    /// The `serial`-th actor of an incarnation.
    pub const fn new(incarnation: Incarnation, serial: u64) -> Self {
        Self { incarnation, serial }
    }

    /// The life of the system that the actor belongs to.
    pub const fn incarnation(self) -> Incarnation {
        self.incarnation
    }

    /// The actor's number in its system; never used twice.
    pub const fn serial(self) -> u64 {
        self.serial
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.serial)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_start_is_a_greater_incarnation() {
        assert!(Incarnation::new(2, 0) > Incarnation::new(1, u64::MAX));
        assert_ne!(Incarnation::new(1, 1), Incarnation::new(1, 2));
        let incarnation = Incarnation::new(7, 9);
        assert_eq!(Incarnation::from_u64(incarnation.as_u64()), incarnation);
    }
}
