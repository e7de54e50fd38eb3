//! The store itself: it hands each operation to whoever knows it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actor_durable::store::{
    Arrivals, Claim, DeadLetter, Due, DuePlace, Enqueued, Entry, Firing, GivingUp, Head, Letter, Message,
    OutboxPosition, Recovery, Refusal, Renewal, Snapshot, Store, StoreError, TurnCommit, Undelivered,
};
use actor_durable::{DurableId, Epoch, MessageId, OwnerId, Position, Sequence, Target, WallTime};
use async_trait::async_trait;
use bytes::Bytes;
use rustls::crypto::{CryptoProvider, ring};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::arrivals::{self, Listening, Owners};
use crate::config::PostgresConfig;
use crate::error::Trouble;
use crate::limits::LEASE_CONNECTIONS;
use crate::pool::Pool;
use crate::shares::Share;
use crate::{inbox, lists, ownership, recovery, reminders, schema, transfer, turn, undelivered};

/// Keeps durable actors in PostgreSQL. Any number of processes may share one database: what keeps them from each other's
/// actors are epochs and leases, by the server's clock.
///
/// What it has answered with `Ok` outlives the process, and the machine of the server as far as its `fsync` and its replicas
/// do. It needs a tokio runtime whose time and I/O drivers are enabled.
pub struct PostgresStore {
    config: PostgresConfig,
    pool: Pool,
    /// For leases alone: whatever else is asked, and however long it takes, this process is heard of.
    leases: Pool,
    owners: Owners,
    /// `None` once it is closed.
    listening: Mutex<Option<Listening>>,
}

/// Where sqlx checks a certificate without its name it takes the process's provider, and panics if there is none and rustls has several
/// to choose from. Otherwise it takes this one.
fn choose_provider(options: &PgConnectOptions) {
    if matches!(options.get_ssl_mode(), PgSslMode::VerifyCa) && CryptoProvider::get_default().is_none() {
        // If another thread is first, its choice is as good.
        drop(ring::default_provider().install_default());
    }
}

impl PostgresStore {
    /// Opens a store. If its tables are missing or of an earlier release they are created, or brought to this one. With
    /// `sslmode=verify-ca` the process's provider of cryptography is used, which becomes ring's if the process has chosen none.
    ///
    /// # Errors
    ///
    /// [`Refusal::FutureVersion`] if the tables are of a later release; [`Refusal::Unavailable`] if the database cannot be reached;
    /// [`Refusal::ReadOnly`] if there are no tables yet and the database takes no writes; [`Refusal::Denied`] if the user lacks a
    /// permission; [`Refusal::Malformed`] if its encoding is
    /// neither `UTF8` nor `SQL_ASCII`.
    pub async fn open(config: PostgresConfig) -> Result<Self, StoreError> {
        choose_provider(&config.options);
        let pool = Pool::new(&config, config.connections_max);
        let leases = Pool::new(&config, LEASE_CONNECTIONS);
        schema::migrate(&pool, &config.schema).await.map_err(answer)?;
        let owners = Owners::default();
        let listening = Listening::begin(&config, owners.clone()).await.map_err(answer)?;
        Ok(Self { config, pool, leases, owners, listening: Mutex::new(Some(listening)) })
    }

    /// Closes the store for good: later operations are refused with [`Refusal::Closed`]. Those in progress go on to their end.
    pub fn close(&self) {
        self.pool.close();
        self.leases.close();
        self.listening().take();
    }

    async fn at(&self, actor: &DurableId) -> Result<Share, StoreError> {
        self.pool.at(actor).await.map_err(answer)
    }

