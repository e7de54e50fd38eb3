//! Lists: all actors, and those that have something to do.

use std::ops::Bound;

use super::{Actor, Tables, page};
use crate::id::{DurableId, Target, WallTime};
use crate::store::Head;

impl Tables {
    pub(crate) fn head(&self, actor: &DurableId) -> Option<Head> {
        self.actors.get(actor).map(|actor| actor.head.clone())
    }

    pub(crate) fn actors(&self, after: Option<&DurableId>, limit: usize) -> Vec<Head> {
        self.after(after).take(page(limit)).map(|actor| actor.head.clone()).collect()
    }

    pub(crate) fn waiting(&self, after: Option<&DurableId>, limit: usize, now: WallTime) -> Vec<Target> {
        let is_free = |actor: &&Actor| !actor.head.owner.is_some_and(|owner| self.lives(owner, now));
        let has_work = |actor: &&Actor| actor.head.has_mail() || !actor.outbox.is_empty();
        let waiting = self.after(after).filter(has_work).filter(is_free);
        waiting.take(page(limit)).map(|actor| actor.head.target.clone()).collect()
    }

    fn after(&self, after: Option<&DurableId>) -> impl Iterator<Item = &Actor> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.actors.range::<DurableId, _>((after, Bound::Unbounded)).map(|(_, actor)| actor)
    }
}
