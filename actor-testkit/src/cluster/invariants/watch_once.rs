//! A watch tells of its actor's end once: not twice, not before there is reason to, and not never.

use std::collections::BTreeMap;
use std::time::Duration;

use actor_cluster::Incarnation;
use actor_core::{ActorId, Instant};

use super::lives::Lives;
use super::trouble::Trouble;
use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// A node tells of a session's end a little later than its watches, and later where it is slow or stopped: what began so shortly
/// before may be of the next session, and what has fired so shortly before may be of this one.
const TOLD_LATE_BY: Duration = Duration::from_secs(5);

/// Each watch fires once: after its actor has ended, or the session with the actor's node, and never again.
#[derive(Debug, Default)]
pub struct WatchOnce {
    lives: Lives,
    trouble: Trouble,
    watches: BTreeMap<u64, Watch>,
    /// Those that have fired, and why is not told yet.
    early: Vec<u64>,
}

#[derive(Debug)]
struct Watch {
    begun: Instant,
    node: Option<usize>,
    watcher: Option<Incarnation>,
    actor: ActorId,
    fired: Option<Instant>,
}

impl Invariant for WatchOnce {
    fn name(&self) -> &'static str {
        "each watch fires once"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.check_early(event.at)?;
        self.lives.observe(event);
        self.trouble.observe(event);
        self.explain_early();
        match &event.what {
            What::WatchBegun { watch, actor } => {
                let (node, watcher) = (event.node, self.lives.of(event.node));
                let watched = Watch { begun: event.at, node, watcher, actor: *actor, fired: None };
                self.watches.insert(*watch, watched);
                Ok(0)
            }
            What::WatchFired { watch } => self.fires(*watch, event.at),
            _ => Ok(0),
        }
    }

    fn at_end(&mut self, end: &End) -> Checked {
        self.check_early(end.at)?;
        for (number, watch) in self.watches.iter().filter(|(_, watch)| watch.fired.is_none()) {
            if let Some(why) = self.must_have_fired(watch) {
                return Err(watch.wrong(*number, &format!("has not fired, and {why}")));
            }
        }
        Ok(self.watches.len() as u64)
    }
}

impl WatchOnce {
    fn fires(&mut self, number: u64, at: Instant) -> Checked {
        let first = self.watches.get_mut(&number).filter(|watch| watch.fired.is_none());
        let Some(watch) = first else {
            let text = format!("watch {number} fired again, or was none");
            return Err(Violation::new(text).about(About::Watch(number)));
        };
        watch.fired = Some(at);
        let watch = &self.watches[&number];
        if !self.has_reason(watch) {
            self.early.push(number);
        }
        Ok(1)
    }

    /// Whether something has happened that a watch tells of.
    fn has_reason(&self, watch: &Watch) -> bool {
        // Whoever watches on a node that is no more hears that all is over.
        let Some(here) = watch.watcher.filter(|life| !self.lives.has_ended(*life)) else { return true };
        let there = watch.actor.incarnation();
        self.lives.is_over(watch.actor)
            || self.lives.are_apart(here, there)
            || self.lives.session_ended(here, there).is_some_and(|at| at >= watch.begun)
    }

    fn explain_early(&mut self) {
        let mut early = std::mem::take(&mut self.early);
        early.retain(|number| !self.is_explained(&self.watches[number]));
        self.early = early;
    }

    /// Nothing but a session's end is told later than it is acted on, and that not for long.
    fn check_early(&self, now: Instant) -> Result<(), Violation> {
        let overdue = |number: &&u64| {
            let watch = &self.watches[*number];
            let is_slow = watch.node.is_some_and(|node| self.trouble.explains(node, node, TOLD_LATE_BY, now));
            watch.fired.is_some_and(|at| now > at + TOLD_LATE_BY) && !is_slow
        };
        match self.early.iter().find(overdue) {
            Some(number) => Err(self.watches[number].wrong(*number, "has fired, and the actor lived")),
            None => Ok(()),
        }
    }

    /// Whether a session's end that was told after a watch had fired is the reason.
    fn is_explained(&self, watch: &Watch) -> bool {
        let Some(here) = watch.watcher.filter(|life| !self.lives.has_ended(*life)) else { return true };
        let parted = self.lives.session_ended(here, watch.actor.incarnation());
        parted.is_some_and(|at| Some(at) >= watch.fired)
    }

    fn must_have_fired(&self, watch: &Watch) -> Option<&'static str> {
        let here = watch.watcher.filter(|life| !self.lives.has_ended(*life))?;
        let parted = self.lives.session_ended(here, watch.actor.incarnation());
        if self.lives.is_over(watch.actor) {
            Some("the actor has ended")
        } else if parted.is_some_and(|at| at > watch.begun + TOLD_LATE_BY) {
            Some("the session with the actor's node is over")
        } else {
            None
        }
    }
}

impl Watch {
    fn wrong(&self, number: u64, what: &str) -> Violation {
        let text = format!("watch {number} of actor {}, begun at {:?}, {what}", self.actor, self.begun);
        Violation::new(text).about(About::Watch(number))
    }
}
