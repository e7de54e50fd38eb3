//! What actor-core promises, test by test.
//!
//! ```text
//!  suite/    the life of an actor, written once against the trait `Door` and
//!            mounted for every door: `Actor`, colocated and not, and `LocalActor`,
//!            each on tokio and in a simulation
//!  once/     what holds for one door only, and what takes two threads
//!  plain/    plain structs as actors, and addresses of one message
//!  supervisor/ supervisors and their children, in virtual time
//!  support/  a recording actor, gates, the doors; the simulation is actor-testkit's
//! ```
//!
//! No test waits for time to pass: what must have happened is awaited, and the
//! few tests of timeouts run on a virtual clock. Tests named after a row of
//! `docs/missions.md` hold that row.

mod once;
mod plain;
mod suite;
mod supervisor;
mod support;
