//! Where the database is and how it is used.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::limits::{
    ANSWER_TIMEOUT_DEFAULT, CONNECT_TIMEOUT_DEFAULT, CONNECTIONS_DEFAULT, CONNECTIONS_MAX, SCHEMA_BYTES_MAX,
    TIMEOUT_MAX,
};

/// Where the database is and how it is used.
#[derive(Clone)]
pub struct PostgresConfig {
    pub(crate) options: PgConnectOptions,
    pub(crate) schema: String,
    pub(crate) connections_max: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) answer_timeout: Duration,
}

/// What is wrong with a [`PostgresConfig`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is not the address of a PostgreSQL database, for this reason.
    #[error("not the address of a PostgreSQL database: {0}")]
    Address(String),
    /// It is not a name that a schema can have: lower-case letters, digits and `_`, of which the first is no digit. Names that begin
    /// with `pg_` are the server's own.
    #[error(
        "{0:?} is no name for a schema: 1 to {SCHEMA_BYTES_MAX} of a-z, 0-9 and _, the first no digit, and not pg_ first"
    )]
    Schema(String),
}

impl PostgresConfig {
    /// A database by its address, such as `postgres://user:password@host/database?sslmode=verify-full`. What the address leaves out
    /// is taken from the variables of libpq, such as `PGPASSWORD`.
    ///
    /// `sslmode` says whether the connection is encrypted and the server's certificate checked. Without it the connection is not
    /// encrypted if the server offers no encryption.
    ///
    /// A proxy in between must give each connection a session of its own, as PgBouncer does with `pool_mode = session`: the store
    /// sets parameters of the session, prepares statements, and listens for notifications.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Address`].
    pub fn new(address: &str) -> Result<Self, ConfigError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
            return Err(ConfigError::Address("it begins with postgres://".into()));
        }
        let options = PgConnectOptions::from_str(address);
        let options = options.map_err(|error| ConfigError::Address(error.to_string()))?;
        Ok(Self {
            options,
            schema: "actor_durable".into(),
            connections_max: CONNECTIONS_DEFAULT,
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            answer_timeout: ANSWER_TIMEOUT_DEFAULT,
        })
    }

    /// Sets the schema in which the store has its tables; `actor_durable` unless set. It is created if it does not exist. Each schema
    /// is a store of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Schema`].
    pub fn with_schema(self, schema: impl Into<String>) -> Result<Self, ConfigError> {
        let schema = schema.into();
        let is_good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_';
        let has_good_length = (1..=SCHEMA_BYTES_MAX).contains(&schema.len());
        let begins_well =
            !schema.starts_with(|letter: char| letter.is_ascii_digit()) && !schema.starts_with("pg_");
        if !has_good_length || !begins_well || !schema.bytes().all(is_good) {
            return Err(ConfigError::Schema(schema));
        }
        Ok(Self { schema, ..self })
    }

    /// Sets how many connections the store has at most; [`CONNECTIONS_DEFAULT`] unless set, at least one and no more than
    /// [`CONNECTIONS_MAX`]. One more listens for arrivals, and one renews leases.
    #[must_use]
    pub fn with_connections_max(self, connections_max: usize) -> Self {
        Self { connections_max: connections_max.clamp(1, CONNECTIONS_MAX), ..self }
    }

    /// Sets how long an operation waits until it has a connection; [`CONNECT_TIMEOUT_DEFAULT`] unless set, and no longer than
    /// [`TIMEOUT_MAX`]. It waits for at most as long before that, while others that change the same actor have
    /// [as many as they may](crate::limits::ACTOR_CONNECTIONS_MAX).
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout: connect_timeout.min(TIMEOUT_MAX), ..self }
    }

    /// Sets how long an operation waits for each answer of the database; [`ANSWER_TIMEOUT_DEFAULT`] unless set, and no longer than
    /// [`TIMEOUT_MAX`]. The database itself gives up a little earlier, so that it is known what became of the operation; where somebody
    /// else holds a lock it gives up after [a part of that time](crate::limits::LOCK_WAITS_PER_ANSWER), which is five seconds unless set.
    #[must_use]
    pub fn with_answer_timeout(self, answer_timeout: Duration) -> Self {
        Self { answer_timeout: answer_timeout.min(TIMEOUT_MAX), ..self }
    }
}

/// Without the password.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .field("database", &self.options.get_database())
            .field("schema", &self.schema)
            .field("connections_max", &self.connections_max)
            .field("connect_timeout", &self.connect_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_more_than_a_name_is_no_schema() {
        let config = PostgresConfig::new("postgres://a:secret@localhost/b").expect("a good address");
        for bad in ["", "1a", "pg_a", "a\"b", "a;b", "A", "a b", &"x".repeat(SCHEMA_BYTES_MAX + 1)] {
            assert_eq!(config.clone().with_schema(bad).err(), Some(ConfigError::Schema(bad.into())));
        }
        assert!(config.clone().with_schema("orders_2").is_ok());
        assert!(PostgresConfig::new("http://localhost").is_err());
    }

    #[test]
    fn the_password_is_in_no_log() {
        let config = PostgresConfig::new("postgres://a:secret@localhost/b").expect("a good address");
        assert!(!format!("{config:?}").contains("secret"));
    }
}
