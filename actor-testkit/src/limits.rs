//! Every bound of this crate, named, with what happens when it is met.

use std::time::Duration;

/// How many steps one call of a [`Simulation`](crate::Simulation) takes, unless it was given
/// another bound by [`steps_max`](crate::Simulation::steps_max): then it panics. A step is one
/// poll of a task, which handles up to 64 messages of an actor; so many take some seconds.
pub const SIMULATION_STEPS_MAX_DEFAULT: u64 = 10_000_000;

/// How long a [`Probe`](crate::Probe) waits for what is expected of it, and an
/// [`EventRecorder`](crate::EventRecorder) for an event, unless it was told otherwise: then it
/// panics. In a simulation no real time passes.
pub const EXPECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(3);

/// How many messages one call of [`Bench::handle_arrived`](crate::Bench::handle_arrived) handles:
/// then it panics, since each seems to bring another one.
pub const BENCH_ARRIVED_MAX: u64 = 100_000;

/// What two sockets of a simulated connection hold of each direction, in bytes: a writer whose peer
/// does not read waits then.
#[cfg(feature = "cluster")]
pub const SIMULATED_SOCKET_BYTES: usize = 256 << 10;

/// How many connections wait at a simulated node to be accepted; one more is refused.
#[cfg(feature = "cluster")]
pub const SIMULATED_BACKLOG_MAX: usize = 128;

/// How many steps one call of a [`SimCluster`](crate::cluster::SimCluster) takes, as
/// [`SIMULATION_STEPS_MAX_DEFAULT`].
#[cfg(feature = "cluster")]
pub const SIM_CLUSTER_STEPS_MAX: u64 = 1_000_000_000;

/// How much virtual time one call of [`SimCluster::block_on`](crate::cluster::SimCluster::block_on)
/// takes: then it panics. In a cluster there is always a next heartbeat, so what waits for ever would run for ever.
#[cfg(feature = "cluster")]
pub const SIM_CLUSTER_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
