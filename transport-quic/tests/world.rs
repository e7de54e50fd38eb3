//! What the tests share: an authority, its nodes, and the words to let them
//! meet.

use std::net::{Ipv4Addr, SocketAddr};

use actor_cluster::transport::{Address, Transport};
use tokio::net::UdpSocket;
pub(crate) use transport_quic::tls::testing::meeting::*;
use transport_quic::{DevCa, NodeCredentials, QuicConfig, QuicTransport};

/// The longest datagram there is.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Settings of a node that listens on any port and believes its own authority.
pub(crate) fn config(node: &NodeCredentials) -> QuicConfig {
    settings(node).listen(ANY_PORT)
}

/// Settings of a node that only dials.
pub(crate) fn settings(node: &NodeCredentials) -> QuicConfig {
    QuicTransport::builder().credentials(node.credentials().unwrap()).authorities(node.authorities().unwrap())
}

/// A node of the authority, ready to go.
pub(crate) fn node_of(ca: &DevCa, name: &str) -> QuicTransport {
    config(&ca.node(name).unwrap()).build().unwrap()
}

/// The first datagram of somebody who dials, who is gone by now.
pub(crate) async fn first_datagram() -> Vec<u8> {
    let ear = UdpSocket::bind(ANY_PORT).await.unwrap();
    let address = Address::new("quic", &ear.local_addr().unwrap().to_string()).unwrap();
    let stranger = node_of(&DevCa::new().unwrap(), "stranger");
    let dialling = tokio::spawn(async move { stranger.dial(&address).await.map(drop) });
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    let (bytes, _) = guarded(ear.recv_from(&mut datagram)).await.unwrap();
    dialling.abort();
    datagram.truncate(bytes);
    datagram
}

/// Somebody who begins a handshake and says no more. Also a port of this machine that nobody else gets.
pub(crate) async fn knock(address: &Address) -> UdpSocket {
    knock_from(address, Ipv4Addr::LOCALHOST).await
}

/// The same, from another address of this machine.
pub(crate) async fn knock_from(address: &Address, from: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::from((from, 0))).await.unwrap();
    socket.connect(address.rest()).await.unwrap();
    socket.send(&first_datagram().await).await.unwrap();
    socket
}
