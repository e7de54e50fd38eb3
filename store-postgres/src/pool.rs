//! Connections, and what is said on them: one statement that is a transaction, or a transaction of several.
//!
//! Not sqlx's own pool: that one asks a connection whether it is well each time it comes back, which is a round trip more for
//! every turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor_durable::DurableId;
use actor_durable::store::{ErrorCause, Refusal};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::PostgresConfig;
use crate::error::{Stage, Trouble, is_of_connection, is_rolled_back};
use crate::limits::{
    ACTOR_CONNECTIONS_MAX, ATTEMPTS_MAX, CONNECTION_AGE_MAX, IDLE_MAX, IDLE_UNASKED_MAX,
    LOCK_WAITS_PER_ANSWER, RECONNECT_DELAY_MAX, RECONNECT_DELAY_MIN,
};
use crate::shares::{Share, Shares};

/// A statement and what is bound to it.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// The connections of a store.
pub(crate) struct Pool {
    options: PgConnectOptions,
    settings: String,
    permits: Arc<Semaphore>,
    shares: Shares,
    /// The freshest last.
    idle: Arc<Mutex<Vec<Idle>>>,
    connect_timeout: Duration,
    answer_timeout: Duration,
}

struct Idle {
    connection: PgConnection,
    born: Instant,
    since: Instant,
}

impl Pool {
    /// Of so many connections at most.
    pub(crate) fn new(config: &PostgresConfig, connections_max: usize) -> Self {
        Self {
            options: config.options.clone().disable_statement_logging(),
            settings: settings(&config.schema, config.answer_timeout),
            permits: Arc::new(Semaphore::new(connections_max)),
            shares: Shares::new(ACTOR_CONNECTIONS_MAX.min(connections_max / 2).max(1)),
            idle: Arc::default(),
            connect_timeout: config.connect_timeout,
            answer_timeout: config.answer_timeout,
        }
    }

    /// What whoever changes an actor has first, and holds until it is done with it.
    pub(crate) async fn at(&self, actor: &DurableId) -> Result<Share, Trouble> {
        Ok(self.shares.of(actor, Instant::now() + self.connect_timeout).await?)
    }

    /// As [`at`](Self::at), of two actors, in the order in which all lock two of them.
    pub(crate) async fn at_both(
        &self,
        one: &DurableId,
        other: &DurableId,
    ) -> Result<(Share, Option<Share>), Trouble> {
        let first = self.at(one.min(other)).await?;
        let second = if one == other { None } else { Some(self.at(one.max(other)).await?) };
        Ok((first, second))
    }

