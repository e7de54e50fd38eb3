//! What a subscriber hears.

use actor_cluster::limits::EVENTS_KEPT;
use actor_cluster::{Events, NodeEvent};

use super::Network;
use super::support::{Count, Start, id, kind, next, node, on_every_shape, settle, two};

on_every_shape! {
    b10_a_subscriber_hears_of_a_session_in_order
    b10_a_subscription_that_is_dropped_hears_nothing_and_costs_nothing
    b10_a_subscriber_that_falls_behind_is_told_what_it_missed
    b10_news_of_what_is_published_comes_after_it_can_be_found
    b10_the_last_event_is_the_end
}

async fn b10_a_subscriber_hears_of_a_session_in_order(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    let mut heard = [a.server.subscribe(), b.server.subscribe()];
    let session = a.connect(&b).await;
    settle().await;
    session.close("enough");
    settle().await;
    for (events, (peer, name)) in heard.iter_mut().zip([(&b, "node-2"), (&a, "node-1")]) {
        match next(events).await {
            NodeEvent::Opened { label } => assert!(label.starts_with("pipe://"), "{label}"),
            other => panic!("first a stream opens, not {other:?}"),
        }
        for expected in ["authenticated", "ready", "disconnected"] {
            let event = next(events).await;
            assert_eq!(kind(&event), expected);
            match event {
                NodeEvent::Authenticated(info)
                | NodeEvent::Ready(info)
                | NodeEvent::Disconnected { peer: info, .. } => {
                    assert_eq!((info.node, info.name.as_str()), (peer.id(), name));
                    assert_eq!(info.incarnation, peer.system.incarnation());
                }
                other => panic!("{other:?} is about nobody"),
            }
        }
    }
}

async fn b10_a_subscription_that_is_dropped_hears_nothing_and_costs_nothing(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    let (mut kept, dropped) = (a.server.subscribe(), a.server.subscribe());
    drop(dropped);
    // It is this subscription that has ended, and no other.
    for _ in 0..3 {
        a.connect(&b).await.close("enough");
        while kind(&next(&mut kept).await) != "disconnected" {}
    }
    // Who subscribes later hears of what is later.
    let mut late = a.server.subscribe();
    a.connect(&b).await;
    assert_eq!(kind(&next(&mut late).await), "opened");
}

async fn b10_a_subscriber_that_falls_behind_is_told_what_it_missed(network: Network) {
    let (a, b) = two(&network).await;
    settle().await;
    let (mut slow, mut quick) = (a.server.subscribe(), a.server.subscribe());
    let counter = b.publish("counter", Start::default()).await;
    let mut told = 0;
    let take = async |events: &mut Events, told: &mut usize| {
        assert_eq!(kind(&events.next().await.unwrap()), "published");
        *told += 1;
    };
    take(&mut quick, &mut told).await;
    while told < EVENTS_KEPT + 10 {
        b.server.unpublish("counter", &counter);
        take(&mut quick, &mut told).await;
        b.server.publish("counter", &counter).unwrap();
        take(&mut quick, &mut told).await;
    }
    assert_eq!(slow.next().await, Some(NodeEvent::Missed((told - EVENTS_KEPT) as u64)));
    assert_eq!(kind(&slow.next().await.unwrap()), "published");
}

async fn b10_news_of_what_is_published_comes_after_it_can_be_found(network: Network) {
    let (a, b) = two(&network).await;
    settle().await;
    let mut events = a.server.subscribe();
    let counter = b.publish("counter", Start::default()).await;
    assert!(matches!(events.next().await, Some(NodeEvent::Published(info)) if info.node == id(2)));
    assert!(a.server.find::<Count>("counter").is_ok());
    b.server.unpublish("counter", &counter);
    assert!(matches!(events.next().await, Some(NodeEvent::Published(info)) if info.node == id(2)));
    assert!(a.server.find::<Count>("counter").is_err());
}

async fn b10_the_last_event_is_the_end(network: Network) {
    let (a, b) = two(&network).await;
    let mut events = a.server.subscribe();
    a.shutdown().await;
    assert_eq!(kind(&next(&mut events).await), "disconnected");
    assert_eq!(events.next().await, None);
    assert_eq!(events.next().await, None);
    drop(b);
}
