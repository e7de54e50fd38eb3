//! Which faults are there, and since when there is none: what must settle does so while nothing is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actor_core::Instant;

use crate::cluster::fault::{Degradation, Fault};
use crate::cluster::history::{Event, What};

/// The faults of a cluster.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    nodes: BTreeSet<usize>,
    frozen: BTreeSet<usize>,
    slow: BTreeSet<usize>,
    degraded: BTreeSet<usize>,
    down: BTreeSet<usize>,
    /// Ways between two nodes, the lesser first.
    blocked: BTreeSet<(usize, usize)>,
    /// When anything was wrong last with a node, or between two.
    of_node: BTreeMap<usize, Instant>,
    of_pair: BTreeMap<(usize, usize), Instant>,
    last: Instant,
}

impl Trouble {
    pub(super) fn observe(&mut self, event: &Event) {
        self.nodes.extend(event.node);
        match &event.what {
            What::Fault(fault) => self.take(fault, event.at),
            // It sets itself up now. That it begins another life is a fault, that it is there at all is none.
            What::Started { .. } => self.last = event.at,
            _ => {}
        }
    }

    fn take(&mut self, fault: &Fault, at: Instant) {
        match fault {
            Fault::Partition(groups) => {
                let is_apart =
                    |one, other| !groups.iter().any(|group| group.contains(&one) && group.contains(&other));
                self.mend_ways(at);
                let all: Vec<usize> = self.nodes.iter().copied().collect();
                for one in &all {
                    for other in all.iter().filter(|other| one < *other && is_apart(*one, **other)) {
                        self.blocked.insert((*one, *other));
                    }
                }
            }
            Fault::Block { from, to } => {
                self.blocked.insert(pair(*from, *to));
            }
            Fault::Heal => self.mend_ways(at),
            Fault::Cut(one, other) => {
                self.of_pair.insert(pair(*one, *other), at);
            }
            Fault::Crash(node, _) | Fault::Leave(node) => {
                // Whatever it suffered from is over with it.
                self.frozen.remove(node);
                self.slow.remove(node);
                self.down.insert(*node);
            }
            Fault::Restart(node) => {
                self.down.remove(node);
                self.touch_node(Some(*node), at);
            }
            Fault::Freeze(node) => {
                self.frozen.insert(*node);
            }
            Fault::Thaw(node) => {
                if self.frozen.remove(node) {
                    self.touch_node(Some(*node), at);
                }
            }
            Fault::Slow(node, cost) if *cost > Duration::ZERO => {
                self.slow.insert(*node);
            }
            Fault::Slow(node, _) => {
                if self.slow.remove(node) {
                    self.touch_node(Some(*node), at);
                }
            }
            Fault::Degrade(node, degradation) if *degradation != Degradation::NONE => {
                self.degraded.insert(*node);
            }
            Fault::Degrade(node, _) => {
                if self.degraded.remove(node) {
                    self.touch_node(Some(*node), at);
                }
            }
            // A wall clock is nobody's business.
            Fault::ClockForward(..) | Fault::ClockBack(..) | Fault::ClockDrift(..) => return,
        }
        self.last = at;
    }

    fn mend_ways(&mut self, at: Instant) {
        for pair in std::mem::take(&mut self.blocked) {
            self.of_pair.insert(pair, at);
        }
    }

    fn touch_node(&mut self, node: Option<usize>, at: Instant) {
        if let Some(node) = node {
            self.of_node.insert(node, at);
        }
        self.last = at;
    }

    fn bad(&self) -> [&BTreeSet<usize>; 4] {
        [&self.frozen, &self.slow, &self.degraded, &self.down]
    }

    /// Whether nothing is wrong now, and nothing was for so long.
    pub(super) fn is_calm_for(&self, time: Duration, now: Instant) -> bool {
        self.bad().into_iter().all(BTreeSet::is_empty) && self.blocked.is_empty() && now >= self.last + time
    }

    /// Whether something is wrong with a node or with any way to it, or was within such a time.
    pub(super) fn explains_about(&self, node: usize, within: Duration, now: Instant) -> bool {
        let is_of = |pair: &(usize, usize)| pair.0 == node || pair.1 == node;
        let is_recent = |at: &Instant| now <= *at + within;
        self.explains(node, node, within, now)
            || self.blocked.iter().any(is_of)
            || self.of_pair.iter().any(|(pair, at)| is_of(pair) && is_recent(at))
    }

    /// Whether something is wrong with two nodes or between them, or was within such a time.
    pub(super) fn explains(&self, one: usize, other: usize, within: Duration, now: Instant) -> bool {
        let is_bad = |node: usize| self.bad().into_iter().any(|nodes| nodes.contains(&node));
        let marks = [self.of_node.get(&one), self.of_node.get(&other), self.of_pair.get(&pair(one, other))];
        is_bad(one)
            || is_bad(other)
            || self.blocked.contains(&pair(one, other))
            || marks.into_iter().flatten().any(|at| now <= *at + within)
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
