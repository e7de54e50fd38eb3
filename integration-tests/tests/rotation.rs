//! Certificates and authorities are replaced while everybody calls, and no call fails: first both authorities are believed,
//! then everybody has a certificate of the new one, then the old one is believed no more.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use actor_cluster::transport::TransportError;
use actor_cluster::{ConnectError, Mode, NodeBuilder, NodeServer};
use actor_core::ActorSystem;
use transport_quic::QuicTransport;
use transport_tcp::tls::TlsContext;
use transport_tcp::tls::dev_ca::{DevCertificate, NodeCredentials};
use transport_tcp::{Authorities, DevCa, TcpTransport};

use crate::load::Load;
use crate::support::{Member, guarded_for};

const HANG: Duration = Duration::from_secs(120);
const SENDERS: u32 = 4;
/// How many messages get through in each step, at least.
const MESSAGES: u64 = 3000;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b08_everything_is_replaced_on_tcp_while_all_call_and_no_call_fails() {
    guarded_for(HANG, replace_everything(over_tcp)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b08_everything_is_replaced_on_quic_while_all_call_and_no_call_fails() {
    guarded_for(HANG, replace_everything(over_quic)).await;
}

fn over_tcp(builder: NodeBuilder, tls: &TlsContext) -> NodeBuilder {
    builder.transport(TcpTransport::builder().listen(ANY_PORT).tls(tls.clone()).build().unwrap())
}

fn over_quic(builder: NodeBuilder, tls: &TlsContext) -> NodeBuilder {
    builder.transport(QuicTransport::builder().listen(ANY_PORT).tls(tls.clone()).build().unwrap())
}

type Over = fn(NodeBuilder, &TlsContext) -> NodeBuilder;

/// A node, and what it proves itself with.
struct Side {
    member: Member,
    tls: TlsContext,
}

impl Side {
    async fn start(over: Over, credentials: &NodeCredentials) -> Self {
        let tls = TlsContext::new(credentials.credentials().unwrap(), credentials.authorities().unwrap());
        let (tls, system) = (tls.unwrap(), ActorSystem::new());
        let builder = NodeServer::builder(tls.node_id()).system(system.clone()).mode(Mode::Isolated);
        let server = over(builder, &tls).start().await.unwrap();
        Self { member: Member::of(server.into(), &system).await, tls }
    }

    /// A certificate of another authority for the same node.
    fn renewed(&self, authority: &DevCa) -> NodeCredentials {
        let uris = vec![DevCertificate::uri_of(self.tls.node_id())];
        authority.node_with("renewed", &DevCertificate { uris, ..DevCertificate::default() }).unwrap()
    }

    async fn connect(&self, other: &Side) -> Result<(), ConnectError> {
        let address = &other.member.node().addresses()[0];
        self.member.node().connect(address).await.map(drop)
    }
}

async fn replace_everything(over: Over) {
    let [old, new] = [(); 2].map(|()| DevCa::new().unwrap());
    let sides = [
        Side::start(over, &old.node("here").unwrap()).await,
        Side::start(over, &old.node("there").unwrap()).await,
    ];
    let [here, there] = &sides;
    here.connect(there).await.unwrap();
    let echo = here.member.echo_of(there.tls.node_id()).unwrap();
    let load = Load::start(&echo, SENDERS);
    load.passes(MESSAGES).await;

    let both = Authorities::from_pem(format!("{}{}", old.pem(), new.pem()).as_bytes()).unwrap();
    for side in &sides {
        side.tls.replace_authorities(both.clone()).unwrap();
        load.passes(MESSAGES).await;
    }
    for side in &sides {
        side.tls.replace_credentials(side.renewed(&new).credentials().unwrap()).unwrap();
        load.passes(MESSAGES).await;
    }
    assert_eq!(sides.each_ref().map(|side| side.tls.counts().disconnected), [0, 0], "nobody was cut off");
    // Connections that began with the old certificates end, and others take their place.
    let only_new = Authorities::from_pem(new.pem().as_bytes()).unwrap();
    for side in &sides {
        side.tls.replace_authorities(only_new.clone()).unwrap();
        load.passes(MESSAGES).await;
    }
    assert!(sides.iter().any(|side| side.tls.counts().disconnected > 0), "the old ones were not believed");

    load.has_arrived().await;
    let late = Side::start(over, &old.node("late").unwrap()).await;
    let refused = late.connect(there).await;
    assert!(
        matches!(&refused, Err(ConnectError::Transport(TransportError::Untrusted { .. }))),
        "the old authority lets nobody in: {refused:?}"
    );
    for side in sides.into_iter().chain([late]) {
        side.member.shutdown().await;
    }
}
