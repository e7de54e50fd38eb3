//! Sessions: how they begin, that there is one with each peer, and what takes whose
//! place.

use std::time::Duration;

use actor_cluster::limits::{HANDSHAKE_TIMEOUT, LINGER};
use actor_cluster::transport::{CloseCode, PeerIdentity};
use actor_cluster::{ConnectError, HandshakeError, Mode, NodeEvent};
use actor_core::{ActorSystem, Executor, Exit, SendError, Status};

use super::Network;
use super::support::{
    Count, SILENCE, Start, TestNode, builder, disconnected_by, guarded, id, kind, next, node, node_on,
    node_with, on_every_shape, pass, remote_counter, seeds, settle, system_after, two,
};

on_every_shape! {
    b01_a_server_owns_its_listener_and_its_sessions
    b02_both_sides_of_a_session_know_each_other
    to_connect_again_keeps_the_session
    a_node_does_not_connect_to_itself
    nobody_is_reached_where_nobody_is
    a_session_that_is_closed_is_over_on_both_sides
    a_connection_is_let_go_with_its_session
    a_restarted_peer_takes_the_place_of_its_former_life
    a_former_life_of_a_peer_is_stale
    two_who_dial_each_other_at_once_have_one_session
    what_is_sent_while_both_dial_arrives_once_and_in_order
    many_who_dial_each_other_at_once_know_each_other
    a_connect_that_is_dropped_leaves_nothing_half_open
}

/// Every task of this test's runtime: those of nodes, and those of actors.
fn alive() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

async fn b01_a_server_owns_its_listener_and_its_sessions(network: Network) {
    let before = alive();
    let [a, b, c] = [node(&network, 1).await, node(&network, 2).await, node(&network, 3).await];
    a.connect(&b).await;
    b.connect(&c).await;
    c.connect(&a).await;
    settle().await;
    for node in [&a, &b, &c] {
        assert_eq!(node.peers().len(), 2);
        assert_eq!(node.server.tasks(), 3, "a listener and two sessions");
    }
    let mut events = a.server.subscribe();
    let address = c.address();
    c.shutdown().await;
    disconnected_by(&mut events, CloseCode::Shutdown).await;
    assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1)]));
    assert!(a.server.connect(&address).await.is_err(), "nobody listens there");
    // Dropping a server does the same in the background.
    drop(b);
    disconnected_by(&mut events, CloseCode::Shutdown).await;
    settle().await;
    assert_eq!((a.peers(), a.server.tasks()), (vec![], 1));
    a.shutdown().await;
    assert_eq!(alive(), before, "no task of any node is left");
}

async fn b02_both_sides_of_a_session_know_each_other(network: Network) {
    let (a, b) = two(&network).await;
    settle().await;
    for (node, peer) in [(&a, &b), (&b, &a)] {
        let sessions = node.server.sessions();
        let info = sessions[0].peer();
        assert_eq!((info.node, info.incarnation), (peer.id(), peer.system.incarnation()));
        assert!(sessions[0].is_ready());
        let counter = peer.publish("counter", Start::default()).await;
        assert_eq!(node.server.peer_of(counter.id()).as_ref(), Some(info));
        assert_eq!(peer.server.peer_of(counter.id()), None);
    }
    assert_eq!(a.server.sessions()[0].peer().name, "node-2");
    assert_eq!(a.server.sessions()[0].round_trip(), None);
    pass(Duration::from_secs(2)).await;
    assert_eq!(a.server.sessions()[0].round_trip(), Some(Duration::ZERO), "pipes take no time");
}

async fn to_connect_again_keeps_the_session(network: Network) {
    let (a, b) = two(&network).await;
    let (_, remote) = remote_counter(&a, &b, Start::default()).await;
    let mut events = b.server.subscribe();
    // More often than a session can have streams, from both sides.
    for _ in 0..20 {
        a.connect(&b).await;
        b.connect(&a).await;
        assert_eq!(remote.call(Count::Get).await, Ok(0));
    }
    settle().await;
    assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1)]));
    assert_eq!((a.server.tasks(), b.server.tasks()), (2, 2), "no task for a stream that is not needed");
    drop(a);
    let mut kinds = Vec::new();
    while kinds.last() != Some(&"disconnected") {
        kinds.push(kind(&next(&mut events).await));
    }
    assert!(kinds[..kinds.len() - 1].iter().all(|kind| *kind == "opened"), "{kinds:?}");
}

