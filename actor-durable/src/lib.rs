//! Actors whose state, mailbox, reminders and supervision survive the process.
//!
//! What keeps them is a [`store::Store`].

mod id;
pub mod limits;
pub mod store;

pub use id::{
    ActorType, BadName, DurableId, Epoch, MessageId, Name, OwnerId, Position, Sequence, Target, WallTime,
};
