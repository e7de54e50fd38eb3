//! Peers that speak something else, or nothing we understand.

use std::sync::Arc;

use actor_cluster::transport::{Address, Transport, TransportError};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};
use tokio::net::UdpSocket;
use transport_quic::{DevCa, SCHEME, TlsContext};

use crate::world::{ANY_PORT, Host, assert_dropped, first_datagram, guarded, node_of, refused};

#[tokio::test]
async fn garbage_is_passed_over_and_the_next_peer_gets_in() {
    let ca = DevCa::new().unwrap();
    let (mut host, dialler) = (Host::start(&node_of(&ca, "host")).await, node_of(&ca, "dialler"));
    let stranger = UdpSocket::bind(ANY_PORT).await.unwrap();
    stranger.connect(host.address.rest()).await.unwrap();
    let first = first_datagram().await;
    let garbage: [&[u8]; 6] = [
        &[],
        &[0],
        &[0xff; 1200],
        &[0; 1200],
        // A first packet that is cut off, and one whose ids are longer than any may be.
        &first[..600],
        &[&first[..5], &[0xff; 1195]].concat(),
    ];
    for bytes in garbage {
        stranger.send(bytes).await.unwrap();
        // Nobody is reported: the next to be heard of is the one who gets in.
        host.connect(&dialler).await.talk().await;
    }
    // A version that nobody speaks is answered with those that somebody does.
    stranger.send(&[&first[..1], &[0x1a; 4], &first[5..]].concat()).await.unwrap();
    let mut answer = [0; 2048];
    let bytes = guarded(stranger.recv(&mut answer)).await.unwrap();
    assert!(answer[..bytes].windows(4).any(|version| version == [0, 0, 0, 1]));

    // What looks right and is forged is reported.
    let mut forged = first.clone();
    *forged.last_mut().unwrap() ^= 1;
    stranger.send(&forged).await.unwrap();
    assert_dropped(&host.refusal().await, "authentication failed");
    host.connect(&dialler).await.talk().await;
}

/// It is a node's certificate, but what is spoken there is something else.
#[tokio::test]
async fn dialling_another_protocol_fails_in_words() {
    let ca = DevCa::new().unwrap();
    let error = dial_server(&ca, b"h3", |_| async {}).await;
    assert_dropped(&error, "it does not speak our protocol");
}

/// It speaks our protocol up to its first word.
#[tokio::test]
async fn a_host_that_does_not_let_us_in_is_left() {
    let ca = DevCa::new().unwrap();
    for word in [&[2][..], &[1, 1], &[]] {
        let error = dial_server(&ca, transport_quic::tls::ALPN, |connection| async move {
            let mut stream = connection.open_uni().await.unwrap();
            stream.write_all(word).await.unwrap();
            stream.finish().unwrap();
            connection.closed().await;
        });
        assert_dropped(&error.await, "did not say whether it lets us in");
    }
    // One that says why not is believed.
    let error = dial_server(&ca, transport_quic::tls::ALPN, |connection| async move {
        connection.close(2_u32.into(), b"the house is full");
    });
    let error = error.await;
    assert!(matches!(error, TransportError::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("it says: refused: the house is full"), "{error}");
}

/// Dials a bare server of QUIC that has a node's certificate, and gives the error.
async fn dial_server<F: Future<Output = ()>>(
    ca: &DevCa,
    protocol: &[u8],
    serve: impl FnOnce(quinn::Connection) -> F,
) -> TransportError {
    let node = ca.node("server").unwrap();
    let tls = TlsContext::new(node.credentials().unwrap(), node.authorities().unwrap()).unwrap();
    let mut config = (*tls.server_config()).clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    let crypto = QuicServerConfig::try_from(config).unwrap();
    let server = Endpoint::server(ServerConfig::with_crypto(Arc::new(crypto)), ANY_PORT).unwrap();
    let address = Address::new(SCHEME, &server.local_addr().unwrap().to_string()).unwrap();
    let serving = async {
        if let Ok(connection) = server.accept().await.unwrap().await {
            serve(connection).await;
        }
    };
    let dialler = node_of(ca, "dialler");
    guarded(async { refused(tokio::join!(dialler.dial(&address), serving).0) }).await
}