    /// A connection that is there, as far as can be known, within the time that is allowed.
    pub(crate) async fn session(&self) -> Result<Session, Trouble> {
        let deadline = Instant::now() + self.connect_timeout;
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Refusal::Unavailable(ErrorCause::new("no connection is free")))?;
        let permit = permit.map_err(|_| Refusal::Closed(ErrorCause::new("it was closed")))?;
        let (connection, born) = match self.known(deadline).await {
            Some(Idle { connection, born, .. }) => (connection, born),
            None => (self.connect(deadline).await?, Instant::now()),
        };
        Ok(Session {
            connection: Some(connection),
            born,
            is_between: true,
            is_in_transaction: false,
            idle: Arc::clone(&self.idle),
            permit,
            answer_timeout: self.answer_timeout,
        })
    }

    /// A session that has begun a transaction.
    pub(crate) async fn begin(&self) -> Result<Session, Trouble> {
        let mut session = self.session().await?;
        session.is_in_transaction = true;
        session.say("BEGIN", Stage::Open).await?;
        Ok(session)
    }

    /// The rows of a statement that changes nothing.
    pub(crate) async fn read(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Trouble> {
        self.session().await?.rows(statement, Stage::Open).await
    }

    /// The rows of a statement that is a transaction of its own.
    pub(crate) async fn write(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Trouble> {
        self.session().await?.rows(statement, Stage::Committing).await
    }

    /// No more connections, from now on.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.shares.close();
        lock(&self.idle).clear();
    }

    /// One connection more, that does not count. Tries until the deadline.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<PgConnection, Trouble> {
        let mut delay = RECONNECT_DELAY_MIN;
        loop {
            let error = match timeout_at(deadline, self.connect_once()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_) => return Err(Trouble::late(Stage::Open)),
            };
            let is_over = Instant::now() + delay >= deadline || self.permits.is_closed();
            if is_over || !may_pass(&error) {
                return Err(Trouble::of(error, Stage::Open));
            }
            // sleep: a server that starts again is not asked without a pause.
            sleep(delay).await;
            delay = (delay * 2).min(RECONNECT_DELAY_MAX);
        }
    }

    /// A connection to the server with the settings that the statements rely on.
    pub(crate) async fn connect_once(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // Safe: the schema's name has been checked and the rest is ours.
        sqlx::raw_sql(AssertSqlSafe(self.settings.as_str())).execute(&mut connection).await?;
        Ok(connection)
    }

    /// One that is idle and was heard of lately, or answers now.
    async fn known(&self, deadline: Instant) -> Option<Idle> {
        loop {
            let mut found = {
                let mut idle = lock(&self.idle);
                let now = Instant::now();
                idle.retain(|idle| is_kept(now - idle.since, now - idle.born));
                idle.pop()?
            };
            if found.since.elapsed() < IDLE_UNASKED_MAX {
                return Some(found);
            }
            if let Ok(Ok(())) = timeout_at(deadline, found.connection.ping()).await {
                return Some(found);
            }
        }
    }
}

/// Tries until the database does not say "again", so many times.
pub(crate) async fn until_settled<T, F, A>(attempt: A) -> Result<T, Trouble>
where
    A: Fn() -> F,
    F: Future<Output = Result<T, Trouble>>,
{
    for _ in 1..ATTEMPTS_MAX {
        match attempt().await {
            Err(Trouble::Again(_)) => {}
            outcome => return outcome,
        }
    }
    match attempt().await {
        Err(Trouble::Again(cause)) => Err(Refusal::Unavailable(cause).into()),
        outcome => outcome,
    }
}

/// One connection, while somebody uses it. Dropped in the middle of something it is closed: the server rolls back.
pub(crate) struct Session {
    /// `None` only while it is dropped.
    connection: Option<PgConnection>,
    born: Instant,
    /// No answer is outstanding.
    is_between: bool,
    is_in_transaction: bool,
    idle: Arc<Mutex<Vec<Idle>>>,
    /// Given back after the connection is.
    permit: OwnedSemaphorePermit,
    answer_timeout: Duration,
}

impl Session {
    /// The rows of a statement.
    pub(crate) async fn rows(
        &mut self,
        statement: Statement<'_>,
        stage: Stage,
    ) -> Result<Vec<PgRow>, Trouble> {
        let answer_timeout = self.answer_timeout;
        let answer = timeout(answer_timeout, statement.fetch_all(self.speaking())).await;
        self.heard(answer, stage)
    }

