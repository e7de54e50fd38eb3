//! What is remembered of dials: how often they came to nothing, and how many more there may be of nodes that are known by hearsay alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dice::Dice;
use crate::id::NodeId;
use crate::limits::{
    DIAL_FAILURES_KEPT_FOR, DIAL_FAILURES_KEPT_MAX, DIAL_PAUSE, DIAL_PAUSE_MAX, HEARSAY_ADDRESS_INTERVAL,
    HEARSAY_ADDRESSES_MAX,
};

/// How often dials came to nothing, and when there may be another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    failed: u32,
    last: Duration,
    next: Duration,
}

impl Attempts {
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    pub(super) fn next(&self) -> Duration {
        self.next
    }

    pub(super) fn on_failed(&mut self, now: Duration, dice: &mut Dice) {
        let pause = (DIAL_PAUSE * 2_u32.saturating_pow(self.failed.min(16))).min(DIAL_PAUSE_MAX);
        // Up to a quarter less, so that not all come at the same time.
        let early = pause / 256 * u32::from(dice.roll().to_le_bytes()[0]) / 4;
        (self.last, self.next) = (now, now + pause - early);
        self.failed += 1;
    }
}

/// The same of nodes, whether or not somebody wants them dialled meanwhile: whoever is told of again has failed as often as before.
#[derive(Debug, Default)]
pub(super) struct Tried(BTreeMap<NodeId, Attempts>);

impl Tried {
    pub(super) fn of(&self, node: NodeId, now: Duration) -> Attempts {
        let known = self.0.get(&node).copied();
        let is_over = |attempts: &Attempts| now.saturating_sub(attempts.last) >= DIAL_FAILURES_KEPT_FOR;
        known.filter(|attempts| !is_over(attempts)).unwrap_or_default()
    }

    /// A dial came to nothing. If there are too many such nodes, the one that was dialled longest ago is forgotten.
    pub(super) fn on_failed(&mut self, node: NodeId, now: Duration, dice: &mut Dice) {
        let mut attempts = self.of(node, now);
        attempts.on_failed(now, dice);
        if self.0.len() >= DIAL_FAILURES_KEPT_MAX && !self.0.contains_key(&node) {
            let oldest = self.0.iter().min_by_key(|(_, attempts)| attempts.last).map(|(node, _)| *node);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(node, attempts);
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
    }
}

/// How many addresses may be dialled of nodes that nobody has met. What comes to nothing is spent, and comes back at a rate.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    spent: usize,
    counted_at: Duration,
}

impl Allowance {
    pub(super) fn left(&mut self, now: Duration) -> usize {
        let passed = now.saturating_sub(self.counted_at).as_nanos() / HEARSAY_ADDRESS_INTERVAL.as_nanos();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.counted_at += HEARSAY_ADDRESS_INTERVAL.saturating_mul(passed);
        self.spent = self.spent.saturating_sub(passed as usize);
        HEARSAY_ADDRESSES_MAX.saturating_sub(self.spent)
    }

    pub(super) fn spend(&mut self, addresses: usize) {
        self.spent += addresses;
    }

    /// A dial came to something, or was none.
    pub(super) fn give_back(&mut self, addresses: usize) {
        self.spent = self.spent.saturating_sub(addresses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> NodeId {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(key)
    }

    #[test]
    fn so_many_failures_are_remembered_for_so_long() {
        let (mut tried, mut dice) = (Tried::default(), Dice::new(1));
        let at = |number: usize| Duration::from_millis(u64::try_from(number).unwrap());
        for number in 0..=DIAL_FAILURES_KEPT_MAX {
            tried.on_failed(node(number), at(number), &mut dice);
        }
        assert_eq!(tried.0.len(), DIAL_FAILURES_KEPT_MAX);
        let now = at(DIAL_FAILURES_KEPT_MAX);
        assert_eq!(
            [0, 1].map(|number| tried.of(node(number), now).failed()),
            [0, 1],
            "the oldest is forgotten"
        );
        tried.on_failed(node(1), now, &mut dice);
        assert_eq!(tried.0.len(), DIAL_FAILURES_KEPT_MAX);
        let (before, then) = (at(999) + DIAL_FAILURES_KEPT_FOR, at(1000) + DIAL_FAILURES_KEPT_FOR);
        assert_eq!([before, then].map(|now| tried.of(node(1000), now).failed()), [1, 0]);
        tried.forget(node(1));
        assert_eq!(tried.of(node(1), now), Attempts::default());
    }

    #[test]
    fn what_is_spent_comes_back_at_a_rate_and_no_more_than_there_was() {
        let mut allowance = Allowance::default();
        let later = |count: u32| HEARSAY_ADDRESS_INTERVAL * count;
        assert_eq!(allowance.left(later(1000)), HEARSAY_ADDRESSES_MAX);
        allowance.spend(HEARSAY_ADDRESSES_MAX);
        assert_eq!(allowance.left(later(1000)), 0);
        assert_eq!(allowance.left(later(1001) - Duration::from_nanos(1)), 0);
        assert_eq!(allowance.left(later(1003)), 3);
        allowance.give_back(2);
        assert_eq!(allowance.left(later(1003)), 5);
    }
}
