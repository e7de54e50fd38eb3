//! Who comes to know whom.

use actor_cluster::limits::{HEARTBEAT_TIMEOUT, MEMBERSHIP_TICK};
use actor_cluster::transport::PeerIdentity;
use actor_cluster::{Mode, NodeServer};
use actor_core::{ActorSystem, Executor};
use futures_util::FutureExt;
use tokio::time::Instant;

use super::Network;
use super::support::{
    Count, SILENCE, Start, TestNode, id, kind, node, node_with, on_every_shape, pass, ready, refused, settle,
    system_after,
};

on_every_shape! {
    b07_transitive_nodes_know_the_peers_of_their_peers
    b07_isolated_nodes_know_whom_they_connected_to
    b07_a_chain_of_transitive_nodes_becomes_a_mesh
    b07_nobody_gets_in_under_an_address_that_was_said_to_be_anothers
    b07_a_node_that_comes_back_is_dialled_again
    b07_a_node_that_came_back_elsewhere_is_found_while_its_former_life_is_looked_for
    b07_a_member_that_came_back_elsewhere_is_found_while_its_former_life_is_looked_for
    b07_a_node_that_does_not_listen_is_told_of_to_nobody
    b06_peers_max_bounds_what_gossip_dials
    w14_nobody_is_dialled_by_a_transport_that_the_node_does_not_have
}

async fn in_mode(network: &Network, number: u8, mode: Mode) -> TestNode {
    node_with(network, number, |builder| builder.mode(mode)).await
}

async fn b07_transitive_nodes_know_the_peers_of_their_peers(network: Network) {
    let [a, b, c] = [1, 2, 3].map(|number| in_mode(&network, number, Mode::Transitive));
    let (a, b, c) = (a.await, b.await, c.await);
    c.publish("counter", Start { count: 8, ..Start::default() }).await;
    a.connect(&b).await;
    let mut events = a.server.subscribe();
    c.connect(&b).await;
    assert_eq!(ready(&mut events).await, id(3));
    assert_eq!(a.find("counter").call(Count::Get).await, Ok(8));
    settle().await;
    assert_eq!((a.peers(), b.peers()), (vec![id(2), id(3)], vec![id(1), id(3)]));
    assert_eq!(c.peers(), [id(1), id(2)]);
    // B is not in between.
    b.shutdown().await;
    settle().await;
    assert_eq!(a.find("counter").call(Count::Get).await, Ok(8));
    assert_eq!((a.peers(), c.peers()), (vec![id(3)], vec![id(1)]));
}

async fn b07_isolated_nodes_know_whom_they_connected_to(network: Network) {
    // One that does not tell, and one that does not listen.
    for modes in [
        [Mode::Isolated, Mode::Isolated, Mode::Isolated],
        [Mode::Transitive, Mode::Isolated, Mode::Transitive],
    ] {
        let [a, b, c] =
            [in_mode(&network, 1, modes[0]), in_mode(&network, 2, modes[1]), in_mode(&network, 3, modes[2])];
        let (a, b, c) = (a.await, b.await, c.await);
        a.connect(&b).await;
        b.connect(&c).await;
        pass(3 * SILENCE).await;
        assert_eq!((a.peers(), b.peers(), c.peers()), (vec![id(2)], vec![id(1), id(3)], vec![id(2)]));
        tokio::join!(a.shutdown(), b.shutdown(), c.shutdown());
    }
}

async fn b07_a_chain_of_transitive_nodes_becomes_a_mesh(network: Network) {
    let mut nodes = Vec::new();
    for number in 1..=6 {
        let node = in_mode(&network, number, Mode::Transitive).await;
        if let Some(former) = nodes.last() {
            node.connect(former).await;
        }
        nodes.push(node);
    }
    pass(SILENCE).await;
    for node in &nodes {
        let others: Vec<_> = (1..=6).map(id).filter(|id| *id != node.id()).collect();
        assert_eq!(node.peers(), others);
        assert_eq!(node.server.tasks(), 6);
    }
}

async fn b07_nobody_gets_in_under_an_address_that_was_said_to_be_anothers(network: Network) {
    let (a, b) = (in_mode(&network, 1, Mode::Transitive).await, in_mode(&network, 2, Mode::Transitive).await);
    // A node that nobody has invited, and one that says to live there.
    let outsider = node(&network, 4).await;
    let transport = network.transport_at("hidden", PeerIdentity::Node(id(3)));
    let transport = transport.advertising(outsider.address());
    let system = ActorSystem::on(Executor::tokio());
    let liar = NodeServer::builder(id(3)).mode(Mode::Isolated).system(system).transport(transport);
    let liar = liar.start().await.unwrap();
    a.connect(&b).await;
    let mut dialled = outsider.server.subscribe();
    liar.connect(&b.address()).await.unwrap();
    // A dials, finds somebody else than was said, and leaves.
    let error = refused(&mut dialled).await;
    assert!(error.contains("refused by the peer"), "{error}");
    pass(SILENCE).await;
    assert_eq!((a.peers(), outsider.peers()), (vec![id(2)], vec![]));
    assert_eq!(a.server.tasks(), 2);
}

async fn b07_a_node_that_comes_back_is_dialled_again(network: Network) {
    let (a, hub) =
        (in_mode(&network, 1, Mode::Transitive).await, in_mode(&network, 2, Mode::Transitive).await);
    a.connect(&hub).await;
    for _ in 0..3 {
        // It dials nobody by itself.
        let c = in_mode(&network, 3, Mode::Isolated).await;
        c.connect(&hub).await;
        settle().await;
        assert_eq!(a.peers(), [id(2), id(3)]);
        c.shutdown().await;
        settle().await;
        assert_eq!(a.peers(), [id(2)]);
    }
}

