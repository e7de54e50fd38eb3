//! The transport over WebSocket: the contract that every transport keeps, and what is its own.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use actor_cluster::testing::transport_suite::{Harness, Node};
use actor_cluster::transport::{
    Address, CloseCode, CloseReason, ClusterBidiStream, LaneSet, Listener, PeerIdentity, Transport,
    TransportError,
};
use examples::websocket::{
    HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX, MESSAGE_BYTES_MAX, PROTOCOL, SCHEME, WsTransport,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

mod suite {
    actor_cluster::transport_suite!(super::Loopback);
}

/// Nodes on this machine. Ports that are bound and not listened on are kept, so that nobody else gets them.
struct Loopback(Vec<TcpSocket>);

impl Harness for Loopback {
    const HAS_CHANNEL_BINDING: bool = false;
    const MALFORMED: &'static [&'static str] =
        &["host", "host:0", "host:65536", ":80", "::1:80", "a/b:80", "a@b:80"];

    async fn new() -> Self {
        Self(Vec::new())
    }

    async fn node(&mut self) -> Node {
        node(ANY_PORT)
    }

    async fn again(&mut self, _node: Node, address: &Address) -> Node {
        node(address.rest().parse().unwrap())
    }

    async fn nobody(&mut self) -> Address {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(ANY_PORT).unwrap();
        let address = address(socket.local_addr().unwrap());
        self.0.push(socket);
        address
    }

    async fn silent_peer(&mut self, address: &Address) -> Option<Box<dyn Any>> {
        Some(Box::new(TcpStream::connect(address.rest()).await.unwrap()))
    }

    async fn silent_host(&mut self, _node: &Node) -> Option<(Address, Box<dyn Any>)> {
        let host = std::net::TcpListener::bind(ANY_PORT).unwrap();
        Some((address(host.local_addr().unwrap()), Box::new(host)))
    }

    /// A web server's client.
    async fn bad_peer(&mut self, address: &Address) -> bool {
        let mut socket = TcpStream::connect(address.rest()).await.unwrap();
        let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
        true
    }
}

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn node(address: SocketAddr) -> Node {
    Node { transport: Box::new(WsTransport::listening_on(address)), identity: PeerIdentity::Anonymous }
}

fn address(place: SocketAddr) -> Address {
    Address::new(SCHEME, &place.to_string()).unwrap()
}

/// A listener, and where it is.
async fn listening() -> (Box<dyn Listener>, Address) {
    let listener = WsTransport::listening_on(ANY_PORT).listen().await.unwrap();
    let address = listener.addresses().remove(0);
    (listener, address)
}

/// A WebSocket of somebody else's making that is let in, and our stream to it.
async fn foreign_peer() -> (WebSocketStream<TcpStream>, Box<dyn ClusterBidiStream>) {
    let (mut listener, address) = listening().await;
    let (theirs, ours) =
        tokio::join!(ask(&address, &[("Sec-WebSocket-Protocol", PROTOCOL)]), listener.accept());
    (theirs.unwrap(), ours.unwrap().accept().await.unwrap())
}

/// Asks for a WebSocket with these headers.
async fn ask(
    address: &Address,
    headers: &[(&'static str, &'static str)],
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = address.as_str().into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let socket = TcpStream::connect(address.rest()).await.unwrap();
    client_async(request, socket).await.map(|(socket, _answer)| socket)
}

/// What the next read fails with.
async fn reason_of_the_end(stream: &mut Box<dyn ClusterBidiStream>) -> CloseReason {
    let error = stream.read_u8().await.unwrap_err();
    CloseReason::of(&error).unwrap_or_else(|| panic!("{error}")).clone()
}

#[tokio::test]
async fn a_close_frame_carries_the_reason() {
    let (mut listener, address) = listening().await;
    let dialler = WsTransport::dialling_only();
    let (near, far) = tokio::join!(dialler.dial(&address), listener.accept());
    let mut stream = near.unwrap().open(LaneSet::ALL).await.unwrap();
    let detail = "ä".repeat(100);
    far.unwrap().close(&CloseReason::new(CloseCode::Refused, detail.clone()));
    let reason = reason_of_the_end(&mut stream).await;
    assert_eq!(reason.code, CloseCode::Refused);
    // As much as a close frame has room for, and no half of a letter.
    assert_eq!(reason.detail(), &detail[..122]);
}

#[tokio::test]
async fn what_is_no_bytes_ends_the_connection() {
    let too_long = vec![0; MESSAGE_BYTES_MAX + 1];
    for message in [Message::text("hello"), Message::binary(too_long)] {
        let (mut theirs, mut ours) = foreign_peer().await;
        theirs.send(message).await.unwrap();
        assert_eq!(reason_of_the_end(&mut ours).await.code, CloseCode::Violation);
        assert!(ours.write_all(b"more").await.is_err());
    }
}

