//! The contract, passed on to the tables. Must not live here: any decision.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::tables::Fired;
use super::{Listener, MemoryStore};
use crate::id::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use crate::store::{
    Arrivals, Claim, DeadLetter, Due, DuePlace, Enqueued, Entry, Firing, GivingUp, Head, Letter, Message,
    OutboxPosition, Recovery, Renewal, Snapshot, Store, StoreError, TurnCommit, Undelivered,
};

#[async_trait]
impl Store for MemoryStore {
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError> {
        let now = self.now();
        Ok(self.tables().renew(owner, lease, now))
    }

    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError> {
        self.tables().retire(owner);
        Ok(())
    }

    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError> {
        let now = self.now();
        self.tables().acquire(claim, now)
    }

    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.tables().release(actor, epoch)
    }

    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        self.tables().load(actor, epoch)
    }

    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.tables().entries(actor, after, limit)
    }

    async fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        self.tables().inbox(actor, epoch, after, limit)
    }

    // Not an `async fn`: that would move what it is given, and it is asked for this with each turn.
    fn commit_turn<'a, 'f>(&'a self, mut commit: TurnCommit) -> BoxFuture<'f, Result<(), StoreError>>
    where
        'a: 'f,
    {
        Box::pin(async move {
            // Without the lock, as it looks at nothing that is stored.
            commit.check()?;
            self.tables().commit_turn(&mut commit)
        })
    }

    async fn save_snapshot(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        self.tables().save_snapshot(actor, epoch, snapshot, trim)
    }

    async fn begin_attempt(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        self.tables().begin_attempt(actor, epoch, message)
    }

    async fn mark_delivered(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        self.tables().mark_delivered(actor, epoch, delivered)
    }

    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError> {
        let now = self.now();
        let (told, enqueued) = self.tables().transfer(actor, epoch, position, now)?;
        if let Some(target) = told {
            self.tell(target);
        }
        Ok(enqueued)
    }

    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError> {
        giving_up.check()?;
        let now = self.now();
        let (is_given_up, told) = self.tables().give_up_delivery(giving_up, now)?;
        if let Some(target) = told {
            self.tell(target);
        }
        Ok(is_given_up)
    }

    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
        let (now, to) = (self.now(), message.to.clone());
        let enqueued = self.tables().enqueue(message, now)?;
        if enqueued == Enqueued::Stored {
            self.tell(to);
        }
        Ok(enqueued)
    }

    async fn reply(
        &self,
        actor: &DurableId,
        message: MessageId,
    ) -> Result<Option<Option<Bytes>>, StoreError> {
        Ok(self.tables().reply(actor, message))
    }

    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError> {
        Ok(self.tables().due(now, after, limit))
    }

    async fn fire(&self, firing: Firing) -> Result<bool, StoreError> {
        firing.check()?;
        let now = self.now();
        let fired = self.tables().fire(firing, now)?;
        if let Fired::Told(target) = &fired {
            self.tell(target.clone());
        }
        Ok(fired != Fired::NotDue)
    }

    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError> {
        let now = self.now();
        Ok(self.tables().waiting(after, limit, now))
    }

    fn arrivals(&self) -> Box<dyn Arrivals> {
        Box::new(Listener(self.shared.arrivals.subscribe()))
    }

    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError> {
        Ok(self.tables().actors(after, limit))
    }

    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        Ok(self.tables().head(actor))
    }

    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        self.tables().delete(actor, epoch)
    }

    async fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.tables().dead_letters(actor, after, limit)
    }

    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let target = self.tables().revive(actor, message)?;
        self.tell(target);
        Ok(())
    }

    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        self.tables().purge(actor, message)
    }

    async fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        self.tables().undelivered(actor, after, limit)
    }

    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError> {
        let now = self.now();
        let Some((told, enqueued)) = self.tables().redeliver(actor, position, now)? else { return Ok(None) };
        if let Some(target) = told {
            self.tell(target);
        }
        Ok(Some(enqueued))
    }

    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError> {
        self.tables().discard(actor, position)
    }
}
