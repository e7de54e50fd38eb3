//! A cluster in one thread: users' own actors and the real actor-core and actor-cluster, on simulated nodes with virtual
//! time, over a network that delays, loses, cuts and parts; all of it from a seed.
//!
//! ```
//! use std::time::Duration;
//!
//! use actor_cluster::RemoteMessage;
//! use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};
//! use actor_testkit::cluster::{Crash, SimCluster};
//!
//! #[derive(RemoteMessage)]
//! enum Message {
//!     Add(u64),
//!     #[rpc]
//!     Get(ReplyPort<u64>),
//! }
//!
//! struct Counter;
//!
//! impl Actor for Counter {
//!     type Msg = Message;
//!     type State = u64;
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, _: &ActorRef<Message>, _: ()) -> Result<u64, ActorError> {
//!         Ok(0)
//!     }
//!
//!     async fn handle(&self, _: &ActorRef<Message>, message: Message, n: &mut u64) -> Result<(), ActorError> {
//!         match message {
//!             Message::Add(by) => *n += by,
//!             Message::Get(port) => drop(port.send(*n)),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let mut cluster = SimCluster::seeded(7)
//!     .nodes(3)
//!     .on_start(async |node| {
//!         // In each life of each node.
//!         let counter = node.system().spawn(Counter, (), SpawnOptions::new()).await.unwrap();
//!         node.server().publish(&format!("counter-{}", node.index()), &counter).unwrap();
//!     })
//!     .start();
//!
//! let counter = cluster.node(0).server().find::<Message>("counter-2").unwrap();
//! cluster.block_on(async {
//!     counter.cast(Message::Add(3)).unwrap();
//!     assert_eq!(counter.call(Message::Get).await.unwrap(), 3);
//! });
//!
//! // A second without a way between them: the session waits, and so does the call. After two it would be no member any more.
//! cluster.partition(&[&[0, 1], &[2]]);
//! cluster.advance(Duration::from_secs(1));
//! counter.cast(Message::Add(4)).unwrap();
//! cluster.heal();
//! assert_eq!(cluster.block_on(counter.call(Message::Get)).unwrap(), 7);
//!
//! // Another life of the node has another counter.
//! cluster.crash(2, Crash::Silent);
//! cluster.restart(2);
//! cluster.advance(Duration::from_secs(30));
//! let counter = cluster.node(0).server().find::<Message>("counter-2").unwrap();
//! assert_eq!(cluster.block_on(counter.call(Message::Get)).unwrap(), 0);
//! ```
//!
//! # What is simulated
//!
//! Each node is a [`NodeServer`](actor_cluster::NodeServer) with an [`ActorSystem`](actor_core::ActorSystem) of its own, at the address
//! `sim://node-3`. Below the transport's seam all is simulated: [`Conditions`] say what the network is like, and a [`Fault`] is what goes
//! wrong. Connections are ordered streams: what is lost is late, and nothing comes twice. While a way is blocked its bytes wait to be
//! sent again, as TCP's do, also those of connections that are older than the fault; and where one direction is blocked the other
//! goes on until the buffers of the two sockets, [256 KiB](crate::limits::SIMULATED_SOCKET_BYTES), are full.
//! There is no TLS and no file in it, and no thread.
//!
//! # What is the same each time
//!
//! With one seed all that is said of [`Simulation`], and so each step, each byte and each event: [`event_hash`](SimHandle::event_hash)
//! is one number for all that. What a test's actors take from elsewhere is not, first of all the wall clock:
//! [`check_deterministic`] finds and names whoever does.

mod builder;
mod conditions;
mod determinism;
mod fault;
mod handle;
pub mod history;
pub mod invariants;
mod net;
mod node;
pub mod scenario;

use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use self::builder::SimClusterBuilder;
pub use self::conditions::Conditions;
pub use self::determinism::{Difference, Suspect, check_deterministic};
pub use self::fault::{Crash, Degradation, Fault};
pub use self::handle::SimHandle;
use self::invariants::Checker;
pub use self::node::SimNode;
use crate::limits::{SIM_CLUSTER_STEPS_AT_ONCE_MAX, SIM_CLUSTER_STEPS_MAX, SIM_CLUSTER_TIME_MAX};
use crate::simulation::Simulation;
use crate::simulation::witness::Witness;

/// A cluster of simulated nodes. It is a [`SimHandle`] as well, and what drives the nodes: they run while one of its methods
/// does, and not otherwise.
///
/// The [module](self) tells what is simulated.
#[must_use = "nothing runs in a cluster by itself"]
#[derive(Debug)]
pub struct SimCluster {
    // Dropped first: it has the tasks, which use the rest.
    simulation: Simulation,
    handle: SimHandle,
}

impl SimCluster {
    /// A cluster whose order of steps, delays, losses and random bytes come from a seed. It has three nodes unless told otherwise.
    pub fn seeded(seed: u64) -> SimClusterBuilder {
        SimClusterBuilder::new(seed)
    }

    fn new(simulation: Simulation, handle: SimHandle) -> Self {
        let simulation =
            simulation.steps_max(SIM_CLUSTER_STEPS_MAX).steps_at_once_max(SIM_CLUSTER_STEPS_AT_ONCE_MAX);
        Self { simulation, handle }
    }

    /// The way to the cluster for futures that inject faults themselves.
    pub fn handle(&self) -> SimHandle {
        self.handle.clone()
    }

    /// Runs a future and all nodes until the future ends. The future is on no node: it goes on while nodes are frozen, and sends and calls as
    /// somebody on the node whose refs it uses.
    ///
    /// # Panics
    ///
    /// As [`Simulation::block_on`], after [`SIM_CLUSTER_TIME_MAX`] of virtual time, and after
    /// [`SIM_CLUSTER_STEPS_AT_ONCE_MAX`] steps without any.
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let limited = self.handle.executor().timeout(SIM_CLUSTER_TIME_MAX, future);
        match self.simulation.block_on(limited) {
            Ok(output) => output,
            Err(_) => panic!("the future still waits after {SIM_CLUSTER_TIME_MAX:?} of virtual time"),
        }
    }

    /// Lets time pass, and all nodes run.
    ///
    /// # Panics
    ///
    /// As [`Simulation::advance`], and after [`SIM_CLUSTER_STEPS_AT_ONCE_MAX`] steps at one moment.
    #[track_caller]
    pub fn advance(&mut self, time: Duration) {
        self.simulation.advance(time);
    }

    /// Runs all nodes until all wait. Time does not move.
    ///
    /// # Panics
    ///
    /// As [`Simulation::run_until_idle`], and after [`SIM_CLUSTER_STEPS_AT_ONCE_MAX`] steps.
    #[track_caller]
    pub fn run_until_idle(&mut self) -> u64 {
        self.simulation.run_until_idle()
    }

    /// What was seen of the run, which is over.
    fn take_witness(&self) -> Option<Witness> {
        let handle = self.simulation.handle();
        let mut world = handle.world();
        let trace = world.trace().value();
        let mut witness = *world.witness().take()?;
        witness.end(trace);
        Some(witness)
    }

    /// Has a checker look at the cluster after each step.
    fn check_each_step(&mut self, checker: &Arc<Mutex<Checker>>) {
        let (checker, handle) = (checker.clone(), self.handle());
        self.simulation.after_each_step(move |place| {
            let node = handle.node_at(place);
            checker.lock().unwrap_or_else(PoisonError::into_inner).look(&handle, node);
        });
    }

    /// Lets time pass until something is so, looked at each tenth of a second, and says whether it is so within that time.
    #[track_caller]
    pub fn advance_until(&mut self, within: Duration, mut is_so: impl FnMut(&SimHandle) -> bool) -> bool {
        const STEP: Duration = Duration::from_millis(100);
        let end = self.now() + within;
        while !is_so(&self.handle) {
            if self.now() >= end {
                return false;
            }
            self.advance(STEP.min(end - self.now()));
        }
        true
    }
}

impl Deref for SimCluster {
    type Target = SimHandle;

    fn deref(&self) -> &SimHandle {
        &self.handle
    }
}
