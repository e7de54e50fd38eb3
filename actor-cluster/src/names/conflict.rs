//! What becomes of a name that several nodes hold: the rules, and the order that follows from them.
//!
//! The order is total, and made of what is published alone. So whoever knows the same
//! publications names the same winner, and nobody has to be asked.

use std::cmp::Reverse;

use crate::event::PublishedActor;
use crate::wire::control::Publication;

/// What becomes of a name when another node holds it too.
///
/// Whoever agreed to less keeps the name: `Allow` goes before `Reject`, that before any `Rank`, and
/// that before `Newest`. Two that both allow are no conflict.
///
/// First and last are told by numbers that nodes give to what they publish, and not by a clock. They are right
/// where one node had heard of the other's, however long ago and by whomever; where neither had, they are
/// just what both agree on. What is still alike goes to the lesser [`NodeId`](crate::NodeId).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Conflict {
    /// Each node may have its own. It is never taken away, and takes nobody else's.
    #[default]
    Allow,
    /// Whoever has it keeps it: it is not published where another node is known to hold it.
    /// Of two that did not know of each other, the one that took it first stays.
    Reject,
    /// The greater number has it, and takes it from a smaller one and from `Newest`. Of equals, the
    /// one that took it first stays.
    Rank(u32),
    /// Whoever takes it last has it.
    Newest,
}

impl Conflict {
    /// The rule by which the actor that loses its name is stopped too.
    pub const fn stop_loser(self) -> NameRule {
        NameRule { conflict: self, stops_loser: true }
    }

    /// The code on the wire, and the rank.
    fn code(self) -> (u32, u32) {
        match self {
            Self::Allow => (0, 0),
            Self::Reject => (1, 0),
            Self::Rank(rank) => (2, rank),
            Self::Newest => (3, 0),
        }
    }

    fn of(publication: &Publication) -> Self {
        match publication.rule {
            0 => Self::Allow,
            1 => Self::Reject,
            2 => Self::Rank(publication.rank),
            // The session lets no other through.
            _ => Self::Newest,
        }
    }
}

/// How a name is published: what becomes of it when another node holds it too, and of the
/// actor that loses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct NameRule {
    conflict: Conflict,
    stops_loser: bool,
}

impl NameRule {
    /// What becomes of the name.
    pub const fn conflict(&self) -> Conflict {
        self.conflict
    }

    /// Whether the actor is stopped when it loses the name. Otherwise it lives on without it.
    pub const fn stops_loser(&self) -> bool {
        self.stops_loser
    }
}

impl From<Conflict> for NameRule {
    fn from(conflict: Conflict) -> Self {
        Self { conflict, stops_loser: false }
    }
}

/// A name as one node holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) conflict: Conflict,
    /// When it was taken: greater than that of every claim that its node knew of.
    pub(crate) number: u64,
}

impl Claim {
    pub(crate) fn of(publication: &Publication) -> Self {
        Self { conflict: Conflict::of(publication), number: publication.claim }
    }

    pub(crate) fn write(&self, publication: &mut Publication) {
        (publication.rule, publication.rank) = self.conflict.code();
        publication.claim = self.number;
    }

    /// Whether two nodes cannot both have the name.
    pub(crate) fn conflicts_with(&self, other: &Claim) -> bool {
        (self.conflict, other.conflict) != (Conflict::Allow, Conflict::Allow)
    }

    /// Whether one who comes may take the name from one who is known to have it.
    pub(crate) fn may_take_from(
        &self,
        newcomer: PublishedActor,
        other: &Claim,
        holder: PublishedActor,
    ) -> bool {
        let is_taker = matches!(self.conflict, Conflict::Rank(_) | Conflict::Newest);
        is_taker && self.place(newcomer) < other.place(holder)
    }

    /// Where a holder stands among all that hold the name: the least has it.
    pub(crate) fn place(&self, holder: PublishedActor) -> impl Ord + use<> {
        let number = self.number;
        let place = match self.conflict {
            Conflict::Allow => (0, Reverse(0), 0),
            Conflict::Reject => (1, Reverse(0), number),
            Conflict::Rank(rank) => (2, Reverse(rank), number),
            Conflict::Newest => (3, Reverse(0), u64::MAX - number),
        };
        (place, holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Incarnation, NodeId};
    use actor_core::ActorId;

    fn holder(node: u8) -> PublishedActor {
        let node = NodeId::from_bytes([node; 32]);
        PublishedActor { node, actor: ActorId::new(Incarnation::from_u64(1), 1) }
    }

    fn claim(conflict: Conflict, number: u64) -> Claim {
        Claim { conflict, number }
    }

    #[test]
    fn the_order_of_holders() {
        use Conflict::{Allow, Newest, Rank, Reject};
        let in_order = [
            (claim(Allow, 0), 3),
            (claim(Allow, 0), 4),
            (claim(Reject, 5), 9),
            (claim(Reject, 6), 1),
            (claim(Reject, 6), 2),
            (claim(Rank(u32::MAX), 9), 9),
            (claim(Rank(7), 1), 9),
            (claim(Rank(7), 2), 8),
            (claim(Rank(0), 0), 1),
            (claim(Newest, u64::MAX), 2),
            (claim(Newest, 4), 3),
            (claim(Newest, 4), 4),
            (claim(Newest, 0), 1),
        ];
        for (at, (first, node)) in in_order.iter().enumerate() {
            for (behind, (second, other)) in in_order.iter().enumerate() {
                let is_before = first.place(holder(*node)) < second.place(holder(*other));
                assert_eq!(is_before, at < behind, "{first:?} of {node}, {second:?} of {other}");
            }
        }
    }

    #[test]
    fn who_may_take_from_whom() {
        use Conflict::{Allow, Newest, Rank, Reject};
        let takes =
            |newcomer, holds| claim(newcomer, 6).may_take_from(holder(1), &claim(holds, 5), holder(2));
        for (newcomer, holds, expected) in [
            (Allow, Newest, false),
            (Allow, Reject, false),
            (Reject, Newest, false),
            (Reject, Reject, false),
            (Rank(1), Allow, false),
            (Rank(1), Reject, false),
            (Rank(1), Rank(1), false),
            (Rank(1), Rank(2), false),
            (Rank(2), Rank(1), true),
            (Rank(0), Newest, true),
            (Newest, Newest, true),
            (Newest, Rank(0), false),
            (Newest, Reject, false),
            (Newest, Allow, false),
        ] {
            assert_eq!(takes(newcomer, holds), expected, "{newcomer:?} from {holds:?}");
        }
    }

    #[test]
    fn a_claim_is_the_same_after_its_way_on_the_wire() {
        for conflict in [Conflict::Allow, Conflict::Reject, Conflict::Rank(9), Conflict::Newest] {
            let number = if conflict == Conflict::Allow { 0 } else { 77 };
            let mut publication = Publication { label: "name".into(), ..Publication::default() };
            claim(conflict, number).write(&mut publication);
            assert!(publication.is_usable());
            assert_eq!(Claim::of(&publication), claim(conflict, number));
        }
    }
}
