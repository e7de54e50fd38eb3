//! Who gets in, what they may do, and what those who do not get in can do to us.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::limits::{HANDSHAKE_TIMEOUT, HANDSHAKES_MAX};
use actor_cluster::transport::{ClusterBidiStream, Connection, LaneSet, PeerIdentity, Transport};
use actor_cluster::{
    Conflict, ConnectError, FindError, HandshakeError, NodeBuilder, NodeServer, Operation, RefusalCause,
    Subject,
};
use actor_core::{ActorSystem, CallFailure, Executor, Exit, Rejection, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::Network;
use super::support::{
    Count, Exits, Start, TestNode, failure, id, kind, node, node_with, on_every_shape, pass, refused,
    remote_counter, settle, two,
};

on_every_shape! {
    b02_a_wrong_cookie_gets_no_session_and_learns_nothing
    b02_the_same_cookie_lets_anonymous_streams_in
    b02_an_anonymous_stream_needs_a_cookie
    another_cluster_is_refused
    whoever_answers_must_be_who_was_dialled
    nobody_can_claim_anothers_identity
    garbage_is_refused_and_nothing_is_left
    a_silent_peer_is_dropped_at_the_deadline
    w12_handshakes_are_capped
    what_authorize_denies_does_not_happen
    what_a_peer_may_not_publish_is_not_found_and_takes_nothing
    a_panicking_authorize_denies
    w15_only_what_is_published_can_be_reached
}

async fn secret_node(
    network: &Network,
    number: u8,
    identity: PeerIdentity,
    settings: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> TestNode {
    let system = ActorSystem::on(Executor::tokio());
    let builder = NodeServer::builder(id(number)).system(system.clone());
    let builder = builder.transport(network.transport_as(number, identity));
    TestNode { system, server: settings(builder).start().await.unwrap() }
}

async fn b02_a_wrong_cookie_gets_no_session_and_learns_nothing(network: Network) {
    let cookies: [(Option<&str>, Option<&str>); 4] = [
        (Some("the right secret"), Some("the wrong secret")),
        (Some("the right secret"), None),
        (None, Some("the right secret")),
        (Some("the right secret"), Some("the right secret ")),
    ];
    for (ours, theirs) in cookies {
        for is_identified in [true, false] {
            let identity =
                |number| if is_identified { PeerIdentity::Node(id(number)) } else { PeerIdentity::Anonymous };
            let with = |secret: Option<&'static str>| {
                move |builder: NodeBuilder| match secret {
                    Some(secret) => builder.secret(secret),
                    None => builder,
                }
            };
            let a = secret_node(&network, 1, identity(1), with(ours)).await;
            let b = secret_node(&network, 2, identity(2), with(theirs)).await;
            b.publish("counter", Start::default()).await;
            a.publish("other", Start::default()).await;
            let mut events = [a.server.subscribe(), b.server.subscribe()];
            let error = a.server.connect(&b.address()).await.unwrap_err();
            let told = refused(&mut events[1]).await;
            let secret = "the peer does not know the shared secret";
            let none = "the stream does not say who the peer is, and no shared secret is configured";
            let (here, there) = match (is_identified, ours, theirs) {
                (false, None, _) => (none.to_owned(), "closed: refused".to_owned()),
                (false, _, None) => (format!("refused by the peer: {none}"), none.to_owned()),
                (true, None, _) => (format!("refused by the peer: {secret}"), secret.to_owned()),
                _ => (secret.to_owned(), format!("refused by the peer: {secret}")),
            };
            assert!(error.to_string().contains(&here), "{ours:?} {theirs:?}: {error}");
            assert!(told.contains(&there), "{ours:?} {theirs:?}: {told}");
            settle().await;
            for (node, name) in [(&a, "counter"), (&b, "other")] {
                assert_eq!((node.peers(), node.server.tasks()), (vec![], 1));
                assert_eq!(node.server.find::<Count>(name).unwrap_err(), FindError::NotFound);
            }
            drop((a, b));
            settle().await;
            let mut seen = Vec::new();
            for events in &mut events {
                while let Some(event) = events.next().await {
                    seen.push(kind(&event));
                }
            }
            assert!(seen.iter().all(|kind| *kind == "opened"), "{seen:?}");
        }
    }
}

async fn b02_the_same_cookie_lets_anonymous_streams_in(network: Network) {
    let a = secret_node(&network, 1, PeerIdentity::Anonymous, |builder| builder.secret("one secret for all"))
        .await;
    let b = secret_node(&network, 2, PeerIdentity::Anonymous, |builder| builder.secret("one secret for all"))
        .await;
    b.publish("counter", Start { count: 3, ..Start::default() }).await;
    a.connect(&b).await;
    assert_eq!(a.find("counter").call(Count::Get).await, Ok(3));
}

async fn b02_an_anonymous_stream_needs_a_cookie(network: Network) {
    let a = secret_node(&network, 1, PeerIdentity::Anonymous, |builder| builder).await;
    let b = secret_node(&network, 2, PeerIdentity::Anonymous, |builder| builder).await;
    let error = a.server.connect(&b.address()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::NoSecret)), "{error}");
    settle().await;
    assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
}

