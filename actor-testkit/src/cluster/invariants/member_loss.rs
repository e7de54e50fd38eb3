//! No member that lives is declared lost unless a fault explains it.

use std::time::Duration;

use actor_cluster::MemberEvent;
use actor_cluster::limits::{HEARTBEAT_TIMEOUT, RESUME_TIMEOUT};

use super::lives::Lives;
use super::trouble::Trouble;
use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// How long a fault of the member, or of any way to it, explains what others say of it: a session may wait that long for streams, then
/// helpers are asked, and they tell each other.
const EXPLAINS_FOR: Duration = HEARTBEAT_TIMEOUT.saturating_add(RESUME_TIMEOUT).saturating_add(ASKS_FOR);
const ASKS_FOR: Duration = Duration::from_secs(5);

/// A member that lives is declared lost only where a fault of it, of who says so, or of a way to it explains that.
#[derive(Debug, Default)]
pub struct MembersTrusted {
    lives: Lives,
    trouble: Trouble,
}

impl Invariant for MembersTrusted {
    fn name(&self) -> &'static str {
        "no live member is lost without a fault"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        self.trouble.observe(event);
        let (here, lost, why) = match (&event.what, event.node) {
            // One more that can be lost.
            (What::Member(MemberEvent::Joined(_)), _) => return Ok(1),
            (What::Member(MemberEvent::Lost { member, reason }), Some(here)) => (here, member, reason),
            _ => return Ok(0),
        };
        let Some(there) = self.lives.node(lost.node) else { return Ok(0) };
        let is_explained = self.lives.has_ended(lost.incarnation)
            || self.trouble.explains_about(there, EXPLAINS_FOR, event.at)
            || self.trouble.explains(here, there, EXPLAINS_FOR, event.at);
        if is_explained {
            return Ok(0);
        }
        let text = format!("node {here} has declared node {there} lost ({why:?}), and nothing was wrong");
        Err(Violation::new(text).about(About::Node(here)))
    }
}
