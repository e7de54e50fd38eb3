//! Strangers, liars, mutes and mistakes, at whole nodes over real transports. Each
//! is told, or reported, in words to whoever can do something about it; and leaves
//! nothing behind.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use actor_cluster::error::HandshakeError;
use actor_cluster::transport::{Address, LaneSet, Transport, TransportError};
use actor_cluster::{ConnectError, Mode, NodeBuilder, NodeServer, StartError};
use actor_core::ActorSystem;
use examples::websocket::WsTransport;
use integration_tests::{Authority, NodeKeys, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use transport_tcp::TcpLimits;
use transport_tcp::tls::dev_ca::DevCertificate;

use crate::support::{Member, guarded, pair, two};

/// How long nodes of these tests wait for peers that say nothing.
const PATIENCE: Duration = Duration::from_millis(200);

#[tokio::test]
async fn an_unknown_authority_is_refused_and_both_sides_hear_why() {
    guarded(async {
        let (ours, theirs) = (Authority::new().unwrap(), Authority::new().unwrap());
        let mut host = Member::start(&ours.keys("host", &[Way::Tcp]).unwrap(), &[]).await;
        let stranger = Member::start(&theirs.keys("stranger", &[Way::Tcp]).unwrap(), &[]).await;
        let error = refused(&stranger, &host, Way::Tcp).await;
        assert!(matches!(error, ConnectError::Transport(TransportError::Untrusted { .. })), "{error:?}");
        assert_says(&error.to_string(), "comes from an authority we do not know");
        assert_says(&host.refusal().await, "does not know the authority of our certificate");
        all_quiet(host, stranger).await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_certificate_of_a_dialler_is_refused_and_both_sides_hear_why() {
    guarded(async {
        let (fresh, expired) = fresh_and_expired();
        let (mut host, dialler) = (Member::start(&fresh, &[]).await, Member::start(&expired, &[]).await);
        let error = refused(&dialler, &host, Way::Tcp).await;
        assert_says(&error.to_string(), "our certificate is expired or not valid yet");
        assert_says(&host.refusal().await, "its certificate has expired");
        all_quiet(host, dialler).await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_certificate_of_a_host_is_refused_and_both_sides_hear_why() {
    guarded(async {
        let (fresh, expired) = fresh_and_expired();
        let (mut host, dialler) = (Member::start(&expired, &[]).await, Member::start(&fresh, &[]).await);
        let error = refused(&dialler, &host, Way::Tcp).await;
        assert!(matches!(error, ConnectError::Transport(TransportError::Untrusted { .. })), "{error:?}");
        assert_says(&error.to_string(), "its certificate has expired");
        assert_says(&host.refusal().await, "our certificate is expired or not valid yet");
        all_quiet(host, dialler).await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_is_not_on_the_list_is_refused_and_both_sides_hear_why() {
    guarded(async {
        let [host, stranger] = two(&[Way::Iroh]);
        let mut host = Member::start(&host, &[]).await;
        let stranger = Member::start(&stranger, &[host.node().id()]).await;
        let error = refused(&stranger, &host, Way::Iroh).await;
        assert!(matches!(error, ConnectError::Transport(TransportError::Untrusted { .. })), "{error:?}");
        assert_says(&error.to_string(), "not on the list of peers");
        let report = host.refusal().await;
        assert_says(&report, "not on the list of peers");
        assert_says(&report, &stranger.node().id().to_string());
        all_quiet(host, stranger).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_not_on_our_list_is_not_dialled() {
    guarded(async {
        let [host, dialler] = two(&[Way::Iroh]);
        let host = Member::start(&host, &[dialler.node]).await;
        let dialler = Member::start(&dialler, &[]).await;
        let error = refused(&dialler, &host, Way::Iroh).await;
        assert_says(&error.to_string(), "not on our list of peers");
        all_quiet(host, dialler).await;
    })
    .await;
}

#[tokio::test]
async fn b02_a_wrong_cookie_is_refused_over_every_transport() {
    for (theirs, way) in
        [Some("the secret of another cluster"), None].into_iter().flat_map(|s| Way::ALL.map(|w| (s, w)))
    {
        guarded(async {
            let [host, dialler] = two(&[way]);
            let peers = [host.node, dialler.node];
            let ours = |builder: NodeBuilder| builder.secret("the secret of this cluster");
            let other = |builder: NodeBuilder| match theirs {
                Some(secret) => builder.secret(secret),
                None => builder,
            };
            let mut host = Member::start_with(&host, &peers, ours).await;
            let dialler = Member::start_with(&dialler, &peers, other).await;
            let error = refused(&dialler, &host, way).await;
            let ConnectError::Handshake(error) = error else { panic!("{error:?}") };
            let is_about_it = match &error {
                HandshakeError::Secret => true,
                HandshakeError::Refused(why) => **why == HandshakeError::Secret,
                _ => false,
            };
            assert!(is_about_it, "{error:?}");
            assert_says(&host.refusal().await, "does not know the shared secret");
            all_quiet(host, dialler).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_tcp_port_in_use_is_named_when_a_node_starts() {
    guarded(async {
        let [host, late] = two(&[Way::Tcp]);
        let host = Member::start(&host, &[]).await;
        let taken: SocketAddr = host.node().addresses()[0].rest().parse().unwrap();
        let transport = late.tcp().unwrap().listen(taken).build().unwrap();
        let error = NodeServer::builder(late.node).transport(transport).start().await.unwrap_err();
        assert_taken(&error, taken);
        host.assert_idle().await;
        host.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn an_iroh_port_in_use_is_named_when_its_transport_is_bound() {
    guarded(async {
        let [host, late] = two(&[Way::Iroh]);
        let host = Member::start(&host, &[]).await;
        let taken = socket_of(&host.node().addresses()[0]);
        let builder = transport_iroh::IrohTransport::builder();
        let error = builder.secret_key(late.iroh_key().unwrap()).bind_addr(taken).bind().await.unwrap_err();
        assert_taken(&error.into(), taken);
        host.assert_idle().await;
        host.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn garbage_on_a_tcp_port_is_reported_and_the_next_peer_gets_in() {
    guarded(async {
        let [mut host, dialler] = pair(Way::Tcp).await;
        let port = host.node().addresses()[0].rest().to_owned();
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 512], b"\x16\x03\x01\xff\xff"] {
            let mut stranger = TcpStream::connect(&port).await.unwrap();
            stranger.write_all(garbage).await.unwrap();
            stranger.shutdown().await.unwrap();
            let report = host.refusal().await;
            assert_says(&report, &stranger.local_addr().unwrap().to_string());
            assert_gone(&mut stranger).await;
        }
        host.assert_idle().await;
        dialler.connect(&host, Way::Tcp).await;
        dialler.assert_hears(host.node().id()).await;
        dialler.shutdown().await;
        host.assert_idle().await;
        host.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn garbage_on_an_iroh_port_does_nothing_and_the_next_peer_gets_in() {
    guarded(async {
        let [host, dialler] = pair(Way::Iroh).await;
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        for first in [0x00, 0x40, 0x80, 0xc0, 0xff] {
            let packet = [&[first][..], &[0xa5; 1199]].concat();
            stranger.send_to(&packet, socket_of(&host.node().addresses()[0])).await.unwrap();
        }
        dialler.connect(&host, Way::Iroh).await;
        dialler.assert_hears(host.node().id()).await;
        dialler.shutdown().await;
        host.assert_idle().await;
        host.shutdown().await;
    })
    .await;
}

/// It has a connection, and does not even begin TLS.
#[tokio::test]
async fn a_silent_stranger_is_dropped_at_the_deadline() {
    guarded(async {
        let [keys, _] = two(&[Way::Tcp]);
        let limits = TcpLimits { handshake_deadline: PATIENCE, ..TcpLimits::default() };
        let transport = keys.tcp().unwrap().limits(limits).build().unwrap();
        let system = ActorSystem::new();
        let builder = NodeServer::builder(keys.node).system(system.clone()).mode(Mode::Isolated);
        let server = builder.transport(transport).start().await.unwrap();
        let mut host = Member::of(server.into(), &system).await;
        let mut silent = TcpStream::connect(host.node().addresses()[0].rest()).await.unwrap();
        let report = host.refusal().await;
        assert_says(&report, "it took longer than 200ms");
        assert_says(&report, &silent.local_addr().unwrap().to_string());
        assert_gone(&mut silent).await;
        host.assert_idle().await;
        host.shutdown().await;
    })
    .await;
}

/// It is one of the cluster's nodes, as far as the transport can tell, and says
/// nothing after that: not a byte, or less than a frame.
#[tokio::test]
async fn w12_a_peer_that_never_says_hello_is_dropped_at_the_deadline() {
    for (way, words) in Way::ALL.into_iter().flat_map(|way| [(way, &b""[..]), (way, b"\x01")]) {
        guarded(async {
            let (mut host, transport) = host_and_bare_transport(way).await;
            let connection = transport.dial(&host.node().addresses()[0]).await.unwrap();
            let mut stream = connection.open(LaneSet::ALL).await.unwrap();
            stream.write_all(words).await.unwrap();
            stream.flush().await.unwrap();
            assert_says(&host.refusal().await, "was not ready within 200ms");
            // The host has hung up, one way or another.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            host.assert_idle().await;
            drop((stream, connection));
            host.shutdown().await;
        })
        .await;
    }
}

/// The transport lets it in; then it talks nonsense, or of a frame that would not
/// fit anywhere.
#[tokio::test]
async fn a_peer_that_does_not_shake_hands_is_refused() {
    for (way, words) in Way::ALL.into_iter().flat_map(|way| [(way, &[0xff; 64][..]), (way, &[0; 64])]) {
        guarded(async {
            let (mut host, transport) = host_and_bare_transport(way).await;
            let connection = transport.dial(&host.node().addresses()[0]).await.unwrap();
            let mut stream = connection.open(LaneSet::ALL).await.unwrap();
            stream.write_all(words).await.unwrap();
            stream.flush().await.unwrap();
            assert_says(&host.refusal().await, "protocol violation");
            let _ = stream.read_to_end(&mut Vec::new()).await;
            drop((stream, connection));
            host.assert_idle().await;
            host.shutdown().await;
        })
        .await;
    }
}

/// A node of little patience, and a transport of a peer that it trusts, with no node
/// behind it.
async fn host_and_bare_transport(way: Way) -> (Member, Box<dyn Transport>) {
    let [host, peer] = two(&[way]);
    let peers = [host.node, peer.node];
    let impatient = |builder: NodeBuilder| builder.handshake_timeout(PATIENCE);
    let host = Member::start_with(&host, &peers, impatient).await;
    let transport: Box<dyn Transport> = match way {
        Way::Tcp => Box::new(peer.tcp().unwrap().build().unwrap()),
        Way::Iroh => Box::new(peer.iroh(&peers).unwrap().bind().await.unwrap()),
        Way::Ws => Box::new(WsTransport::dialling_only()),
        Way::Quic => Box::new(peer.quic().unwrap().build().unwrap()),
    };
    (host, transport)
}

fn fresh_and_expired() -> (NodeKeys, NodeKeys) {
    let authority = Authority::new().unwrap();
    let (now, hour) = (SystemTime::now(), Duration::from_secs(60 * 60));
    let expired = DevCertificate { valid: now - 2 * hour..now - hour, ..DevCertificate::default() };
    let expired = authority.keys_with("expired", &[Way::Tcp], expired).unwrap();
    (authority.keys("fresh", &[Way::Tcp]).unwrap(), expired)
}

/// The error of a connection that must not come to be.
async fn refused(dialler: &Member, host: &Member, way: Way) -> ConnectError {
    let address = host.running.address(way).unwrap();
    dialler.node().connect(&address).await.expect_err("it must not get in")
}

async fn all_quiet(host: Member, dialler: Member) {
    host.assert_idle().await;
    dialler.assert_idle().await;
    dialler.shutdown().await;
    host.shutdown().await;
}

#[track_caller]
fn assert_says(text: &str, words: &str) {
    assert!(text.contains(words), "{words:?} is not in {text:?}");
}

#[track_caller]
fn assert_taken(error: &StartError, port: SocketAddr) {
    assert_says(&error.to_string(), &format!("cannot listen on {port}"));
    let StartError::Transport(TransportError::Bind { source, .. }) = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
}

/// The other side has closed the socket: an end or a reset.
async fn assert_gone(socket: &mut TcpStream) {
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

fn socket_of(address: &Address) -> SocketAddr {
    address.rest().split_once('@').unwrap().1.parse().unwrap()
}
