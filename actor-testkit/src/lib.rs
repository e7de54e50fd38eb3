//! What users test their own actors with: a runtime of one thread in virtual time, whose
//! order a seed chooses.

mod simulation;

pub use self::simulation::{Order, Simulation};
