//! Where an actor was found last, by those who have a reference to it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actor_core::ActorRef;

use super::active::Active;
use crate::actor::Durable;
use crate::engine::Incoming;

/// An activation, as those know it who have asked it.
pub(super) struct Known<A: Durable> {
    pub(super) actor: ActorRef<Incoming<A>>,
    pub(super) active: Active,
}

/// See the module. Most activations are not followed by another while somebody has this reference: the first is found without a
/// lock and without counting, and stays here for as long as the reference does.
pub(super) struct Whereabouts<A: Durable> {
    first: OnceLock<Arc<Known<A>>>,
    later: Mutex<Option<Arc<Known<A>>>>,
    /// Whether the first is over.
    has_later: AtomicBool,
}

/// An activation that was found.
pub(super) enum Found<'a, A: Durable> {
    First(&'a Known<A>),
    Later(Arc<Known<A>>),
}

impl<A: Durable> Deref for Found<'_, A> {
    type Target = Known<A>;

    #[inline]
    fn deref(&self) -> &Known<A> {
        match self {
            Self::First(known) => known,
            Self::Later(known) => known,
        }
    }
}

impl<A: Durable> Whereabouts<A> {
    /// The last activation, whether it still is one or not.
    #[inline]
    pub(super) fn last(&self) -> Option<Found<'_, A>> {
        // Pairs with the store below. Whoever reads too early asks an activation that is over, and looks again.
        if self.has_later.load(Ordering::Acquire) {
            let later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
            return later.clone().map(Found::Later);
        }
        self.first.get().map(|known| Found::First(known))
    }

    /// The first activation, whether it still is one or not.
    pub(super) fn first(&self) -> Option<&Known<A>> {
        self.first.get().map(|known| &**known)
    }

    /// The last activation if it takes messages, or else the one that `find` finds.
    pub(super) fn get_or_find<E>(
        &self,
        find: impl FnOnce() -> Result<Known<A>, E>,
    ) -> Result<Arc<Known<A>>, E> {
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let last = later.as_ref().or_else(|| self.first.get());
        if let Some(known) = last.filter(|known| known.actor.status().admits()) {
            return Ok(known.clone());
        }
        let known = Arc::new(find()?);
        if let Err(known) = self.first.set(known.clone()) {
            *later = Some(known);
            self.has_later.store(true, Ordering::Release);
        }
        Ok(known)
    }
}

impl<A: Durable> Default for Whereabouts<A> {
    fn default() -> Self {
        Self { first: OnceLock::new(), later: Mutex::new(None), has_later: AtomicBool::new(false) }
    }
}