/// So many for this cause, and none for another.
#[track_caller]
fn assert_refusals(node: &TestNode, cause: RefusalCause, times: u64) {
    let refusals = node.server.refusals();
    assert_eq!((refusals.of(cause), refusals.total()), (times, times), "{refusals:?}");
}

async fn another_cluster_is_refused(network: Network) {
    let a = node_with(&network, 1, |builder| builder.cluster("red")).await;
    let b = node_with(&network, 2, |builder| builder.cluster("blue")).await;
    let mut events = b.server.subscribe();
    let error = a.server.connect(&b.address()).await.unwrap_err();
    let theirs = HandshakeError::Refused(Box::new(HandshakeError::Cluster("red".to_owned())));
    assert_eq!(error.to_string(), ConnectError::Handshake(theirs).to_string());
    assert_eq!(refused(&mut events).await, "handshake failed: the peer belongs to cluster \"red\"");
    assert_refusals(&b, RefusalCause::Incompatible, 1);
    settle().await;
    assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
}

async fn whoever_answers_must_be_who_was_dialled(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    let mut events = b.server.subscribe();
    let error = a.server.connect_to(id(3), &b.address()).await.unwrap_err();
    let identity = HandshakeError::Identity { claimed: id(3), actual: id(2) };
    assert_eq!(error.to_string(), ConnectError::Handshake(identity).to_string());
    assert!(refused(&mut events).await.starts_with("handshake failed: refused by the peer"));
    settle().await;
    assert_eq!((a.peers(), b.peers()), (vec![], vec![]));
    assert_eq!((a.server.tasks(), b.server.tasks()), (1, 1));
    assert!(a.server.connect_to(id(2), &b.address()).await.is_ok());
}

async fn nobody_can_claim_anothers_identity(network: Network) {
    let a = node(&network, 1).await;
    // Its transport proves 3, and it says 2.
    let impostor = node_with(&network, 2, |_| {
        let system = ActorSystem::on(Executor::tokio());
        let transport = network.transport_at("impostor", PeerIdentity::Node(id(3)));
        NodeServer::builder(id(2)).system(system).transport(transport)
    });
    let impostor = impostor.await;
    let mut events = a.server.subscribe();
    assert!(impostor.server.connect(&a.address()).await.is_err());
    let identity = HandshakeError::Identity { claimed: id(2), actual: id(3) };
    assert_eq!(refused(&mut events).await, ConnectError::Handshake(identity.clone()).to_string());
    assert_refusals(&a, RefusalCause::Identity, 1);
    let error = a.server.connect(&impostor.address()).await.unwrap_err();
    assert_eq!(error.to_string(), ConnectError::Handshake(identity).to_string());
    settle().await;
    assert_eq!((a.peers(), a.server.tasks(), impostor.server.tasks()), (vec![], 1, 1));
}

/// A stream to a node, from somebody who is no node.
async fn raw(network: &Network, node: &TestNode) -> (Box<dyn Connection>, Box<dyn ClusterBidiStream>) {
    let stranger = network.transport_at("stranger", PeerIdentity::Node(id(99)));
    let connection = stranger.dial(&node.address()).await.unwrap();
    let stream = connection.open(LaneSet::ALL).await.unwrap();
    (connection, stream)
}

