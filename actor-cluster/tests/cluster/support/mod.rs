//! What the tests of whole nodes share: nodes on a network of pipes, actors, and ways
//! to wait for what should happen.

pub(crate) mod actors;
pub(crate) mod network;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::testing::is_full;
use actor_cluster::transport::{Address, CloseCode, CloseReason};
use actor_cluster::{Events, Mode, NodeBuilder, NodeEvent, NodeId, NodeServer, NodeSession, RemoteMessage};
use actor_core::{
    ActorId, ActorRef, ActorSystem, CallError, CallFailure, Executor, Exit, ExitListener, SpawnOptions,
};

pub(crate) use self::actors::{Count, Counter, Gate, Start};
pub(crate) use self::network::Network;

/// Long enough that only a hang reaches it, though pings go on.
pub(crate) const HANG: Duration = Duration::from_secs(100_000);

/// The heartbeat of nodes that set none.
pub(crate) const BEAT: Duration = actor_cluster::limits::HEARTBEAT_INTERVAL;
pub(crate) const SILENCE: Duration = actor_cluster::limits::HEARTBEAT_TIMEOUT;

/// So many seeds, and many more in the long form of the tests.
pub(crate) fn seeds(quick: u64) -> std::ops::Range<u64> {
    0..if is_full() { 30 * quick } else { quick }
}

/// Fails a test that hangs.
pub(crate) async fn guarded<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(HANG, test).await.expect("the test hangs")
}

/// Runs each test on transports of one stream and of a stream per lane.
macro_rules! on_every_shape {
    ($($test:ident)*) => {
        mod one_stream {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                crate::cluster::support::guarded(super::$test(crate::cluster::Network::one_stream())).await;
            })*
        }

        mod stream_per_lane {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                crate::cluster::support::guarded(super::$test(crate::cluster::Network::stream_per_lane())).await;
            })*
        }
    };
}
pub(crate) use on_every_shape;

/// One node with a system of its own.
pub(crate) struct TestNode {
    pub(crate) system: ActorSystem,
    pub(crate) server: NodeServer,
}

impl TestNode {
    pub(crate) fn address(&self) -> Address {
        self.server.addresses()[0].clone()
    }

    pub(crate) fn id(&self) -> NodeId {
        self.server.id()
    }

    pub(crate) async fn spawn(&self, start: Start) -> ActorRef<Count> {
        let options = match start.mailbox {
            None => SpawnOptions::new(),
            Some(messages) => SpawnOptions::new().mailbox(messages.try_into().unwrap()),
        };
        let options = options.overflow(start.overflow);
        self.system.spawn(Counter, start, options).await.unwrap()
    }

    pub(crate) async fn counter(&self, count: u64) -> ActorRef<Count> {
        self.spawn(Start { count, ..Start::default() }).await
    }

    /// A counter under a name.
    pub(crate) async fn publish(&self, name: &str, start: Start) -> ActorRef<Count> {
        let counter = self.spawn(start).await;
        self.server.publish(name, &counter).unwrap();
        counter
    }

    pub(crate) fn find(&self, name: &str) -> ActorRef<Count> {
        self.server.find(name).unwrap()
    }

    pub(crate) fn group(&self, name: &str) -> Vec<ActorId> {
        self.server.group::<Count>(name).iter().map(|actor| actor.id()).collect()
    }

    pub(crate) async fn connect(&self, other: &TestNode) -> NodeSession {
        let session = self.server.connect(&other.address()).await.unwrap();
        assert_eq!(session.peer().node, other.id());
        session
    }

    /// Whom this node has a ready session with, in order.
    pub(crate) fn peers(&self) -> Vec<NodeId> {
        self.server.sessions().iter().map(|session| session.peer().node).collect()
    }

    pub(crate) async fn shutdown(self) -> ActorSystem {
        self.server.shutdown().await;
        self.system
    }
}

pub(crate) fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

/// A system whose incarnation is later than another's.
pub(crate) fn system_after(former: &ActorSystem) -> ActorSystem {
    let systems = std::iter::repeat_with(|| ActorSystem::on(Executor::tokio()));
    systems.into_iter().find(|system| system.incarnation() > former.incarnation()).unwrap()
}

/// A node's builder, set up as most tests want it: a session ends with its streams.
pub(crate) fn builder(network: &Network, number: u8, system: &ActorSystem) -> NodeBuilder {
    NodeServer::builder(id(number))
        .name(format!("node-{number}"))
        .system(system.clone())
        .mode(Mode::Isolated)
        .resume_timeout(Duration::ZERO)
        .transport(network.transport(number))
}

