//! Nodes that are processes of their own, and die without a word.

use std::path::Path;
use std::time::Duration;

use actor_cluster::transport::{CloseCode, CloseReason};
use actor_cluster::{NodeBuilder, PeerInfo};
use actor_core::{CallError, CallFailure, ReplyPort, SendError};
#[cfg(unix)]
use futures_util::future::join_all;
use integration_tests::echo::Say;
use integration_tests::{Authority, Invitation, NodeKeys, NodeProcess, Way};
use tokio::time::timeout;

#[cfg(unix)]
use crate::support::signal;
use crate::support::{Member, guarded};

/// Short, for a test; long enough that a busy machine is not taken for a dead one.
const HEARTBEAT: Duration = Duration::from_millis(250);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a session waits for its streams to come again.
const RESUME_TIMEOUT: Duration = Duration::from_millis(500);

/// When a silent peer must have been noticed: its timeouts, and twice that for a
/// machine that is busy. Iroh itself takes 15 s to give up a connection.
const NOTICED_WITHIN: Duration = Duration::from_secs(8);

#[tokio::test]
async fn b11_a_node_killed_on_tcp_is_reported_and_can_rejoin() {
    guarded(killed_and_back(Way::Tcp, CloseCode::Lost)).await;
}

/// Over UDP nobody says that a process is gone: the heartbeat must.
#[tokio::test]
async fn b11_a_node_killed_on_iroh_is_reported_and_can_rejoin() {
    guarded(killed_and_back(Way::Iroh, CloseCode::Timeout)).await;
}

#[tokio::test]
async fn b11_a_node_killed_on_quic_is_reported_and_can_rejoin() {
    guarded(killed_and_back(Way::Quic, CloseCode::Timeout)).await;
}

async fn killed_and_back(way: Way, noticed_as: CloseCode) {
    let mut scene = Scene::new(way).await;
    let (mut process, first) = scene.invite().await;
    let echo = scene.host.echo_of(first.node).unwrap();
    scene.host.assert_hears(first.node).await;

    // A call that it has, and will not answer.
    let (port, answer) = ReplyPort::new(None);
    echo.send(Say::Nothing(port)).await.unwrap();
    assert_eq!(echo.call(Say::HowMany).await.unwrap(), 1);

    process.kill().await.unwrap();
    let reason = scene.departure(&first).await;
    assert_eq!(reason.code, noticed_as, "{reason}");
    assert_eq!(answer.await, Err(CallFailure::Unknown));
    let error = echo.call(Say::HowMany).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(SendError::NotConnected(_))), "{error}");
    scene.host.assert_idle().await;

    // The same node in another life: found anew, and not taken for the old one.
    let (_process, second) = scene.invite().await;
    assert_eq!(second.node, first.node);
    assert!(second.incarnation > first.incarnation);
    scene.host.assert_hears(second.node).await;
    assert_ne!(scene.host.echo_of(second.node).unwrap(), echo);
    let error = echo.call(Say::HowMany).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(SendError::NotConnected(_))), "{error}");
    scene.host.shutdown().await;
}

/// The kernel keeps the connections of a process that is frozen, so that on TCP, too,
/// the heartbeat is all there is.
#[cfg(unix)]
#[tokio::test]
async fn b11_a_frozen_node_is_noticed_by_its_silence() {
    // At once: what they wait for are timeouts.
    guarded(join_all(Way::ALL.map(frozen))).await;
}

#[cfg(unix)]
async fn frozen(way: Way) {
    let mut scene = Scene::new(way).await;
    let (mut process, peer) = scene.invite().await;
    process.freeze().unwrap();
    let reason = scene.departure(&peer).await;
    assert_eq!(reason.code, CloseCode::Timeout, "{reason}");
    scene.host.assert_idle().await;
    scene.host.shutdown().await;
}

/// Even one that does not care whether anybody is there.
#[cfg(unix)]
#[tokio::test]
async fn a_process_does_not_outlive_its_handle() {
    guarded(async {
        let scene = Scene::new(Way::Tcp).await;
        let process = NodeProcess::start(Path::new("sleep"), ["1000"], &scene.invitation()).await.unwrap();
        let id = process.id().unwrap();
        drop(process);
        // Whenever a process of ours ends, tokio looks after those that were dropped.
        // Signal 0 only asks.
        while signal("0", id).await {}
        scene.host.shutdown().await;
    })
    .await;
}

/// A node that others join, and the keys of one who does.
struct Scene {
    host: Member,
    guest: NodeKeys,
    way: Way,
}

impl Scene {
    async fn new(way: Way) -> Self {
        let authority = Authority::new().unwrap();
        let host = authority.keys("host", &[way]).unwrap();
        let guest = authority.keys("guest", &[way]).unwrap();
        let watchful = |builder: NodeBuilder| {
            builder.heartbeat(HEARTBEAT, HEARTBEAT_TIMEOUT).resume_timeout(RESUME_TIMEOUT)
        };
        Self { host: Member::start_with(&host, &[guest.node], watchful).await, guest, way }
    }

    fn invitation(&self) -> Invitation {
        self.host.invitation(&self.guest, self.way)
    }

    /// Starts the guest as a process and waits until it has joined.
    async fn invite(&mut self) -> (NodeProcess, PeerInfo) {
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let process = NodeProcess::start(program, [""; 0], &self.invitation()).await.unwrap();
        let peer = self.host.ready(self.guest.node).await;
        (process, peer)
    }

    /// Waits until the end of a guest's session is reported.
    async fn departure(&mut self, of: &PeerInfo) -> CloseReason {
        let reported = async {
            loop {
                let event = self.host.events.next().await.expect("the node lives");
                if let Some((peer, reason)) = event.session_end() {
                    assert_eq!(peer, of, "it is another's");
                    return reason.clone();
                }
            }
        };
        timeout(NOTICED_WITHIN, reported).await.expect("it was not noticed in time")
    }
}
