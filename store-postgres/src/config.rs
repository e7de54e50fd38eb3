//! Where the database is and how it is used.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::limits::{ANSWER_TIMEOUT_DEFAULT, CONNECT_TIMEOUT_DEFAULT, CONNECTIONS_DEFAULT, SCHEMA_BYTES_MAX};

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
    /// The address is none.
    #[error("not the address of a PostgreSQL database: {0}")]
    Address(String),
    /// Schemas are named by small letters, digits and `_`, and begin with no digit.
    #[error("{0:?} is no name for a schema: 1 to {SCHEMA_BYTES_MAX} of a-z, 0-9 and _, the first no digit")]
    Schema(String),
}

impl PostgresConfig {
    /// A database by its address, such as `postgres://user:password@host/database?sslmode=verify-full`; what the address leaves
    /// out the variables of libpq say, such as `PGPASSWORD`. Whether the connection is encrypted and the server checked is
    /// for `sslmode` to say; without it an unencrypted connection is made where the server offers no other. What stands between
    /// must leave a connection its session: the store sets what holds for a session, and listens.
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

    /// The schema in which the store has its tables, `actor_durable` unless it is said. It is made if it is not there. Each schema
    /// is a store of its own.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Schema`].
    pub fn with_schema(self, schema: impl Into<String>) -> Result<Self, ConfigError> {
        let schema = schema.into();
        let is_good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_';
        let has_good_length = (1..=SCHEMA_BYTES_MAX).contains(&schema.len());
        if !has_good_length || !schema.bytes().all(is_good) || schema.as_bytes()[0].is_ascii_digit() {
            return Err(ConfigError::Schema(schema));
        }
        Ok(Self { schema, ..self })
    }

    /// At most so many connections, and at least one; [`CONNECTIONS_DEFAULT`] unless it is said. One more listens for arrivals, and
    /// one renews leases.
    #[must_use]
    pub fn with_connections_max(self, connections_max: usize) -> Self {
        Self { connections_max: connections_max.max(1), ..self }
    }

    /// So long an operation waits until it has a connection; [`CONNECT_TIMEOUT_DEFAULT`] unless it is said.
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// So long an operation waits for each answer of the database; [`ANSWER_TIMEOUT_DEFAULT`] unless it is said. The database itself
    /// gives up a little earlier, so that what became of it is known.
    #[must_use]
    pub fn with_answer_timeout(self, answer_timeout: Duration) -> Self {
        Self { answer_timeout, ..self }
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
        for bad in ["", "1a", "a\"b", "a;b", "A", "a b", &"x".repeat(SCHEMA_BYTES_MAX + 1)] {
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
