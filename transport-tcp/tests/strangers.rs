//! Peers that speak something else, or nothing, or less than a handshake.

use std::time::Duration;

use actor_cluster::transport::{Address, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport_tcp::{DevCa, TcpLimits, TcpTransport};

use crate::world::{
    ANY_PORT, Host, Met, assert_dropped, config, guarded, knock, node_of, plaintext, refused,
};

#[tokio::test]
async fn b08_plaintext_client_to_a_tls_listener_is_refused() {
    let mut host = Host::start(&node_of(&DevCa::new().unwrap(), "host")).await;
    let (near, far) = meet_as_its_kind(&mut host, &plaintext()).await;
    assert_dropped(&refused(near), "it speaks TLS, and this side was told not to");
    assert_dropped(&refused(far), "it does not speak TLS");
}

#[tokio::test]
async fn a_tls_client_to_a_plaintext_listener_is_refused() {
    let mut host = Host::start(&plaintext()).await;
    let (near, far) = meet_as_its_kind(&mut host, &node_of(&DevCa::new().unwrap(), "dialler")).await;
    assert_dropped(&refused(near), "it does not speak TLS");
    assert_dropped(&refused(far), "it speaks TLS, and this side was told not to");
}

#[tokio::test]
async fn dialling_what_is_no_node_fails_in_words() {
    let ca = DevCa::new().unwrap();
    for transport in [node_of(&ca, "dialler"), plaintext()] {
        let ssh = dial_server_that_says(&transport, b"SSH-2.0-OpenSSH_9.9\r\n").await;
        assert_dropped(&ssh, "it does not speak");
        let mute = dial_server_that_says(&transport, b"").await;
        assert_dropped(&mute, "it hung up");
    }
}

#[tokio::test]
async fn garbage_is_dropped_and_the_next_peer_gets_in() {
    let ca = DevCa::new().unwrap();
    for (transport, dialler) in [(node_of(&ca, "host"), node_of(&ca, "dialler")), (plaintext(), plaintext())]
    {
        let mut host = Host::start(&transport).await;
        // Records of a legal type whose length or content is nonsense, and noise.
        let garbage: [&[u8]; 4] =
            [&[0xff; 512], b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x04\x01\x00\x00\x01\x00", &[0; 3]];
        for bytes in garbage {
            let mut stranger = knock(&host).await;
            stranger.write_all(bytes).await.unwrap();
            stranger.shutdown().await.unwrap();
            assert_dropped(&host.refusal().await, "was dropped");
            assert_gone(stranger).await;
        }
        host.connect(&dialler).await;
    }
}

/// Dials where the host is, as if it were of the dialler's kind.
async fn meet_as_its_kind(host: &mut Host, dialler: &TcpTransport) -> (Met, Met) {
    host.address = Address::new(dialler.scheme(), host.address.rest()).unwrap();
    host.meet(dialler).await
}

/// In either role: the first words of each side in TLS 1.2, without the extension that 1.3 hides in.
#[tokio::test]
async fn tls_1_2_is_refused() {
    let ca = DevCa::new().unwrap();
    let random = [7; 32];
    let cipher = [0xc0, 0x2f];
    let signature_algorithms = [0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let client_hello =
        [&[3, 3][..], &random, &[0], &[0, 2], &cipher, &[1, 0], &signature_algorithms].concat();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    let mut old = knock(&host).await;
    old.write_all(&handshake_record(1, &client_hello)).await.unwrap();
    old.shutdown().await.unwrap();
    assert_dropped(&host.refusal().await, "it does not speak TLS 1.3");
    let mut alert = [0; 7];
    guarded(old.read_exact(&mut alert)).await.unwrap();
    assert_eq!((alert[0], &alert[5..]), (21, &[2, 70][..]), "a fatal alert: protocol_version");

    let server_hello = [&[3, 3][..], &random, &[0], &cipher, &[0]].concat();
    let said = handshake_record(2, &server_hello);
    let error = dial_server_that_says(&node_of(&ca, "dialler"), &said).await;
    assert_dropped(&error, "it does not speak TLS 1.3");
}

/// A record with one message of a handshake.
fn handshake_record(kind: u8, message: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let message = [&[kind, 0][..], &length(message.len()), message].concat();
    [&[22, 3, 3][..], &length(message.len()), &message].concat()
}

#[tokio::test]
async fn a_silent_peer_is_dropped_at_the_deadline() {
    let limits = TcpLimits { handshake_deadline: Duration::from_millis(30), ..TcpLimits::default() };
    let tls = config(&DevCa::new().unwrap().node("host").unwrap()).limits(limits);
    let plain = TcpTransport::builder().listen(ANY_PORT).danger_plaintext().limits(limits);
    let beginnings: [(_, &[u8]); 2] = [(tls, b"\x16\x03\x01"), (plain, b"actor-cluster")];
    for (config, beginning) in beginnings {
        let mut host = Host::start(&config.build().unwrap()).await;
        let silent = knock(&host).await;
        let mut halting = knock(&host).await;
        halting.write_all(beginning).await.unwrap();
        for _ in 0..2 {
            assert_dropped(&host.refusal().await, "it took longer than 30ms");
        }
        assert_gone(silent).await;
        assert_gone(halting).await;
    }
}

/// A refused peer that stays is thrown out at the deadline, too.
#[tokio::test]
async fn a_refused_peer_cannot_stay() {
    let limits = TcpLimits { handshake_deadline: Duration::from_millis(30), ..TcpLimits::default() };
    let transport = config(&DevCa::new().unwrap().node("host").unwrap()).limits(limits).build().unwrap();
    let mut host = Host::start(&transport).await;
    let mut stranger = knock(&host).await;
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_dropped(&host.refusal().await, "it does not speak TLS");
    assert_gone(stranger).await;
}

#[tokio::test]
async fn dropping_the_listener_drops_those_at_their_handshake() {
    let mut host = Host::start(&node_of(&DevCa::new().unwrap(), "host")).await;
    let silent = knock(&host).await;
    // One that fails at once shows that the silent one before it was let in.
    let hasty = knock(&host).await;
    drop(hasty);
    assert_dropped(&host.refusal().await, "it hung up");
    drop(host);
    assert_gone(silent).await;
}

/// Dials a server of another kind, and gives the error.
async fn dial_server_that_says(
    transport: &TcpTransport,
    words: &[u8],
) -> actor_cluster::transport::TransportError {
    let server = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = Address::new(transport.scheme(), &server.local_addr().unwrap().to_string()).unwrap();
    let serving = async {
        let (mut socket, _) = server.accept().await.unwrap();
        socket.write_all(words).await.unwrap();
        socket.shutdown().await.unwrap();
        // Reads on, so that no reset overtakes the words.
        let _ = socket.read_to_end(&mut Vec::new()).await;
    };
    guarded(async { refused(tokio::join!(transport.dial(&address), serving).0) }).await
}

/// The other side has closed the socket.
async fn assert_gone(mut socket: TcpStream) {
    let mut heard = Vec::new();
    // An end or a reset; either way there is nobody left.
    let _ = guarded(socket.read_to_end(&mut heard)).await;
}