    /// The rows of a statement within a transaction.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, Trouble> {
        self.rows(statement, Stage::Open).await
    }

    /// Ends the transaction: keeps what was done if it went well.
    pub(crate) async fn end<T>(mut self, outcome: Result<T, Trouble>) -> Result<T, Trouble> {
        if outcome.is_ok() {
            self.say("COMMIT", Stage::Committing).await?;
        } else if !self.is_between || self.say("ROLLBACK", Stage::Open).await.is_err() {
            // The connection is closed; the server rolls back when it sees that.
            return outcome;
        }
        self.is_in_transaction = false;
        outcome
    }

    /// Says something that has no parameters and no rows.
    pub(crate) async fn say(&mut self, words: &'static str, stage: Stage) -> Result<(), Trouble> {
        let answer_timeout = self.answer_timeout;
        let answer = timeout(answer_timeout, sqlx::raw_sql(words).execute(self.speaking())).await;
        self.heard(answer, stage).map(drop)
    }

    /// The connection, to say something on it: until the answer is heard nobody else may.
    fn speaking(&mut self) -> &mut PgConnection {
        self.is_between = false;
        self.connection.as_mut().expect("it is there until it is dropped")
    }

    fn heard<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
        stage: Stage,
    ) -> Result<T, Trouble> {
        let error = match answer {
            Err(_) => return Err(Trouble::late(stage)),
            Ok(Err(error)) => error,
            Ok(Ok(answer)) => {
                self.is_between = true;
                return Ok(answer);
            }
        };
        // A refusal by the server leaves the connection in order, unless it is of the connection.
        self.is_between = is_rolled_back(&error) && !is_of_connection(&error);
        Err(Trouble::of(error, stage))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let is_in_order = self.is_between && !self.is_in_transaction;
        if let Some(connection) = self.connection.take()
            && is_in_order
        {
            // Looked at within the lock: whoever closes the pool clears them after that.
            let mut idle = lock(&self.idle);
            if !self.permit.semaphore().is_closed() {
                idle.push(Idle { connection, born: self.born, since: Instant::now() });
            }
        }
    }
}

/// What each connection is told first. A server that does not wait for its disk at a commit would break our word. Statements are
/// planned once, and so not for tables as small as they were then: there is an index for each; and none of them is worth compiling.
fn settings(schema: &str, answer_timeout: Duration) -> String {
    let statement_ms = (answer_timeout * 9 / 10).as_millis().max(1);
    format!(
        "SET search_path = \"{schema}\"; SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}; \
         SET idle_in_transaction_session_timeout = {idle_ms}; SET default_transaction_isolation = 'read committed'; \
         SET plan_cache_mode = 'force_generic_plan'; SET enable_seqscan = off; SET jit = off; SET client_min_messages = 'warning'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        lock_ms = (answer_timeout / LOCK_WAITS_PER_ANSWER).as_millis().max(1),
        idle_ms = answer_timeout.as_millis().max(1),
    )
}

/// Whether a connection that was idle for so long, and is so old, is kept.
fn is_kept(idle: Duration, age: Duration) -> bool {
    idle < IDLE_MAX && age < CONNECTION_AGE_MAX
}

/// Whether it may be otherwise in a moment: the server is not there, starts, ends, or has too many connections.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        // Of bytes that make no sense; a certificate that is not believed is such.
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["57P01", "57P02", "57P03", "53300"].contains(&&*code))
        }
        _ => false,
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> std::sync::MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_connection_that_was_idle_for_long_or_is_old_is_not_kept() {
        const BEFORE: Duration = Duration::from_nanos(1);
        assert!(is_kept(IDLE_MAX - BEFORE, CONNECTION_AGE_MAX - BEFORE));
        assert!(!is_kept(IDLE_MAX, IDLE_MAX));
        assert!(!is_kept(Duration::ZERO, CONNECTION_AGE_MAX));
    }

    /// Two that send to each other would else wait for each other.
    #[tokio::test]
    async fn whoever_is_at_two_actors_takes_its_share_of_the_lesser_one_first() {
        let config = PostgresConfig::new("postgres://nobody@nowhere/nothing").expect("a good address");
        let pool = Pool::new(&config, config.connections_max);
        let [a, b] = ["a", "b"].map(|id| DurableId::new(id).expect("a good id"));
        let take_all = |actor| {
            let shares = (0..ACTOR_CONNECTIONS_MAX).map(|_| pool.at(actor).now_or_never());
            shares.collect::<Option<Vec<_>>>()
        };
        for (one, other) in [(&a, &b), (&b, &a)] {
            let of_a = take_all(&a);
            assert!(of_a.is_some(), "nobody has one");
            let mut both = Box::pin(pool.at_both(one, other));
            assert!((&mut both).now_or_never().is_none());
            assert!(take_all(&b).is_some(), "it holds none of the other one");
        }
    }
}
