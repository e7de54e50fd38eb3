//! A store of which a test sees, or changes, what goes through.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{
    Arrivals, Claim, DeadLetter, Due, DuePlace, Enqueued, Entry, Firing, GivingUp, Head, Letter, Message,
    OutboxPosition, Recovery, Renewal, Snapshot, Store, StoreError, TurnCommit, Undelivered,
};
use actor_durable::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use async_trait::async_trait;
use bytes::Bytes;

/// A store, and what is done with what goes through.
#[derive(Debug)]
pub(crate) struct Tapped<T> {
    store: Arc<dyn Store>,
    tap: T,
}

impl<T> Tapped<T> {
    pub(crate) fn new(store: Arc<dyn Store>, tap: T) -> Self {
        Self { store, tap }
    }
}

/// By default nothing is done.
#[async_trait]
pub(crate) trait Tap: Debug + Send + Sync + 'static {
    /// Whether a message is let into an inbox from outside.
    async fn admit(&self, store: &dyn Store, to: &Target) -> Result<(), StoreError> {
        _ = (store, to);
        Ok(())
    }

    /// Whether one is that another actor has sent.
    async fn admit_moved(&self, store: &dyn Store, message: &Message) -> Result<(), StoreError> {
        _ = (store, message);
        Ok(())
    }

    fn renewed(&self, lease: Duration) {
        _ = lease;
    }

    fn recovery(&self, recovery: Recovery) -> Recovery {
        recovery
    }

    fn entries(&self, entries: Vec<Entry>) -> Vec<Entry> {
        entries
    }

    fn arrivals(&self, store: &dyn Store) -> Box<dyn Arrivals> {
        store.arrivals()
    }
}

// `#[async_trait]` takes the whole implementation at once: what is only passed on is listed below.
macro_rules! tapped {
    ($(async fn $name:ident(&self $(, $arg:ident: $of:ty)*) -> $out:ty;)*) => {
        #[async_trait]
        impl<T: Tap> Store for Tapped<T> {
            $(async fn $name(&self $(, $arg: $of)*) -> Result<$out, StoreError> {
                self.store.$name($($arg),*).await
            })*

            async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError> {
                self.tap.renewed(lease);
                self.store.renew(owner, lease).await
            }

            async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
                Ok(self.tap.recovery(self.store.load(actor, epoch).await?))
            }

            async fn entries(
                &self,
                actor: &DurableId,
                after: Sequence,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                Ok(self.tap.entries(self.store.entries(actor, after, limit).await?))
            }

            async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
                self.tap.admit(&*self.store, &message.to).await?;
                self.store.enqueue(message).await
            }

            async fn transfer(
                &self,
                actor: &DurableId,
                epoch: Epoch,
                position: OutboxPosition,
            ) -> Result<Enqueued, StoreError> {
                let outbox = self.store.load(actor, epoch).await?.outbox;
                let it = outbox.into_iter().find(|outgoing| outgoing.position == position);
                if let Some(message) = it.and_then(|it| it.message(actor.clone()).ok()) {
                    self.tap.admit_moved(&*self.store, &message).await?;
                }
                self.store.transfer(actor, epoch, position).await
            }

            fn arrivals(&self) -> Box<dyn Arrivals> {
                self.tap.arrivals(&*self.store)
            }
        }
    };
}

tapped! {
    async fn retire(&self, owner: OwnerId) -> ();
    async fn acquire(&self, claim: Claim) -> Head;
    async fn release(&self, actor: &DurableId, epoch: Epoch) -> ();
    async fn inbox(&self, actor: &DurableId, epoch: Epoch, after: Position, limit: usize) -> Vec<Letter>;
    async fn commit_turn(&self, commit: TurnCommit) -> ();
    async fn save_snapshot(&self, actor: &DurableId, epoch: Epoch, state: Snapshot, trim: Option<Sequence>) -> ();
    async fn begin_attempt(&self, actor: &DurableId, epoch: Epoch, message: MessageId) -> u32;
    async fn mark_delivered(&self, actor: &DurableId, epoch: Epoch, delivered: &[OutboxPosition]) -> ();
    async fn give_up_delivery(&self, giving_up: GivingUp) -> bool;
    async fn reply(&self, actor: &DurableId, message: MessageId) -> Option<Option<Bytes>>;
    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Due;
    async fn fire(&self, firing: Firing) -> bool;
    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Vec<Target>;
    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Vec<Head>;
    async fn head(&self, actor: &DurableId) -> Option<Head>;
    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> ();
    async fn dead_letters(&self, actor: &DurableId, after: Option<MessageId>, limit: usize) -> Vec<DeadLetter>;
    async fn revive(&self, actor: &DurableId, message: MessageId) -> ();
    async fn purge(&self, actor: &DurableId, message: MessageId) -> ();
    async fn undelivered(&self, actor: &DurableId, after: Option<OutboxPosition>, limit: usize) -> Vec<Undelivered>;
    async fn redeliver(&self, actor: &DurableId, position: OutboxPosition) -> Option<Enqueued>;
    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> bool;
}
