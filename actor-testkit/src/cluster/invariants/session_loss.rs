//! A session that nobody closes ends only where a fault explains it. No fault explains that a node breaks the protocol.

use std::collections::BTreeSet;
use std::time::Duration;

use actor_cluster::limits::{HEARTBEAT_TIMEOUT, RESUME_TIMEOUT};
use actor_cluster::transport::CloseCode;
use actor_cluster::{Incarnation, LostReason, MemberEvent, NodeEvent};

use super::lives::Lives;
use super::trouble::Trouble;
use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// How long a fault explains what comes of it: that streams are silent is noticed so late, a session waits so long for others, and a
/// dial may be under way.
const EXPLAINS_FOR: Duration = HEARTBEAT_TIMEOUT.saturating_add(RESUME_TIMEOUT).saturating_add(DIALS_FOR);
const DIALS_FOR: Duration = Duration::from_secs(2);

/// A session that nobody closes ends only where a fault of its nodes or of the way between them explains that.
#[derive(Debug, Default)]
pub struct LossExplained {
    lives: Lives,
    trouble: Trouble,
    /// Which life has taken which for no member any more: it ends the session, and [`MembersTrusted`](super::MembersTrusted) asks why.
    given_up: BTreeSet<(Incarnation, Incarnation)>,
}

impl Invariant for LossExplained {
    fn name(&self) -> &'static str {
        "no session is lost without a fault"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        self.trouble.observe(event);
        let (node, told) = match (&event.what, event.node) {
            (What::Member(MemberEvent::Lost { member, reason }), node)
                if *reason != LostReason::Disconnected =>
            {
                let here = self.lives.of(node);
                self.given_up.extend(here.map(|here| (here, member.incarnation)));
                return Ok(0);
            }
            // One more that can be lost.
            (What::Node(NodeEvent::Ready(_)), _) => return Ok(1),
            (What::Node(told), Some(node)) => (node, told),
            _ => return Ok(0),
        };
        let Some((peer, reason)) = told.session_end() else { return Ok(0) };
        let Some(there) = self.lives.node(peer.node) else { return Ok(0) };
        if reason.code == CloseCode::Violation {
            let text = format!("node {node} and node {there} have broken the protocol: {reason}");
            return Err(Violation::new(text).about(About::Node(node)));
        }
        let here = self.lives.of(event.node);
        let has_given_up = |one, other| self.given_up.contains(&(one, other));
        let is_explained = self.lives.has_ended(peer.incarnation)
            || here.is_some_and(|here| {
                has_given_up(here, peer.incarnation) || has_given_up(peer.incarnation, here)
            })
            || self.trouble.explains(node, there, EXPLAINS_FOR, event.at);
        if is_explained {
            return Ok(0);
        }
        let text =
            format!("node {node} lost its session with node {there} ({reason}), and nothing was wrong");
        Err(Violation::new(text).about(About::Node(node)))
    }
}
