//! [`DurableSystem`]: what the durable actors of a process share, and the services that run beside them. Actors are found here,
//! activated when they are called, and passivated.
//!
//! ```text
//!  DurableRef ── call, send ──► resolve ─► the activation, or a new one
//!  services:  lease      renews the lease of the process
//!             mail       activates actors that have got letters
//!             look       finds letters that this process was not told of
//!             reminders  fires those that are due
//! ```

mod ask;
mod asking;
mod builder;
mod cache;
mod call;
mod delete;
mod service_calls;
mod services;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorSystem, Executor};

pub use self::ask::{AskFuture, DurableAsk};
pub use self::asking::CallFuture;
pub use self::builder::DurableBuilder;
pub use self::call::{DurableCall, DurableRef};
pub use self::service_calls::{ServiceCalls, ServiceError};
use crate::actor::Durable;
use crate::error::NotApplied;
use crate::id::{BadName, DurableId, OwnerId};
use crate::limits::RETIRE_MAX;
use crate::process::Shared;
use crate::store::{Destination, ErrorCause, OutboxPosition, Store, StoreError};
use crate::turn::target;

/// The durable actors of a process: their store, their types, and those that are in memory. Clones are handles to the same system.
///
/// Make it with a [builder](Self::builder), and end it with [`shutdown`](Self::shutdown). If all handles are dropped without that, its
/// actors live on, as those of an [`ActorSystem`] do.
#[derive(Clone)]
pub struct DurableSystem {
    shared: Arc<Shared>,
}

impl DurableSystem {
    /// A builder of a system whose actors run in `system` and are kept in `store`.
    pub fn builder(system: &ActorSystem, store: Arc<dyn Store>) -> DurableBuilder {
        DurableBuilder::new(system.clone(), store)
    }

    /// A reference to an actor. The actor need not be in memory, nor exist: the first message creates it.
    ///
    /// # Errors
    ///
    /// The id or the type's name is not valid.
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

    /// Passivates an actor if it is in memory: it handles what it has accepted, is stored, and its memory is released. Waits for that.
    /// The messages in its inbox wait for a later activation, but for those that are before a call that it has accepted.
    /// What it has sent and has not arrived by then is sent by a later activation, which begins within a
    /// [look interval](DurableBuilder::look_interval).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped once it was polled, the actor is passivated all the same.
    pub async fn passivate(&self, id: &DurableId) {
        let cells = self.shared.active().cells_of(id);
        cells.iter().for_each(|cell| cell.drain());
        for cell in &cells {
            // Without a limit it does not fail.
            drop(cell.wait(None).await);
        }
    }

    /// Deletes all that is stored of an actor: its state and journal, its inbox, its outbox, its reminders, its dead letters, and
    /// which messages it has handled. If it is in memory here it is passivated first; an activation that begins here meanwhile is
    /// ended. A later message to it creates a new actor. Returns whether there was one.
    ///
    /// If it is a [supervisor](crate::supervise) its children are not told: one that is suspended stays so, and one that fails later is
    /// suspended, until another supervisor wants it. Stop and remove its children first.
    ///
    /// # Errors
    ///
    /// [`NotApplied::Store`]: another process owns it, which is [`Refusal::Held`](crate::store::Refusal::Held), or the store
    /// fails. If that is [`StoreError::Unknown`](crate::store::StoreError::Unknown), deleting it again is safe.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the actor may be deleted.
    pub async fn delete(&self, id: &DurableId) -> Result<bool, NotApplied> {
        self.passivate(id).await;
        delete::delete(&self.shared, id).await.map_err(NotApplied::Store)
    }

    /// Ends the system at once without storing anything, as a crash of the process would. For tests. Waits until nothing of it runs
    /// any more.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, some actors may go on. Call it again.
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

    /// The executor that its actors run on.
    pub fn executor(&self) -> &Executor {
        self.shared.executor()
    }

    /// This process as an owner of actors.
    pub fn owner(&self) -> OwnerId {
        self.shared.owner()
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.shared.store()
    }

    /// Delivers an [undelivered](Store::undelivered) message after all: puts it into its receiver's inbox, or has the outlet do it, which
    /// may happen twice, with the same id. It may arrive after messages that were sent later. Returns whether there was such a
    /// message.
    ///
    /// # Errors
    ///
    /// [`NotApplied::Store`]: the store refuses or fails. [`NotApplied::NotDelivered`]: the outlet fails, or none is registered here by
    /// its name. The message is still undelivered, unless that is [`StoreError::Unknown`](crate::store::StoreError::Unknown); calling
    /// this again is safe.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, the message may have been delivered.
    pub async fn redeliver(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, NotApplied> {
        let store = self.shared.store();
        let next = store.undelivered(actor, position.before(), 1).await.map_err(NotApplied::Store)?;
        let Some(found) = next.into_iter().find(|found| found.outgoing.position == position) else {
            return Ok(false);
        };
        let Destination::Outlet(outlet) = &found.outgoing.to else {
            let moved = store.redeliver(actor, position).await.map_err(NotApplied::Store)?;
            return Ok(moved.is_some());
        };
        match self.shared.bring_out(outlet, actor, &found.outgoing).await {
            Ok(()) => store.discard(actor, position).await.map_err(NotApplied::Store),
            Err(why) => Err(NotApplied::NotDelivered(why.to_string())),
        }
    }

    /// Shuts the system down: it takes no more calls, passivates all actors once they have handled what they have accepted, and
    /// ends the services and the lease. What is [sent](DurableRef::send) is stored all the same, for another process, as
    /// is what waits in inboxes, but for what is before a call that was accepted. An actor that is
    /// not done within the time is killed; what it has not stored is lost, as far as its [`Durability`](crate::Durability) allows. The
    /// time is the actors': what the store takes to end the lease comes on top, at most
    /// [`RETIRE_MAX`](crate::limits::RETIRE_MAX).
    ///
    /// # Errors
    ///
    /// The lease could not be ended, or the store has not said so in time. It runs out by itself.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is ready, no more calls are taken and some actors are passivated. Call it again.
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
        let retire = self.shared.store().retire(self.shared.owner());
        let retired = executor.timeout(RETIRE_MAX, retire).await.unwrap_or_else(|_| {
            let why = format!("the store has not answered within {RETIRE_MAX:?} that the lease is over");
            Err(StoreError::Unknown(ErrorCause::new(why)))
        });
        retired.map_err(NotApplied::Store)
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