async fn a_node_does_not_connect_to_itself(network: Network) {
    let a = node(&network, 1).await;
    let refused = a.server.connect(&a.address()).await.unwrap_err();
    assert_eq!(refused.to_string(), "handshake failed: refused by the peer: the node has dialled itself");
    settle().await;
    assert_eq!((a.peers(), a.server.tasks()), (vec![], 1));
}

async fn nobody_is_reached_where_nobody_is(network: Network) {
    let a = node(&network, 1).await;
    let unknown = a.server.connect(&"tcp+tls://127.0.0.1:1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(&unknown, ConnectError::NoTransport(scheme) if scheme == "tcp+tls"), "{unknown}");
    let nobody = a.server.connect(&"pipe://nobody".parse().unwrap()).await.unwrap_err();
    assert_eq!(nobody.to_string(), "cannot reach pipe://nobody: connection refused");
    assert_eq!(a.server.tasks(), 1);
}

async fn a_session_that_is_closed_is_over_on_both_sides(network: Network) {
    let (a, b) = two(&network).await;
    let mut events = [a.server.subscribe(), b.server.subscribe()];
    let session = b.server.sessions().remove(0);
    session.close("enough");
    for events in &mut events {
        match next(events).await {
            NodeEvent::Disconnected { reason, .. } => {
                assert_eq!((reason.code, reason.detail()), (CloseCode::Done, "enough"));
            }
            other => panic!("the session is over, not {other:?}"),
        }
    }
    assert_eq!(session.closed().await.detail(), "enough");
    assert!(!session.is_ready());
    settle().await;
    assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
    a.connect(&b).await;
}

async fn a_connection_is_let_go_with_its_session(network: Network) {
    let network = network.lasting();
    let (a, b) = two(&network).await;
    assert_eq!((a.server.tasks(), b.server.tasks()), (2, 3), "it waits for more streams");
    a.connect(&b).await.close("enough");
    settle().await;
    assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
    // One that never gets as far as a session.
    let c = node_with(&network, 3, |builder| builder.cluster("elsewhere")).await;
    assert!(c.server.connect(&b.address()).await.is_err());
    settle().await;
    assert_eq!((c.server.tasks(), b.server.tasks()), (1, 1));
}

/// Another life of node 2, at another address so that both can be there.
async fn second_life(network: &Network, system: &ActorSystem) -> TestNode {
    let transport = network.transport_at("second", PeerIdentity::Node(id(2)));
    let builder = actor_cluster::NodeServer::builder(id(2)).mode(Mode::Isolated).transport(transport);
    let builder = builder.resume_timeout(Duration::ZERO);
    TestNode { system: system.clone(), server: builder.system(system.clone()).start().await.unwrap() }
}

async fn a_restarted_peer_takes_the_place_of_its_former_life(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("counter", Start::default()).await;
    let _only_before = b.publish("before", Start::default()).await;
    settle().await;
    let held = a.find("counter");
    let mut events = a.server.subscribe();

    let again = second_life(&network, &system_after(&b.system)).await;
    let new_counter = again.publish("counter", Start { count: 9, ..Start::default() }).await;
    assert_eq!(counter.id().serial(), new_counter.id().serial(), "what could be confused");
    again.connect(&a).await;
    settle().await;
    let mut told = Vec::new();
    while told.last() != Some(&("ready", Some(again.system.incarnation()))) {
        let event = next(&mut events).await;
        let info = match &event {
            NodeEvent::Authenticated(info) | NodeEvent::Ready(info) => Some(info.incarnation),
            event => event.session_end().map(|(peer, _)| peer.incarnation),
        };
        told.push((kind(&event), info));
    }
    let (old, new) = (b.system.incarnation(), again.system.incarnation());
    let expected =
        [("opened", None), ("disconnected", Some(old)), ("authenticated", Some(new)), ("ready", Some(new))];
    assert_eq!(told, expected, "one life ends before the next begins");

    assert!(matches!(held.cast(Count::Add(1)), Err(SendError::NotConnected(Count::Add(1)))));
    assert_eq!((held.status(), held.wait(None).await), (Status::Stopped, Ok(Exit::Unreachable)));
    assert_eq!(a.find("counter").id(), new_counter.id());
    assert_eq!(a.find("counter").call(Count::Get).await, Ok(9));
    assert!(a.server.find::<Count>("before").is_err());
    assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![]));
}

