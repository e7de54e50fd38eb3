//! Tells for which actors messages have come: a connection of its own listens, and passes it on to each `Arrivals`. Messages for an
//! actor that another process owns are not passed on, or all processes would try to acquire it with each message.
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
use sqlx::Row;
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
    /// Called before the owner's lease begins, so that it misses nothing.
    pub(crate) fn add(&self, owner: OwnerId) {
        let mut owners = self.owners();
        // With one more than the bound everybody is told of everything.
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

/// The task that listens. It ends when this is dropped.
pub(crate) struct Listening {
    told: Sender<Arrival>,
    task: tokio::task::AbortHandle,
}

impl Listening {
    /// Listens from now on.
    pub(crate) async fn begin(config: &PostgresConfig, owners: Owners) -> Result<Self, Trouble> {
        let task = ListenTask { config: config.clone(), owners };
        let listener = timeout(config.connect_timeout, task.connect()).await;
        let listener = listener.map_err(|_| Trouble::late(Stage::Open))?;
        let listener = listener.map_err(|error| Trouble::of(error, Stage::Open))?;
        let (told, _) = broadcast::channel(ARRIVALS_BEHIND_MAX);
        let task = tokio::spawn(task.listen(listener, told.clone())).abort_handle();
        Ok(Self { told, task })
    }

    pub(crate) fn arrivals(&self) -> Box<dyn Arrivals> {
        Box::new(Listener(Some(self.told.subscribe())))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The arrivals of a store that is closed.
pub(crate) fn closed() -> Box<dyn Arrivals> {
    Box::new(Listener(None))
}

struct Listener(Option<Receiver<Arrival>>);

#[async_trait]
impl Arrivals for Listener {
    async fn next(&mut self) -> Arrival {
        let Some(told) = &mut self.0 else { return Arrival::Closed };
        match told.recv().await {
            Ok(arrival) => arrival,
            Err(RecvError::Lagged(_)) => Arrival::Missed,
            Err(RecvError::Closed) => Arrival::Closed,
        }
    }
}

const HEARS: &str = "
    SELECT current_setting('transaction_read_only') = 'off' AND $1 IN (SELECT pg_listening_channels())";

struct ListenTask {
    config: PostgresConfig,
    owners: Owners,
}

impl ListenTask {
    async fn listen(self, mut listener: PgListener, told: Sender<Arrival>) {
        loop {
            let lost = self.follow(&mut listener, &told).await;
            tracing::warn!(error = %lost, "the connection that tells of arrivals is lost");
            drop(listener);
            listener = self.connect_anew().await;
            // There may be no listeners.
            _ = told.send(Arrival::Missed);
        }
    }

    /// Passes on what comes, until the connection is lost.
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

    /// Whether messages can come: the connection is there, and it still listens, which a pooler of connections may have ended.
    /// A server that takes no writes any more may have been replaced by another, of which nothing is heard here.
    async fn ask(&self, listener: &mut PgListener) -> Result<(), sqlx::Error> {
        let asked = sqlx::query(HEARS).bind(channel(&self.config.schema)).fetch_one(listener);
        let answer = timeout(self.config.answer_timeout, asked).await;
        if answer.map_err(|_| sqlx::Error::PoolTimedOut)??.try_get(0)? {
            return Ok(());
        }
        Err(std::io::Error::other("nothing is to be heard by it").into())
    }

    async fn connect_anew(&self) -> PgListener {
        let mut delay = RECONNECT_DELAY_MIN;
        loop {
            let begun = Instant::now();
            let connected = async {
                let mut listener = self.connect().await?;
                // What is not heard by it is heard by the next one no sooner.
                self.ask(&mut listener).await.map(|()| listener)
            };
            match timeout(self.config.connect_timeout, connected).await {
                Ok(Ok(listener)) => return listener,
                Ok(Err(error)) => tracing::debug!(%error, "nobody can tell of arrivals yet"),
                Err(_) => tracing::debug!(after = ?begun.elapsed(), "nobody can tell of arrivals yet"),
            }
            // sleep: a server that is not there is not asked without a pause.
            sleep(delay).await;
            delay = (delay * 2).min(RECONNECT_DELAY_MAX);
        }
    }

    /// A connection for this alone. sqlx takes a listener's connection from a pool, so this is a pool of one.
    async fn connect(&self) -> Result<PgListener, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_lazy_with(self.config.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(&channel(&self.config.schema)).await?;
        Ok(listener)
    }
}

/// The channel's name, as the functions of the schema have it too.
fn channel(schema: &str) -> String {
    format!("actor_mail:{schema}")
}

/// The actor that a message has come for, and its owner. `None` for a payload that no function of the schema has sent.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(number: usize) -> OwnerId {
        OwnerId::new(number as u128)
    }

    #[test]
    fn owners_are_known_until_they_retire() {
        let owners = Owners::default();
        assert!(owners.is_elsewhere(owner(1)));
        owners.add(owner(1));
        assert!(!owners.is_elsewhere(owner(1)));
        owners.remove(owner(1));
        assert!(owners.is_elsewhere(owner(1)));
    }

    #[cfg(feature = "testing")]
    #[tokio::test]
    async fn a_connection_that_does_not_listen_any_more_is_given_up() {
        use crate::testing::{Server, or_skip};

        let Some(server) = or_skip(Server::shared()) else { return };
        let config = server.config().with_schema(server.fresh_schema()).expect("a good name");
        let task = ListenTask { config, owners: Owners::default() };
        let mut listener = task.connect().await.expect("the server runs");
        task.ask(&mut listener).await.expect("it listens");
        listener.unlisten_all().await.expect("the server runs");
        task.ask(&mut listener).await.expect_err("it has ended");
    }

    /// It is not known of all any more who they are, nor will it be.
    #[test]
    fn a_store_that_had_too_many_owners_takes_nobody_for_another_one() {
        let owners = Owners::default();
        (0..OWNERS_MAX).for_each(|number| owners.add(owner(number)));
        assert!(owners.is_elsewhere(owner(OWNERS_MAX)));
        (OWNERS_MAX..2 * OWNERS_MAX).for_each(|number| owners.add(owner(number)));
        assert_eq!(owners.owners().len(), OWNERS_MAX + 1);
        (0..OWNERS_MAX).for_each(|number| owners.remove(owner(number)));
        assert!(!owners.is_elsewhere(owner(2 * OWNERS_MAX - 1)));
    }
}
