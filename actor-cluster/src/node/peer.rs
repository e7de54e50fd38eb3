//! One life of another node: what the addresses of its actors hold, whichever session there is with it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use actor_core::{Attempt, KeyedAsk, SendError, WatchId};
use arc_swap::ArcSwapOption;

use super::link::Link;
use super::outbound::Given;
use crate::id::NodeLife;
use crate::wire::RemoteMessage;

/// One incarnation of another node. Addresses of its actors hold one of these and
/// find in it whichever session there is.
pub(super) struct Peer {
    pub(super) life: NodeLife,
    /// The first session with it, and usually the only one: to send over it, nothing is written
    /// that another thread reads.
    first: OnceLock<Arc<Link>>,
    /// Whether that is the one in place.
    is_first: AtomicBool,
    /// One that took its place.
    later: ArcSwapOption<Link>,
    watches_made: AtomicU64,
    /// The node's own, for all its peers: a peer knows calls by their numbers, and remembers them for
    /// longer than this value may live.
    call_keys_made: Arc<AtomicU64>,
}

impl Peer {
    pub(super) fn new(life: NodeLife, call_keys_made: Arc<AtomicU64>) -> Self {
        Self {
            life,
            first: OnceLock::new(),
            is_first: AtomicBool::new(false),
            later: ArcSwapOption::empty(),
            watches_made: AtomicU64::new(0),
            call_keys_made,
        }
    }

    /// The session with it, if there is one.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.first().cloned().or_else(|| self.later.load_full())
    }

    /// The first session, if it is the one in place.
    fn first(&self) -> Option<&Arc<Link>> {
        // Acquire: pairs with the release in `set_link`.
        if self.is_first.load(Ordering::Acquire) { self.first.get() } else { None }
    }

    /// Sends a message to one of its actors, over whichever session there is.
    ///
    /// Inlined, so that the message is not copied once more.
    #[inline(always)]
    pub(super) fn send<M: RemoteMessage>(
        &self,
        actor: u64,
        given: Option<&Given>,
        message: M,
        attempt: Attempt,
        ask: Option<KeyedAsk>,
    ) -> Result<(), SendError<M>> {
        if let Some(link) = self.first() {
            return link.send(actor, given, message, attempt, ask);
        }
        self.send_later(actor, given, message, attempt, ask)
    }

    /// As [`send`](Self::send), over a session that is not the first.
    #[inline(never)]
    fn send_later<M: RemoteMessage>(
        &self,
        actor: u64,
        given: Option<&Given>,
        message: M,
        attempt: Attempt,
        ask: Option<KeyedAsk>,
    ) -> Result<(), SendError<M>> {
        match &*self.later.load() {
            None => Err(SendError::NotConnected(message)),
            Some(link) => link.send(actor, given, message, attempt, ask),
        }
    }

    /// Puts a session in place, and gives back the one that was there. The caller sees to it that
    /// nobody else does at the same time.
    pub(super) fn set_link(&self, link: Option<Arc<Link>>) -> Option<Arc<Link>> {
        if let Some(link) = &link
            && self.first.set(link.clone()).is_ok()
        {
            // Release: pairs with the acquire in `first`.
            self.is_first.store(true, Ordering::Release);
            return None;
        }
        // The new one is there before the former is not. Release: whoever sees `false` in `first` sees `later`.
        let later = self.later.swap(link);
        if self.is_first.swap(false, Ordering::AcqRel) { self.first.get().cloned() } else { later }
    }

    pub(super) fn next_call_key(&self) -> u64 {
        // Relaxed: only uniqueness matters. From 1: a caller of which nothing is forgotten has 0 as its greatest
        // forgotten key.
        self.call_keys_made.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn next_watch(&self) -> WatchId {
        // Relaxed: only uniqueness matters.
        WatchId::new(self.watches_made.fetch_add(1, Ordering::Relaxed))
    }
}
