//! Actors whose state, mailbox, reminders and supervision survive the process.
//!
//! ```text
//!  DurableRef ── call ──► an activation: an actor in memory ── one commit a turn ──► a store
//!       │                      ▲       │                                              │
//!       └── send ──► its inbox ┘       └─ afterwards: replies, messages, effects ◄────┘
//! ```
//!
//! An actor is written as a [`DurableActor`], whose state is kept whole, or as an [`EventSourced`] one, whose events are kept;
//! `#[actor(durable)]` of `actor-core` makes the former of a plain struct. A [`DurableSystem`] has a [`store::Store`],
//! such as [`RedbStore`] (a file) or [`MemoryStore`] (nothing outlives the process), knows the types of its actors, and gives
//! [`DurableRef`]s. What a turn did, what it sent, and its reply are stored as one before anybody hears of them, unless the
//! type's [`Durability`] says otherwise; what may then be lost is said there. Actors supervise actors in [`supervise`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use actor_core::ActorSystem;
//! use actor_durable::{Durable, DurableActor, DurableId, DurableSystem, MemoryStore, NoError, Turn};
//!
//! struct Counter;
//!
//! impl Durable for Counter {
//!     const TYPE: &'static str = "counter";
//!     type State = i64;
//!     type Command = i64;
//!     type Reply = i64;
//!     type Error = NoError;
//!
//!     fn create(&self, _: &DurableId) -> i64 {
//!         0
//!     }
//! }
//!
//! impl DurableActor for Counter {
//!     async fn handle(&self, by: i64, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
//!         *n += by;
//!         Ok(*n)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = ActorSystem::current();
//! let store = Arc::new(MemoryStore::new());
//! let durable = DurableSystem::builder(&system, store).register(Counter).start().await?;
//! let counter = durable.actor::<Counter>("visits")?;
//! assert_eq!(counter.call(5).await?, 5);
//! durable.passivate(counter.id()).await;
//! assert_eq!(counter.call(1).await?, 6);
//! # Ok(())
//! # }
//! ```

mod actor;
mod codec;
mod engine;
mod error;
mod id;
mod ledger;
pub mod limits;
#[doc(hidden)]
pub mod macro_support;
mod memory;
mod model;
mod outbox;
mod outlet;
mod process;
mod question;
mod recover;
mod redb;
mod remembered;
mod remind;
pub mod store;
pub mod supervise;
mod system;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod turn;
mod wrap;

pub use self::redb::{ActorSummary, RedbInspection, RedbOptions, RedbStore, StoreFault, StoreRule, Verified};
pub use actor::{Decision, Durability, Durable, DurableActor, EventSourced, NoError};
pub use codec::{CodecError, decode};
pub use error::{ActivationError, AskError, Doubt, NotApplied, StartError};
pub use id::{
    ActorType, BadMessageId, BadName, DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, Target,
    WallTime,
};
pub use memory::MemoryStore;
pub use outlet::{EffectRefused, Outlet};
pub use question::Answer;
pub use system::{
    AskFuture, CallFuture, DurableAsk, DurableBuilder, DurableCall, DurableRef, DurableSystem, ServiceCalls,
    ServiceError,
};
pub use turn::{RequestError, Turn};
pub use wrap::{ReplyTo, WrapActor, WrapError, WrapService, Wrapped, WrappedService};
