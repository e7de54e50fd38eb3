//! How far inboxes were looked through for somebody who supervises an actor that cannot be activated, so that it is not done anew
//! whenever somebody asks for the actor.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::id::{DurableId, Position, WallTime};
use crate::limits::ADOPTIONS_SOUGHT_MAX;
use crate::store::Head;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sought {
    /// By actor: when the store first heard of it, as another one may be called so later; and the last letter looked at.
    actors: Mutex<BTreeMap<DurableId, (WallTime, Position)>>,
}

impl Sought {
    /// The last letter of an actor that was looked at.
    pub(crate) fn after(&self, head: &Head) -> Position {
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let found = actors.get(&head.target.id).filter(|(created_at, _)| *created_at == head.created_at);
        found.map_or(Position::ZERO, |(_, position)| *position)
    }

    /// It was looked at an actor's letters up to this one.
    pub(crate) fn note(&self, head: &Head, position: Position) {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        if actors.len() >= ADOPTIONS_SOUGHT_MAX && !actors.contains_key(&head.target.id) {
            // Whichever: it is looked through once more.
            actors.pop_first();
        }
        actors.insert(head.target.id.clone(), (head.created_at, position));
    }

    /// The actor is active: it reads its letters itself.
    pub(crate) fn forget(&self, id: &DurableId) {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