async fn garbage_is_refused_and_nothing_is_left(network: Network) {
    let a = node(&network, 1).await;
    let mut events = a.server.subscribe();
    let too_long = [0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff];
    let garbage: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", "a frame of unknown kind 32"),
        (&[0; 64], "a frame of unknown kind 0"),
        (&too_long, "a frame of 16777215 bytes, where 4096 is the limit"),
        (&[3, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "failed to decode"),
        (&[0, 0, 0, 2, 0, 0, 0, 0], "a handshake step out of order"),
    ];
    let mut violations = 0;
    for (bytes, expected) in garbage {
        let (_connection, mut stream) = raw(&network, &a).await;
        stream.write_all(bytes).await.unwrap();
        let error = refused(&mut events).await;
        assert!(error.starts_with("handshake failed: protocol violation"), "{error}");
        assert!(error.contains(expected), "{error}");
        // It is told so, and then it is over; it keeps nobody waiting meanwhile.
        let mut answer = Vec::new();
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer[3], 1, "a handshake frame that refuses");
        violations += 1;
        assert_refusals(&a, RefusalCause::Violation, violations);
        drop(stream);
        settle().await;
        assert_eq!(a.server.tasks(), 1);
    }
    // One that does not hang up when it is told to go.
    let (_connection, mut stream) = raw(&network, &a).await;
    stream.write_all(&[0; 64]).await.unwrap();
    refused(&mut events).await;
    settle().await;
    assert_eq!(a.server.tasks(), 2);
    pass(HANDSHAKE_TIMEOUT).await;
    assert_eq!(a.server.tasks(), 1);
    drop(stream);
    // One that hangs up halfway.
    let (_connection, mut stream) = raw(&network, &a).await;
    stream.write_all(&[9, 0]).await.unwrap();
    drop(stream);
    assert!(refused(&mut events).await.contains("the peer hung up during the handshake"));
    assert_eq!(a.server.refusals().of(RefusalCause::Unfinished), 1);
    settle().await;
    assert_eq!(a.server.tasks(), 1);
}

async fn a_silent_peer_is_dropped_at_the_deadline(network: Network) {
    let a = node_with(&network, 1, |builder| builder.handshake_timeout(Duration::from_secs(3))).await;
    let mut events = a.server.subscribe();
    let begun = Instant::now();
    let stranger = network.transport_at("stranger", PeerIdentity::Node(id(99)));
    // One opens no stream, one says nothing, one says half of something.
    let _without_a_stream = stranger.dial(&a.address()).await.unwrap();
    let (_first, mut silent) = raw(&network, &a).await;
    let (_second, mut half) = raw(&network, &a).await;
    half.write_all(&[1]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(refused(&mut events).await, "the session was not ready within 3s");
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_refusals(&a, RefusalCause::Unfinished, 3);
    settle().await;
    assert_eq!(a.server.tasks(), 1);
    for stream in [&mut silent, &mut half] {
        assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)), "it was hung up on");
    }
}

async fn w12_handshakes_are_capped(network: Network) {
    let a = node(&network, 1).await;
    let b = node(&network, 2).await;
    let mut events = a.server.subscribe();
    let mut silent = Vec::new();
    for _ in 0..HANDSHAKES_MAX {
        silent.push(raw(&network, &a).await);
        settle().await;
    }
    assert_eq!(a.server.tasks(), 1 + HANDSHAKES_MAX);
    assert!(b.server.connect(&a.address()).await.is_err());
    let full = "handshake failed: the node takes no more sessions";
    assert_eq!(refused(&mut events).await, full);
    assert_refusals(&a, RefusalCause::Busy, 1);
    assert_eq!(a.server.tasks(), 1 + HANDSHAKES_MAX, "whoever is too many takes no task");
    // Their time is over, and there is room again.
    pass(HANDSHAKE_TIMEOUT).await;
    settle().await;
    assert_eq!(a.server.tasks(), 1);
    // Whoever has proven itself takes no place any more.
    for _ in 0..HANDSHAKES_MAX + 10 {
        b.connect(&a).await.close("again");
        settle().await;
    }
}

async fn what_authorize_denies_does_not_happen(network: Network) {
    let a = node(&network, 1).await;
    let hook = |peer: &actor_cluster::PeerInfo, operation, _| {
        assert_eq!(peer.node, id(1));
        operation == Operation::Call
    };
    let b = node_with(&network, 2, |builder| builder.authorize(hook)).await;
    let counter = b.publish("counter", Start::default()).await;
    a.connect(&b).await;
    let remote = a.find("counter");
    remote.cast(Count::Add(5)).unwrap();
    remote.stop(None);
    remote.drain();
    remote.kill();
    let exits = Exits::default();
    exits.watch(&remote);
    settle().await;
    assert_eq!(exits.seen(), [Exit::Unreachable]);
    assert_eq!(remote.call(Count::Get).await, Ok(0), "the cast did nothing");
    assert_eq!(counter.status(), Status::Running);

    let c = node_with(&network, 3, |builder| builder.authorize(|_: &_, _, _| false)).await;
    c.publish("closed", Start::default()).await;
    a.connect(&c).await;
    let forbidden = CallFailure::Rejected(Rejection::Forbidden);
    assert_eq!(failure(a.find("closed").call(Count::Get).await), forbidden);
}

