//! Simulated clusters as their users see them, each promise by a test.

mod determinism;
mod faults;
mod invariants;
mod liars;
mod members;
mod scenario;

use std::time::Duration;

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};
use actor_testkit::cluster::{SimCluster, SimClusterBuilder};

const SECOND: Duration = Duration::from_secs(1);

#[derive(RemoteMessage)]
enum Ask {
    Add(u64),
    #[rpc]
    Sum(ReplyPort<u64>),
}

/// Adds up what it is given.
struct Counter;

impl Actor for Counter {
    type Msg = Ask;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Ask>, ask: Ask, sum: &mut u64) -> Result<(), ActorError> {
        match ask {
            Ask::Add(by) => *sum += by,
            Ask::Sum(port) => drop(port.send(*sum)),
        }
        Ok(())
    }
}

/// Nodes of which each publishes a counter, `counter-0` and so on.
fn counters(seed: u64) -> SimClusterBuilder {
    SimCluster::seeded(seed).on_start(async |node| {
        let counter = node.system().spawn(Counter, (), SpawnOptions::new()).await.unwrap();
        node.server().publish(&format!("counter-{}", node.index()), &counter).unwrap();
    })
}

/// The counter of one node, as another sees it.
fn counter(cluster: &SimCluster, from: usize, to: usize) -> ActorRef<Ask> {
    cluster.node(from).server().find(&format!("counter-{to}")).unwrap()
}
