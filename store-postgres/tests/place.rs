//! Where a test has its store: a schema of its own on the server that all tests share.

use std::sync::Arc;
use std::time::Duration;

use actor_durable::store::Store;
use actor_durable::testing::store_suite::Place;
use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store_postgres::testing::{Server, or_skip};
use store_postgres::{PostgresConfig, PostgresStore};

/// A schema, and whoever may look into it beside the store.
pub(crate) struct Schema {
    pub(crate) server: Server,
    pub(crate) config: PostgresConfig,
    pub(crate) name: String,
}

impl Schema {
    /// `None` where there is no server to be had; it says so.
    pub(crate) fn new() -> Option<Self> {
        or_skip(Server::shared()).map(Self::on)
    }

    /// On a server that the test has.
    pub(crate) fn on(server: Server) -> Self {
        let name = server.fresh_schema();
        let address = format!("{}&application_name={name}", server.address());
        let config = PostgresConfig::new(&address).expect("a good address");
        let config = config.with_schema(&name).expect("a good name");
        Self { server, config, name }
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(self.config.clone()).await.expect("the server runs")
    }

    /// A connection that is not the store's.
    pub(crate) async fn connection(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.server.address()).await.expect("the server runs");
        let path = format!("SET search_path = {}", self.name);
        sqlx::raw_sql(AssertSqlSafe(path)).execute(&mut connection).await.expect("a schema");
        connection
    }

    /// Waits until so many of the store's connections wait for a lock.
    pub(crate) async fn until_blocked(&self, count: i64) {
        self.until(&format!("count(*) >= {count}")).await;
    }

    /// Waits until something holds of those of the store's connections that wait for a lock.
    pub(crate) async fn until(&self, what_holds: &str) {
        let mut eyes = self.connection().await;
        let look = format!(
            "SELECT {what_holds} FROM pg_stat_activity WHERE application_name = '{}' AND wait_event_type = 'Lock'",
            self.name
        );
        loop {
            let row = sqlx::query(AssertSqlSafe(look.clone())).fetch_one(&mut eyes).await;
            if row.expect("the server runs").get(0) {
                return;
            }
            // sleep: the server tells nobody that somebody waits.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Says something to the database behind the store's back.
    pub(crate) async fn say(&self, words: &str) {
        let words = AssertSqlSafe(words.to_owned());
        sqlx::raw_sql(words).execute(&mut self.connection().await).await.expect("good words");
    }
}

#[async_trait]
impl Place for Schema {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }

    /// The server's clock is the machine's. Leases that end so much earlier are the same.
    async fn pass(&self, time: Duration) {
        let milliseconds = time.as_millis();
        self.say(&format!("UPDATE leases SET ends_at = ends_at - interval '{milliseconds} milliseconds'"))
            .await;
    }
}
