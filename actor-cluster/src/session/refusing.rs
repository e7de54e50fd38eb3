//! Calls that come while [`CALLS_MAX`](crate::limits::CALLS_MAX) are open: they are refused at once, and never run.
//!
//! An honest peer sends them too. A caller that gives up has a place for another call, which may
//! overtake the Cancel in another lane.

use std::collections::BTreeMap;

use actor_core::{CallFailure, Rejection};

use super::{Correlation, Session};
use crate::wire::lanes::LaneId;

impl Session {
    /// Answers a call that has just come that there is no room for it. Nobody else hears of it.
    pub(super) fn refuse_call(&mut self, lane: LaneId, call: Correlation, bytes: usize) {
        self.write_failure(lane, call, &CallFailure::Rejected(Rejection::Full));
        *self.refused.entry(lane).or_default() += bytes;
        self.check_unread();
    }

    /// Gives the peer back what refused calls cost it in credit, unless it leaves its answers unread.
    /// Whether there was any. Whoever drives the session asks for it in each turn.
    pub(crate) fn repay_refused(&mut self) -> bool {
        if self.refused.is_empty() {
            return false;
        }
        let takes_more = self.wants_messages();
        let (repaid, kept) =
            std::mem::take(&mut self.refused).into_iter().partition(|(lane, _)| takes_more.of(*lane));
        self.refused = kept;
        let repaid: BTreeMap<LaneId, usize> = repaid;
        repaid.iter().for_each(|(lane, bytes)| self.delivered(*lane, *bytes));
        !repaid.is_empty()
    }
}
