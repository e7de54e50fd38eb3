//! A node finds no actor by a name whose node's life is over, once it knows that.

use std::collections::BTreeSet;

use actor_cluster::{Incarnation, NodeEvent};

use super::lives::Lives;
use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// See the module.
#[derive(Debug, Default)]
pub struct NamesWithdrawn {
    lives: Lives,
    /// Who has told that its session with whom is over, when that one's life was over already.
    over: BTreeSet<(Incarnation, Incarnation)>,
}

impl Invariant for NamesWithdrawn {
    fn name(&self) -> &'static str {
        "names of a lost node are withdrawn"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        let Some(here) = self.lives.of(event.node) else { return Ok(0) };
        match &event.what {
            What::Node(told) => self.take(here, told),
            What::NameFound { name, actor } if self.over.contains(&(here, actor.incarnation())) => {
                let text = format!("{name:?} led to actor {actor}, with whose life the session was over");
                return Err(Violation::new(text).about(About::Name(name.clone())));
            }
            What::NameFound { .. } => return Ok(1),
            _ => {}
        }
        Ok(0)
    }
}

impl NamesWithdrawn {
    fn take(&mut self, here: Incarnation, told: &NodeEvent) {
        if let NodeEvent::Authenticated(peer) | NodeEvent::Ready(peer) = told {
            // It was let in before it died.
            self.over.remove(&(here, peer.incarnation));
        } else if let Some((peer, _)) = told.session_end()
            && self.lives.has_ended(peer.incarnation)
        {
            self.over.insert((here, peer.incarnation));
        }
    }
}
