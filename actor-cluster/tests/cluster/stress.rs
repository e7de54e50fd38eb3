//! Everything at once on several threads: what no single-threaded schedule shows, such
//! as locks taken in two orders.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::{Events, Mode, NodeEvent};
use actor_core::{CallError, CallFailure, SendError};

use super::Network;
use super::support::{Count, Start, TestNode, node_with};

/// Real time, which only a dead-lock takes.
const DEADLOCK: Duration = Duration::from_secs(60);

const ROUNDS: usize = 150;

async fn transitive(network: &Network, number: u8) -> Arc<TestNode> {
    Arc::new(node_with(network, number, |builder| builder.mode(Mode::Transitive)).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_connect_publish_call_and_close_at_once_do_not_lock_up() {
    for network in [Network::one_stream(), Network::stream_per_lane()] {
        let everything = tokio::spawn(everything_at_once(network));
        tokio::time::timeout(DEADLOCK, everything).await.expect("it is locked up").unwrap();
    }
}

async fn everything_at_once(network: Network) {
    let nodes = [transitive(&network, 1).await, transitive(&network, 2).await, transitive(&network, 3).await];
    let watching: Vec<_> =
        nodes.iter().map(|node| tokio::spawn(one_session_at_a_time(node.server.subscribe()))).collect();
    let mut work = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let others: Vec<_> = (0..3).filter(|other| *other != at).map(|other| nodes[other].clone()).collect();
        work.push(tokio::spawn(connect_and_close(node.clone(), others.clone())));
        work.push(tokio::spawn(publish_and_end(node.clone())));
        work.push(tokio::spawn(call_whoever_is_there(node.clone())));
    }
    for work in work {
        work.await.unwrap();
    }
    // Whatever happened, they can still find to each other.
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        while nodes[from].server.connect(&nodes[to].address()).await.is_err() {}
    }
    for node in nodes {
        let node = Arc::into_inner(node).expect("all work is done");
        node.server.shutdown().await;
    }
    for watching in watching {
        assert!(watching.await.unwrap() > 10, "there were many sessions");
    }
}

/// Whoever follows the events sees sessions with a peer begin and end in turns. How
/// many there were.
async fn one_session_at_a_time(mut events: Events) -> usize {
    let mut present = BTreeSet::new();
    let mut sessions = 0;
    while let Some(event) = events.next().await {
        match event {
            NodeEvent::Authenticated(peer) => {
                assert!(present.insert(peer.node), "two sessions at once");
                sessions += 1;
            }
            NodeEvent::Ready(peer) => assert!(present.contains(&peer.node), "ready before its time"),
            NodeEvent::Disconnected { peer, .. } | NodeEvent::SessionLost { peer, .. } => {
                assert!(present.remove(&peer.node), "over twice");
            }
            // On a machine that is too slow for this, there is nothing to see.
            NodeEvent::Missed(_) => return usize::MAX,
            _ => {}
        }
    }
    assert!(present.is_empty());
    sessions
}

async fn connect_and_close(node: Arc<TestNode>, others: Vec<Arc<TestNode>>) {
    for round in 0..ROUNDS {
        let session = node.server.connect(&others[round % 2].address()).await;
        if let Ok(session) = session
            && round % 2 == 0
        {
            session.close("round and round");
        }
    }
}

async fn publish_and_end(node: Arc<TestNode>) {
    for round in 0..ROUNDS {
        let counter = node.spawn(Start::default()).await;
        node.server.join_group("counters", &counter).unwrap();
        // Somebody may hold the name still.
        let _ = node.server.publish("counter", &counter);
        match round % 3 {
            0 => node.server.leave_group("counters", &counter),
            1 => counter.kill(),
            _ => {
                counter.stop_and_wait(None, None).await.unwrap();
            }
        }
    }
}

async fn call_whoever_is_there(node: Arc<TestNode>) {
    for _ in 0..ROUNDS {
        for counter in node.server.group::<Count>("counters").into_iter().take(5) {
            match counter.call(|port| Count::AddAndGet(1, port)).await {
                Ok(_) => {}
                Err(CallError::NotSent(SendError::NotConnected(_) | SendError::Stopped(_, _))) => {}
                Err(CallError::Failed(
                    CallFailure::Unknown
                    | CallFailure::NeverLeft
                    | CallFailure::NoReply
                    | CallFailure::Rejected(_),
                )) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        tokio::task::yield_now().await;
    }
}
