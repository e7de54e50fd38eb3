//! A store whose inboxes are full with few letters.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::{
    Arrivals, Claim, DeadLetter, Destination, Due, DuePlace, Enqueued, Entry, Firing, GivingUp, Head, Letter,
    Message, OutboxPosition, Outgoing, Recovery, Refusal, Renewal, Snapshot, Store, StoreError, TurnCommit,
    Undelivered,
};
use actor_durable::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use async_trait::async_trait;
use bytes::Bytes;

/// So many letters fill an inbox of a [`Narrow`] store, and so many more are taken from actors.
pub(super) const NARROW_MAX: usize = 20;
pub(super) const NARROW_RESERVED: usize = 5;

/// A store whose inboxes are full sooner, as what fills one of another would take long. What stores do with full inboxes is held by
/// their heads.
#[derive(Debug)]
pub(super) struct Narrow(pub(super) Arc<dyn Store>);

impl Narrow {
    async fn check(&self, to: &Target, max: usize) -> Result<(), StoreError> {
        let waiting = self.0.head(&to.id).await?.map_or(0, |head| head.waiting);
        if waiting >= max as u64 {
            return Err(Refusal::TooMany { what: "messages in an inbox", max }.into());
        }
        Ok(())
    }
}

macro_rules! narrow {
    ($(async fn $name:ident(&self $(, $arg:ident: $of:ty)*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for Narrow {
            $(async fn $name(&self $(, $arg: $of)*) -> Result<$out, StoreError> {
                self.0.$name($($arg),*).await
            })*

            async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
                self.check(&message.to, NARROW_MAX).await?;
                self.0.enqueue(message).await
            }

            async fn transfer(
                &self,
                actor: &DurableId,
                epoch: Epoch,
                position: OutboxPosition,
            ) -> Result<Enqueued, StoreError> {
                let outbox = self.0.load(actor, epoch).await?.outbox;
                let it = outbox.into_iter().find(|outgoing| outgoing.position == position);
                if let Some(Outgoing { to: Destination::Actor(to), .. }) = it {
                    self.check(&to, NARROW_MAX + NARROW_RESERVED).await?;
                }
                self.0.transfer(actor, epoch, position).await
            }

            fn arrivals(&self) -> Box<dyn Arrivals> {
                self.0.arrivals()
            }
        }
    };
}

narrow! {
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Renewal;
    async fn retire(&self, owner: OwnerId) -> ();
    async fn acquire(&self, claim: Claim) -> Head;
    async fn release(&self, actor: &DurableId, epoch: Epoch) -> ();
    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Recovery;
    async fn entries(&self, actor: &DurableId, after: Sequence, limit: usize) -> Vec<Entry>;
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
