//! What a supervisor decides: who is started again, when, in which order, and when it is
//! enough. Pure; it knows no actor, clock, lock or task.
//!
//! ```text
//!  a child started, ended, failed a check ─┐
//!  the time, a random number               ├─► Roster ──► orders: start, halt, kill,
//!  a child is added, ended, removed        ┘      │        release, escalate
//!                                                 └─────► when to look again
//! ```
//!
//! `runtime/supervisor/` carries the orders out.

mod intensity;
mod roster;
mod spec;

pub(crate) use self::roster::{ChildKey, Order, Roster, Stage};
pub(crate) use self::spec::Policy;
pub use self::spec::{Backoff, Intensity, Restart, Shutdown, Strategy};
