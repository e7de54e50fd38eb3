//! Many invariants at once, and the first of them that does not hold.

use std::collections::BTreeMap;

use actor_cluster::{NodeServer, SessionAudit};
use actor_core::Instant;

use super::{Checked, End, Invariant, SessionSide, Violation};
use crate::cluster::handle::SimHandle;
use crate::cluster::history::Event;

/// Looks at all that happens in a cluster.
pub(in crate::cluster) struct Checker {
    invariants: Vec<(Box<dyn Invariant>, u64)>,
    /// How much of the history they have seen.
    events_seen: usize,
    /// The sides of sessions as they were, by session and node.
    sides: BTreeMap<(u64, usize), SessionAudit>,
    broken: Option<Broken>,
}

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Broken {
    pub(in crate::cluster) invariant: &'static str,
    pub(in crate::cluster) violation: Violation,
    pub(in crate::cluster) at: Instant,
    /// How many events there were by then.
    pub(in crate::cluster) events: usize,
}

/// How often an invariant was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// [Which](Invariant::name).
    pub invariant: &'static str,
    /// How often.
    pub times: u64,
}

impl Checker {
    pub(in crate::cluster) fn new(invariants: Vec<Box<dyn Invariant>>) -> Self {
        let invariants = invariants.into_iter().map(|invariant| (invariant, 0)).collect();
        Self { invariants, events_seen: 0, sides: BTreeMap::new(), broken: None }
    }

    /// Somebody has made a step: on this node, or nobody knows where.
    pub(in crate::cluster) fn look(&mut self, cluster: &SimHandle, node: Option<usize>) {
        self.take_events(cluster);
        let nodes = node.map_or(0..cluster.nodes(), |node| node..node + 1);
        // All first: what one side says is compared with what the other has said.
        let changed: Vec<SessionSide> = nodes.flat_map(|node| self.changed_sides(cluster, node)).collect();
        for side in changed {
            self.judge(cluster.now(), |invariant| invariant.audit(&side));
        }
    }

    fn take_events(&mut self, cluster: &SimHandle) {
        let recorder = cluster.recorder();
        if recorder.len() > self.events_seen {
            for event in recorder.since(self.events_seen) {
                self.observe(&event);
            }
        }
    }

    pub(in crate::cluster) fn observe(&mut self, event: &Event) {
        self.events_seen += 1;
        self.judge(event.at, |invariant| invariant.observe(event));
    }

    fn changed_sides(&mut self, cluster: &SimHandle, node: usize) -> Vec<SessionSide> {
        let life = cluster.try_node(node);
        let sessions = life.as_ref().and_then(|life| life.try_server()).map(NodeServer::sessions);
        let audits = sessions.into_iter().flatten().filter_map(|session| session.audit());
        let mut changed = Vec::new();
        let mut over: Vec<u64> =
            self.sides.keys().filter(|(_, side)| *side == node).map(|(session, _)| *session).collect();
        for audit in audits {
            over.retain(|session| *session != audit.session);
            let key = (audit.session, node);
            if self.sides.get(&key) != Some(&audit) {
                self.sides.insert(key, audit.clone());
                changed.push(SessionSide { node, audit });
            }
        }
        for session in over {
            self.sides.remove(&(session, node));
            self.invariants.iter_mut().for_each(|(invariant, _)| invariant.audit_over(session, node));
        }
        changed
    }

    /// Nothing more is to come.
    pub(in crate::cluster) fn end(&mut self, end: &End) {
        self.judge(end.at, |invariant| invariant.at_end(end));
    }

    fn judge(&mut self, at: Instant, mut look: impl FnMut(&mut dyn Invariant) -> Checked) {
        if self.broken.is_some() {
            return;
        }
        for (invariant, times) in &mut self.invariants {
            match look(invariant.as_mut()) {
                Ok(checked) => *times += checked,
                Err(violation) => {
                    let (invariant, events) = (invariant.name(), self.events_seen);
                    self.broken = Some(Broken { invariant, violation, at, events });
                    return;
                }
            }
        }
    }

    /// Something else is wrong.
    pub(in crate::cluster) fn break_for(
        &mut self,
        invariant: &'static str,
        violation: Violation,
        at: Instant,
    ) {
        let events = self.events_seen;
        self.broken.get_or_insert(Broken { invariant, violation, at, events });
    }

    pub(in crate::cluster) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    pub(in crate::cluster) fn counts(&self) -> Vec<Count> {
        let count = |(invariant, times): &(Box<dyn Invariant>, u64)| Count {
            invariant: invariant.name(),
            times: *times,
        };
        self.invariants.iter().map(count).collect()
    }
}
