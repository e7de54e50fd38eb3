//! How long a large cluster takes to simulate: `cargo run --profile sim -p actor-testkit --features cluster --example many_nodes
//! -- 100 600` has a hundred nodes, each with a session with each other one, and ten minutes of virtual time. Each node calls another one
//! each second; else there are only membership and heartbeats. It stops after whole minutes.

#![allow(clippy::print_stdout, reason = "it is a program that tells what it measures")]

use std::env;
use std::time::{Duration, Instant};

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};
use actor_testkit::cluster::{SimCluster, SimNode};

#[derive(RemoteMessage)]
enum Ask {
    #[rpc]
    Double(u64, ReplyPort<u64>),
}

struct Doubler;

impl Actor for Doubler {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<Ask>,
        Ask::Double(n, port): Ask,
        (): &mut (),
    ) -> Result<(), ActorError> {
        _ = port.send(2 * n);
        Ok(())
    }
}

/// Calls the next node's actor each second.
async fn call(node: &SimNode, nodes: usize) {
    let next = format!("doubler-{}", (node.index() + 1) % nodes);
    for n in 0.. {
        node.system().executor().sleep(Duration::from_secs(1)).await;
        if let Ok(doubler) = node.server().find::<Ask>(&next) {
            assert_eq!(doubler.call(|port| Ask::Double(n, port)).await.ok(), Some(2 * n));
        }
    }
}

fn main() {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let nodes = usize::try_from(arguments.next().unwrap_or(100)).expect("a number of nodes");
    let seconds: u64 = arguments.next().unwrap_or(600);
    let begun = Instant::now();
    let mut cluster = SimCluster::seeded(1)
        .nodes(nodes)
        .on_start(move |node| async move {
            let doubler = node.system().spawn(Doubler, (), SpawnOptions::new()).await.expect("it starts");
            node.server().publish(&format!("doubler-{}", node.index()), &doubler).expect("it is published");
            let here = node.clone();
            node.system().executor().spawn(async move { call(&here, nodes).await }).detach();
        })
        .start();
    println!(
        "{nodes} nodes: all have met after {:?} of virtual time, {:?} of real time",
        cluster.now(),
        begun.elapsed()
    );
    for minute in 1..=seconds.div_ceil(60) {
        cluster.advance(Duration::from_secs(seconds.min(60)));
        println!("minute {minute}: {:?} of real time", begun.elapsed());
    }
    println!("event hash {:016x}", cluster.event_hash());
}
