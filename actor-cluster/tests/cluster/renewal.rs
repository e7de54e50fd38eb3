//! Connections that may become only so old: others take their place while the session goes on.

use std::time::Duration;

use actor_cluster::limits::RESUME_TIMEOUT;
use actor_cluster::testing::pipe::pipe_between;
use actor_cluster::transport::PeerIdentity;
use actor_cluster::{NodeBuilder, StartError};
use actor_core::{ActorSystem, Executor};
use tokio::time::Instant;

use super::Network;
use super::support::{
    BEAT, Count, Start, TestNode, builder, id, kind, next, node_with, on_every_shape, pass, remote_counter,
    settle,
};

on_every_shape! {
    connections_are_renewed_before_they_are_too_old
    renewals_under_load_lose_repeat_and_reorder_nothing
    a_connection_that_nobody_renews_is_given_up
    a_renewal_that_fails_is_tried_again
    a_stream_of_the_programs_is_left_alone
    an_age_of_nothing_is_refused
}

const AGE: Duration = Duration::from_secs(100);

async fn aging(network: &Network, number: u8, age: Duration) -> TestNode {
    let aging = |builder: NodeBuilder| builder.resume_timeout(RESUME_TIMEOUT).connection_age_max(age);
    node_with(network, number, aging).await
}

async fn ageless(network: &Network, number: u8) -> TestNode {
    node_with(network, number, |builder| builder.resume_timeout(RESUME_TIMEOUT)).await
}

async fn connections_are_renewed_before_they_are_too_old(network: Network) {
    let (a, b) = (aging(&network, 1, AGE).await, aging(&network, 2, AGE).await);
    a.connect(&b).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    let mut events = [a.server.subscribe(), b.server.subscribe()];
    for renewals in 1..=5 {
        let since = Instant::now();
        while network.dials() == renewals {
            pass(BEAT).await;
        }
        let age = since.elapsed();
        assert!((AGE * 9 / 10 - BEAT..AGE + AGE / 20 + 2 * BEAT).contains(&age), "{age:?}");
        settle().await;
        assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(renewals));
        assert_eq!((a.server.tasks(), b.server.tasks()), (2, 2), "the old connection is gone");
    }
    a.server.sessions()[0].close("enough");
    for events in &mut events {
        let mut told = Vec::new();
        while told.last() != Some(&"disconnected") {
            told.push(kind(&next(events).await));
        }
        assert_eq!(told, ["opened", "opened", "opened", "opened", "opened", "disconnected"]);
    }
}

async fn renewals_under_load_lose_repeat_and_reorder_nothing(network: Network) {
    let age = Duration::from_secs(1);
    let (a, b) = (aging(&network, 1, age).await, aging(&network, 2, age).await);
    // Both have dialled, so both renew.
    tokio::join!(a.connect(&b), b.connect(&a));
    let start = Start::default();
    let (_, held) = remote_counter(&a, &b, start.clone()).await;
    for number in 0..500 {
        match number % 3 {
            0 => drop(held.call(|port| Count::AddAndGet(number, port)).await.unwrap()),
            1 => held.send(Count::Add(number)).await.unwrap(),
            _ => {
                held.send(Count::Add(number)).await.unwrap();
                pass(Duration::from_millis(100)).await;
            }
        }
    }
    held.call(Count::Get).await.unwrap();
    assert_eq!(start.added(), (0..500).collect::<Vec<_>>());
    assert!(network.dials() >= 2 + 10, "{} dials", network.dials());
}

async fn a_connection_that_nobody_renews_is_given_up(network: Network) {
    let (a, b) = (ageless(&network, 1).await, aging(&network, 2, AGE).await);
    a.connect(&b).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    let mut events = a.server.subscribe();
    pass(AGE * 3 / 2 - BEAT).await;
    assert_eq!(network.dials(), 1);
    pass(AGE / 20 + 2 * BEAT).await;
    assert_eq!(network.dials(), 2, "whoever has dialled dials again");
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1));
    let mut told = Vec::new();
    while told.last() != Some(&"resumed") {
        told.push(kind(&next(&mut events).await));
    }
    told.retain(|kind| *kind != "opened");
    assert_eq!(told, ["interrupted", "resumed"]);
}

async fn a_renewal_that_fails_is_tried_again(network: Network) {
    let (a, b) = (aging(&network, 1, AGE).await, aging(&network, 2, AGE).await);
    a.connect(&b).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    network.close_doors();
    pass(AGE * 6 / 5).await;
    let tried = network.dials();
    assert!(tried > 2, "{tried} dials");
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1), "meanwhile the old one serves");
    network.open_doors();
    pass(AGE / 20 + 2 * BEAT).await;
    assert_eq!(network.dials(), 1 + tried);
    pass(AGE / 2).await;
    assert_eq!(network.dials(), 1 + tried, "it was renewed");
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(2));
}

async fn a_stream_of_the_programs_is_left_alone(network: Network) {
    let (a, b) = (aging(&network, 1, AGE).await, aging(&network, 2, AGE).await);
    let (near, far) = pipe_between(PeerIdentity::Node(id(1)), PeerIdentity::Node(id(2)));
    let (near, far) = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
    let (near, _far) = (near.unwrap(), far.unwrap());
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    pass(5 * AGE).await;
    assert!(near.is_ready() && !near.is_interrupted());
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1));
    assert_eq!(network.dials(), 0);
}

async fn an_age_of_nothing_is_refused(network: Network) {
    let system = ActorSystem::on(Executor::tokio());
    let refused = builder(&network, 1, &system).connection_age_max(Duration::from_millis(999)).start().await;
    assert!(matches!(refused, Err(StartError::Setting(detail)) if detail.contains("a second old")));
    settle().await;
}
