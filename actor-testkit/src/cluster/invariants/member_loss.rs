//! No member that lives is declared lost unless a fault explains it.

use std::collections::BTreeMap;
use std::time::Duration;

use actor_cluster::limits::{HEARTBEAT_TIMEOUT, RESUME_TIMEOUT};
use actor_cluster::{MemberEvent, NodeId};

use super::lives::Lives;
use super::trouble::Trouble;
use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// How long a fault of the member, or of any way to it, explains what others say of it: a session may wait that long for streams, then
/// helpers are asked, and they tell each other.
const EXPLAINS_FOR: Duration = HEARTBEAT_TIMEOUT.saturating_add(RESUME_TIMEOUT).saturating_add(ASKS_FOR);
const ASKS_FOR: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub struct MembersTrusted {
    lives: Lives,
    trouble: Trouble,
    nodes: BTreeMap<NodeId, usize>,
}

impl Invariant for MembersTrusted {
    fn name(&self) -> &'static str {
        "no live member is lost without a fault"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        self.trouble.observe(event);
        let (lost, why) = match (&event.what, event.node) {
            (What::Started { id, .. }, Some(node)) => {
                self.nodes.insert(*id, node);
                return Ok(0);
            }
            // One more that can be lost.
            (What::Member(MemberEvent::Joined(_)), _) => return Ok(1),
            (What::Member(MemberEvent::Lost { member, reason }), Some(_)) => (member, reason),
            _ => return Ok(0),
        };
        let Some(there) = self.nodes.get(&lost.node) else { return Ok(0) };
        let here = event.node.unwrap_or(*there);
        let is_explained = self.lives.has_ended(lost.incarnation)
            || self.trouble.explains_about(*there, EXPLAINS_FOR, event.at)
            || self.trouble.explains(here, *there, EXPLAINS_FOR, event.at);
        if is_explained {
            return Ok(0);
        }
        let text = format!("node {here} has declared node {there} lost ({why:?}), and nothing was wrong");
        Err(Violation::new(text).about(About::Node(here)))
    }
}
