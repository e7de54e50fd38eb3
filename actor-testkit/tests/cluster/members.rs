//! How soon a node that has crashed is no member any more.

use actor_cluster::{MemberEvent, NodeServer};
use actor_testkit::cluster::history::What;
use actor_testkit::cluster::{Crash, SimHandle};

use super::*;

const NODES: usize = 5;
const SEEDS: u64 = 50;

/// A machine dies without a word, in each seed another one at another moment of the others' probes. All that survive tell that it is
/// lost, and of their delays the 99th percentile is at most two seconds: where the nodes have begun at moments of their own, and where
/// all have begun at the same one, so that all look at the same moments for ever.
#[test]
fn b11_a_silent_crash_is_told_by_all_within_two_seconds_at_the_99th_percentile() {
    for begin in [begun_one_by_one, begun_in_step] {
        let mut delays: Vec<Duration> =
            (0..SEEDS).flat_map(|seed| delays_of_loss(begin(seed), seed)).collect();
        delays.sort_unstable();
        assert_eq!(delays.len() as u64, SEEDS * (NODES as u64 - 1), "each survivor tells it, once");
        let rank = (delays.len() * 99).div_ceil(100);
        let (percentile, longest) = (delays[rank - 1], delays[delays.len() - 1]);
        assert!(percentile <= 2 * SECOND, "{percentile:?}, and the longest is {longest:?}");
    }
}

/// How long after the crash each survivor has declared the node lost.
fn delays_of_loss(mut cluster: SimCluster, seed: u64) -> Vec<Duration> {
    // The probes of nodes follow each other by the second.
    cluster.advance(Duration::from_millis(seed * 1000 / SEEDS));
    let victim = usize::try_from(seed).unwrap() % NODES;
    let (crashed, before) = (cluster.now(), cluster.history().len());
    let id = cluster.id(victim);
    cluster.crash(victim, Crash::Silent);
    cluster.advance(5 * SECOND);
    let history = cluster.history();
    let tells = history[before..].iter().filter(
        |event| matches!(&event.what, What::Member(MemberEvent::Lost { member, .. }) if member.node == id),
    );
    tells.map(|event| event.at - crashed).collect()
}

/// Nodes of which each has begun at a moment of its own.
fn begun_one_by_one(seed: u64) -> SimCluster {
    let mut cluster = SimCluster::seeded(seed).nodes(NODES).start();
    for node in 1..NODES {
        cluster.crash(node, Crash::Reset);
        let later = cluster.executor().random_u64() % 1000;
        cluster.advance(Duration::from_millis(later));
        cluster.restart(node);
    }
    know_each_other(cluster)
}

fn begun_in_step(seed: u64) -> SimCluster {
    know_each_other(SimCluster::seeded(seed).nodes(NODES).start())
}

fn know_each_other(mut cluster: SimCluster) -> SimCluster {
    let knows_all = |cluster: &SimHandle, node| {
        let life = cluster.try_node(node).and_then(|life| life.try_server().map(NodeServer::members));
        life.is_some_and(|known| {
            known.members.len() == NODES - 1 && known.members.iter().all(|member| member.is_connected)
        })
    };
    let is_whole = |cluster: &SimHandle| cluster.is_mesh() && (0..NODES).all(|node| knows_all(cluster, node));
    assert!(cluster.advance_until(60 * SECOND, is_whole));
    cluster.advance(5 * SECOND);
    cluster
}
