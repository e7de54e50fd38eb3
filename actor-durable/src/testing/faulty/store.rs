//! The contract, each operation on its way through the plan.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{FaultStore, Operation, Shared};
use crate::id::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use crate::store::{
    Arrival, Arrivals, Claim, DeadLetter, Due, DuePlace, Enqueued, Entry, Firing, GivingUp, Head, Letter,
    Message, OutboxPosition, Recovery, Renewal, Snapshot, Store, StoreError, TurnCommit, Undelivered,
};

#[async_trait]
impl Store for FaultStore {
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError> {
        self.shared.visit(Operation::Renew, self.shared.inner.renew(owner, lease)).await
    }

    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError> {
        self.shared.visit(Operation::Retire, self.shared.inner.retire(owner)).await
    }

    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError> {
        let Shared { inner, epochs, .. } = &*self.shared;
        let actor = claim.target.id.clone();
        self.shared.visit(Operation::Acquire, epochs.acquired(&actor, inner.acquire(claim))).await
    }

    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.shared.owned(Operation::Release, actor, epoch, self.shared.inner.release(actor, epoch)).await
    }

    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        self.shared.owned(Operation::Load, actor, epoch, self.shared.inner.load(actor, epoch)).await
    }

    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let limit = limit.min(self.shared.plan().entries_max.unwrap_or(usize::MAX));
        self.shared.visit(Operation::Entries, self.shared.inner.entries(actor, after, limit)).await
    }

    async fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        self.shared
            .owned(Operation::Inbox, actor, epoch, self.shared.inner.inbox(actor, epoch, after, limit))
            .await
    }

    async fn commit_turn(&self, commit: TurnCommit) -> Result<(), StoreError> {
        let (actor, epoch) = (commit.actor.clone(), commit.epoch);
        let call = self.shared.inner.commit_turn(commit);
        self.shared.owned(Operation::CommitTurn, &actor, epoch, call).await
    }

    async fn save_snapshot(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        let Shared { inner, .. } = &*self.shared;
        if trim.is_none() || !self.shared.plan().fails_at(Operation::Trim) {
            let call = inner.save_snapshot(actor, epoch, snapshot, trim);
            return self.shared.owned(Operation::SaveSnapshot, actor, epoch, call).await;
        }
        let call = inner.save_snapshot(actor, epoch, snapshot.clone(), None);
        self.shared.owned(Operation::SaveSnapshot, actor, epoch, call).await?;
        let call = inner.save_snapshot(actor, epoch, snapshot, trim);
        self.shared.owned(Operation::Trim, actor, epoch, call).await
    }

    async fn begin_attempt(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        let call = self.shared.inner.begin_attempt(actor, epoch, message);
        self.shared.owned(Operation::BeginAttempt, actor, epoch, call).await
    }

    async fn mark_delivered(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        let call = self.shared.inner.mark_delivered(actor, epoch, delivered);
        self.shared.owned(Operation::MarkDelivered, actor, epoch, call).await
    }

    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError> {
        let call = self.shared.inner.transfer(actor, epoch, position);
        self.shared.owned(Operation::Transfer, actor, epoch, call).await
    }

    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
        self.shared.visit(Operation::Enqueue, self.shared.inner.enqueue(message)).await
    }

    async fn reply(
        &self,
        actor: &DurableId,
        message: MessageId,
    ) -> Result<Option<Option<Bytes>>, StoreError> {
        self.shared.visit(Operation::Reply, self.shared.inner.reply(actor, message)).await
    }

    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError> {
        self.shared.visit(Operation::Due, self.shared.inner.due(now, after, limit)).await
    }

    async fn fire(&self, firing: Firing) -> Result<bool, StoreError> {
        self.shared.visit(Operation::Fire, self.shared.inner.fire(firing)).await
    }

    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError> {
        self.shared.visit(Operation::Waiting, self.shared.inner.waiting(after, limit)).await
    }

    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.shared.visit(Operation::Actors, self.shared.inner.actors(after, limit)).await
    }

    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        let Shared { inner, epochs, .. } = &*self.shared;
        self.shared.visit(Operation::Head, epochs.shown(actor, inner.head(actor))).await
    }

    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.shared.owned(Operation::Delete, actor, epoch, self.shared.inner.delete(actor, epoch)).await
    }

    async fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.shared.visit(Operation::DeadLetters, self.shared.inner.dead_letters(actor, after, limit)).await
    }

    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        self.shared.visit(Operation::Revive, self.shared.inner.revive(actor, message)).await
    }

    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        self.shared.visit(Operation::Purge, self.shared.inner.purge(actor, message)).await
    }

    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError> {
        let (actor, epoch) = (giving_up.actor.clone(), giving_up.epoch);
        let call = self.shared.inner.give_up_delivery(giving_up);
        self.shared.owned(Operation::GiveUpDelivery, &actor, epoch, call).await
    }

    async fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        self.shared.visit(Operation::Undelivered, self.shared.inner.undelivered(actor, after, limit)).await
    }

    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError> {
        self.shared.visit(Operation::Redeliver, self.shared.inner.redeliver(actor, position)).await
    }

    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError> {
        self.shared.visit(Operation::Discard, self.shared.inner.discard(actor, position)).await
    }

    fn arrivals(&self) -> Box<dyn Arrivals> {
        Box::new(Listener { shared: Arc::clone(&self.shared), inner: self.shared.inner.arrivals() })
    }
}

struct Listener {
    shared: Arc<Shared>,
    inner: Box<dyn Arrivals>,
}

#[async_trait]
impl Arrivals for Listener {
    async fn next(&mut self) -> Arrival {
        let arrival = self.inner.next().await;
        // Whoever has crashed hears nothing.
        if self.shared.phase.borrow().has_crashed { pending().await } else { arrival }
    }
}
