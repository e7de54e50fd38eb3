//! Whom to dial, and when: seeds, members without a session, those of whom somebody told, and those who were lost.
//!
//! Where a node is, and often that it is there at all, is said by others, and who is dialled because of a lie may be anybody. So a dial
//! takes a place until it has ended, failures are remembered, and nodes with which there never was a session go last, with
//! fewer places, at a rate.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::attempts::{Allowance, Attempts, Tried};
use super::dice::Dice;
use crate::id::NodeId;
use crate::limits::{
    ADDRESSES_PER_NODE_MAX, DIAL_PAUSE_MAX, GOSSIP_DIALS_MAX, HEARSAY_ADDRESSES_MAX, HEARSAY_DIALS_MAX,
    LOST_KEPT, MEMBERS_MAX, TOLD_DIALS_AT_ONCE_MAX, TOLD_DIALS_MAX,
};
use crate::transport::Address;

/// Why a node is dialled, from the least certain to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// Somebody said that it is there.
    Told,
    /// It was a member, and may come back.
    Lost,
    /// It is a member.
    Member,
}

/// What is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The seed of this number.
    Seed(usize),
    Node(NodeId),
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// There is a session with this node.
    Connected(NodeId),
    /// It is this node itself.
    Ourselves,
    /// There was nothing to dial, or no place for a session.
    Nowhere(String),
    Failed(String),
}

/// What is known of a node that is to be dialled, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Footing {
    /// Somebody has told of it.
    Hearsay,
    /// It is said to be a member, and there never was a session with it.
    Unmet,
    /// There was a session with it.
    Met,
}

impl Footing {
    /// With how many dials under way no other of this kind begins.
    fn dials_max(self) -> usize {
        match self {
            Footing::Hearsay => TOLD_DIALS_AT_ONCE_MAX,
            Footing::Unmet => HEARSAY_DIALS_MAX,
            Footing::Met => GOSSIP_DIALS_MAX,
        }
    }

    /// How much of the allowance is left to others.
    fn reserve(self) -> usize {
        if self == Footing::Hearsay { HEARSAY_ADDRESSES_MAX / 2 } else { 0 }
    }
}

#[derive(Debug)]
struct Wanted {
    why: Why,
    addresses: Vec<Address>,
    since: Duration,
    /// Not before then.
    first: Duration,
}

#[derive(Debug, Default)]
struct Seed {
    attempts: Attempts,
    is_under_way: bool,
    /// Who answered last.
    reached: Option<NodeId>,
    is_ourselves: bool,
    told: Option<String>,
}

