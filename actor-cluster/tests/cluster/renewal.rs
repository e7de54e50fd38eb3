//! Connections that may become only so old: others take their place while the session goes on.

use std::time::Duration;

use actor_cluster::limits::{BETTER_WAY_INTERVAL, RESUME_TIMEOUT, STREAMS_PER_SESSION_MAX};
use actor_cluster::testing::pipe::pipe_between;
use actor_cluster::transport::PeerIdentity;
use actor_cluster::{NodeBuilder, StartError};
use actor_core::{ActorSystem, Executor};
use futures_util::FutureExt;
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
    an_age_without_end_is_never_reached
    two_that_have_dialled_each_other_come_to_rest
    a_session_that_is_closed_while_it_is_dialled_for_stays_closed
    a_session_with_all_the_streams_it_can_have_is_renewed
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

async fn an_age_without_end_is_never_reached(network: Network) {
    let (a, b) = (aging(&network, 1, Duration::MAX).await, aging(&network, 2, Duration::MAX).await);
    let session = a.connect(&b).await;
    pass(10 * AGE).await;
    assert!(session.is_ready() && network.dials() == 1);
}

/// Neither takes the other's streams for worse than its own: they would dial for ever, in turn.
async fn two_that_have_dialled_each_other_come_to_rest(network: Network) {
    let (a, b) = (ageless(&network, 1).await, ageless(&network, 2).await);
    a.connect(&b).await;
    b.connect(&a).await;
    for finds_nobody in [1, 2] {
        // One of them dials in vain, so that all streams are the other's.
        network.close_door_of(finds_nobody);
        network.cut();
        pass(BEAT).await;
        network.open_doors();
        pass(3 * BETTER_WAY_INTERVAL).await;
        let dials = network.dials();
        pass(100 * BETTER_WAY_INTERVAL).await;
        assert_eq!(network.dials(), dials);
    }
}

async fn a_session_that_is_closed_while_it_is_dialled_for_stays_closed(network: Network) {
    for is_lost in [false, true] {
        let network = network.beside("pipe");
        let (a, b) = (aging(&network, 1, AGE).await, aging(&network, 2, AGE).await);
        let session = a.connect(&b).await;
        network.hold_dials();
        // The other has not heard that it is closed, and may dial.
        network.close_door_of(1);
        if is_lost {
            network.cut();
            settle().await;
            pass(Duration::from_millis(20)).await;
        } else {
            pass(AGE + AGE / 20).await;
        }
        assert!(network.dials() > 1, "it is being dialled for");
        session.close("enough");
        settle().await;
        network.let_dials_go();
        pass(RESUME_TIMEOUT).await;
        assert_eq!((a.peers(), b.peers()), (vec![], vec![]), "lost: {is_lost}");
        tokio::join!(a.shutdown(), b.shutdown());
    }
}

async fn a_session_with_all_the_streams_it_can_have_is_renewed(network: Network) {
    never_interrupted_though_full(network).await;
}

/// Of a new connection's streams some find room.
#[tokio::test(start_paused = true)]
async fn a_session_with_almost_all_the_streams_it_can_have_is_renewed() {
    never_interrupted_though_full(Network::three_streams()).await;
}

async fn never_interrupted_though_full(network: Network) {
    let (a, b) = (aging(&network, 1, AGE).await, aging(&network, 2, AGE).await);
    for _ in 0..STREAMS_PER_SESSION_MAX {
        a.connect(&b).await;
    }
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    let mut events = [a.server.subscribe(), b.server.subscribe()];
    pass(5 * AGE).await;
    held.call(Count::Get).await.unwrap();
    for events in &mut events {
        while let Some(event) = events.next().now_or_never().flatten() {
            assert!(["opened", "other", "published"].contains(&kind(&event)), "{event:?}");
        }
    }
    assert!(a.server.sessions()[0].streams().await.len() < STREAMS_PER_SESSION_MAX, "the old ones are gone");
}

/// Its streams are not all there, and never will be.
#[tokio::test(start_paused = true)]
async fn what_a_dial_has_opened_that_is_given_up_is_closed() {
    let network = Network::stream_per_lane();
    let (a, b) = (ageless(&network, 1).await, ageless(&network, 2).await);
    let session = a.connect(&b).await;
    network.get_stuck_after(1);
    a.server.connect(&b.address()).await.unwrap_err();
    settle().await;
    for node in [&a, &b] {
        assert_eq!(node.server.sessions()[0].streams().await.len(), 2);
    }
    assert!(session.is_ready() && !session.is_interrupted());
}
