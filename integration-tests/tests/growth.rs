//! Clusters that grow, and that all come back to a node at once.

use std::time::Instant;

use actor_cluster::testing::is_full;
use actor_testkit::process::{Crash, NodePlan};
use integration_tests::playground::{ISOLATED, WAITS};

use crate::playing::{introduce_to, nodes, see_each_other};
use crate::support::guarded;

/// How many there are in the end: each is a process, and the machine of a test is small.
fn many() -> usize {
    if is_full() { 20 } else { 10 }
}

#[tokio::test]
async fn b11_three_nodes_become_many_at_once_and_all_know_all() {
    guarded(async {
        let mut cluster = nodes(3, |_, _| {}).start().await.unwrap();
        see_each_other(&cluster, &[0, 1, 2]).await;
        let began = Instant::now();
        cluster.add_many(many() - 3).await.unwrap();
        see_each_other(&cluster, &(0..many()).collect::<Vec<_>>()).await;
        #[expect(clippy::print_stdout, reason = "the long form is run for this figure")]
        if is_full() {
            println!("3 nodes were {} after {:?}", many(), began.elapsed());
        }
        assert_eq!(cluster.ask(many() - 1, "rounds node-1 3").await.unwrap(), "3 rounds");
        assert_eq!(cluster.ask(1, &format!("rounds node-{} 3", many() - 1)).await.unwrap(), "3 rounds");
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// All dial the one that was killed, for as long as it is away, and find it when it is back, at once.
#[tokio::test]
async fn b12_a_node_that_all_come_back_to_at_once_has_them_all() {
    guarded(async {
        let count = many() / 2;
        let all: Vec<usize> = (0..count).collect();
        // It dials nobody when it is back, so that it is found by all others or not at all.
        let waiting = |number: usize, plan: &mut NodePlan| {
            if number == 0 {
                plan.invitation.set(WAITS, "");
                plan.invitation.set(ISOLATED, "");
            }
        };
        let mut cluster = nodes(count, waiting).start().await.unwrap();
        for node in &all[1..] {
            introduce_to(&cluster, *node).await;
        }
        see_each_other(&cluster, &all).await;
        for life in 2..=4 {
            cluster.crash(0, Crash::Reset).await.unwrap();
            // Until no session is left that would be resumed: from here on they look for it.
            see_each_other(&cluster, &all[1..]).await;
            cluster.restart(0).await.unwrap();
            see_each_other(&cluster, &all).await;
            assert_eq!(cluster.inspect(0).unwrap().lives, life);
            assert_eq!(cluster.ask(0, "rounds node-1 3").await.unwrap(), "3 rounds");
        }
        cluster.shutdown().await.unwrap();
    })
    .await;
}
