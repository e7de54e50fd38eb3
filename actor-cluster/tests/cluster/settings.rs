//! Each setting of a node has an effect, and each bad one an error.

use std::time::Duration;

use actor_cluster::limits::{
    MESSAGE_BYTES_MAX_LEAST, MESSAGE_BYTES_MAX_MOST, NODE_NAME_BYTES_MAX, SECRET_BYTES_LEAST,
    WINDOW_BYTES_LEAST, WINDOW_BYTES_MOST,
};
use actor_cluster::transport::{CloseCode, PeerIdentity, Transport};
use actor_cluster::{ConnectError, HandshakeError, NodeBuilder, NodeServer, StartError};
use actor_core::{ActorSystem, Executor, SendError};
use tokio::time::Instant;

use super::Network;
use super::support::{Count, Start, builder, disconnected_by, guarded, id, node, node_with, settle};

/// The smallest window.
const WINDOW: usize = 4096;

// `mode` is shown by b07, `authorize` and `secret` by b02 and the tests beside it,
// `transport` by all.

#[tokio::test(start_paused = true)]
async fn b06_name_cluster_and_system_are_what_peers_see() {
    guarded(async {
        let network = Network::one_stream();
        let a = node(&network, 1).await;
        let b = node_with(&network, 2, |builder| builder.name("the second")).await;
        let session = a.connect(&b).await;
        assert_eq!(session.peer().name, "the second");
        assert_eq!(session.peer().incarnation, b.system.incarnation());
        // Without a name a node is called by its identity.
        let unnamed = NodeServer::builder(id(3)).system(ActorSystem::on(Executor::tokio()));
        let unnamed = unnamed.transport(network.transport(3)).start().await.unwrap();
        let session = unnamed.connect(&a.address()).await.unwrap();
        settle().await;
        assert_eq!(session.peer().name, "node-1");
        let names: Vec<_> = a.server.sessions().iter().map(|session| session.peer().name.clone()).collect();
        assert_eq!(names, ["the second", "NodeId(0303030303…)"]);
        let elsewhere = node_with(&network, 4, |builder| builder.cluster("elsewhere")).await;
        assert!(elsewhere.server.connect(&a.address()).await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b06_heartbeat_and_handshake_timeout_bound_what_takes_time() {
    guarded(async {
        let network = Network::one_stream();
        let second = Duration::from_secs(1);
        let b = node(&network, 2).await;
        for (number, seconds) in [(10, 2), (11, 7)] {
            let quick = |builder: NodeBuilder| builder.heartbeat(second, seconds * second);
            let a = node_with(&network, number, quick).await;
            let mut events = a.server.subscribe();
            a.connect(&b).await;
            let begun = Instant::now();
            network.silence();
            disconnected_by(&mut events, CloseCode::Timeout).await;
            assert_eq!(begun.elapsed(), seconds * second);
        }
        for (number, seconds) in [(12, 3), (13, 8)] {
            let patient = |builder: NodeBuilder| builder.handshake_timeout(seconds * second);
            let a = node_with(&network, number, patient).await;
            let begun = Instant::now();
            // Somebody listens and lets nobody in.
            let deaf = network.transport_at(&format!("deaf-{number}"), PeerIdentity::Node(id(99)));
            let listener = deaf.listen().await.unwrap();
            let error = a.server.connect(&listener.addresses()[0]).await.unwrap_err();
            assert!(matches!(error, ConnectError::TimedOut(time) if time == seconds * second), "{error}");
            assert_eq!(begun.elapsed(), seconds * second);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b06_frame_window_and_peers_bound_what_takes_room() {
    guarded(async {
        let network = Network::one_stream();
        let a = node(&network, 1).await;
        let small =
            node_with(&network, 2, |builder| builder.message_bytes_max(MESSAGE_BYTES_MAX_LEAST)).await;
        let narrow = node_with(&network, 3, |builder| builder.window_bytes(WINDOW as u64)).await;
        for node in [&small, &narrow] {
            let start = Start::narrow(1);
            node.publish(&format!("{:?}", node.id()), start).await;
            a.connect(node).await;
        }
        let [small, narrow] = [2, 3].map(|number| a.find(&format!("{:?}", id(number))));
        let frame = |bytes| Count::Load(vec![0; bytes]);
        assert!(matches!(small.cast(frame(MESSAGE_BYTES_MAX_LEAST)), Err(SendError::Unsendable(..))));
        for _ in 0..10 {
            assert_eq!(small.cast(frame(WINDOW)), Ok(()));
        }
        assert_eq!(narrow.cast(frame(MESSAGE_BYTES_MAX_LEAST)), Ok(()));
        settle().await;
        assert_eq!(narrow.cast(frame(1)), Ok(()), "the first was taken at once");
        for _ in 0..2 {
            assert_eq!(narrow.cast(frame(WINDOW)), Ok(()), "half a window each");
        }
        assert!(matches!(narrow.cast(frame(1)), Err(SendError::Full(_))));

        let lonely = node_with(&network, 4, |builder| builder.peers_max(1)).await;
        a.connect(&lonely).await;
        let other = node(&network, 5).await;
        let busy = HandshakeError::Refused(Box::new(HandshakeError::Busy));
        let error = other.server.connect(&lonely.address()).await.unwrap_err();
        assert_eq!(error.to_string(), ConnectError::Handshake(busy).to_string());
        let error = lonely.server.connect(&other.address()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(HandshakeError::Busy)), "{error}");
        settle().await;
        assert_eq!((lonely.peers(), other.peers(), other.server.tasks()), (vec![id(1)], vec![], 1));
        // One who is here may come again, and room that is given up is given anew.
        a.connect(&lonely).await;
        a.shutdown().await;
        settle().await;
        other.connect(&lonely).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b06_every_bad_setting_is_an_error_and_leaves_nothing() {
    let network = Network::one_stream();
    let system = ActorSystem::on(Executor::tokio());
    let second = Duration::from_secs(1);
    let long = "x".repeat(NODE_NAME_BYTES_MAX + 1);
    type Setting = Box<dyn Fn(NodeBuilder) -> NodeBuilder>;
    let long_again = long.clone();
    let settings: Vec<(&str, Setting)> = vec![
        ("a name must", Box::new(|builder| builder.name(""))),
        ("a name must", Box::new(move |builder| builder.name(&long))),
        ("a name must", Box::new(|builder| builder.name("a\nb"))),
        ("a name must", Box::new(|builder| builder.cluster(""))),
        ("a name must", Box::new(move |builder| builder.cluster(&long_again))),
        ("a secret of 0 bytes can be guessed", Box::new(|builder| builder.secret(""))),
        (
            "a secret of 15 bytes can be guessed: take 32 random ones, 16 at least",
            Box::new(|builder| builder.secret([7; SECRET_BYTES_LEAST - 1])),
        ),
        ("the heartbeat", Box::new(move |builder| builder.heartbeat(Duration::ZERO, second))),
        ("the heartbeat", Box::new(move |builder| builder.heartbeat(second, second))),
        ("the handshake", Box::new(|builder| builder.handshake_timeout(Duration::ZERO))),
        ("the limit on messages", Box::new(|builder| builder.message_bytes_max(MESSAGE_BYTES_MAX_LEAST - 1))),
        ("the limit on messages", Box::new(|builder| builder.message_bytes_max(MESSAGE_BYTES_MAX_MOST + 1))),
        ("the window", Box::new(|builder| builder.window_bytes(WINDOW_BYTES_LEAST - 1))),
        ("the window", Box::new(|builder| builder.window_bytes(WINDOW_BYTES_MOST + 1))),
        ("a node needs room", Box::new(|builder| builder.peers_max(0))),
    ];
    for (expected, setting) in settings {
        match setting(builder(&network, 1, &system)).start().await {
            Err(StartError::Setting(text)) => assert!(text.starts_with(expected), "{text}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let twice = builder(&network, 1, &system).transport(network.transport(2)).start().await;
    assert!(matches!(twice, Err(StartError::Setting(text)) if text == "two transports of the same scheme"));
    let exact = builder(&network, 1, &system)
        .name("x".repeat(NODE_NAME_BYTES_MAX))
        .message_bytes_max(MESSAGE_BYTES_MAX_MOST)
        .window_bytes(WINDOW_BYTES_MOST);
    let server = exact.start().await.expect("nothing was left listening");
    let taken = builder(&network, 1, &system).start().await;
    assert!(matches!(taken, Err(StartError::Transport(_))), "{taken:?}");
    server.shutdown().await;
    builder(&network, 1, &system).start().await.expect("the port is free");
}

#[tokio::test(start_paused = true)]
async fn b06_the_widest_window_and_frames_carry_messages() {
    guarded(async {
        let network = Network::one_stream();
        let widest = |builder: NodeBuilder| {
            builder.window_bytes(WINDOW_BYTES_MOST).message_bytes_max(MESSAGE_BYTES_MAX_MOST)
        };
        let (a, b) = (node_with(&network, 1, widest).await, node_with(&network, 2, widest).await);
        b.publish("counter", Start::default()).await;
        a.connect(&b).await;
        let remote = a.find("counter");
        assert_eq!(remote.call(|port| Count::Weigh(vec![0; 40_000_000], port)).await, Ok(40_000_000));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b06_the_identity_must_be_the_one_that_the_transport_proves() {
    guarded(async {
        let network = Network::one_stream();
        let a = node(&network, 1).await;
        let transport = network.transport_at("other", PeerIdentity::Node(id(9)));
        let wrong =
            NodeServer::builder(id(2)).system(ActorSystem::on(Executor::tokio())).transport(transport);
        let wrong = wrong.start().await.unwrap();
        let error = wrong.connect(&a.address()).await.unwrap_err();
        assert!(error.to_string().starts_with("handshake failed: refused by the peer"), "{error}");
    })
    .await;
}
