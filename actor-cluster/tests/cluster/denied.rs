//! What a peer may not do buries nothing of what happens besides.

use actor_cluster::{Allow, Events, NodeBuilder, NodeEvent, Rights};
use futures_util::FutureExt;

use super::Network;
use super::support::{Start, node, node_with, on_every_shape, settle};

on_every_shape! {
    publications_that_are_denied_are_no_events_nor_is_their_end
}

/// How many events there are of what is published.
fn published(events: &mut Events) -> usize {
    let told = std::iter::from_fn(|| events.next().now_or_never().flatten());
    told.filter(|event| matches!(event, NodeEvent::Published(_))).count()
}

async fn publications_that_are_denied_are_no_events_nor_is_their_end(network: Network) {
    let rights = Rights::new().everyone(Allow::nothing().join());
    let here = node_with(&network, 1, |builder: NodeBuilder| builder.authorize(rights)).await;
    let peer = node(&network, 2).await;
    peer.connect(&here).await;
    let counter = peer.spawn(Start::default()).await;
    let mut events = here.server.subscribe();
    for _ in 0..10 {
        peer.server.publish("till", &counter).unwrap();
        peer.server.unpublish("till", &counter);
        settle().await;
    }
    assert_eq!(published(&mut events), 0);
    here.server.set_authorize(Rights::new().everyone(Allow::everything()));
    peer.server.publish("till", &counter).unwrap();
    settle().await;
    peer.server.unpublish("till", &counter);
    settle().await;
    assert_eq!(published(&mut events), 2);
}
