//! Who lives in a system that has to know: one that is [owned](crate::OwnedSystem), or one
//! that bounds its actors. Others have none, and their actors touch no shared list.

use std::collections::BTreeMap;

use crate::address::ActorCell;
use crate::error::SpawnError;
use crate::id::ActorId;
use crate::sync::{AtomicUsize, LockExt, Mutex, Ordering};

/// So that actors that come and go on several threads seldom meet.
const SHARDS: usize = 16;

/// The actors of one system, from before they start until they have ended.
pub(crate) struct Census {
    shards: [Mutex<Shard>; SHARDS],
    living: AtomicUsize,
    actors_max: usize,
}

#[derive(Default)]
struct Shard {
    residents: BTreeMap<ActorId, ActorCell>,
    /// Nobody is let in any more.
    is_closed: bool,
}

impl Census {
    pub(crate) fn new(actors_max: usize) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), living: AtomicUsize::new(0), actors_max }
    }

    /// Lets an actor in, unless there are too many or it is closed.
    pub(crate) fn admit(&self, actor: ActorCell) -> Result<(), SpawnError> {
        // Relaxed: it is a count and nothing else. Counted before it is let in, so that
        // there are never too many.
        let one_more = |living| (living < self.actors_max).then_some(living + 1);
        if self.living.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Err(SpawnError::TooManyActors(self.actors_max));
        }
        let mut shard = self.shard(actor.id()).locked();
        if shard.is_closed {
            drop(shard);
            self.vacate();
            return Err(SpawnError::SystemStopping);
        }
        shard.residents.insert(actor.id(), actor);
        Ok(())
    }

    /// Makes room for another, before whoever may spawn one in its place hears of the end.
    pub(crate) fn vacate(&self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
    }

    /// Forgets an actor that was let in and has made room.
    pub(crate) fn dismiss(&self, actor: ActorId) {
        // Dropped when the lock is free again: it may be the last of its addresses.
        let gone = self.shard(actor).locked().residents.remove(&actor);
        debug_assert!(gone.is_some(), "it was let in once and leaves once");
    }

    /// Lets nobody in any more. Whoever was let in before is among the
    /// [`residents`](Self::residents) from now on, until it leaves.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            shard.locked().is_closed = true;
        }
    }

    /// Who is here, in the order of their beginning.
    pub(crate) fn residents(&self) -> Vec<ActorCell> {
        let mut residents = Vec::new();
        for shard in &self.shards {
            residents.extend(shard.locked().residents.values().cloned());
        }
        residents.sort_unstable_by_key(|actor| actor.id());
        residents
    }

    fn shard(&self, actor: ActorId) -> &Mutex<Shard> {
        // One of sixteen: the cast cuts off nothing that counts.
        #[expect(clippy::cast_possible_truncation)]
        let serial = actor.serial() as usize;
        &self.shards[serial % SHARDS]
    }
}