async fn a_former_life_of_a_peer_is_stale(network: Network) {
    let former = ActorSystem::on(Executor::tokio());
    let (a, b) = (node(&network, 1).await, node_on(&network, 2, &system_after(&former)).await);
    a.connect(&b).await;
    let stale = second_life(&network, &former).await;
    for refused in [stale.server.connect(&a.address()).await, a.server.connect(&stale.address()).await] {
        match refused {
            Err(ConnectError::Handshake(HandshakeError::Stale)) => {}
            Err(ConnectError::Handshake(HandshakeError::Refused(theirs))) => {
                assert_eq!(*theirs, HandshakeError::Stale);
            }
            other => panic!("it is stale, not {other:?}"),
        }
    }
    settle().await;
    assert_eq!(a.server.sessions()[0].peer().incarnation, b.system.incarnation());
    assert_eq!((stale.peers(), stale.server.tasks(), a.server.tasks()), (vec![], 1, 2));
}

async fn two_who_dial_each_other_at_once_have_one_session(network: Network) {
    for seed in seeds(200) {
        let network = network.clone().shuffled(seed);
        let before = alive();
        let (a, b) = (node(&network, 1).await, node(&network, 2).await);
        let (to, from) = (b.address(), a.address());
        let both = guarded(async { tokio::join!(a.server.connect(&to), b.server.connect(&from)) });
        let (by_a, by_b) = both.await;
        assert!(by_a.is_ok() && by_b.is_ok(), "seed {seed}: {by_a:?}, {by_b:?}");
        settle().await;
        assert_eq!((a.peers(), b.peers()), (vec![id(2)], vec![id(1)]), "seed {seed}");
        assert_eq!((a.server.tasks(), b.server.tasks()), (2, 2), "seed {seed}");
        for (here, there) in [(&a, &b), (&b, &a)] {
            here.publish("counter", Start { count: seed, ..Start::default() }).await;
            settle().await;
            let members = there.server.find::<Count>("counter").unwrap();
            assert_eq!(members.call(Count::Get).await, Ok(seed), "seed {seed}");
        }
        // What there is now is the whole of it: it outlives what was dialled in vain.
        let mut events = a.server.subscribe();
        pass(2 * SILENCE).await;
        drop(b);
        disconnected_by(&mut events, CloseCode::Shutdown).await;
        a.shutdown().await;
        settle().await;
        assert_eq!(alive() - before, 2, "the two counters, seed {seed}");
    }
}

/// Sends as soon as there is anybody to send to, whichever dial found it.
async fn send_soon(node: &TestNode, name: &str) {
    let mut found = node.server.find::<Count>(name);
    for _ in 0..10_000 {
        if found.is_ok() {
            break;
        }
        tokio::task::yield_now().await;
        found = node.server.find(name);
    }
    let remote = found.unwrap();
    for number in 0..40 {
        remote.cast(Count::Add(number)).unwrap();
        if number % 10 == 0 {
            assert!(remote.call(Count::Get).await.is_ok());
        }
        tokio::task::yield_now().await;
    }
}

