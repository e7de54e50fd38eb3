//! For which actors the peer was asked to hold messages, and which of them it could not be asked for yet.

use std::collections::BTreeSet;

use crate::limits::HELD_MAX;

/// The actors here that have a line.
pub(super) struct Holds {
    /// How many Holds the peer takes.
    most: usize,
    /// For how many actors it was asked.
    told: usize,
    /// The others. While there is one, nothing is taken from the peer.
    untold: BTreeSet<u64>,
}

/// What the peer is to be told when an actor's line is empty, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Freed {
    pub(super) release: Option<u64>,
    /// An untold actor, which takes the place.
    pub(super) hold: Option<u64>,
}

impl Holds {
    pub(super) fn new(most: usize) -> Self {
        Self { most, told: 0, untold: BTreeSet::new() }
    }

    /// An actor's line begins. Whether the peer is to be asked to hold what is for it.
    pub(super) fn begin(&mut self, actor: u64) -> bool {
        let is_told = self.told < self.most;
        if is_told {
            self.told += 1;
        } else {
            self.untold.insert(actor);
        }
        is_told
    }

    /// An actor's line is empty. What the peer is to be told.
    pub(super) fn end(&mut self, actor: u64) -> Freed {
        if self.untold.remove(&actor) {
            return Freed { release: None, hold: None };
        }
        let hold = self.untold.pop_first();
        self.told -= usize::from(hold.is_none());
        Freed { release: Some(actor), hold }
    }

    /// Whether more actors have a line than the peer can be asked for.
    pub(super) fn are_exceeded(&self) -> bool {
        !self.untold.is_empty()
    }
}

impl Default for Holds {
    fn default() -> Self {
        Self::new(HELD_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freed(release: impl Into<Option<u64>>, hold: impl Into<Option<u64>>) -> Freed {
        Freed { release: release.into(), hold: hold.into() }
    }

    #[test]
    fn w17_the_peer_is_asked_to_spare_so_many_and_no_more() {
        let mut holds = Holds::new(2);
        assert_eq!([1, 2, 3].map(|actor| holds.begin(actor)), [true, true, false]);
        assert!(holds.are_exceeded());
        // Who has waited takes the place of who goes.
        assert_eq!(holds.end(1), freed(1, 3));
        assert!(!holds.are_exceeded());
        assert!(!holds.begin(4));
        // The peer knows nothing of it.
        assert_eq!(holds.end(4), freed(None, None));
        assert_eq!((holds.end(3), holds.end(2)), (freed(3, None), freed(2, None)));
        assert_eq!([5, 6, 7].map(|actor| holds.begin(actor)), [true, true, false]);
    }

    /// At a session's end everything is taken that has come.
    #[test]
    fn more_than_one_can_be_too_many() {
        let mut holds = Holds::new(1);
        assert_eq!([1, 2, 3].map(|actor| holds.begin(actor)), [true, false, false]);
        assert_eq!((holds.end(1), holds.end(3)), (freed(1, 2), freed(None, None)));
        assert_eq!(holds.end(2), freed(2, None));
        assert_eq!(holds.told, 0);
    }
}
