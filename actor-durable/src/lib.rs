//! Actors whose state, mailbox, reminders and supervision survive the process.
//!
//! What keeps them is a [`store::Store`].

mod id;
pub mod limits;
mod memory;
mod redb;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use self::redb::{RedbOptions, RedbStore};
pub use id::{
    ActorType, BadName, DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, Target, WallTime,
};
pub use memory::MemoryStore;
