//! Nodes far away from each other: what they say is late, by chance, in disorder and lost where datagrams carry it. Calls are
//! answered, and everybody's messages come in their order, on loopback and between networks.

use std::time::{Duration, Instant};

use actor_testkit::process::{Carried, Carries, Conditions, ProcessCluster, ProcessClusterBuilder, or_skip};
use integration_tests::Way;
use integration_tests::guest::with_keys_for;

use crate::playing::{greet_each_other, nodes_with, see_each_other};
use crate::support::guarded;

const SEED: u64 = 8;

/// How long everything takes, each way.
const DELAY: Duration = Duration::from_millis(20);

/// How much longer at most. Datagrams of this time overtake each other.
const JITTER: Duration = Duration::from_millis(20);

/// How many numbers each sends to each other one.
const NUMBERS: u64 = 500;

/// A continent's width, and what is sent once arrives in the end: losses are for whoever carries datagrams.
fn far() -> Conditions {
    Conditions::default().with_delay(DELAY, JITTER)
}

fn far_apart(way: Way, carries: Carries, conditions: Conditions) -> ProcessClusterBuilder {
    nodes_with(with_keys_for(way), 3, |_, _| {}).behind_relays(carries, SEED).conditions(conditions)
}

/// How long a message is: about two seconds' worth of QUIC, which is slow where packets overtake each other, and so longer than the
/// nodes' timeout for silence. What is less urgent comes behind all of it.
const LONG_BYTES: u64 = 200_000;

/// All know all, call all, and hear all in order; what the relays have carried, of which there is much.
async fn works(cluster: ProcessCluster) -> Carried {
    let all = [0, 1, 2];
    see_each_other(&cluster, &all).await;
    greet_each_other(&cluster, &all).await;
    for (one, other) in [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)] {
        let began = Instant::now();
        let rounds = cluster.ask(one, &format!("rounds node-{other} 3")).await.unwrap();
        assert_eq!(rounds, "3 rounds");
        assert!(began.elapsed() >= 3 * 2 * DELAY, "it went another way: {:?}", began.elapsed());
        let numbers = cluster.ask(one, &format!("number node-{other} {NUMBERS}")).await.unwrap();
        assert_eq!(numbers, format!("{NUMBERS} came, 0 not in their turn"));
    }
    let weighed = cluster.ask(0, &format!("weigh node-2 {LONG_BYTES}")).await.unwrap();
    assert_eq!(weighed, LONG_BYTES.to_string());
    let mut carried = Carried::default();
    for node in all {
        let there = cluster.carried(node).unwrap();
        carried.passed += there.passed;
        carried.lost += there.lost;
        carried.doubled += there.doubled;
        carried.overtaking += there.overtaking;
    }
    cluster.shutdown().await.unwrap();
    carried
}

fn disordered() -> Conditions {
    far().with_loss(0.02).with_duplicates(0.01)
}

fn assert_disorder(carried: Carried) {
    let Carried { passed, lost, doubled, overtaking, .. } = carried;
    assert!(lost > 10 && doubled > 5 && overtaking > 100 && passed > 1000, "{carried:?}");
}

#[tokio::test]
async fn b12_over_quic_in_disorder_and_with_losses_all_is_answered_and_in_order() {
    guarded(async {
        let cluster = far_apart(Way::Quic, Carries::Datagrams, disordered()).start().await.unwrap();
        assert_disorder(works(cluster).await);
    })
    .await;
}

#[tokio::test]
async fn b12_over_quic_between_networks_it_is_the_same() {
    guarded(async {
        let started = far_apart(Way::Quic, Carries::Datagrams, disordered()).in_namespaces().start().await;
        let Some(cluster) = or_skip(started) else { return };
        assert_disorder(works(cluster).await);
    })
    .await;
}

#[tokio::test]
async fn b12_over_tcp_and_tls_everything_late_is_answered_and_in_order() {
    guarded(async {
        let cluster = far_apart(Way::Tcp, Carries::Streams, far()).start().await.unwrap();
        assert!(works(cluster).await.passed > 100);
    })
    .await;
}

#[tokio::test]
async fn b12_over_tcp_and_tls_between_networks_it_is_the_same() {
    guarded(async {
        let started = far_apart(Way::Tcp, Carries::Streams, far()).in_namespaces().start().await;
        let Some(cluster) = or_skip(started) else { return };
        assert!(works(cluster).await.passed > 100);
    })
    .await;
}
