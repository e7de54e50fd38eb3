//! A shop of durable actors. An order is a cart, then a saga of three steps; if one is refused, those before it are undone, the last
//! first. Whatever is killed meanwhile, the money adds up in the end.
//!
//! ```text
//!            ┌─ Reserve ─► Warehouse      1        ▲ 4  Release
//!  Order ────┼─ Pay ─► Account ─► till    2        │ 3  Pay, from the till to the customer
//!            └─ Ship ─► Warehouse         3 ✗ ─────┘
//!
//!  Warehouse ──► outlet "carrier"     Order ──► outlet "mail"
//! ```
//!
//! No actor waits for another: each step is a [message](actor_durable::Turn::send) that leaves when the turn is stored and arrives
//! once; its outcome comes back as another.

mod account;
mod book;
mod order;
mod service;
mod warehouse;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::store::Store;
use actor_durable::{BadName, DurableRef, DurableSystem};

pub use self::account::{Account, AccountCommand};
pub use self::book::{Book, BookLine};
pub use self::order::{Order, OrderCommand, Refusal, Stage};
pub use self::service::serve;
pub use self::warehouse::{Warehouse, WarehouseCommand, WarehouseState};

/// The shop's own account.
pub const TILL: &str = "account-till";

/// Where all goods are.
pub const WAREHOUSE: &str = "warehouse";

/// The outlets: one delivers parcels, the other letters.
pub const CARRIER: &str = "carrier";
/// See [`CARRIER`].
pub const MAIL: &str = "mail";

/// The goods, and their prices in cents.
const GOODS: [(&str, u64); 3] = [("book", 2_000), ("lamp", 3_500), ("piano", 90_000)];

/// Where the carrier does not go.
const UNREACHABLE: &str = "Atlantis";

/// The settings of a shop.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long after the last addition a cart counts as abandoned.
    pub cart_kept: Duration,
    /// How many of each item the warehouse has at first.
    pub stock: u32,
    /// If several processes share a store: how long after a process has died the others may have its actors.
    pub lease: Duration,
}

/// A shop that is open.
#[derive(Clone, Debug)]
pub struct Shop {
    system: DurableSystem,
}

impl Shop {
    /// Opens the shop that is in a store. Its carrier and its mail keep their books in two files of a directory.
    ///
    /// # Errors
    ///
    /// A file cannot be opened, or the system not be started.
    pub async fn open(store: Arc<dyn Store>, books: &Path, terms: Terms) -> Result<Self, ActorError> {
        let system = DurableSystem::builder(&ActorSystem::new(), store)
            .register_event_sourced(Order { cart_kept: terms.cart_kept })
            .register(Account)
            .register(Warehouse { stock: terms.stock })
            .outlet(CARRIER, Book::open(&books.join("carrier"))?)
            .outlet(MAIL, Book::open(&books.join("mail"))?)
            .lease(terms.lease)
            // To find the actors of a process that has died.
            .look_interval(terms.lease / 2)
            .start()
            .await?;
        Ok(Self { system })
    }

    /// The system that runs it.
    pub fn system(&self) -> &DurableSystem {
        &self.system
    }

    /// An order of this name.
    ///
    /// # Errors
    ///
    /// The name is not valid.
    pub fn order(&self, name: &str) -> Result<DurableRef<Order>, BadName> {
        self.system.actor(format!("order-{name}"))
    }

    /// A customer's account, or the till.
    ///
    /// # Errors
    ///
    /// As [`order`](Self::order).
    pub fn account(&self, customer: &str) -> Result<DurableRef<Account>, BadName> {
        self.system.actor(account_of(customer))
    }

    /// The warehouse.
    ///
    /// # Errors
    ///
    /// Never: the name is valid.
    pub fn warehouse(&self) -> Result<DurableRef<Warehouse>, BadName> {
        self.system.actor(WAREHOUSE)
    }
}

fn account_of(customer: &str) -> String {
    format!("account-{customer}")
}

fn price(item: &str) -> Option<u64> {
    GOODS.iter().find(|(good, _)| *good == item).map(|(_, cents)| *cents)
}
