//! A name that only one may have has one owner among nodes that have had time to talk about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorId, Instant};

use super::lives::Lives;
use super::trouble::Trouble;
use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// How long nothing was wrong, and nobody took the name: by then the loser has given it up.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// Of all nodes that have had time to talk about it, one at most has a name that only one may have.
#[derive(Debug, Default)]
pub struct OneOwner {
    lives: Lives,
    trouble: Trouble,
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
        self.lives.observe(event);
        self.trouble.observe(event);
        if let Some((name, actor)) = self.lives.name_lost(event)
            && let Some(owners) = self.owners.get_mut(name)
        {
            owners.remove(&actor);
        }
        match &event.what {
            What::NameTaken { name, actor } => {
                self.owners.entry(name.clone()).or_default().insert(*actor, (event.node, event.at));
                self.check(name, event.at)
            }
            What::ActorEnded { actor } => {
                self.leaves(|owner| owner == *actor);
                Ok(0)
            }
            What::Crashed { incarnation } | What::Left { incarnation } => {
                self.leaves(|owner| owner.incarnation() == *incarnation);
                Ok(0)
            }
            What::NameFound { name, .. } => self.check(name, event.at),
            _ => Ok(0),
        }
    }

    fn at_end(&mut self, end: &End) -> Checked {
        self.owners.keys().try_fold(0, |checked, name| Ok(checked + self.check(name, end.at)?))
    }
}

impl OneOwner {
    /// Actors are no more.
    fn leaves(&mut self, is_gone: impl Fn(ActorId) -> bool) {
        self.owners.values_mut().for_each(|owners| owners.retain(|actor, _| !is_gone(*actor)));
    }

    /// Checked is where somebody has the name.
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
        Ok(settled.len() as u64)
    }
}
