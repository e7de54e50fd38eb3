//! What the tests share: an authority, its nodes, and the words to let them
//! meet.

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};
pub(crate) use transport_tcp::tls::testing::meeting::*;
use transport_tcp::{DevCa, NodeCredentials, TcpConfig, TcpTransport};

/// Settings of a node that listens on any port and believes its own authority.
pub(crate) fn config(node: &NodeCredentials) -> TcpConfig {
    settings(node).listen(ANY_PORT)
}

/// Settings of a node that only dials.
pub(crate) fn settings(node: &NodeCredentials) -> TcpConfig {
    TcpTransport::builder().credentials(node.credentials().unwrap()).authorities(node.authorities().unwrap())
}

/// A node of the authority, ready to go.
pub(crate) fn node_of(ca: &DevCa, name: &str) -> TcpTransport {
    config(&ca.node(name).unwrap()).build().unwrap()
}

/// A node without TLS.
pub(crate) fn plaintext() -> TcpTransport {
    TcpTransport::builder().listen(ANY_PORT).danger_plaintext().build().unwrap()
}

/// A bare TCP connection to the listener.
pub(crate) async fn knock(host: &Host) -> TcpStream {
    TcpStream::connect(host.address.rest()).await.unwrap()
}

/// A bare TCP connection from another address of this machine's, by its last number.
pub(crate) async fn knock_from(host: &Host, number: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, number], 0))).unwrap();
    socket.connect(host.address.rest().parse().unwrap()).await.unwrap()
}
