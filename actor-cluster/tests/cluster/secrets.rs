//! The secret of a cluster is replaced while it runs, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actor_cluster::transport::PeerIdentity;
use actor_cluster::{ConnectError, Events, HandshakeError, Mode, NodeEvent, NodeServer, Secrets};
use actor_core::{ActorRef, ActorSystem, Executor};

use super::Network;
use super::support::{Count, Start, TestNode, id, on_every_shape, settle};

on_every_shape! {
    a_rolling_replacement_of_the_secret_fails_no_call
    sessions_stay_when_the_secret_is_replaced_at_once
}

const OLD: &str = "the secret of last year";
const NEW: &str = "the secret of this year";

fn secrets(current: &str, accepted: &[&str]) -> Secrets {
    let accepting = |secrets: Secrets, other: &&str| secrets.accepting(other);
    accepted.iter().try_fold(Secrets::new(current).unwrap(), accepting).unwrap()
}

/// A node whose transport proves nothing, and whose sessions outlive their streams.
async fn anonymous(network: &Network, number: u8, secrets: Secrets) -> TestNode {
    let system = ActorSystem::on(Executor::tokio());
    let server = NodeServer::builder(id(number))
        .system(system.clone())
        .mode(Mode::Isolated)
        .transport(network.transport_as(number, PeerIdentity::Anonymous))
        .secrets(secrets)
        .start();
    TestNode { server: server.await.unwrap(), system }
}

/// Calls, one call after the other, for as long as it should.
async fn call_on(counter: ActorRef<Count>, is_over: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    while !is_over.load(Ordering::Relaxed) {
        counter.call(|port| Count::AddAndGet(1, port)).await.expect("no call fails");
        done.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await; // sleep: virtual time, so that there is an end to what is done in none
    }
}

/// Whether each of these nodes has found new streams for so many sessions, which it shook hands for.
async fn all_resumed(events: &mut [Events; 3], sessions: usize) {
    for events in events {
        let mut left = sessions;
        while left > 0 {
            match events.next().await.unwrap() {
                NodeEvent::Resumed(_) => left -= 1,
                NodeEvent::Disconnected { reason, .. } | NodeEvent::SessionLost { reason, .. } => {
                    panic!("a session was lost: {reason}")
                }
                _ => {}
            }
        }
    }
}

async fn a_rolling_replacement_of_the_secret_fails_no_call(network: Network) {
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let node = anonymous(&network, number, secrets(OLD, &[])).await;
        node.publish(&format!("counter-{number}"), Start::default()).await;
        nodes.push(node);
    }
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        nodes[from].connect(&nodes[to]).await;
    }
    settle().await;
    let (is_over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut callers = Vec::new();
    for (number, from) in (1..).zip(&nodes) {
        for to in (1..=3).filter(|to| *to != number) {
            let counter = from.find(&format!("counter-{to}"));
            callers.push(tokio::spawn(call_on(counter, is_over.clone(), done.clone())));
        }
    }
    let steps = [secrets(OLD, &[NEW]), secrets(NEW, &[OLD]), secrets(NEW, &[])];
    let mut events = [0, 1, 2].map(|number: usize| nodes[number].server.subscribe());
    for step in steps {
        for node in &nodes {
            node.server.set_secrets(step.clone());
            // All streams are lost, so that everybody shakes hands with everybody, between nodes that are a step apart.
            let before = done.load(Ordering::Relaxed);
            network.cut();
            all_resumed(&mut events, 2).await;
            until_more(&done, before).await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no call has failed");
    }
    // The old one is worth nothing, the new one everything.
    let late = anonymous(&network, 4, secrets(OLD, &[])).await;
    let refused = late.server.connect(&nodes[0].address()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Handshake(HandshakeError::Secret)), "{refused}");
    late.server.set_secrets(secrets(NEW, &[]));
    late.connect(&nodes[0]).await;
}

/// Waits until more calls are done.
async fn until_more(done: &AtomicU64, before: u64) {
    while done.load(Ordering::Relaxed) < before + 100 {
        settle().await;
    }
}

/// Who is in stays in, and is not let in again.
async fn sessions_stay_when_the_secret_is_replaced_at_once(network: Network) {
    let (a, b) =
        (anonymous(&network, 1, secrets(OLD, &[])).await, anonymous(&network, 2, secrets(OLD, &[])).await);
    b.publish("counter", Start::default()).await;
    let session = a.connect(&b).await;
    b.server.set_secrets(secrets(NEW, &[]));
    assert_eq!(a.find("counter").call(Count::Get).await, Ok(0));
    session.close("and now?");
    settle().await;
    let refused = a.server.connect(&b.address()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Handshake(HandshakeError::Secret)), "{refused}");
    a.server.set_secrets(secrets(NEW, &[]));
    a.connect(&b).await;
}
