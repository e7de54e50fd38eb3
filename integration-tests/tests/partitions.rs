//! Networks that fall apart, in both directions or one, and are whole again: namespaces whose hub passes on nothing.

use actor_testkit::process::{ProcessCluster, or_skip};

use crate::playing::{SOON, greet_each_other, introduce, nodes, see_each_other};
use crate::support::guarded;

async fn cluster(count: usize) -> Option<ProcessCluster> {
    let cluster = or_skip(nodes(count, |_, _| {}).in_namespaces().start().await)?;
    introduce(&cluster).await;
    see_each_other(&cluster, &(0..count).collect::<Vec<_>>()).await;
    Some(cluster)
}

/// Waits until a node has told that it lost another one.
async fn told_lost(cluster: &ProcessCluster, node: usize, other: usize) -> String {
    loop {
        let told = cluster.next_told(node).await.unwrap();
        if told.starts_with(&format!("lost node-{other}")) {
            return told;
        }
    }
}

#[tokio::test]
async fn b12_a_partition_heals_and_either_side_works_meanwhile() {
    guarded(async {
        let Some(mut cluster) = cluster(5).await else { return };
        cluster.partition(&[&[0, 1], &[2, 3, 4]]).unwrap();
        for (one, other) in [(0, 2), (2, 0)] {
            let told = told_lost(&cluster, one, other).await;
            assert!(told.contains("timed out"), "{told}");
        }
        for side in [&[0, 1][..], &[2, 3, 4]] {
            see_each_other(&cluster, side).await;
            greet_each_other(&cluster, side).await;
        }
        assert_eq!(cluster.ask(0, "greet node-2").await.unwrap(), "nobody");
        cluster.heal().unwrap();
        see_each_other(&cluster, &[0, 1, 2, 3, 4]).await;
        greet_each_other(&cluster, &[0, 1, 2, 3, 4]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// One hears the other, who does not hear it: both give the session up, and nobody else is lost.
#[tokio::test]
async fn b12_a_partition_in_one_direction_ends_the_session_on_both_sides() {
    guarded(async {
        let Some(mut cluster) = cluster(3).await else { return };
        cluster.block(0, 1).unwrap();
        told_lost(&cluster, 0, 1).await;
        told_lost(&cluster, 1, 0).await;
        // The third is between them, and has both.
        for (node, names) in [(0, "node-2"), (1, "node-2"), (2, "node-0 node-1")] {
            cluster.until(node, "names", SOON, |seen| seen == names).await.unwrap();
        }
        cluster.heal().unwrap();
        see_each_other(&cluster, &[0, 1, 2]).await;
        greet_each_other(&cluster, &[0, 1, 2]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}
