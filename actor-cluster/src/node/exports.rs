//! The actors of this node whose addresses were given to others, and the proof of it.
//!
//! A token is a MAC, by a key that this life of the node has drawn, over the actor's number. So
//! whoever presents one need not be known, and nothing is kept of tokens; only the actors are
//! kept, because there is no other way from a number to an actor. See
//! `docs/decisions/0007-refs-are-capabilities.md`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use actor_core::{ActorCell, ActorId, ActorRef, Executor, Exit, ExitListener, Incarnation, Status};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::catalog::{Catalog, Target, Typed};
use crate::limits::EXPORTS_MAX;
use crate::locked::locked;
use crate::wire::RemoteMessage;
use crate::wire::reference::Token;

/// See the module. Its lock is taken after any other, and nobody's code runs under it.
pub(super) struct Exports {
    key: Hmac<Sha256>,
    incarnation: Incarnation,
    /// How many actors there may be.
    most: usize,
    inner: Mutex<Inner>,
    /// Whether there is anybody in `Inner::fresh`.
    has_fresh: AtomicBool,
}

#[derive(Default)]
struct Inner {
    // unordered: looked up, never gone through
    actors: HashMap<u64, (Arc<dyn Target>, Token)>,
    /// Those whose ends are not watched yet.
    fresh: Vec<ActorCell>,
}

/// As many actors as may be are known by their addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Exports {
    pub(super) fn new(executor: &Executor, incarnation: Incarnation) -> Self {
        let mut key = [0; 32];
        executor.fill_random(&mut key);
        let key = Hmac::new_from_slice(&key).expect("HMAC takes keys of any length");
        let has_fresh = AtomicBool::new(false);
        Self { key, incarnation, most: EXPORTS_MAX, inner: Mutex::default(), has_fresh }
    }

    /// Lets an actor of this node be reached by its token until it ends.
    ///
    /// It may be called while a session is locked, so its end is not watched here.
    pub(super) fn export<M: RemoteMessage>(
        &self,
        actor: &ActorRef<M>,
        catalog: &Catalog,
    ) -> Result<Token, TooMany> {
        let serial = actor.id().serial();
        if let Some((_, token)) = locked(&self.inner).actors.get(&serial) {
            return Ok(*token);
        }
        let token = self.token(serial);
        if actor.status() == Status::Stopped {
            return Ok(token);
        }
        let target: Arc<dyn Target> = Arc::new(Typed::new(actor, catalog.schema::<M>()));
        let mut inner = locked(&self.inner);
        if inner.actors.len() >= self.most {
            return Err(TooMany);
        }
        if inner.actors.insert(serial, (target, token)).is_none() {
            inner.fresh.push(actor.cell());
            // Release: with the swap below.
            self.has_fresh.store(true, Ordering::Release);
        }
        Ok(token)
    }

    /// Watches the ends of those who are new. Whoever may have exported an actor calls it once
    /// no lock is held: a watch may drop what is a user's.
    pub(super) fn watch_fresh(self: &Arc<Self>) {
        if !self.has_fresh.load(Ordering::Relaxed) || !self.has_fresh.swap(false, Ordering::Acquire) {
            return;
        }
        let fresh = std::mem::take(&mut locked(&self.inner).fresh);
        for actor in fresh {
            // Tells at once, if the actor has ended.
            actor.watch_with(Arc::new(Forget(Arc::downgrade(self))));
        }
    }

    /// An actor that was given to somebody, and lives.
    pub(super) fn target(&self, actor: u64) -> Option<Arc<dyn Target>> {
        locked(&self.inner).actors.get(&actor).map(|(target, _)| target.clone())
    }

    pub(super) fn has(&self, actor: u64) -> bool {
        locked(&self.inner).actors.contains_key(&actor)
    }

    /// The token of an actor of this node, whether it was given to anybody or not.
    pub(super) fn token(&self, actor: u64) -> Token {
        let mut bytes = [0; Token::BYTES];
        bytes.copy_from_slice(&self.mac(actor).finalize().into_bytes()[..Token::BYTES]);
        Token::from_bytes(bytes)
    }

    /// Whether this life of the node has made a token for the actor; in constant time.
    pub(super) fn is_token(&self, actor: u64, token: &Token) -> bool {
        self.mac(actor).verify_truncated_left(token.as_bytes()).is_ok()
    }

    fn mac(&self, actor: u64) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(b"actor-cluster 1 reference");
        mac.update(&self.incarnation.as_u64().to_le_bytes());
        mac.update(&actor.to_le_bytes());
        mac
    }

    #[cfg(test)]
    pub(super) fn with_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        locked(&self.inner).actors.len()
    }
}

/// Forgets an actor that has ended.
struct Forget(Weak<Exports>);

impl ExitListener for Forget {
    fn on_exit(&self, actor: ActorId, _: &Exit) {
        let forgotten =
            self.0.upgrade().and_then(|exports| locked(&exports.inner).actors.remove(&actor.serial()));
        // The actor's last address may go with it; the lock is free by now.
        drop(forgotten);
    }
}
