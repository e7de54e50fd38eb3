//! A PostgreSQL server of one's own, for tests. See [`Server`].
//!
//! ```no_run
//! # async fn test() {
//! use store_postgres::testing::{Server, or_skip};
//!
//! let Some(server) = or_skip(Server::shared()) else { return };
//! let store = store_postgres::PostgresStore::open(server.config()).await;
//! # drop(store);
//! # }
//! ```

mod error;
mod program;
mod server;

pub use self::error::{ServerError, or_skip};
pub use self::server::Server;
