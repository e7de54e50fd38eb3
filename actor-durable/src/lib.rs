//! Actors whose state, mailbox, reminders and supervision survive the process.
//!
//! What keeps them is a [`store::Store`].

mod actor;
mod engine;
mod error;
mod form;
mod id;
mod ledger;
pub mod limits;
#[doc(hidden)]
pub mod macro_support;
mod memory;
mod model;
mod outbox;
mod recover;
mod redb;
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
pub use error::{ActivationError, AskError, Doubt, NotApplied};
pub use form::{BadForm, decode};
pub use id::{
    ActorType, BadName, DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, Target, WallTime,
};
pub use memory::MemoryStore;
pub use system::{DurableAsk, DurableBuilder, DurableCall, DurableRef, DurableSystem, Outlet};
pub use turn::{BadRequest, Turn};
pub use wrap::{
    ReplyTo, ServiceCalls, ServiceError, WrapActor, WrapError, WrapService, Wrapped, WrappedService,
};
