//! Names and who has them: read by every message, changed seldom.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use actor_core::{ActorId, Exit, ExitListener, Recipient, WatchId};

use super::error::BindError;
use super::hashed::{Hashed, SHARDS, shard};
use super::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX};

pub(super) struct Routes<M> {
    table: Arc<Table<M>>,
}

struct Table<M> {
    hasher: RandomState,
    shards: [RwLock<Shard<M>>; SHARDS],
    /// Counted up before one is bound, so that no two are the last.
    len: AtomicUsize,
}

/// By the hash of the name. Two names of one hash are as good as unheard of, and lie side by side.
type Shard<M> = HashMap<u64, Vec<Arc<Route<M>>>, Hashed>;

struct Route<M> {
    address: Box<str>,
    hash: u64,
    recipient: Recipient<M>,
    table: Weak<Table<M>>,
    /// Set once it is known.
    watch: OnceLock<WatchId>,
}

impl<M: Send + 'static> Routes<M> {
    pub(super) fn new() -> Self {
        let shards = std::array::from_fn(|_| RwLock::default());
        Self { table: Arc::new(Table { hasher: RandomState::new(), shards, len: AtomicUsize::new(0) }) }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len.load(Ordering::Relaxed)
    }

    /// Who has the address. Nothing is sent under the lock.
    pub(super) fn find(&self, address: &str) -> Option<Recipient<M>> {
        let hash = self.table.hasher.hash_one(address);
        let routes = self.table.read(hash);
        let route = routes.get(&hash)?.iter().find(|route| &*route.address == address)?;
        Some(route.recipient.clone())
    }

    pub(super) fn bind(&self, address: &str, recipient: Recipient<M>) -> Result<Binding, BindError> {
        checked(address)?;
        let hash = self.table.hasher.hash_one(address);
        let route = Arc::new(Route {
            address: address.into(),
            hash,
            recipient,
            table: Arc::downgrade(&self.table),
            watch: OnceLock::new(),
        });
        let former = self.table.put(&route)?;
        // Not under the lock: if the actor has ended already, it is told at once.
        route.end_with_its_actor();
        if let Some(former) = former {
            former.unwatch();
        }
        Ok(Binding { route })
    }
}

fn checked(address: &str) -> Result<(), BindError> {
    match address {
        "" => Err(BindError::Empty),
        _ if address.len() > ADDRESS_BYTES_MAX => Err(BindError::TooLong(address.len())),
        _ if address.chars().any(char::is_control) => Err(BindError::ControlCharacter),
        _ => Ok(()),
    }
}

impl<M: Send + 'static> Table<M> {
    /// Puts a route in, and gives the one that its actor has had to this address.
    fn put(&self, route: &Arc<Route<M>>) -> Result<Option<Arc<Route<M>>>, BindError> {
        let mut routes = self.write(route.hash);
        let there = routes.get_mut(&route.hash);
        match there.and_then(|there| there.iter_mut().find(|other| other.address == route.address)) {
            Some(other) if other.is_as(route) => return Ok(Some(std::mem::replace(other, route.clone()))),
            Some(_) => return Err(BindError::Taken),
            None => {}
        }
        // Relaxed: only the number matters.
        if self.len.fetch_add(1, Ordering::Relaxed) >= ADDRESSES_MAX {
            self.len.fetch_sub(1, Ordering::Relaxed);
            return Err(BindError::TooMany);
        }
        routes.entry(route.hash).or_default().push(route.clone());
        Ok(None)
    }

    fn read(&self, hash: u64) -> RwLockReadGuard<'_, Shard<M>> {
        // No user's code runs under it, so poisoning carries no news.
        self.shards[shard(hash)].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, hash: u64) -> RwLockWriteGuard<'_, Shard<M>> {
        self.shards[shard(hash)].write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Send + 'static> Route<M> {
    /// Whether the other takes the same address to the same actor.
    fn is_as(&self, other: &Self) -> bool {
        self.address == other.address && self.recipient.id() == other.recipient.id()
    }

    /// Frees the address, if its actor has it.
    fn remove(&self) -> bool {
        let Some(table) = self.table.upgrade() else { return false };
        let mut routes = table.write(self.hash);
        let Some(there) = routes.get_mut(&self.hash) else { return false };
        let Some(place) = there.iter().position(|route| route.is_as(self)) else { return false };
        let removed = there.swap_remove(place);
        if there.is_empty() {
            routes.remove(&self.hash);
        }
        table.len.fetch_sub(1, Ordering::Relaxed);
        drop(routes);
        // Outside the lock.
        drop(removed);
        true
    }

    fn end_with_its_actor(self: &Arc<Self>) {
        let watch = self.recipient.watch_with(Arc::new(Ending(Arc::downgrade(self))));
        // One that is over already is watched no more.
        if self.watch.set(watch).is_ok() && !self.is_bound() {
            self.recipient.unwatch(watch);
        }
    }

    fn unwatch(&self) {
        if let Some(watch) = self.watch.get() {
            self.recipient.unwatch(*watch);
        }
    }
}

/// Hears of the end of an address's actor.
struct Ending<M>(Weak<Route<M>>);

impl<M: Send + 'static> ExitListener for Ending<M> {
    fn on_exit(&self, _: ActorId, _: &Exit) {
        if let Some(route) = self.0.upgrade() {
            route.remove();
        }
    }

    fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// An actor's address at a broker. Dropping it does not release the address.
#[derive(Clone)]
pub struct Binding {
    route: Arc<dyn AnyRoute>,
}

impl Binding {
    /// Frees the address, if the actor has it still.
    pub fn release(&self) {
        self.route.release();
    }

    /// Whether the actor has it still.
    pub fn is_bound(&self) -> bool {
        self.route.is_bound()
    }

    /// The address.
    pub fn address(&self) -> &str {
        self.route.address()
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("address", &self.address())
            .field("is_bound", &self.is_bound())
            .finish_non_exhaustive()
    }
}

/// A route, without the type of its messages.
trait AnyRoute: Send + Sync {
    fn release(&self);
    fn is_bound(&self) -> bool;
    fn address(&self) -> &str;
}

impl<M: Send + 'static> AnyRoute for Route<M> {
    fn release(&self) {
        if self.remove() {
            self.unwatch();
        }
    }

    fn is_bound(&self) -> bool {
        let Some(table) = self.table.upgrade() else { return false };
        let routes = table.read(self.hash);
        routes.get(&self.hash).is_some_and(|there| there.iter().any(|route| route.is_as(self)))
    }

    fn address(&self) -> &str {
        &self.address
    }
}
