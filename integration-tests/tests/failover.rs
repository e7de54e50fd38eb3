//! Two processes with two transports between them, each by a relay: the session goes over from one to the other and back
//! while everybody sends, and nothing is lost, repeated or overtaken.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

use actor_cluster::transport::TransportError;
use actor_cluster::{Mode, NodeServer, NodeSession, StartError};
use actor_core::ActorSystem;
use actor_testkit::process::{Datagrams, Relay};
use integration_tests::{Authority, NodeKeys, NodeProcess, Way};

use crate::load::Load;
use crate::support::{Member, guarded_for};

const HANG: Duration = Duration::from_secs(120);

const SENDERS: u32 = 8;

/// How many messages get through on each way, at least.
const MESSAGES: u64 = 5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_a_session_goes_from_tcp_to_quic_and_back_under_load() {
    guarded_for(HANG, async {
        let authority = Authority::new().unwrap();
        let [host_keys, guest] =
            ["host", "guest"].map(|name| authority.keys(name, &[Way::Tcp, Way::Quic]).unwrap());
        let (mut host, mut tcp, quic) = behind_relays(&host_keys).await;
        let invitation = host.invitation(&guest, Way::Tcp);
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let _process = NodeProcess::start(program, [""; 0], &invitation).await.unwrap();
        host.ready(guest.node).await;
        let echo = host.echo_of(guest.node).unwrap();
        let session = host.node().sessions().remove(0);

        let load = Load::start(&echo, SENDERS);
        for _ in 0..2 {
            goes_by(&session, Way::Tcp).await;
            quic.speak();
            load.passes(MESSAGES).await;
            tcp.shut().await;
            goes_by(&session, Way::Quic).await;
            load.passes(MESSAGES).await;
            tcp.open().unwrap();
            // Nobody says that it is lost. The heartbeat finds out.
            quic.silence();
        }
        goes_by(&session, Way::Tcp).await;
        load.passes(MESSAGES).await;
        load.has_arrived().await;
        assert!(session.is_ready(), "the same session");
        host.shutdown().await;
    })
    .await;
}

/// Waits until a session's streams are of this transport, all of them.
async fn goes_by(session: &NodeSession, way: Way) {
    loop {
        let streams = session.streams().await;
        assert!(session.is_ready(), "it lives");
        let schemes: BTreeSet<&str> =
            streams.iter().filter_map(|stream| stream.label.split(' ').next()).collect();
        if schemes == BTreeSet::from([way.scheme()]) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// A node that others reach through relays alone: they are all that it tells them of.
async fn behind_relays(keys: &NodeKeys) -> (Member, Relay, Datagrams) {
    loop {
        let [tcp_port, quic_port]: [SocketAddr; 2] = [
            TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
        ];
        let (tcp, quic) = (Relay::to(tcp_port, 0).unwrap(), Datagrams::to(quic_port, 0).unwrap());
        let by_tcp = keys.tcp().unwrap().listen(tcp_port).advertise(tcp.address().to_string());
        let by_quic = keys.quic().unwrap().listen(quic_port).advertise(quic.address().to_string());
        let system = ActorSystem::new();
        let builder = NodeServer::builder(keys.node).system(system.clone()).mode(Mode::Isolated);
        let builder = builder.transport(by_tcp.build().unwrap()).transport(by_quic.build().unwrap());
        match builder.start().await {
            Ok(server) => return (Member::of(server.into(), &system).await, tcp, quic),
            // Somebody else was faster.
            Err(StartError::Transport(TransportError::Bind { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
