//! A watch tells of its actor's end once: not twice, not before there is reason to, and not never.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actor_cluster::Incarnation;
use actor_core::{ActorId, Instant};

use super::lives::Lives;
use super::{About, Checked, End, Invariant, Violation};
use crate::cluster::history::{Event, What};

/// A node tells of a session's end a little later than its watches, and much later where it is slow: what began so shortly before may
/// be of the next session.
const TOLD_LATE_BY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub struct WatchOnce {
    lives: Lives,
    ended: BTreeSet<ActorId>,
    watches: BTreeMap<u64, Watch>,
}

#[derive(Debug)]
struct Watch {
    begun: Instant,
    watcher: Option<Incarnation>,
    actor: ActorId,
    has_fired: bool,
}

impl Invariant for WatchOnce {
    fn name(&self) -> &'static str {
        "each watch fires once"
    }

    fn observe(&mut self, event: &Event) -> Checked {
        self.lives.observe(event);
        match &event.what {
            What::WatchBegun { watch, actor } => {
                let watcher = self.lives.of(event.node);
                self.watches
                    .insert(*watch, Watch { begun: event.at, watcher, actor: *actor, has_fired: false });
            }
            What::ActorEnded { actor } => {
                self.ended.insert(*actor);
            }
            What::WatchFired { watch } => {
                let known = self.watches.get_mut(watch);
                let is_first = known.is_some_and(|watch| !std::mem::replace(&mut watch.has_fired, true));
                if !is_first {
                    let text = format!("watch {watch} fired again, or was none");
                    return Err(Violation::new(text).about(About::Watch(*watch)));
                }
                return Ok(1);
            }
            _ => {}
        }
        Ok(0)
    }

    fn at_end(&mut self, _: &End) -> Checked {
        for (number, watch) in &self.watches {
            if let Some(wrong) = self.wrong(watch) {
                let text =
                    format!("watch {number} of actor {}, begun at {:?}, {wrong}", watch.actor, watch.begun);
                return Err(Violation::new(text).about(About::Watch(*number)));
            }
        }
        Ok(self.watches.len() as u64)
    }
}

impl WatchOnce {
    fn wrong(&self, watch: &Watch) -> Option<&'static str> {
        let watcher = watch.watcher.filter(|life| !self.lives.has_ended(*life))?;
        let of = watch.actor.incarnation();
        let is_over = self.ended.contains(&watch.actor) || self.lives.is_of_ended_life(watch.actor);
        let parted = self.lives.session_ended(watcher, of);
        let was_parted = parted.is_some_and(|at| at > watch.begun + TOLD_LATE_BY);
        match watch.has_fired {
            false if is_over => Some("has not fired, and the actor has ended"),
            false if was_parted => Some("has not fired, and the session with the actor's node is over"),
            true if !is_over && parted.is_none() => Some("has fired, and the actor lives"),
            _ => None,
        }
    }
}
