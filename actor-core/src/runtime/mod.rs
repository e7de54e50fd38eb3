//! Running actors: one loop, two doors.
//!
//! ```text
//!  spawn (Actor) ──────┐                      ┌─ killed, panicked, cancelled ─┐
//!                      ├─► start ─► drive ────┤                               ├─► exit
//!  spawn_local ────────┘   pre_start          └─ stopped, drained: post_stop ─┘
//!
//!  drive is a task of the executor, or a member of a colocation, which is one.
//! ```

mod boundary;
mod colocation;
mod drive;
mod exit;
mod killable;
mod spawn;
mod spawn_local;

pub(crate) use self::boundary::current_system;
pub use self::colocation::Colocation;
pub use self::spawn::{Spawn, SpawnOptions};
pub use self::spawn_local::LocalSpawner;
