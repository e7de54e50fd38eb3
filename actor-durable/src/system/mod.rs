//! [`DurableSystem`]: what the durable actors of a process share, and the services that run beside them. Actors are found
//! here, activated when somebody wants them, and given back.
//!
//! ```text
//!  DurableRef ── call, send ──► resolve ─► the activation, or a new one
//!  services:  lease      keeps the process's actors its own
//!             mail       activates those for whom letters have come
//!             reminders  fires what is due
//! ```

mod active;
mod ask;
mod asking;
mod builder;
mod call;
mod careful;
mod delete;
mod lease;
mod mint;
mod services;
mod shared;
mod whereabouts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorSystem, Executor};

pub(crate) use self::active::{Fate, Place, Seat};
pub use self::ask::{AskFuture, DurableAsk};
pub use self::asking::CallFuture;
pub use self::builder::{DurableBuilder, EffectRefused, Outlet};
pub use self::call::{DurableCall, DurableRef};
pub(crate) use self::shared::{NotDelivered, Shared};
use crate::actor::Durable;
use crate::error::NotApplied;
use crate::id::{BadName, DurableId, OwnerId, Sequence};
use crate::store::{Destination, OutboxPosition, Store};
use crate::turn::target;

/// The durable actors of a process: their store, their types, and those that are in memory. Cloning gives another handle to
/// the same.
///
/// It is made by a [builder](Self::builder), and ends by [`shutdown`](Self::shutdown). When all handles are dropped without
/// that, its actors live on, as those of an [`ActorSystem`] do.
#[derive(Clone)]
pub struct DurableSystem {
    shared: Arc<Shared>,
}

impl DurableSystem {
    /// Begins to make a system whose actors live in `system` and are kept by `store`.
    pub fn builder(system: &ActorSystem, store: Arc<dyn Store>) -> DurableBuilder {
        DurableBuilder::new(system.clone(), store)
    }

    /// A reference to an actor, which need not be in memory, and need never have been: the first message makes it be.
    ///
    /// # Errors
    ///
    /// The id is none, or the type's name is.
    pub fn actor<A: Durable>(&self, id: impl AsRef<str>) -> Result<DurableRef<A>, BadName> {
        Ok(DurableRef::new(self.shared.clone(), target::<A>(id.as_ref())?))
    }

    /// Whether an actor is in memory here.
    pub fn is_active(&self, id: &DurableId) -> bool {
        self.shared.active().is_active(id)
    }

    /// How many actors are in memory here.
    pub fn active_count(&self) -> usize {
        self.shared.active().len()
    }

    /// Gives an actor's memory back, if it is in memory, once it has handled what it has accepted; and waits for that.
    pub async fn passivate(&self, id: &DurableId) {
        if let Some(active) = self.shared.active().get(id) {
            active.cell.drain();
            // Without a limit it does not fail.
            drop(active.cell.wait(None).await);
        }
    }

    /// Deletes all of an actor, and that it ever was: its state and journal, what waits for it, what it has sent that has not
    /// arrived, its reminders, its dead letters, and which messages it has handled. If it is in memory here it is given back
    /// first. Whoever asks for it then asks for a new one. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`NotApplied::Store`]: another process has it, which is [`Refusal::Held`](crate::store::Refusal::Held), or the store
    /// fails. If that is [`StoreError::Unknown`](crate::store::StoreError::Unknown), deleting it again is safe.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the actor may be deleted.
    pub async fn delete(&self, id: &DurableId) -> Result<bool, NotApplied> {
        self.passivate(id).await;
        delete::delete(&self.shared, id).await.map_err(NotApplied::Store)
    }

    /// Ends all of it at once, and has nothing stored: of the process is left what there would be after a crash. For tests of
    /// what then is; waits until nothing of it runs any more.
    pub async fn abandon(&self) {
        self.shared.close();
        self.shared.end_services().await;
        let cells = self.shared.active().cells();
        for cell in &cells {
            cell.kill();
        }
        for cell in &cells {
            // Without a limit it does not fail.
            drop(cell.wait(None).await);
        }
    }

    /// What its actors run on.
    pub fn executor(&self) -> &Executor {
        self.shared.executor()
    }

    /// The process as a store knows it.
    pub fn owner(&self) -> OwnerId {
        self.shared.owner()
    }

    /// What keeps the actors.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.shared.store()
    }

    /// Delivers after all what an actor has sent and was [given up](Store::undelivered): puts it into the inbox it goes to, or has the
    /// outlet do it, which may come to do it twice, with the same key. Says whether it was there. What others have sent since is not
    /// behind it.
    ///
    /// # Errors
    ///
    /// It is refused once more, or not taken now: it stays where it is.
    pub async fn redeliver(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, NotApplied> {
        let store = self.shared.store();
        let before = position.index.checked_sub(1).map(|index| OutboxPosition { index, ..position });
        let before = before.or(position
            .sequence
            .0
            .checked_sub(1)
            .map(|sequence| OutboxPosition { sequence: Sequence(sequence), index: u32::MAX }));
        let next = store.undelivered(actor, before, 1).await.map_err(NotApplied::Store)?;
        let Some(found) = next.into_iter().find(|found| found.outgoing.position == position) else {
            return Ok(false);
        };
        let Destination::Outlet(outlet) = &found.outgoing.to else {
            let moved = store.redeliver(actor, position).await.map_err(NotApplied::Store)?;
            return Ok(moved.is_some());
        };
        match self.shared.bring_out(outlet, actor, &found.outgoing).await {
            Ok(()) => store.discard(actor, position).await.map_err(NotApplied::Store),
            Err(NotDelivered::Yet(why) | NotDelivered::Ever(why)) => Err(NotApplied::NotDelivered(why)),
        }
    }

    /// Takes no more commands, has all actors handle what they have accepted and be stored, gives them back, and ends the
    /// services. An actor that has not done so within the time is killed: what it has answered is stored as its type says.
    ///
    /// # Errors
    ///
    /// The lease could not be ended: it runs out by itself.
    pub async fn shutdown(&self, within: Duration) -> Result<(), NotApplied> {
        self.shared.close();
        let executor = self.shared.executor();
        let deadline = executor.now() + within;
        // One may have begun while this one began.
        while let cells = self.shared.active().cells()
            && !cells.is_empty()
        {
            cells.iter().for_each(|cell| cell.drain());
            for cell in &cells {
                if cell.wait(Some(deadline - executor.now())).await.is_err() {
                    cell.kill();
                    // Without a limit it does not fail.
                    drop(cell.wait(None).await);
                }
            }
            self.shared.active().sweep();
        }
        self.shared.end_services().await;
        self.shared.store().retire(self.shared.owner()).await.map_err(NotApplied::Store)
    }
}

impl fmt::Debug for DurableSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableSystem")
            .field("owner", &self.owner())
            .field("active", &self.active_count())
            .finish_non_exhaustive()
    }
}
