//! The five scenarios that ractor runs in containers, with processes; and where those are that it lacks.
//!
//! | scenario | here, or in |
//! |---|---|
//! | auth handshake | `nodes_of_one_authority_meet_and_strangers_do_not`; wrong secrets in `bad_input` |
//! | groups | `members_of_a_group_talk_in_rounds` |
//! | encryption | `capture`: what is on the wire, with TLS and without |
//! | external transport | `stdio`: a child is a node over its standard input and output; `write-your-own-transport.md` |
//! | transitive connect | `whoever_joins_one_knows_all`; who stays out of that `isolated_nodes_look_for_nobody_and_serve_whoever_dials_them`, `an_isolated_node_tells_nobody_of_its_peers` |
//! | kill -9, SIGSTOP | `killed`; under load `chaos` |
//! | partition and heal, in one direction too | `partitions` |
//! | slow reader | `slow`; an actor that takes nothing `stalled` |
//! | delay, jitter, disorder, loss | `weather` |
//! | payloads of 64 MiB | `a_payload_of_64_mib_arrives_whole`; of a gibibyte `bulk` |
//! | reconnect storms, 3 → 20 nodes | `growth`; one connection cut again and again `cut` |
//! | mixed versions | `versions` |
//! | certificates that expire, or are replaced | `expiry`, `rotation` |
//! | a full disk, no more files | `exhaustion` |

use std::time::{Duration, Instant};

use actor_testkit::limits::UNTIL_PAUSE;
use actor_testkit::process::{Crash, ProcessCluster};
use integration_tests::guest::with_keys;
use integration_tests::playground::{ISOLATED, ONCE};

use crate::playing::{SOON, greet_each_other, nodes, see_each_other};
use crate::support::guarded;

#[tokio::test]
async fn nodes_of_one_authority_meet_and_strangers_do_not() {
    guarded(async {
        let strange = with_keys();
        let cluster = nodes(3, move |number, plan| {
            if number == 2 {
                // The keys of another authority, for the same name.
                strange(number, plan);
                plan.invitation.set(ONCE, "");
            }
        });
        let cluster = cluster.start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        greet_each_other(&cluster, &[0, 1]).await;
        let told = cluster.next_told(2).await.unwrap();
        assert!(told.starts_with("cannot join: ") && told.contains("certificate"), "{told}");
        assert_eq!(cluster.ask(2, "names").await.unwrap(), "");
        // It is counted where it knocked.
        cluster.until(0, "refused", SOON, |refused| refused == "1").await.unwrap();
        cluster.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn members_of_a_group_talk_in_rounds() {
    guarded(async {
        let cluster = nodes(2, |_, _| {}).start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        for (one, other) in [(0, 1), (1, 0)] {
            assert_eq!(cluster.ask(one, &format!("rounds node-{other} 25")).await.unwrap(), "25 rounds");
        }
        cluster.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_joins_one_knows_all() {
    guarded(async {
        // Each but the first dials that one, and nobody else.
        let started = nodes(3, |_, plan| plan.invitation.set(ONCE, ""));
        let cluster = started.start().await.unwrap();
        see_each_other(&cluster, &[0, 1, 2]).await;
        greet_each_other(&cluster, &[0, 1, 2]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// Each but the first dials that one; these are isolated.
async fn with_isolated(count: usize, isolated: &'static [usize]) -> ProcessCluster {
    let started = nodes(count, |number, plan| {
        plan.invitation.set(ONCE, "");
        if isolated.contains(&number) {
            plan.invitation.set(ISOLATED, "");
        }
    });
    started.start().await.unwrap()
}

/// Nodes 1 and 2 are told of each other, and dial nobody for that. Who looks for others, as 3 does, finds them, and is served.
#[tokio::test]
async fn isolated_nodes_look_for_nobody_and_serve_whoever_dials_them() {
    guarded(async {
        let mut cluster = with_isolated(4, &[1, 2]).await;
        // Once this is so, both have been told of each other.
        for (node, names) in [(0, "node-1 node-2 node-3"), (3, "node-0 node-1 node-2")] {
            cluster.until(node, "names", SOON, |seen| seen == names).await.unwrap();
        }
        for node in [1, 2] {
            cluster.until(node, "names", SOON, |seen| seen.contains("node-3")).await.unwrap();
        }
        stays(&cluster, &[1, 2], "node-0 node-3").await;
        greet_each_other(&cluster, &[0, 1, 3]).await;
        greet_each_other(&cluster, &[0, 2, 3]).await;
        assert_eq!(cluster.ask(1, "greet node-2").await.unwrap(), "nobody");
        // Whom it dials itself, it has.
        let address = cluster.addresses(2).unwrap().join(" ");
        cluster.ask(1, &format!("know {address}")).await.unwrap();
        see_each_other(&cluster, &[0, 1, 2, 3]).await;
        greet_each_other(&cluster, &[1, 2]).await;
        // The one that it began with is lost, and it serves on.
        cluster.crash(0, Crash::Reset).await.unwrap();
        see_each_other(&cluster, &[1, 2, 3]).await;
        greet_each_other(&cluster, &[1, 2, 3]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// All know the first, which is isolated, and nobody else: who is between others makes no mesh of them.
#[tokio::test]
async fn an_isolated_node_tells_nobody_of_its_peers() {
    guarded(async {
        let cluster = with_isolated(3, &[0]).await;
        for (node, names) in [(0, "node-1 node-2"), (1, "node-0"), (2, "node-0")] {
            cluster.until(node, "names", SOON, |seen| seen.contains(names)).await.unwrap();
        }
        stays(&cluster, &[1, 2], "node-0").await;
        greet_each_other(&cluster, &[0, 1]).await;
        greet_each_other(&cluster, &[0, 2]).await;
        cluster.shutdown().await.unwrap();
    })
    .await;
}

/// Nodes know these for longer than others take to hear of each other.
async fn stays(cluster: &ProcessCluster, nodes: &[usize], names: &str) {
    let end = Instant::now() + HEARD_OF;
    while Instant::now() < end {
        for node in nodes {
            assert_eq!(cluster.ask(*node, "names").await.unwrap(), names);
        }
        tokio::time::sleep(UNTIL_PAUSE).await; // sleep: another process, of which it is asked what it does not do
    }
}

/// Some rounds of gossip, and a dial.
const HEARD_OF: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_payload_of_64_mib_arrives_whole() {
    guarded(async {
        let cluster = nodes(2, |_, _| {}).start().await.unwrap();
        see_each_other(&cluster, &[0, 1]).await;
        for bytes in [0, 1 << 20, 64 << 20] {
            assert_eq!(cluster.ask(0, &format!("weigh node-1 {bytes}")).await.unwrap(), bytes.to_string());
        }
        cluster.shutdown().await.unwrap();
    })
    .await;
}
