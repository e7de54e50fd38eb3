//! Nobody sends on credit that it was not given, and nobody gives credit back that was not spent.

use actor_cluster::{CreditAudit, LaneAudit};

use super::sides::Sides;
use super::{Checked, Invariant, SessionSide, Violation};
use crate::cluster::history::Event;

/// Each side of a session spends what it was given and gives back what was spent, of each lane's credit.
#[derive(Debug, Default)]
pub struct Credit {
    sides: Sides<CreditAudit>,
}

impl Invariant for Credit {
    fn name(&self) -> &'static str {
        "credit is never negative"
    }

    fn observe(&mut self, _: &Event) -> Checked {
        Ok(0)
    }

    fn audit(&mut self, side: &SessionSide) -> Checked {
        let mut checked = 0;
        for LaneAudit { lane, credit, .. } in &side.audit.lanes {
            let Some(credit) = credit else { continue };
            let (former, peer) = self.sides.note(side.audit.session, side.node, *lane, *credit);
            if let Some(wrong) = wrong(credit, former.as_ref(), peer.as_ref()) {
                let text = format!("{wrong}: node {}, lane {lane}, {credit:?}, the peer {peer:?}", side.node);
                return Err(Violation::new(text));
            }
            checked += 1;
        }
        Ok(checked)
    }

    fn audit_over(&mut self, session: u64, node: usize) {
        self.sides.forget(session, node);
    }
}

fn wrong(
    here: &CreditAudit,
    former: Option<&CreditAudit>,
    peer: Option<&CreditAudit>,
) -> Option<&'static str> {
    // One that has waited may begin half a window later, and the last message overdraws by as much.
    if here.spent > here.limit.saturating_add(here.window) {
        return Some("it has spent more than it has");
    }
    if here.taken > here.returned.saturating_add(here.lent_window.saturating_mul(2)) {
        return Some("the peer has spent more than it was lent");
    }
    if here.delivered > here.taken || here.returned > here.delivered {
        return Some("more was given back than was spent");
    }
    if former.is_some_and(|former| here.limit < former.limit || here.returned < former.returned) {
        return Some("credit that was given was taken back");
    }
    let peer = peer?;
    // Each knows of the other at most what the other has done.
    if here.limit > peer.returned.saturating_add(peer.lent_window)
        || peer.limit > here.returned.saturating_add(here.lent_window)
    {
        return Some("one has more credit than the other gave");
    }
    (here.taken > peer.spent || peer.taken > here.spent).then_some("more has come than was paid for")
}
