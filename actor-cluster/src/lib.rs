//! Run actors across processes.

pub mod id;
pub mod limits;
mod session;
pub mod testing;
pub mod transport;
pub mod wire;

pub use id::{Incarnation, NodeId};
pub use wire::{RemoteMessage, Wire};