/// A node with settings of the test's.
pub(crate) async fn node_with(
    network: &Network,
    number: u8,
    settings: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> TestNode {
    let system = ActorSystem::on(Executor::tokio());
    let server = settings(builder(network, number, &system)).start().await.unwrap();
    TestNode { system, server }
}

/// A node as most tests want it.
pub(crate) async fn node(network: &Network, number: u8) -> TestNode {
    node_with(network, number, |builder| builder).await
}

/// A node of a given system, so that its incarnation is known.
pub(crate) async fn node_on(network: &Network, number: u8, system: &ActorSystem) -> TestNode {
    let server = builder(network, number, system).start().await.unwrap();
    TestNode { system: system.clone(), server }
}

/// Two nodes with a session.
pub(crate) async fn two(network: &Network) -> (TestNode, TestNode) {
    let (a, b) = (node(network, 1).await, node(network, 2).await);
    a.connect(&b).await;
    (a, b)
}

/// A counter that one node publishes, and its address at the other, which has a session with it.
pub(crate) async fn remote_counter(
    here: &TestNode,
    there: &TestNode,
    start: Start,
) -> (ActorRef<Count>, ActorRef<Count>) {
    let counter = there.publish("counter", start).await;
    settle().await;
    (counter, here.find("counter"))
}

/// The next event that is not about what is published.
pub(crate) async fn next(events: &mut Events) -> NodeEvent {
    loop {
        match events.next().await.expect("the node is there") {
            NodeEvent::Published(_) => {}
            event => return event,
        }
    }
}

pub(crate) fn kind(event: &NodeEvent) -> &'static str {
    match event {
        NodeEvent::Opened { .. } => "opened",
        NodeEvent::Refused { .. } => "refused",
        NodeEvent::Authenticated(_) => "authenticated",
        NodeEvent::Ready(_) => "ready",
        NodeEvent::Disconnected { .. } | NodeEvent::SessionLost { .. } => "disconnected",
        NodeEvent::Interrupted { .. } => "interrupted",
        NodeEvent::Resumed(_) => "resumed",
        NodeEvent::Published(_) => "published",
        _ => "other",
    }
}

/// Waits for the end of a session and says why it ended.
pub(crate) async fn disconnected(events: &mut Events) -> CloseReason {
    loop {
        if let Some((_, reason)) = next(events).await.session_end() {
            return reason.clone();
        }
    }
}

pub(crate) async fn disconnected_by(events: &mut Events, code: CloseCode) {
    let reason = disconnected(events).await;
    assert_eq!(reason.code, code, "{reason}");
}

/// Waits for a session to be ready.
pub(crate) async fn ready(events: &mut Events) -> NodeId {
    loop {
        if let NodeEvent::Ready(peer) = next(events).await {
            return peer.node;
        }
    }
}

/// Waits for somebody to be refused and says why.
pub(crate) async fn refused(events: &mut Events) -> String {
    loop {
        if let NodeEvent::Refused { error, .. } = next(events).await {
            return error;
        }
    }
}

/// Waits until something holds, which news of what is published may bring about.
pub(crate) async fn until(node: &TestNode, mut holds: impl FnMut() -> bool) {
    let mut events = node.server.subscribe();
    while !holds() {
        events.next().await.expect("the node is there");
    }
}

/// Lets everybody do what there is to do now; on a paused clock no time passes that
/// anybody could notice.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await; // sleep: virtual time, which passes when all are idle
}

/// Lets virtual time pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await; // sleep: virtual time is what is tested
}

/// The failure of a call that had left.
pub(crate) fn failure<T: std::fmt::Debug, M>(outcome: Result<T, CallError<M>>) -> CallFailure {
    match outcome {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("a failure was expected, not {other:?}"),
    }
}

/// Notes every exit that it is told of.
#[derive(Clone, Default)]
pub(crate) struct Exits(Arc<Mutex<Vec<(ActorId, Exit)>>>);

impl Exits {
    pub(crate) fn watch<M: RemoteMessage>(&self, actor: &ActorRef<M>) {
        actor.watch_with(Arc::new(self.clone()));
    }

    pub(crate) fn seen(&self) -> Vec<Exit> {
        self.0.lock().unwrap().iter().map(|(_, exit)| exit.clone()).collect()
    }
}

impl ExitListener for Exits {
    fn on_exit(&self, actor: ActorId, exit: &Exit) {
        self.0.lock().unwrap().push((actor, exit.clone()));
    }
}
