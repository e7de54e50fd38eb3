//! How far inboxes were looked through for somebody who supervises an actor that cannot be activated, so that it is not done anew
//! whenever somebody asks for the actor.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::id::{DurableId, Position, WallTime};
use crate::limits::ADOPTIONS_SOUGHT_MAX;
use crate::store::Head;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AdoptionSearch {
    /// By actor: when the store first heard of it, as another one may be called so later; and the last letter looked at.
    actors: Mutex<BTreeMap<DurableId, (WallTime, Position)>>,
}

impl AdoptionSearch {
    /// The last letter of an actor that was looked at.
    pub(crate) fn after(&self, head: &Head) -> Position {
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let found = actors.get(&head.target.id).filter(|(created_at, _)| *created_at == head.created_at);
        found.map_or(Position::ZERO, |(_, position)| *position)
    }

    /// An actor's letters up to this one have been looked at.
    pub(crate) fn note(&self, head: &Head, position: Position) {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        if actors.len() >= ADOPTIONS_SOUGHT_MAX && !actors.contains_key(&head.target.id) {
            // Whichever it is, its inbox is only looked through once more.
            actors.pop_first();
        }
        actors.insert(head.target.id.clone(), (head.created_at, position));
    }

    /// The actor is active: it reads its letters itself.
    pub(crate) fn forget(&self, id: &DurableId) {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, Epoch, Target};

    fn head(id: &str, created_at: u64) -> Head {
        let actor_type = ActorType::new("counter").expect("a good name");
        let target = Target { id: DurableId::new(id).expect("a good id"), actor_type };
        Head::new(target, Epoch::ZERO, WallTime::from_millis(created_at))
    }

    #[test]
    fn a_search_goes_on_where_it_was_until_the_actor_is_active_or_another_one() {
        let search = AdoptionSearch::default();
        let a = head("a", 1);
        search.note(&a, Position(7));
        assert_eq!((search.after(&a), search.after(&head("a", 2))), (Position(7), Position::ZERO));
        search.forget(&a.target.id);
        assert_eq!(search.after(&a), Position::ZERO);
    }

    #[test]
    fn so_many_searches_are_remembered() {
        let search = AdoptionSearch::default();
        let heads: Vec<Head> = (0..=ADOPTIONS_SOUGHT_MAX).map(|n| head(&format!("{n:05}"), 1)).collect();
        let (last, others) = heads.split_last().expect("there are some");
        others.iter().for_each(|head| search.note(head, Position(1)));
        search.note(&others[9], Position(2));
        let known = |head: &Head| search.after(head).0;
        assert_eq!((known(&others[0]), known(&others[9])), (1, 2), "it was there already");
        search.note(last, Position(1));
        assert_eq!((known(&others[0]), known(&others[1]), known(last)), (0, 1, 1));
    }
}
