//! What stores and durable actors are tested with: the contract of stores as a suite, a store that fails when it is told to,
//! and a wall clock that is moved by hand. Behind the feature `testing`; must not live here: what production needs.

mod clock;
mod epochs;
mod faulty;
pub mod store_suite;
pub mod turn_suite;

pub use self::clock::WallClock;
pub use self::faulty::{Fault, FaultMode, FaultStore, Late, Operation};
pub use crate::redb::{DiskFault, FaultyDisk};
