//! A shop of durable actors. An order is a cart, then a saga of three steps; if one is refused, those before it are undone,
//! the last first. Whatever dies meanwhile, the money is right in the end.
//!
//! ```text
//!            ┌─ Reserve ─► Warehouse      1        ▲ 4  Release
//!  Order ────┼─ Pay ─► Account ─► till    2        │ 3  Pay, from the till to the customer
//!            └─ Ship ─► Warehouse         3 ✗ ─────┘
//!
//!  Warehouse ──► outlet "carrier"     Order ──► outlet "mail"
//! ```
//!
//! Nobody waits for anybody: each step is a message of the [outbox](actor_durable::Turn::send), which leaves when the turn is
//! stored and arrives once; its outcome comes back as another.

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

/// The outlets: who brings the parcels, and who brings the letters.
pub const CARRIER: &str = "carrier";
/// See [`CARRIER`].
pub const MAIL: &str = "mail";

/// What there is, and for how many cents each.
const GOODS: [(&str, u64); 3] = [("book", 2_000), ("lamp", 3_500), ("piano", 90_000)];

/// Whither the carrier does not go.
const UNREACHABLE: &str = "Atlantis";

/// What a shop is made with.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// After how long a cart is abandoned to which nothing is added.
    pub cart_kept: Duration,
    /// How many there are of each of the goods at first.
    pub stock: u32,
    /// Where several processes share a store: for how long one that died keeps what it had from the others.
    pub lease: Duration,
}

/// A shop that is open.
#[derive(Clone, Debug)]
pub struct Shop {
    system: DurableSystem,
}

impl Shop {
    /// Opens the shop that a store keeps. What its carrier and its mail have done is in two files of a directory.
    ///
    /// # Errors
    ///
    /// What keeps a file or a system from being opened.
    pub async fn open(store: Arc<dyn Store>, books: &Path, terms: Terms) -> Result<Self, ActorError> {
        let system = DurableSystem::builder(&ActorSystem::new(), store)
            .register_event_sourced(Order { cart_kept: terms.cart_kept })
            .register(Account)
            .register(Warehouse { stock: terms.stock })
            .outlet(CARRIER, Book::open(&books.join("carrier"))?)
            .outlet(MAIL, Book::open(&books.join("mail"))?)
            .lease(terms.lease)
            // For what one had that died.
            .look_interval(terms.lease / 2)
            .start()
            .await?;
        Ok(Self { system })
    }

    /// What keeps it running.
    pub fn system(&self) -> &DurableSystem {
        &self.system
    }

    /// An order of this name.
    ///
    /// # Errors
    ///
    /// It cannot be a name.
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