async fn what_is_sent_while_both_dial_arrives_once_and_in_order(network: Network) {
    for seed in seeds(150) {
        let network = network.clone().shuffled(seed);
        let (a, b) = (node(&network, 1).await, node(&network, 2).await);
        let logs = [Start::default(), Start::default()];
        a.publish("of a", logs[0].clone()).await;
        b.publish("of b", logs[1].clone()).await;
        let mut events = a.server.subscribe();
        let (to, from) = (b.address(), a.address());
        // One of them is a little later than the other, by every step of a handshake.
        let by_b = async {
            for _ in 0..seed % 50 {
                tokio::task::yield_now().await;
            }
            b.server.connect(&from).await
        };
        let all =
            async { tokio::join!(a.server.connect(&to), by_b, send_soon(&a, "of b"), send_soon(&b, "of a")) };
        let (by_a, by_b, (), ()) = guarded(all).await;
        assert!(by_a.is_ok() && by_b.is_ok(), "seed {seed}: {by_a:?}, {by_b:?}");
        settle().await;
        for log in &logs {
            assert_eq!(log.added(), (0..40).collect::<Vec<_>>(), "seed {seed}");
        }
        drop((by_a, by_b));
        drop((a.shutdown().await, b.shutdown().await));
        let mut sessions = Vec::new();
        while let Some(event) = events.next().await {
            sessions.extend(matches!(event, NodeEvent::Authenticated(_)).then_some("begun"));
            sessions.extend(event.session_end().map(|_| "over"));
        }
        assert_eq!(sessions, ["begun", "over"], "seed {seed}");
    }
}

async fn many_who_dial_each_other_at_once_know_each_other(network: Network) {
    for seed in seeds(20) {
        let network = network.clone().shuffled(seed);
        let mut nodes = Vec::new();
        for number in 1..=4 {
            nodes.push(node_with(&network, number, |builder| builder.mode(Mode::Transitive)).await);
        }
        let nodes = std::sync::Arc::new(nodes);
        let dials = (0..4).map(|from| {
            let nodes = nodes.clone();
            tokio::spawn(async move { nodes[from].server.connect(&nodes[(from + 1) % 4].address()).await })
        });
        for dial in dials.collect::<Vec<_>>() {
            assert!(dial.await.unwrap().is_ok(), "seed {seed}");
        }
        pass(Duration::from_secs(30)).await;
        for node in nodes.iter() {
            let others: Vec<_> = (1..=4).map(id).filter(|id| *id != node.id()).collect();
            assert_eq!(node.peers(), others, "seed {seed}");
            assert_eq!(node.server.tasks(), 4, "seed {seed}");
        }
        drop(nodes);
        pass(LINGER).await;
    }
}

async fn a_connect_that_is_dropped_leaves_nothing_half_open(network: Network) {
    for seed in seeds(60) {
        let network = network.clone().shuffled(seed);
        let (a, b) = (node(&network, 1).await, node(&network, 2).await);
        let address = b.address();
        {
            let mut connect = std::pin::pin!(a.server.connect(&address));
            for _ in 0..seed {
                if futures_poll(connect.as_mut()).await {
                    break;
                }
            }
        }
        // Either there is a session or there is none, on both sides; none is left half
        // open when the time for handshakes is over.
        pass(HANDSHAKE_TIMEOUT + LINGER + SILENCE).await;
        let sessions = (a.peers().len(), b.peers().len());
        assert!(sessions == (0, 0) || sessions == (1, 1), "seed {seed}: {sessions:?}");
        assert_eq!((a.server.tasks(), b.server.tasks()), (1 + sessions.0, 1 + sessions.1), "seed {seed}");
        a.connect(&b).await;
        drop((a, b));
        pass(LINGER).await;
    }
}

/// Polls once and lets others go on; whether it is done.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
    tokio::task::yield_now().await;
    polled
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shares_a_system_has_its_incarnation() {
    let network = Network::one_stream();
    let system = ActorSystem::on(Executor::tokio());
    let server = builder(&network, 1, &system).start().await.unwrap();
    assert_eq!(server.incarnation(), system.incarnation());
    assert_eq!(server.addresses(), ["pipe://node-1".parse().unwrap()]);
}