async fn b07_a_node_that_came_back_elsewhere_is_found_while_its_former_life_is_looked_for(network: Network) {
    comes_back_elsewhere(&network, Mode::Isolated).await;
}

async fn b07_a_member_that_came_back_elsewhere_is_found_while_its_former_life_is_looked_for(
    network: Network,
) {
    comes_back_elsewhere(&network, Mode::Transitive).await;
}

/// It went without a word, so there is a session with its former life still; and it cannot dial all of those that knew it.
async fn comes_back_elsewhere(network: &Network, mode: Mode) {
    let hidden = network.transport_at("hidden", PeerIdentity::Node(id(1)));
    let hidden = hidden.advertising("pipe://nowhere".parse().unwrap());
    let system = ActorSystem::on(Executor::tokio());
    let a = NodeServer::builder(id(1)).resume_timeout(SILENCE / 2).system(system).transport(hidden);
    let a = a.start().await.unwrap();
    let (hub, former) = (in_mode(network, 2, Mode::Transitive).await, in_mode(network, 3, mode).await);
    a.connect(&hub.address()).await.unwrap();
    let lost = a.connect(&former.address()).await.unwrap();
    // The hub has heard of it, and dialled it, too.
    pass(2 * MEMBERSHIP_TICK).await;
    network.lose(3);

    let system = system_after(&former.system);
    let elsewhere = network.transport_at("elsewhere", PeerIdentity::Node(id(3)));
    let builder = NodeServer::builder(id(3)).system(system).mode(mode).transport(elsewhere);
    let later = builder.start().await.unwrap();
    later.connect(&hub.address()).await.unwrap();
    let begun = Instant::now();
    lost.closed().await;
    while a.sessions().len() < 2 {
        pass(MEMBERSHIP_TICK).await;
    }
    assert!(begun.elapsed() <= HEARTBEAT_TIMEOUT + MEMBERSHIP_TICK, "after {:?}", begun.elapsed());
    let peers = a.sessions().into_iter().map(|session| (session.peer().node, session.peer().incarnation));
    let mut peers: Vec<_> = peers.collect();
    peers.sort_unstable_by_key(|(node, _)| *node);
    assert_eq!(peers, [(id(2), hub.server.incarnation()), (id(3), later.incarnation())]);
    drop(former);
}

async fn b07_a_node_that_does_not_listen_is_told_of_to_nobody(network: Network) {
    let (a, b) = (in_mode(&network, 1, Mode::Transitive).await, in_mode(&network, 2, Mode::Transitive).await);
    let (near, far) =
        actor_cluster::testing::pipe::pipe_between(PeerIdentity::Node(id(3)), PeerIdentity::Node(id(2)));
    let system = ActorSystem::on(Executor::tokio());
    let c = NodeServer::builder(id(3)).system(system).start().await.unwrap();
    a.connect(&b).await;
    let both = tokio::join!(c.connect_external(near), b.server.attach_external_stream(far));
    assert!(both.0.is_ok() && both.1.is_ok());
    pass(SILENCE).await;
    assert_eq!(b.peers(), [id(1), id(3)]);
    assert_eq!((a.peers(), a.server.tasks()), (vec![id(2)], 2));
    // It is told of A, and has no transport to dial with.
    assert_eq!((c.sessions().len(), c.tasks()), (1, 1));
}

async fn b06_peers_max_bounds_what_gossip_dials(network: Network) {
    let a = node_with(&network, 1, |builder| builder.mode(Mode::Transitive).peers_max(2)).await;
    let hub = in_mode(&network, 2, Mode::Transitive).await;
    a.connect(&hub).await;
    let mut events = a.server.subscribe();
    let mut others = Vec::new();
    for number in 3..=6 {
        let other = node(&network, number).await;
        hub.connect(&other).await;
        others.push(other);
    }
    pass(SILENCE).await;
    assert_eq!(a.peers(), [id(2), id(3)]);
    // Nor does it dial whom it has no room for.
    drop(a);
    let mut opened = 0;
    while let Some(event) = events.next().await {
        opened += usize::from(kind(&event) == "opened");
    }
    assert_eq!(opened, 1);
}

/// A peer can tell of any address; only a node's own transports dial.
async fn w14_nobody_is_dialled_by_a_transport_that_the_node_does_not_have(network: Network) {
    let a = in_mode(&network, 1, Mode::Transitive).await;
    let b = in_mode(&network, 2, Mode::Transitive).await;
    let system = ActorSystem::on(Executor::tokio());
    let elsewhere = "tcp+plaintext://10.0.0.1:1".parse().unwrap();
    let transport = network.transport(3).advertising(elsewhere);
    let builder = NodeServer::builder(id(3)).system(system.clone()).mode(Mode::Isolated);
    let c = TestNode { system, server: builder.transport(transport).start().await.unwrap() };
    a.connect(&b).await;
    let mut events = a.server.subscribe();
    c.connect(&b).await;
    pass(3 * SILENCE).await;
    assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1), id(3)]));
    while let Some(event) = events.next().now_or_never().flatten() {
        assert!(!["opened", "refused"].contains(&kind(&event)), "{event:?}");
    }
}
