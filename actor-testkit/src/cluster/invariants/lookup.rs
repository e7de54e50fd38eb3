//! A node finds no actor by a name that it does not have any more: at once where the node knows that the actor's node is no more,
//! and everywhere within a bound, whether the actor ended, its node did, or the name was taken from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::{Incarnation, NodeEvent};
use actor_core::{ActorId, Instant};

use super::lives::Lives;
use super::trouble::Trouble;
use super::{About, Checked, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// How long a name may lead to an actor that has it no more, while nothing is wrong with the two nodes or between them.
const WITHDRAWN_WITHIN: Duration = Duration::from_secs(5);

/// A name leads to nobody who has lost it, as soon as that can be known.
#[derive(Debug, Default)]
pub struct NamesWithdrawn {
    lives: Lives,
    trouble: Trouble,
    /// Who has told that its session with whom is over, when that one's life was over already.
    over: BTreeSet<(Incarnation, Incarnation)>,
    /// Whoever had each name once, and since when it was taken from those from whom it was.
    holders: BTreeMap<Arc<str>, BTreeMap<ActorId, Option<Instant>>>,
}

impl Invariant for NamesWithdrawn {
    fn name(&self) -> &'static str {
        "names that are lost are withdrawn"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        self.trouble.observe(event);
        if let Some((name, actor)) = self.lives.name_lost(event) {
            self.hold(name, actor, Some(event.at));
        }
        match &event.what {
            What::Node(told) => {
                if let Some(here) = self.lives.of(event.node) {
                    self.take(here, told);
                }
            }
            What::NameTaken { name, actor } => self.hold(name, *actor, None),
            What::NameFound { name, actor } => {
                if let Some(here) = event.node {
                    return self.check(here, name, *actor, event.at);
                }
            }
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

    fn hold(&mut self, name: &Arc<str>, actor: ActorId, lost: Option<Instant>) {
        self.holders.entry(name.clone()).or_default().insert(actor, lost);
    }

    /// Checked is where somebody is not found any more who once was.
    fn check(&mut self, here: usize, name: &Arc<str>, found: ActorId, now: Instant) -> Checked {
        let holders = self.holders.entry(name.clone()).or_default();
        holders.entry(found).or_insert(None);
        let holders = &self.holders[name];
        if let Some(why) = self.why_not(here, found, holders[&found], now) {
            let text = format!("{name:?} led node {here} to actor {found}, {why}");
            return Err(Violation::new(text).about(About::Name(name.clone())));
        }
        let is_gone = |(actor, lost): (&ActorId, &Option<Instant>)| {
            *actor != found && self.why_not(here, *actor, *lost, now).is_some()
        };
        Ok(u64::from(holders.iter().any(is_gone)))
    }

    /// Why a node must not find an actor any more, if it must not.
    fn why_not(&self, here: usize, actor: ActorId, lost: Option<Instant>, now: Instant) -> Option<String> {
        let life = self.lives.of(Some(here))?;
        if self.over.contains(&(life, actor.incarnation())) {
            return Some("with whose life the session was over".to_owned());
        }
        let since = [self.lives.ended_at(actor), lost].into_iter().flatten().min()?;
        let there = self.lives.node_of(actor)?;
        let is_known =
            now > since + WITHDRAWN_WITHIN && !self.trouble.explains(here, there, WITHDRAWN_WITHIN, now);
        is_known.then(|| format!("which has it no more since {since:?}"))
    }
}
