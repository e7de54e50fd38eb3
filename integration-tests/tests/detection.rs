//! Who is gone, and who is only slow: what membership makes of processes in namespaces, with the timeouts that a node has unless it is told otherwise.

use std::time::{Duration, Instant};

use actor_cluster::limits::HEARTBEAT_TIMEOUT;
use actor_cluster::testing::is_full;
use actor_testkit::process::{Crash, ProcessCluster, or_skip};
use futures_util::future::select_all;
use integration_tests::guest::with_keys;
use tokio::time::{sleep, timeout};

use crate::playing::{introduce, introduce_to, program, see_each_other};
use crate::support::guarded_for;

const NODES: usize = 5;

/// How soon a silent crash is known to all, on a machine that is not busy with other things.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// Of the long form.
const MINUTES: Duration = Duration::from_secs(600);

async fn cluster() -> Option<ProcessCluster> {
    let builder = ProcessCluster::builder(program()).nodes(NODES).each(with_keys());
    let cluster = or_skip(builder.in_namespaces().start().await)?;
    introduce(&cluster).await;
    see_each_other(&cluster, &all()).await;
    Some(cluster)
}

fn all() -> Vec<usize> {
    (0..NODES).collect()
}

/// Waits until a node has told that it lost another one.
async fn loses(cluster: &ProcessCluster, node: usize, other: usize) {
    let lost = format!("lost node-{other}:");
    while !cluster.next_told(node).await.unwrap().starts_with(&lost) {}
}

/// Nothing is reset and nothing closed: no packet of it comes any more.
#[tokio::test]
async fn a_silent_crash_is_known_to_all_before_their_heartbeats_notice() {
    let (rounds, within) = if is_full() { (50, KNOWN_WITHIN) } else { (3, HEARTBEAT_TIMEOUT) };
    guarded_for(MINUTES, async {
        let Some(mut cluster) = cluster().await else { return };
        let mut took = Vec::new();
        for round in 0..rounds {
            let victim = round % NODES;
            // sleep: each time at another moment of the others' beats, which are four in a second
            sleep(Duration::from_millis(500 + 97 * round as u64 % 250)).await;
            let crashed = Instant::now();
            cluster.crash(victim, Crash::Silent).await.unwrap();
            for node in all().into_iter().filter(|node| *node != victim) {
                loses(&cluster, node, victim).await;
            }
            took.push(crashed.elapsed());
            cluster.restart(victim).await.unwrap();
            introduce_to(&cluster, victim).await;
            see_each_other(&cluster, &all()).await;
        }
        took.sort();
        #[expect(clippy::print_stdout, reason = "the long form is run for this figure")]
        if is_full() {
            println!(
                "{rounds} silent crashes: known to all after {:?}, at most {:?}",
                took[rounds / 2],
                took[rounds - 1]
            );
        }
        assert!(took[rounds - 1] <= within, "{took:?}");
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// It runs for ten milliseconds and waits for thirty, again and again, and now and then for a quarter of a second.
#[tokio::test]
async fn a_node_with_a_quarter_of_a_processor_is_not_lost() {
    let span = Duration::from_secs(if is_full() { 300 } else { 10 });
    guarded_for(MINUTES, async {
        let Some(mut cluster) = cluster().await else { return };
        let end = Instant::now() + span;
        for turn in 0_u64.. {
            if Instant::now() >= end {
                break;
            }
            cluster.freeze(0).unwrap();
            // sleep: this, and the next, are what it is to bear
            sleep(Duration::from_millis(if turn % 256 == 255 { 250 } else { 30 })).await;
            cluster.thaw(0).unwrap();
            // sleep: for so long it runs
            sleep(Duration::from_millis(10)).await;
        }
        let told = select_all(all().into_iter().map(|node| {
            let cluster = &cluster;
            Box::pin(async move {
                while !cluster.next_told(node).await.unwrap().starts_with("lost") {}
                node
            })
        }));
        // What was told is there already.
        let lost = timeout(Duration::from_millis(100), told).await.ok().map(|(node, ..)| node);
        assert_eq!(lost, None, "a node has lost somebody");
        see_each_other(&cluster, &all()).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}
