//! Where an actor was found last, by those who have a reference to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actor_core::ActorRef;

use crate::actor::Durable;
use crate::engine::Incoming;
use crate::process::Active;

/// An activation, as those know it who have asked it.
pub(super) struct CachedActivation<A: Durable> {
    pub(super) actor: ActorRef<Incoming<A>>,
    pub(super) active: Active,
}

/// See the module. Most activations are not followed by another while somebody has this reference: the first is found without a
/// lock and without counting, and stays here for as long as the reference does.
pub(super) struct ActivationCache<A: Durable> {
    first: OnceLock<Arc<CachedActivation<A>>>,
    later: Mutex<Option<Arc<CachedActivation<A>>>>,
    /// Whether the first is over.
    has_later: AtomicBool,
}

impl<A: Durable> ActivationCache<A> {
    /// The first activation, if no other has followed it; whether it still is one or not.
    #[inline]
    pub(super) fn only(&self) -> Option<&CachedActivation<A>> {
        // Pairs with the store below. Whoever reads too early asks an activation that is over, and looks again.
        if self.has_later.load(Ordering::Acquire) { None } else { self.first() }
    }

    /// The last activation, if it has followed another; whether it still is one or not.
    pub(super) fn later(&self) -> Option<Arc<CachedActivation<A>>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first activation, whether it still is one or not.
    #[inline]
    pub(super) fn first(&self) -> Option<&CachedActivation<A>> {
        self.first.get().map(|known| &**known)
    }

    /// The last activation if it takes messages, or else the one that `find` finds.
    pub(super) fn get_or_find<E>(
        &self,
        find: impl FnOnce() -> Result<CachedActivation<A>, E>,
    ) -> Result<Arc<CachedActivation<A>>, E> {
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let last = later.as_ref().or_else(|| self.first.get());
        if let Some(known) = last.filter(|known| known.actor.admits()) {
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

impl<A: Durable> Default for ActivationCache<A> {
    fn default() -> Self {
        Self { first: OnceLock::new(), later: Mutex::new(None), has_later: AtomicBool::new(false) }
    }
}
