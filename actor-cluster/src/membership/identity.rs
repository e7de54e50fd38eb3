//! What foca knows a member by.

use crate::id::{Incarnation, NodeId, NodeLife};

/// One membership of one life of a node.
///
/// Whoever was declared down cannot come back as the same identity: a node that lives, and hears that it was, goes on in
/// the next term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) term: u32,
}

impl Identity {
    pub(crate) const BYTES: usize = NodeId::BYTES + 8 + 4;

    pub(crate) const fn new(life: NodeLife, term: u32) -> Self {
        Self { node: life.node, incarnation: life.incarnation, term }
    }

    pub(crate) const fn life(self) -> NodeLife {
        NodeLife::new(self.node, self.incarnation)
    }

    fn age(self) -> (Incarnation, u32) {
        (self.incarnation, self.term)
    }

    /// Whether it is of the same node, and later.
    pub(crate) fn is_later_than(self, other: Self) -> bool {
        self.node == other.node && self.age() > other.age()
    }
}

impl foca::Identity for Identity {
    type Addr = NodeId;

    /// The machine itself begins the next term, and not more often than it wants to.
    fn renew(&self) -> Option<Self> {
        None
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.is_later_than(*adversary)
    }
}

#[cfg(test)]
mod tests {
    use foca::Identity as _;

    use super::*;

    #[test]
    fn the_later_life_and_in_it_the_later_term_wins() {
        let of = |incarnation, term| {
            let life = NodeLife::new(NodeId::from_bytes([1; 32]), Incarnation::from_u64(incarnation));
            Identity::new(life, term)
        };
        assert!(of(2, 0).win_addr_conflict(&of(1, 9)));
        assert!(of(1, 1).win_addr_conflict(&of(1, 0)));
        assert!(!of(1, 1).win_addr_conflict(&of(1, 1)), "it is the same");
        assert!(!of(1, 9).win_addr_conflict(&of(2, 0)));
    }
}
