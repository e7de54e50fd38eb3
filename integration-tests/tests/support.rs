//! What the scenarios share: nodes of this process with an echo each, and the words
//! to wait for what should happen.

use std::future::Future;
use std::time::Duration;

use actor_cluster::{Events, Mode, NodeBuilder, NodeEvent, NodeId, NodeServer, PeerInfo};
use actor_core::{ActorRef, ActorSystem, SpawnOptions};
use integration_tests::echo::{ECHOES, Echo, Say};
use integration_tests::{Authority, Invitation, NodeKeys, RunningNode, Way};

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

/// Fails a test that hangs.
pub(crate) async fn guarded<F: Future>(test: F) -> F::Output {
    guarded_for(HANG, test).await
}

/// The same for a test that takes long in its long form.
pub(crate) async fn guarded_for<F: Future>(hang: Duration, test: F) -> F::Output {
    tokio::time::timeout(hang, test).await.expect("the test hangs")
}

/// A node of this process, as if it were alone in it.
pub(crate) struct Member {
    pub(crate) running: RunningNode,
    pub(crate) echo: ActorRef<Say>,
    pub(crate) events: Events,
    /// How many tasks the node has when nobody talks to it.
    pub(crate) idle: usize,
}

impl Member {
    /// Starts an isolated node that has an echo in the group of echoes.
    pub(crate) async fn start(keys: &NodeKeys, peers: &[NodeId]) -> Self {
        Self::start_with(keys, peers, |builder| builder).await
    }

    /// Starts a node with settings of the test's.
    pub(crate) async fn start_with(
        keys: &NodeKeys,
        peers: &[NodeId],
        settings: impl FnOnce(NodeBuilder) -> NodeBuilder,
    ) -> Self {
        let system = ActorSystem::new();
        let with_system = |builder: NodeBuilder| builder.system(system.clone()).mode(Mode::Isolated);
        let running = keys.start(peers, |builder| settings(with_system(builder))).await.unwrap();
        Self::of(running, &system).await
    }

    /// A node that the test has set up otherwise.
    pub(crate) async fn of(running: RunningNode, system: &ActorSystem) -> Self {
        let echo = system.spawn(Echo, (), SpawnOptions::new()).await.unwrap();
        running.server.join_group(ECHOES, &echo).unwrap();
        let (events, idle) = (running.server.subscribe(), running.server.tasks());
        Self { running, echo, events, idle }
    }

    pub(crate) fn node(&self) -> &NodeServer {
        &self.running.server
    }

    /// Connects to another node, and knows it afterwards.
    pub(crate) async fn connect(&self, other: &Member, way: Way) {
        let address = other.running.address(way).unwrap();
        let session = self.node().connect_to(other.node().id(), &address).await.unwrap();
        assert_eq!(session.peer().node, other.node().id());
    }

    /// The echo of another node, as this one knows it.
    pub(crate) fn echo_of(&self, node: NodeId) -> Option<ActorRef<Say>> {
        let lives_there =
            |echo: &ActorRef<Say>| self.node().peer_of(echo.id()).is_some_and(|peer| peer.node == node);
        self.node().group::<Say>(ECHOES).into_iter().find(lives_there)
    }

    /// What a process of its own is told to join this node.
    pub(crate) fn invitation(&self, keys: &NodeKeys, way: Way) -> Invitation {
        let host = self.node().id();
        let address = self.running.address(way).unwrap().to_string();
        Invitation { keys: keys.clone(), peers: vec![host], host, address }
    }

    /// Has the echo of another node answer.
    pub(crate) async fn assert_hears(&self, node: NodeId) {
        let echo = self.echo_of(node).expect("the node publishes an echo");
        assert!(!echo.is_local());
        let said = format!("hello from {}", self.node().id());
        assert_eq!(echo.call(|port| Say::This(said.clone(), port)).await.unwrap(), said);
    }

    /// Waits until the session with a node is ready.
    pub(crate) async fn ready(&mut self, node: NodeId) -> PeerInfo {
        loop {
            match self.events.next().await.expect("the node lives") {
                NodeEvent::Ready(peer) if peer.node == node => return peer,
                _ => {}
            }
        }
    }

    /// Waits until the session has lost its connection and has another.
    pub(crate) async fn resumed(&mut self) {
        let mut was_interrupted = false;
        loop {
            let event = self.events.next().await.expect("the node lives");
            match event {
                NodeEvent::Interrupted { .. } => was_interrupted = true,
                NodeEvent::Resumed(_) => return assert!(was_interrupted),
                event => assert!(event.session_end().is_none(), "{event:?}"),
            }
        }
    }

    /// Waits until somebody is not let in, and gives the words.
    pub(crate) async fn refusal(&mut self) -> String {
        loop {
            match self.events.next().await.expect("the node lives") {
                NodeEvent::Refused { label, error, .. } => return format!("{label}: {error}"),
                NodeEvent::Opened { .. } => {}
                other => panic!("{other:?} instead of a refusal"),
            }
        }
    }

    /// Nothing is left of whoever was there: no session, no half of one, no task.
    pub(crate) async fn assert_idle(&self) {
        // There is no event for the end of a task; other tasks get their turn.
        while self.node().tasks() != self.idle {
            tokio::task::yield_now().await;
        }
        assert!(self.node().sessions().is_empty());
        assert_eq!(self.node().group::<Say>(ECHOES), std::slice::from_ref(&self.echo));
    }

    pub(crate) async fn shutdown(self) {
        self.running.shutdown().await.unwrap();
    }
}

/// Keys for two nodes of one authority.
pub(crate) fn two(ways: &[Way]) -> [NodeKeys; 2] {
    let authority = Authority::new().unwrap();
    ["one", "other"].map(|name| authority.keys(name, ways).unwrap())
}

/// Two nodes that trust each other.
pub(crate) async fn pair(way: Way) -> [Member; 2] {
    let [one, other] = two(&[way]);
    let peers = [one.node, other.node];
    [Member::start(&one, &peers).await, Member::start(&other, &peers).await]
}

/// Sends a signal to a process of ours; `false` if it is gone. By way of the shell,
/// in which `kill` is built in: not every machine has it as a program.
#[cfg(unix)]
pub(crate) async fn signal(name: &str, process: u32) -> bool {
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", &format!("kill -s {name} {process}")]).stderr(std::process::Stdio::null());
    shell.status().await.unwrap().success()
}
