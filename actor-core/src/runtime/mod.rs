//! Running actors: one loop, two doors.
//!
//! ```text
//!  spawn (Actor) ──────┐                      ┌─ killed, panicked, cancelled ─┐
//!                      ├─► start ─► drive ────┤                               ├─► exit
//!  spawn_local ────────┘   pre_start          └─ stopped, drained: post_stop ─┘
//!
//!  drive runs as a task of the executor, or as a member of a colocation, which is
//!  such a task.
//! ```

mod boundary;
mod colocation;
mod drive;
mod exit;
mod instant;
mod killable;
mod spawn;
mod spawn_local;
#[cfg(test)]
mod tests;

pub(crate) use self::boundary::{Caught, Droppable, Within, current_system, panicked};
pub use self::colocation::Colocation;
pub use self::instant::Starting;
pub use self::spawn::{Spawn, SpawnOptions};
pub use self::spawn_local::LocalSpawner;
