//! Who tells for whom messages have come: one connection of the store's own listens, and all who asked are told. Of an actor that
//! somebody has elsewhere nobody is told here: else all processes would reach for it with each message.
//!
//! ```text
//!  NOTIFY ─► listening ─► is its owner here, or has it none? ─► each `Arrivals`
//!               │ lost
//!               ▼
//!          connecting anew, ever more slowly ─► listening: `Missed`, as nobody has heard what came meanwhile
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_durable::limits::ARRIVALS_BEHIND_MAX;
use actor_durable::store::{Arrival, Arrivals};
use actor_durable::{ActorType, DurableId, OwnerId, Target};
use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use tokio::time::{Instant, sleep, timeout};

use crate::config::PostgresConfig;
use crate::error::{Stage, Trouble};
use crate::limits::{OWNERS_MAX, RECONNECT_DELAY_MAX, RECONNECT_DELAY_MIN, SILENCE_MAX};

/// The owners whose leases the store has renewed: they are here.
#[derive(Clone, Default)]
pub(crate) struct Owners(Arc<Mutex<BTreeSet<OwnerId>>>);

impl Owners {
    /// Before its lease begins, so that it misses nothing.
    pub(crate) fn add(&self, owner: OwnerId) {
        let mut owners = self.owners();
        // With one more all are told of all.
        if owners.len() <= OWNERS_MAX {
            owners.insert(owner);
        }
    }

    /// Its lease is ended.
    pub(crate) fn remove(&self, owner: OwnerId) {
        let mut owners = self.owners();
        if owners.len() <= OWNERS_MAX {
            owners.remove(&owner);
        }
    }

    fn is_elsewhere(&self, owner: OwnerId) -> bool {
        let owners = self.owners();
        owners.len() <= OWNERS_MAX && !owners.contains(&owner)
    }

    fn owners(&self) -> MutexGuard<'_, BTreeSet<OwnerId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that listens; it ends with this.
pub(crate) struct Listening {
    told: Sender<Arrival>,
    task: tokio::task::AbortHandle,
}

impl Listening {
    /// Listens from now on.
    pub(crate) async fn begin(config: &PostgresConfig, owners: Owners) -> Result<Self, Trouble> {
        let ear = Ear { config: config.clone(), owners };
        let listener = timeout(config.connect_timeout, ear.connect()).await;
        let listener = listener.map_err(|_| Trouble::late(Stage::Open))?;
        let listener = listener.map_err(|error| Trouble::of(error, Stage::Open))?;
        let (told, _) = broadcast::channel(ARRIVALS_BEHIND_MAX);
        let task = tokio::spawn(ear.listen(listener, told.clone())).abort_handle();
        Ok(Self { told, task })
    }

    pub(crate) fn arrivals(&self) -> Box<dyn Arrivals> {
        Box::new(Told(Some(self.told.subscribe())))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nothing is told by a store that is closed.
pub(crate) fn closed() -> Box<dyn Arrivals> {
    Box::new(Told(None))
}

struct Told(Option<Receiver<Arrival>>);

#[async_trait]
impl Arrivals for Told {
    async fn next(&mut self) -> Arrival {
        let Some(told) = &mut self.0 else { return Arrival::Closed };
        match told.recv().await {
            Ok(arrival) => arrival,
            Err(RecvError::Lagged(_)) => Arrival::Missed,
            Err(RecvError::Closed) => Arrival::Closed,
        }
    }
}

struct Ear {
    config: PostgresConfig,
    owners: Owners,
}

impl Ear {
    async fn listen(self, mut listener: PgListener, told: Sender<Arrival>) {
        loop {
            let lost = self.follow(&mut listener, &told).await;
            tracing::warn!(error = %lost, "the connection that tells of arrivals is lost");
            drop(listener);
            listener = self.connect_anew().await;
            // Nobody may be there to be told; that is no matter.
            _ = told.send(Arrival::Missed);
        }
    }

    /// Tells what comes, until the connection is lost.
    async fn follow(&self, listener: &mut PgListener, told: &Sender<Arrival>) -> sqlx::Error {
        loop {
            let heard = match timeout(SILENCE_MAX, listener.try_recv()).await {
                Ok(Ok(Some(heard))) => heard,
                Ok(Ok(None)) => return std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into(),
                Ok(Err(error)) => return error,
                Err(_) => match self.ask(listener).await {
                    Ok(()) => continue,
                    Err(error) => return error,
                },
            };
            let arrival = match mail(heard.payload()) {
                Some((_, Some(owner))) if self.owners.is_elsewhere(owner) => continue,
                Some((target, _)) => Arrival::Mail(target),
                None => Arrival::Missed,
            };
            _ = told.send(arrival);
        }
    }

    /// Whether the connection is there.
    async fn ask(&self, listener: &mut PgListener) -> Result<(), sqlx::Error> {
        let asked = sqlx::raw_sql("SELECT 1").execute(listener);
        let answer = timeout(self.config.answer_timeout, asked).await;
        answer.map_err(|_| sqlx::Error::PoolTimedOut)?.map(drop)
    }

    async fn connect_anew(&self) -> PgListener {
        let mut delay = RECONNECT_DELAY_MIN;
        loop {
            let begun = Instant::now();
            match timeout(self.config.connect_timeout, self.connect()).await {
                Ok(Ok(listener)) => return listener,
                Ok(Err(error)) => tracing::debug!(%error, "nobody can tell of arrivals yet"),
                Err(_) => tracing::debug!(after = ?begun.elapsed(), "nobody can tell of arrivals yet"),
            }
            // sleep: a server that is not there is not asked without a pause.
            sleep(delay).await;
            delay = (delay * 2).min(RECONNECT_DELAY_MAX);
        }
    }

    /// A connection of its own: a listener of sqlx takes it from a pool, so it has one of one.
    async fn connect(&self) -> Result<PgListener, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_lazy_with(self.config.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(&channel(&self.config.schema)).await?;
        Ok(listener)
    }
}

/// As the functions of the schema call it.
fn channel(schema: &str) -> String {
    format!("actor_mail:{schema}")
}

/// For whom a message has come, and who has that actor. `None` for what no function of the schema has said.
fn mail(payload: &str) -> Option<(Target, Option<OwnerId>)> {
    let mut parts = payload.splitn(3, '\n');
    let (actor_type, owner, id) = (parts.next()?, parts.next()?, parts.next()?);
    let target = Target { id: DurableId::new(id).ok()?, actor_type: ActorType::new(actor_type).ok()? };
    let owner = match owner {
        "" => None,
        owner => Some(OwnerId::new(u128::from_str_radix(owner, 16).ok()?)),
    };
    Some((target, owner))
}
