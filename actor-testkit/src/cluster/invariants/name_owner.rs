//! A name that only one may have has one owner among nodes that have had time to talk about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::{NodeEvent, NodeId};
use actor_core::{ActorId, Instant};

use super::trouble::Trouble;
use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// How long nothing was wrong, and nobody took the name: by then the loser has given it up.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub struct OneOwner {
    trouble: Trouble,
    ids: BTreeMap<usize, NodeId>,
    /// Who has each.
    owners: BTreeMap<Arc<str>, BTreeMap<ActorId, Owned>>,
}

/// On which node, and since when.
type Owned = (Option<usize>, Instant);

impl Invariant for OneOwner {
    fn name(&self) -> &'static str {
        "names have one owner"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.trouble.observe(event);
        match (&event.what, event.node) {
            (What::Started { id, .. }, Some(node)) => drop(self.ids.insert(node, *id)),
            (What::NameTaken { name, actor }, node) => {
                self.owners.entry(name.clone()).or_default().insert(*actor, (node, event.at));
                return self.check(name, event.at);
            }
            (What::NameLost { name, actor }, _) => self.lost(name, *actor),
            (What::Node(NodeEvent::NameConflict { name, loser, .. }), Some(node))
                if self.ids.get(&node) == Some(&loser.node) =>
            {
                self.lost(name, loser.actor);
            }
            (What::ActorEnded { actor }, _) => {
                self.owners.values_mut().for_each(|owners| _ = owners.remove(actor));
            }
            (What::Crashed { incarnation } | What::Left { incarnation }, _) => {
                let is_left = |actor: &ActorId| actor.incarnation() != *incarnation;
                self.owners.values_mut().for_each(|owners| owners.retain(|actor, _| is_left(actor)));
            }
            (What::NameFound { name, .. }, _) => return self.check(name, event.at),
            _ => {}
        }
        Ok(0)
    }

    fn at_end(&mut self, end: &End) -> Checked {
        self.owners.keys().try_fold(0, |checked, name| Ok(checked + self.check(name, end.at)?))
    }
}

impl OneOwner {
    fn lost(&mut self, name: &Arc<str>, actor: ActorId) {
        if let Some(owners) = self.owners.get_mut(name) {
            owners.remove(&actor);
        }
    }

    fn check(&self, name: &Arc<str>, now: Instant) -> Checked {
        if !self.trouble.is_calm_for(SETTLES_WITHIN, now) {
            return Ok(0);
        }
        let owners = self.owners.get(name).into_iter().flatten();
        let settled: Vec<_> = owners.filter(|(_, (_, since))| now >= *since + SETTLES_WITHIN).collect();
        if let [(one, (here, _)), (other, (there, _)), ..] = settled[..] {
            let text = format!(
                "{name:?} has two owners that have had time to settle it: actor {one} on node {here:?} and actor {other} on node {there:?}"
            );
            return Err(Violation::new(text).about(About::Name(name.clone())));
        }
        Ok(1)
    }
}