    fn listening(&self) -> std::sync::MutexGuard<'_, Option<Listening>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What nobody tries any more is the answer.
fn answer(trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Store(error) => error,
        Trouble::Again(cause) => Refusal::Unavailable(cause).into(),
        Trouble::Raised(_) => Refusal::Malformed("the functions of the schema refuse it").into(),
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn renew(&self, owner: OwnerId, lease: Duration) -> Result<Renewal, StoreError> {
        self.owners.add(owner);
        ownership::renew(&self.leases, owner, lease).await.map_err(answer)
    }

    async fn retire(&self, owner: OwnerId) -> Result<(), StoreError> {
        ownership::retire(&self.leases, owner).await.map_err(answer)?;
        self.owners.remove(owner);
        Ok(())
    }

    async fn acquire(&self, claim: Claim) -> Result<Head, StoreError> {
        let _share = self.at(&claim.target.id).await?;
        ownership::acquire(&self.pool, &claim).await.map_err(answer)
    }

    async fn release(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let _share = self.at(actor).await?;
        ownership::release(&self.pool, actor, epoch).await.map_err(answer)
    }

    async fn load(&self, actor: &DurableId, epoch: Epoch) -> Result<Recovery, StoreError> {
        recovery::load(&self.pool, actor, epoch).await.map_err(answer)
    }

    async fn entries(
        &self,
        actor: &DurableId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        recovery::entries(&self.pool, actor, after, limit).await.map_err(answer)
    }

    async fn inbox(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        inbox::inbox(&self.pool, actor, epoch, after, limit).await.map_err(answer)
    }

    async fn commit_turn(&self, commit: TurnCommit) -> Result<(), StoreError> {
        let _share = self.at(&commit.actor).await?;
        turn::commit(&self.pool, &commit).await.map_err(answer)
    }

    async fn save_snapshot(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        snapshot: Snapshot,
        trim: Option<Sequence>,
    ) -> Result<(), StoreError> {
        let _share = self.at(actor).await?;
        turn::save_snapshot(&self.pool, actor, epoch, &snapshot, trim).await.map_err(answer)
    }

    async fn begin_attempt(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        message: MessageId,
    ) -> Result<u32, StoreError> {
        let _share = self.at(actor).await?;
        inbox::begin_attempt(&self.pool, actor, epoch, message).await.map_err(answer)
    }

    async fn mark_delivered(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        delivered: &[OutboxPosition],
    ) -> Result<(), StoreError> {
        let _share = self.at(actor).await?;
        turn::mark_delivered(&self.pool, actor, epoch, delivered).await.map_err(answer)
    }

    async fn transfer(
        &self,
        actor: &DurableId,
        epoch: Epoch,
        position: OutboxPosition,
    ) -> Result<Enqueued, StoreError> {
        transfer::transfer(&self.pool, actor, epoch, position).await.map_err(answer)
    }

    async fn give_up_delivery(&self, giving_up: GivingUp) -> Result<bool, StoreError> {
        let _share = self.at(&giving_up.actor).await?;
        undelivered::give_up(&self.pool, &giving_up).await.map_err(answer)
    }

    async fn enqueue(&self, message: Message) -> Result<Enqueued, StoreError> {
        let _share = self.at(&message.to.id).await?;
        inbox::enqueue(&self.pool, &message).await.map_err(answer)
    }

    async fn reply(
        &self,
        actor: &DurableId,
        message: MessageId,
    ) -> Result<Option<Option<Bytes>>, StoreError> {
        inbox::reply(&self.pool, actor, message).await.map_err(answer)
    }

    async fn due(&self, now: WallTime, after: Option<&DuePlace>, limit: usize) -> Result<Due, StoreError> {
        reminders::due(&self.pool, now, after, limit).await.map_err(answer)
    }

    async fn fire(&self, firing: Firing) -> Result<bool, StoreError> {
        let _share = self.at(&firing.actor).await?;
        reminders::fire(&self.pool, &firing).await.map_err(answer)
    }

    async fn waiting(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Target>, StoreError> {
        lists::waiting(&self.pool, after, limit).await.map_err(answer)
    }

    fn arrivals(&self) -> Box<dyn Arrivals> {
        self.listening().as_ref().map_or_else(arrivals::closed, Listening::arrivals)
    }

    async fn actors(&self, after: Option<&DurableId>, limit: usize) -> Result<Vec<Head>, StoreError> {
        lists::actors(&self.pool, after, limit).await.map_err(answer)
    }

    async fn head(&self, actor: &DurableId) -> Result<Option<Head>, StoreError> {
        let found = ownership::find(&self.pool, actor).await.map_err(answer)?;
        Ok(found.map(|(head, _)| head))
    }

    async fn delete(&self, actor: &DurableId, epoch: Epoch) -> Result<(), StoreError> {
        let _share = self.at(actor).await?;
        ownership::delete(&self.pool, actor, epoch).await.map_err(answer)
    }

    async fn dead_letters(
        &self,
        actor: &DurableId,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        inbox::dead_letters(&self.pool, actor, after, limit).await.map_err(answer)
    }

    async fn revive(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let _share = self.at(actor).await?;
        inbox::revive(&self.pool, actor, message).await.map_err(answer)
    }

    async fn purge(&self, actor: &DurableId, message: MessageId) -> Result<(), StoreError> {
        let _share = self.at(actor).await?;
        inbox::purge(&self.pool, actor, message).await.map_err(answer)
    }

    async fn undelivered(
        &self,
        actor: &DurableId,
        after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<Vec<Undelivered>, StoreError> {
        undelivered::list(&self.pool, actor, after, limit).await.map_err(answer)
    }

    async fn redeliver(
        &self,
        actor: &DurableId,
        position: OutboxPosition,
    ) -> Result<Option<Enqueued>, StoreError> {
        undelivered::redeliver(&self.pool, actor, position).await.map_err(answer)
    }

    async fn discard(&self, actor: &DurableId, position: OutboxPosition) -> Result<bool, StoreError> {
        let _share = self.at(actor).await?;
        undelivered::discard(&self.pool, actor, position).await.map_err(answer)
    }
}
