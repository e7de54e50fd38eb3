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

/// How many steps a [`SimCluster`](crate::cluster::SimCluster) takes at one moment of virtual time: then it panics. Tasks that take
/// so many without a moment's rest wake each other for ever.
#[cfg(feature = "cluster")]
pub const SIM_CLUSTER_STEPS_AT_ONCE_MAX: u64 = 200_000;

/// How many runs of a [`Scenario`](crate::cluster::scenario::Scenario) look for fewer faults that fail as those of a seed did: the fewest
/// found by then are told.
#[cfg(feature = "cluster")]
pub const SHRINK_RUNS_MAX: usize = 60;

/// How much virtual time one call of [`SimCluster::block_on`](crate::cluster::SimCluster::block_on)
/// takes: then it panics. In a cluster there is always a next heartbeat, so what waits for ever would run for ever.
#[cfg(feature = "cluster")]
pub const SIM_CLUSTER_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How many nodes a [`ProcessCluster`](crate::process::ProcessCluster) has at most, those that have ended among them: more are
/// refused.
#[cfg(feature = "process")]
pub const NODES_MAX: usize = 200;

/// How many addresses of others a new node of a [`ProcessCluster`](crate::process::ProcessCluster) is told; it is told of no more.
#[cfg(feature = "process")]
pub const SEEDS_MAX: usize = 8;

/// The longest line that a [`ProcessCluster`](crate::process::ProcessCluster) and its nodes say to each other, in bytes. A longer
/// setting is refused; of what a node says the beginning is taken.
#[cfg(feature = "process")]
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// How many lines an [`Invitation`](crate::process::Invitation) has at most: a longer one is an error on either side.
#[cfg(feature = "process")]
pub const INVITATION_LINES_MAX: usize = 1024;

/// How many questions may be on their way to a node: who asks more waits.
#[cfg(feature = "process")]
pub const QUESTIONS_MAX: usize = 64;

/// How many lines that a node has [told](crate::process::Guest::tell) are kept until somebody takes them: then the oldest go.
#[cfg(feature = "process")]
pub const TOLD_KEPT: usize = 1024;

/// How many lines of a node's own are kept, for errors to show: then the oldest go.
#[cfg(feature = "process")]
pub const OWN_LINES_KEPT: usize = 50;

/// How long a node may take until it is ready, unless it was given another
/// [time](crate::process::ProcessClusterBuilder::ready_timeout).
#[cfg(feature = "process")]
pub const READY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a node may take to answer, unless it was given another
/// [time](crate::process::ProcessClusterBuilder::answer_timeout).
#[cfg(feature = "process")]
pub const ANSWER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How long a node may take to end that was asked to: then it is killed.
#[cfg(feature = "process")]
pub const STOP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How long after its standard input has ended a [`Guest`](crate::process::Guest) ends its process.
#[cfg(feature = "process")]
pub const GUEST_GRACE: Duration = Duration::from_secs(5);

/// How long [`until`](crate::process::ProcessCluster::until) waits before it asks again.
#[cfg(feature = "process")]
pub const UNTIL_PAUSE: Duration = Duration::from_millis(20);

/// How many bytes a [`Relay`](crate::process::Relay) reads at once.
#[cfg(feature = "process")]
pub const RELAY_CHUNK_BYTES: usize = 16 * 1024;

/// How many such chunks are on their way in each direction of a connection: then the relay reads no more.
#[cfg(feature = "process")]
pub const RELAY_CHUNKS_MAX: usize = 64;

/// How many datagrams are on their way from each who sends, and to each: more are lost, as in a router.
#[cfg(feature = "process")]
pub const RELAY_DATAGRAMS_MAX: usize = 4096;
