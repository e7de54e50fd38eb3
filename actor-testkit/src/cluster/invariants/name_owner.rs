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
    /// When that has changed last.
    changed: BTreeMap<Arc<str>, Instant>,
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
                self.changed.insert(name.clone(), event.at);
                return self.check(name, event.at);
            }
            (What::NameLost { name, actor }, _) => self.lost(name, *actor, event.at),
            (What::Node(NodeEvent::NameConflict { name, loser, .. }), Some(node))
                if self.ids.get(&node) == Some(&loser.node) =>
            {
                self.lost(name, loser.actor, event.at);
            }
            (What::ActorEnded { actor }, _) => {
                self.leaves(event.at, |owner| owner == *actor);
            }
            (What::Crashed { incarnation } | What::Left { incarnation }, _) => {
                self.leaves(event.at, |owner| owner.incarnation() == *incarnation);
            }
            (What::NameFound { name, actor }, _) => {
                return Ok(self.check_found(name, *actor, event.at)? + self.check(name, event.at)?);
            }
            _ => {}
        }
        Ok(0)
    }

    fn at_end(&mut self, end: &End) -> Checked {
        self.owners.keys().try_fold(0, |checked, name| Ok(checked + self.check(name, end.at)?))
    }
}

impl OneOwner {
    fn lost(&mut self, name: &Arc<str>, actor: ActorId, at: Instant) {
        if let Some(owners) = self.owners.get_mut(name) {
            owners.remove(&actor);
            self.changed.insert(name.clone(), at);
        }
    }

    /// Actors are no more.
    fn leaves(&mut self, at: Instant, is_gone: impl Fn(ActorId) -> bool) {
        for (name, owners) in &mut self.owners {
            let before = owners.len();
            owners.retain(|actor, _| !is_gone(*actor));
            if owners.len() < before {
                self.changed.insert(name.clone(), at);
            }
        }
    }

    /// Whoever is found has not lost the name long ago.
    fn check_found(&self, name: &Arc<str>, actor: ActorId, now: Instant) -> Checked {
        let (Some(owners), Some(changed)) = (self.owners.get(name), self.changed.get(name)) else {
            return Ok(0);
        };
        let is_settled = now >= *changed + SETTLES_WITHIN && self.trouble.is_calm_for(SETTLES_WITHIN, now);
        if !is_settled || owners.contains_key(&actor) {
            return Ok(u64::from(is_settled));
        }
        let text = format!("{name:?} led to actor {actor}, which had lost it by {changed:?}");
        Err(Violation::new(text).about(About::Name(name.clone())))
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
