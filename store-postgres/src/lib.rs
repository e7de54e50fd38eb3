//! Keeps durable actors in PostgreSQL, for several processes that share it.
//!
//! [`PostgresStore`] is a [`Store`](actor_durable::store::Store). A turn is one round trip to the server, and one transaction
//! there: a function of the schema compares the epoch and the sequence and stores all of the turn or nothing.
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use store_postgres::{PostgresConfig, PostgresStore};
//!
//! let config = PostgresConfig::new("postgres://orders@db.example/orders?sslmode=verify-full")?.with_schema("orders")?;
//! let store = PostgresStore::open(config).await?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```
//!
//! # What is certain when something fails
//!
//! * The server cannot be reached, or has no connection free: nothing was changed.
//! * The server says an error: it has rolled back, and nothing was changed. A deadlock is tried again, a few times.
//! * Somebody else holds the lock of an actor's row for long: nothing was changed. What is asked of other actors has connections
//!   meanwhile.
//! * The connection breaks, or the server is silent for too long, while a turn is being stored: it is
//!   [`Unknown`](actor_durable::store::StoreError::Unknown).
//!
//! # Backups
//!
//! Stop all processes before the database is made what it was earlier, by a backup or by a replica that lacks what was
//! acknowledged. An owner is told from a former one by its epoch, and epochs only grow; here they would be given out a second time,
//! and two processes could each be the owner of an actor in the same epoch.

mod arrivals;
mod config;
mod error;
mod inbox;
pub mod limits;
mod lists;
mod ownership;
mod pool;
mod recovery;
mod reminders;
mod row;
mod schema;
mod shares;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod transfer;
mod turn;
mod undelivered;

pub use self::config::{ConfigError, PostgresConfig};
pub use self::store::PostgresStore;
