//! What the scenarios share whose nodes are all processes of their own: the program that they are, and how they are started.

use std::time::Duration;

use actor_testkit::process::{NodePlan, ProcessCluster, ProcessClusterBuilder, Program};
use integration_tests::guest::with_keys;
use integration_tests::playground::{HEARTBEAT, RESUME};

/// When something must have happened that takes the nodes' timeouts: those, and much more for a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// Nodes with short timeouts: a connection is lost after a second, and a session after another half.
pub(crate) fn nodes(
    count: usize,
    more: impl Fn(usize, &mut NodePlan) + Send + Sync + 'static,
) -> ProcessClusterBuilder {
    nodes_with(with_keys(), count, more)
}

/// The same, with other keys.
pub(crate) fn nodes_with(
    keys: impl Fn(usize, &mut NodePlan) + Send + Sync + 'static,
    count: usize,
    more: impl Fn(usize, &mut NodePlan) + Send + Sync + 'static,
) -> ProcessClusterBuilder {
    let each = move |number: usize, plan: &mut NodePlan| {
        keys(number, plan);
        plan.invitation.set(HEARTBEAT, "200");
        plan.invitation.set(RESUME, "500");
        more(number, plan);
    };
    ProcessCluster::builder(program()).nodes(count).each(each)
}

pub(crate) fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_cluster"))
}

/// Waits until each of these is connected with exactly those that are beside it in the list.
pub(crate) async fn see_each_other(cluster: &ProcessCluster, group: &[usize]) {
    for node in group {
        let mut others: Vec<String> =
            group.iter().filter(|other| *other != node).map(|other| format!("node-{other}")).collect();
        others.sort();
        let others = others.join(" ");
        cluster.until(*node, "names", SOON, |names| names == others).await.unwrap();
    }
}

/// Every node greets every other of a group.
pub(crate) async fn greet_each_other(cluster: &ProcessCluster, group: &[usize]) {
    for one in group {
        for other in group.iter().filter(|other| *other != one) {
            let said = cluster.ask(*one, &format!("greet node-{other}")).await.unwrap();
            assert!(said.starts_with(&format!("hello node-{one}, from node-{other}")), "{said}");
        }
    }
}

/// Has every node know every other, also those whom it loses.
pub(crate) async fn introduce(cluster: &ProcessCluster) {
    for node in 0..cluster.len() {
        introduce_to(cluster, node).await;
    }
}

/// Has this node know every other.
pub(crate) async fn introduce_to(cluster: &ProcessCluster, node: usize) {
    let others = (0..cluster.len()).filter(|other| *other != node);
    let others: Vec<_> = others.flat_map(|other| cluster.addresses(other).unwrap()).collect();
    cluster.ask(node, &format!("know {}", others.join(" "))).await.unwrap();
}
