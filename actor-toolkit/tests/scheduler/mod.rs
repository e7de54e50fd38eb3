//! Schedules: what is sent when, in virtual time, and what becomes of it when the wall clock is
//! set.

#[cfg(feature = "cron")]
mod cron;
mod timers;
mod wall;

use actor_core::ActorSystem;
use actor_testkit::{Order, Simulation};

use crate::support::clock::WallClock;

/// Runs a script in virtual time, with a wall clock that can be set.
fn with_wall_clock<F: Future>(script: impl FnOnce(ActorSystem, WallClock) -> F) -> F::Output {
    let mut simulation = Simulation::new(Order::Fifo);
    let clock = WallClock::around(simulation.executor());
    let system = ActorSystem::on(clock.executor());
    simulation.block_on(script(system, clock))
}
