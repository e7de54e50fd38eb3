//! The contract, handed to the thread. Must not live here: any decision.

use std::time::Duration;

use actor_durable::limits::PAGE_ROWS_MAX;
use actor_durable::store::{
    Arrival, Arrivals, Claim, DeadLetter, Due, DuePlace, Enqueued, Entry, Firing, GivingUp, Head, Letter,
    Message, OutboxPosition, Recovery, Refusal, Renewal, Snapshot, Store, StoreError, TurnCommit,
    Undelivered,
};
use actor_durable::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast::{self, error::RecvError};

use super::LogStore;
use super::rows::Kind;
use super::tables::outbox_place;

#[async_trait]
impl Store for LogStore {
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError> {
        self.write(move |tables| Ok(tables.renew(owner, lease))).await
    }

    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError> {
        self.write(move |tables| {
            tables.retire(owner);
            Ok(())
        })
        .await
    }

    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError> {
        self.write(move |tables| tables.acquire(&claim)).await
    }

    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.release(&actor, epoch)).await
    }

    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| tables.load(&actor, epoch)).await
    }

    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| {
            let trimmed = tables.head(&actor)?.trimmed;
            if after < trimmed {
                return Err(Refusal::Trimmed { trimmed }.into());
            }
            tables.rows.page(Kind::Entry, &actor, after.0.to_be_bytes(), limit)
        })
        .await
    }

    async fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| {
            tables.owned(&actor, epoch)?;
            tables.rows.page(Kind::Letter, &actor, after.0.to_be_bytes(), limit)
        })
        .await
    }

    async fn commit_turn(&self, commit: TurnCommit) -> Result<(), StoreError> {
        self.write(move |tables| tables.commit_turn(&commit)).await
    }

    async fn save_snapshot(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.save_snapshot(&actor, epoch, &snapshot, trim)).await
    }

    async fn begin_attempt(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.begin_attempt(&actor, epoch, message)).await
    }

    async fn mark_delivered(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        let (actor, delivered) = (actor.clone(), delivered.to_vec());
        self.write(move |tables| tables.mark_delivered(&actor, epoch, &delivered)).await
    }

    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.transfer(&actor, epoch, position)).await
    }

    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError> {
        self.write(move |tables| tables.give_up_delivery(&giving_up)).await
    }

    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
        self.write(move |tables| tables.enqueue(&message)).await
    }

    async fn reply(
        &self,
        actor: &DurableId,
        message: MessageId,
    ) -> Result<Option<Option<Bytes>>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| Ok(tables.handled(&actor, message)?.map(|handled| handled.reply))).await
    }

    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError> {
        let after = after.cloned();
        self.read(move |tables| tables.due(now, after.as_ref(), limit)).await
    }

    async fn fire(&self, firing: Firing) -> Result<bool, StoreError> {
        self.write(move |tables| tables.fire(&firing)).await
    }

    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError> {
        let after = after.cloned();
        self.read(move |tables| {
            let heads = tables.heads(after.as_ref());
            let waiting = heads.filter(|head| head.as_ref().map_or(true, |head| tables.is_waiting(head)));
            waiting.take(limit.min(PAGE_ROWS_MAX)).map(|head| Ok(head?.target)).collect()
        })
        .await
    }

    fn arrivals(&self) -> Box<dyn Arrivals> {
        Box::new(Listener(self.arrivals.subscribe()))
    }

    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError> {
        let after = after.cloned();
        self.read(move |tables| tables.heads(after.as_ref()).take(limit.min(PAGE_ROWS_MAX)).collect()).await
    }

    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        let actor = actor.clone();
        self.read(move |tables| tables.try_head(&actor)).await
    }

    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.delete(&actor, epoch)).await
    }

    async fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let (actor, after) = (actor.clone(), after.map_or(Vec::new(), |after| after.to_bytes().to_vec()));
        self.read(move |tables| {
            tables.head(&actor)?;
            tables.rows.page(Kind::DeadLetter, &actor, after, limit)
        })
        .await
    }

    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.revive(&actor, message)).await
    }

    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.purge(&actor, message)).await
    }

    async fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        let (actor, after) = (actor.clone(), after.map_or(Vec::new(), outbox_place));
        self.read(move |tables| {
            tables.head(&actor)?;
            tables.rows.page(Kind::Undelivered, &actor, after, limit)
        })
        .await
    }

    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.redeliver(&actor, position)).await
    }

    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError> {
        let actor = actor.clone();
        self.write(move |tables| tables.discard(&actor, position)).await
    }
}

/// A listener that falls behind is told so; it does not hold the store up.
struct Listener(broadcast::Receiver<Target>);

#[async_trait]
impl Arrivals for Listener {
    async fn next(&mut self) -> Arrival {
        match self.0.recv().await {
            Ok(target) => Arrival::Mail(target),
            Err(RecvError::Lagged(_)) => Arrival::Missed,
            Err(RecvError::Closed) => Arrival::Closed,
        }
    }
}