impl Seed {
    /// One that was reached is, once nobody is there any more, unless its node needs no dial.
    fn is_wanted(&self, is_alone: bool, is_spared: impl Fn(NodeId) -> bool) -> bool {
        match self.reached {
            // Behind a name or a balanced address others may be too: where nobody else is there it is asked again.
            None => is_alone || !self.is_ourselves,
            Some(reached) => is_alone && !is_spared(reached),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Dialing {
    seeds: Vec<Seed>,
    wanted: BTreeMap<NodeId, Wanted>,
    /// What each has spent of the allowance.
    under_way: BTreeMap<NodeId, usize>,
    tried: Tried,
    /// With whom there was a session, when the last one began or ended.
    met: BTreeMap<NodeId, Duration>,
    hearsay: Allowance,
}

impl Dialing {
    pub(crate) fn new(seeds: usize) -> Self {
        Self { seeds: (0..seeds).map(|_| Seed::default()).collect(), ..Self::default() }
    }

    /// A node without a session should have one. Of those that were lost it is believed of whom it was met; and whoever is but told of has
    /// so many attempts.
    pub(crate) fn want(
        &mut self,
        node: NodeId,
        why: Why,
        addresses: &[Address],
        now: Duration,
        first: Duration,
    ) {
        let is_hopeless = match why {
            Why::Told => self.tried.of(node, now).failed() >= TOLD_DIALS_MAX,
            Why::Lost => !self.has_met(node, now),
            Why::Member => false,
        };
        if addresses.is_empty() || is_hopeless {
            return;
        }
        let addresses = addresses.iter().take(ADDRESSES_PER_NODE_MAX).cloned().collect();
        if let Some(wanted) = self.wanted.get_mut(&node) {
            if wanted.why < why {
                (wanted.why, wanted.since) = (why, now);
            }
            // What others say of where it is ends no pause.
            wanted.addresses = addresses;
        } else if self.has_place(why) {
            self.wanted.insert(node, Wanted { why, addresses, since: now, first: now + first });
        }
    }

    /// Whether one more may be wanted for this reason. If there is no place, whoever is wanted for a lesser one goes.
    fn has_place(&mut self, why: Why) -> bool {
        if self.wanted.len() < MEMBERS_MAX {
            return true;
        }
        let least = self.wanted.iter().min_by_key(|(_, wanted)| (wanted.why, wanted.since));
        let lesser = least.filter(|(_, wanted)| wanted.why < why).map(|(node, _)| *node);
        lesser.is_some_and(|lesser| self.wanted.remove(&lesser).is_some())
    }

    /// Whether so few are wanted that it costs little to look who is due.
    pub(crate) fn is_short(&self) -> bool {
        self.wanted.len() <= TOLD_DIALS_AT_ONCE_MAX
    }

    /// Nobody needs to dial it. A dial that is under way takes its place until it ends.
    pub(crate) fn unwant(&mut self, node: NodeId) {
        self.wanted.remove(&node);
    }

    /// There is a session with it.
    pub(crate) fn on_met(&mut self, node: NodeId, now: Duration) {
        self.unwant(node);
        self.remember(node, now);
    }

    /// The session with it is over. Had it lasted, then the next dial need not wait.
    pub(crate) fn on_parted(&mut self, node: NodeId, now: Duration) {
        let begun = self.met.get(&node).copied().unwrap_or(now);
        if now.saturating_sub(begun) >= DIAL_PAUSE_MAX {
            self.tried.forget(node);
        }
        self.remember(node, now);
    }

    /// It has left: it is like any other of whom somebody may tell.
    pub(crate) fn on_left(&mut self, node: NodeId) {
        self.unwant(node);
        self.met.remove(&node);
        self.tried.forget(node);
    }

    fn remember(&mut self, node: NodeId, now: Duration) {
        if self.met.len() >= 2 * MEMBERS_MAX && !self.met.contains_key(&node) {
            let oldest = self.met.iter().min_by_key(|(_, at)| **at).map(|(node, _)| *node);
            oldest.and_then(|oldest| self.met.remove(&oldest));
        }
        self.met.insert(node, now);
    }

    fn has_met(&self, node: NodeId, now: Duration) -> bool {
        self.met.get(&node).is_some_and(|at| now.saturating_sub(*at) < LOST_KEPT)
    }

    /// Whether it is whom a seed has led to.
    pub(crate) fn is_seed(&self, node: NodeId) -> bool {
        self.seeds.iter().any(|seed| seed.reached == Some(node))
    }

    /// Whether there is nobody to dial, now or later.
    pub(crate) fn is_idle(&self, is_alone: bool, is_spared: impl Fn(NodeId) -> bool) -> bool {
        self.wanted.is_empty() && !self.seeds.iter().any(|seed| seed.is_wanted(is_alone, &is_spared))
    }

    #[cfg(test)]
    pub(crate) fn wants(&self, node: NodeId) -> Option<Why> {
        self.wanted.get(&node).map(|wanted| wanted.why)
    }

    /// What is to be dialled now. Seeds while they were not reached yet, or nobody is there; the others as long as they are
    /// wanted, so many at a time, those first of whom the most is known.
    pub(crate) fn due(
        &mut self,
        now: Duration,
        is_alone: bool,
        is_spared: impl Fn(NodeId) -> bool,
    ) -> Vec<(Target, Vec<Address>)> {
        let mut due = Vec::new();
        for (number, seed) in self.seeds.iter_mut().enumerate() {
            let is_due = !seed.is_under_way && now >= seed.attempts.next();
            if is_due && seed.is_wanted(is_alone, &is_spared) {
                seed.is_under_way = true;
                due.push((Target::Seed(number), Vec::new()));
            }
        }
        let tried = &self.tried;
        self.wanted.retain(|node, wanted| match wanted.why {
            Why::Member => true,
            Why::Told => tried.of(*node, now).failed() < TOLD_DIALS_MAX,
            Why::Lost => now.saturating_sub(wanted.since) < LOST_KEPT,
        });
        for (node, footing) in self.candidates(now) {
            let Some(wanted) = self.wanted.get(&node) else { continue };
            let cost = if footing == Footing::Met { 0 } else { wanted.addresses.len() };
            let is_affordable = cost == 0 || self.hearsay.left(now) >= cost + footing.reserve();
            if self.under_way.len() >= footing.dials_max() || !is_affordable {
                continue;
            }
            self.hearsay.spend(cost);
            self.under_way.insert(node, cost);
            due.push((Target::Node(node), wanted.addresses.clone()));
        }
        due
    }

    /// Who could be dialled now, the best known first, and of those the one that has waited longest.
    fn candidates(&self, now: Duration) -> Vec<(NodeId, Footing)> {
        let idle = self.wanted.iter().filter(|(node, _)| !self.under_way.contains_key(node));
        let mut candidates: Vec<_> = idle
            .filter_map(|(node, wanted)| {
                let next = wanted.first.max(self.tried.of(*node, now).next());
                let footing = match wanted.why {
                    _ if self.has_met(*node, now) => Footing::Met,
                    Why::Told => Footing::Hearsay,
                    Why::Lost | Why::Member => Footing::Unmet,
                };
                (now >= next).then_some((Reverse((footing, wanted.why)), next, *node))
            })
            .collect();
        candidates.sort_unstable();
        candidates.into_iter().map(|(Reverse((footing, _)), _, node)| (node, footing)).collect()
    }

    /// A dial has come to its end. What is new to tell of a seed.
    pub(crate) fn on_dialled(
        &mut self,
        target: Target,
        dialled: &Dialled,
        now: Duration,
        dice: &mut Dice,
    ) -> Option<String> {
        match target {
            Target::Node(node) => {
                let spent = self.under_way.remove(&node)?;
                let is_spent = matches!(dialled, Dialled::Ourselves | Dialled::Failed(_));
                if !is_spent || self.has_met(node, now) {
                    self.hearsay.give_back(spent);
                }
                // Also one that has led to a session: it may end at once, again and again.
                self.tried.on_failed(node, now, dice);
                None
            }
            Target::Seed(number) => {
                let seed = self.seeds.get_mut(number)?;
                seed.is_under_way = false;
                let error = match dialled {
                    Dialled::Connected(node) => {
                        (seed.reached, seed.told) = (Some(*node), None);
                        seed.attempts = Attempts::default();
                        seed.attempts.on_failed(now, dice);
                        return None;
                    }
                    Dialled::Ourselves => {
                        seed.is_ourselves = true;
                        "it is this node itself".to_owned()
                    }
                    Dialled::Nowhere(error) | Dialled::Failed(error) => error.clone(),
                };
                seed.attempts.on_failed(now, dice);
                let is_news = seed.told.as_ref() != Some(&error);
                is_news.then(|| seed.told.insert(error).clone())
            }
        }
    }
}

#[cfg(test)]
mod tests;