async fn what_a_peer_may_not_publish_is_not_found_and_takes_nothing(network: Network) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let hook = move |peer: &actor_cluster::PeerInfo, operation, on: Subject| {
        if operation == Operation::Publish {
            seen.lock().unwrap().push((peer.node, on.clone()));
        }
        let is_ours =
            matches!(&on, Subject::Name(name) | Subject::Group { name, .. } if name.starts_with("our"));
        !is_ours
    };
    let a = node_with(&network, 1, |builder| builder.authorize(hook)).await;
    let b = node(&network, 2).await;
    let counter = a.counter(1).await;
    a.server.publish_with("our till", &counter, Conflict::Newest.stop_loser()).unwrap();
    let thief = b.counter(2).await;
    // Before there is a session, and after it.
    b.server.publish_with("our till", &thief, Conflict::Rank(9)).unwrap();
    b.server.groups().scope("shop").join("our tills", &thief).unwrap();
    b.server.join_group("tills", &thief).unwrap();
    a.connect(&b).await;
    settle().await;
    b.server.publish("our desk", &thief).unwrap();
    b.server.publish("desk", &thief).unwrap();
    settle().await;

    assert_eq!(a.find("our till").id(), counter.id());
    assert_eq!(counter.call(Count::Get).await, Ok(1), "it has lost nothing");
    assert!(a.server.find::<Count>("our desk").is_err());
    assert_eq!(a.find("desk").id(), thief.id());
    assert_eq!(a.group("tills"), [thief.id()]);
    assert!(a.server.groups().scope("shop").members::<Count>("our tills").is_empty());
    let group = |scope: &str, name: &str| Subject::Group { scope: scope.into(), name: name.into() };
    let name = |name: &str| Subject::Name(name.into());
    let expected =
        [name("our till"), group("", "tills"), group("shop", "our tills"), name("our desk"), name("desk")];
    let mut asked = std::mem::take(&mut *asked.lock().unwrap());
    asked.sort_by_key(|(_, on)| expected.iter().position(|expected| expected == on));
    assert_eq!(asked, expected.map(|on| (id(2), on)), "each once");

    // What it takes back is its own, and nobody is asked.
    b.server.unpublish("our till", &thief);
    b.server.unpublish("desk", &thief);
    settle().await;
    assert_eq!(a.find("our till").id(), counter.id());
    assert!(a.server.find::<Count>("desk").is_err());
}

async fn a_panicking_authorize_denies(network: Network) {
    let a = node(&network, 1).await;
    let b = node_with(&network, 2, |builder| {
        builder.authorize(|_: &_, operation, _| operation == Operation::Cast || panic!("as asked"))
    });
    let b = b.await;
    b.publish("counter", Start::default()).await;
    a.connect(&b).await;
    let remote = a.find("counter");
    remote.cast(Count::Add(1)).unwrap();
    let forbidden = CallFailure::Rejected(Rejection::Forbidden);
    assert_eq!(failure(remote.call(Count::Get).await), forbidden);
    assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    assert_eq!(a.peers(), [id(2)], "the session lives");
}

async fn w15_only_what_is_published_can_be_reached(network: Network) {
    let (a, b) = two(&network).await;
    let (counter, remote) = remote_counter(&a, &b, Start::default()).await;
    b.server.unpublish("counter", &counter);
    // The actor lives, and its number is known.
    let unknown = CallFailure::Rejected(Rejection::NoSuchActor);
    assert_eq!(failure(remote.call(Count::Get).await), unknown);
    remote.cast(Count::Add(1)).unwrap();
    remote.kill();
    assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    assert_eq!((counter.call(Count::Get).await, counter.status()), (Ok(0), Status::Running));
    b.server.join_group("counters", &counter).unwrap();
    assert_eq!(remote.call(Count::Get).await, Ok(0));
}
