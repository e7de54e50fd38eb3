//! Run actors across processes.

pub mod id;
pub mod limits;
pub mod transport;

pub use id::{Incarnation, NodeId};
