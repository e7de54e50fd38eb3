//! The numbers of a lane never go back, and neither side knows of more than the other has done.

use actor_cluster::LaneAudit;

use super::sides::Sides;
use super::{Checked, Invariant, SessionSide, Violation};
use crate::cluster::history::Event;

/// The numbers of each lane only grow, and neither side acknowledges or knows of more than the other has sent.
#[derive(Debug, Default)]
pub struct Sequences {
    sides: Sides<LaneAudit>,
}

impl Invariant for Sequences {
    fn name(&self) -> &'static str {
        "sequence numbers never regress"
    }

    fn observe(&mut self, _: &Event) -> Checked {
        Ok(0)
    }

    fn audit(&mut self, side: &SessionSide) -> Checked {
        for lane in &side.audit.lanes {
            let (former, peer) = self.sides.note(side.audit.session, side.node, lane.lane, *lane);
            if let Some(wrong) = wrong(lane, former.as_ref(), peer.as_ref()) {
                let text =
                    format!("{wrong}: node {}, {lane:?}, before {former:?}, the peer {peer:?}", side.node);
                return Err(Violation::new(text));
            }
        }
        Ok(side.audit.lanes.len() as u64)
    }

    fn audit_over(&mut self, session: u64, node: usize) {
        self.sides.forget(session, node);
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
