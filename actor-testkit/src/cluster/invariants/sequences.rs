//! The numbers of a lane never go back, and neither side knows of more than the other has done.

use std::collections::BTreeMap;

use actor_cluster::{LaneAudit, NodeId};

use super::{Checked, Invariant, SessionSide, Violation};
use crate::cluster::history::{Event, What};

/// See the module.
#[derive(Debug, Default)]
pub struct Sequences {
    /// By session, node and lane.
    sides: BTreeMap<(u64, usize, u8), LaneAudit>,
    /// Which two nodes a session is between.
    nodes: BTreeMap<u64, Vec<usize>>,
    ids: BTreeMap<NodeId, usize>,
}

impl Sequences {
    /// One side of the sessions between two nodes is over: what it wrote last, and was not looked at any more, may still come to the
    /// other.
    fn forget_side(&mut self, node: usize, peer: usize) {
        let is_between = |session: &u64| {
            self.nodes.get(session).is_some_and(|nodes| nodes.contains(&node) && nodes.contains(&peer))
        };
        self.sides.retain(|(session, side, _), _| *side != node || !is_between(session));
    }
}

impl Invariant for Sequences {
    fn name(&self) -> &'static str {
        "sequence numbers never regress"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        match (&event.what, event.node) {
            (What::Started { id, .. }, Some(node)) => drop(self.ids.insert(*id, node)),
            (What::Node(told), Some(node)) => {
                let peer = told.session_end().and_then(|(peer, _)| self.ids.get(&peer.node).copied());
                if let Some(peer) = peer {
                    self.forget_side(node, peer);
                }
            }
            _ => {}
        }
        Ok(0)
    }

    fn audit(&mut self, side: &SessionSide) -> Checked {
        let nodes = self.nodes.entry(side.audit.session).or_default();
        if !nodes.contains(&side.node) {
            nodes.push(side.node);
        }
        let peer = nodes.iter().copied().find(|node| *node != side.node);
        for lane in &side.audit.lanes {
            let key = |node| (side.audit.session, node, lane.lane);
            let former = self.sides.insert(key(side.node), *lane);
            let peer = peer.and_then(|peer| self.sides.get(&key(peer)));
            if let Some(wrong) = wrong(lane, former.as_ref(), peer) {
                let text =
                    format!("{wrong}: node {}, {lane:?}, before {former:?}, the peer {peer:?}", side.node);
                return Err(Violation::new(text));
            }
        }
        Ok(side.audit.lanes.len() as u64)
    }
}

fn wrong(here: &LaneAudit, former: Option<&LaneAudit>, peer: Option<&LaneAudit>) -> Option<&'static str> {
    if here.acked > here.sent || here.told > here.received {
        return Some("more is acknowledged than there is");
    }
    let numbers = |lane: &LaneAudit| [lane.sent, lane.acked, lane.received, lane.told];
    if let Some(former) = former
        && numbers(here).iter().zip(numbers(former)).any(|(now, before)| *now < before)
    {
        return Some("a number went back");
    }
    let peer = peer?;
    if here.received > peer.sent || peer.received > here.sent {
        return Some("more has come than was sent");
    }
    (here.acked > peer.received || peer.acked > here.received)
        .then_some("one knows more to have come than has")
}