/// A stream has ended where its peer said so, and nowhere else.
#[tokio::test]
async fn a_connection_that_breaks_is_no_end() {
    let (mut theirs, mut ours) = foreign_peer().await;
    theirs.send(Message::binary(&b"half a wo"[..])).await.unwrap();
    drop(theirs);
    let mut read = Vec::new();
    let error = ours.read_to_end(&mut read).await.unwrap_err();
    assert_eq!((CloseReason::of(&error).unwrap().code, &read[..]), (CloseCode::Lost, &b"half a wo"[..]));
}

#[tokio::test]
async fn pings_are_answered_and_are_no_bytes() {
    let (mut theirs, mut ours) = foreign_peer().await;
    theirs.send(Message::Ping(vec![1, 2].into())).await.unwrap();
    theirs.send(Message::binary(&b"x"[..])).await.unwrap();
    assert_eq!(ours.read_u8().await.unwrap(), b'x');
    assert_eq!(theirs.next().await.unwrap().unwrap(), Message::Pong(vec![1, 2].into()));
}

/// Writes of nothing are not the end, which is an empty message.
#[tokio::test]
async fn nothing_written_is_nothing_said() {
    let (mut theirs, mut ours) = foreign_peer().await;
    assert_eq!(ours.write(b"").await.unwrap(), 0);
    ours.write_all(b"x").await.unwrap();
    ours.shutdown().await.unwrap();
    let said = [theirs.next().await.unwrap().unwrap(), theirs.next().await.unwrap().unwrap()];
    assert_eq!(said, [Message::binary(&b"x"[..]), Message::binary(&b""[..])]);
}

#[tokio::test]
async fn browsers_and_other_services_peers_are_refused() {
    let (mut listener, address) = listening().await;
    let page = ("Origin", "http://example.com");
    for headers in
        [&[][..], &[("Sec-WebSocket-Protocol", "chat")], &[("Sec-WebSocket-Protocol", PROTOCOL), page]]
    {
        let (theirs, ours) = tokio::join!(ask(&address, headers), listener.accept());
        assert!(matches!(theirs, Err(Error::Http(_))), "{headers:?}");
        assert!(matches!(ours, Err(TransportError::Handshake { .. })), "{headers:?}");
    }
}

/// Its time passes as soon as nothing else does.
#[tokio::test(start_paused = true)]
async fn a_handshake_has_a_deadline_and_their_number_is_capped() {
    let (mut listener, address) = listening().await;
    let mut silent = Vec::new();
    // So many addresses take all places, and one more has none.
    let addresses = u8::try_from(HANDSHAKES_MAX / HANDSHAKES_PER_ADDRESS_MAX).unwrap() + 1;
    for machine in 1..=addresses {
        for _ in 0..=HANDSHAKES_PER_ADDRESS_MAX {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, machine], 0).into()).unwrap();
            silent.push(socket.connect(address.rest().parse().unwrap()).await.unwrap());
        }
    }
    let mut refused = BTreeMap::new();
    for _ in &silent {
        match listener.accept().await {
            Err(TransportError::Handshake { detail, .. }) => *refused.entry(detail).or_default() += 1,
            Ok(connection) => panic!("{} said nothing and got in", connection.label()),
            Err(error) => panic!("{error}"),
        }
    }
    let of_one =
        format!("more than {HANDSHAKES_PER_ADDRESS_MAX} peers from its address are at their handshake");
    let of_all = format!("more than {HANDSHAKES_MAX} peers are at their handshake");
    let expected = [
        // The last of the last address that has places finds none for anybody.
        (of_one, usize::from(addresses) - 2),
        (of_all, 1 + HANDSHAKES_PER_ADDRESS_MAX + 1),
        ("it was too slow".to_owned(), HANDSHAKES_MAX),
    ];
    assert_eq!(refused, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_connection_has_its_place_until_it_ends() {
    let host = WsTransport::listening_on(ANY_PORT).connections_max(1);
    let mut listener = host.listen().await.unwrap();
    let address = listener.addresses().remove(0);
    let dialler = WsTransport::dialling_only();
    let (near, far) = tokio::join!(dialler.dial(&address), listener.accept());
    let (refused, reported) = tokio::join!(dialler.dial(&address), listener.accept());
    assert!(matches!(refused, Err(TransportError::Handshake { .. })));
    assert!(reported.is_err_and(|error| error.to_string().contains("there are more than 1 connections")));
    far.unwrap().close(&CloseCode::Done.into());
    let (again, accepted) = tokio::join!(dialler.dial(&address), listener.accept());
    assert!(again.is_ok() && accepted.is_ok());
    drop(near);
}
