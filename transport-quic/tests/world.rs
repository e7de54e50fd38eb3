//! What the tests share: an authority, its nodes, and the words to let them
//! meet.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use actor_cluster::transport::{
    Address, ClusterBidiStream, Connection, LaneSet, Listener, Transport, TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use transport_quic::{DevCa, NodeCredentials, QuicConfig, QuicTransport};

/// Any port of this machine, over IPv4.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A test that waits longer than this hangs.
const HANG: Duration = Duration::from_secs(60);

/// The longest datagram there is.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Turns a wait without end into a failure.
pub(crate) async fn guarded<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, wait).await.expect("the test hangs")
}

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

/// A listener and where it is.
pub(crate) struct Host {
    pub(crate) listener: Box<dyn Listener>,
    pub(crate) address: Address,
}

impl Host {
    pub(crate) async fn start(transport: &QuicTransport) -> Self {
        let listener = transport.listen().await.unwrap();
        let address = listener.addresses().remove(0);
        Self { listener, address }
    }

    /// Dials and accepts at once.
    pub(crate) async fn meet(
        &mut self,
        dialler: &QuicTransport,
    ) -> (Result<Box<dyn Connection>, TransportError>, Result<Box<dyn Connection>, TransportError>) {
        guarded(async { tokio::join!(dialler.dial(&self.address), self.listener.accept()) }).await
    }

    /// Dials, accepts, and gives both ends of a stream.
    pub(crate) async fn connect(&mut self, dialler: &QuicTransport) -> Ends {
        let (near, far) = self.meet(dialler).await;
        Ends::open(near.unwrap(), far.unwrap(), LaneSet::CONTROL).await
    }

    /// Waits for somebody who does not get in, and says why.
    pub(crate) async fn refusal(&mut self) -> TransportError {
        refused(guarded(self.listener.accept()).await)
    }
}

/// Both ends of a connection, and of a stream on it.
pub(crate) struct Ends {
    pub(crate) near: Box<dyn ClusterBidiStream>,
    pub(crate) far: Box<dyn ClusterBidiStream>,
    pub(crate) near_connection: Box<dyn Connection>,
    pub(crate) far_connection: Box<dyn Connection>,
}

impl Ends {
    pub(crate) async fn open(near: Box<dyn Connection>, far: Box<dyn Connection>, lanes: LaneSet) -> Self {
        let (near_connection, far_connection) = (near, far);
        let opened = async { tokio::join!(near_connection.open(lanes), far_connection.accept()) };
        let (near, far) = guarded(opened).await;
        Self { near: near.unwrap(), far: far.unwrap(), near_connection, far_connection }
    }

    pub(crate) async fn talk(&mut self) {
        self.near.write_all(b"still there?").await.unwrap();
        let mut heard = [0; 12];
        guarded(self.far.read_exact(&mut heard)).await.unwrap();
        assert_eq!(&heard, b"still there?");
    }
}

/// The error of a connection that must not come to be.
pub(crate) fn refused(outcome: Result<Box<dyn Connection>, TransportError>) -> TransportError {
    match outcome {
        Ok(connection) => panic!("{} got through", connection.label()),
        Err(error) => error,
    }
}

/// The error is about trust and says this.
#[track_caller]
pub(crate) fn assert_untrusted(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Untrusted { .. }), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}

/// The error is about a handshake that was not finished and says this.
#[track_caller]
pub(crate) fn assert_dropped(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Handshake { .. }), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}

/// The error is about settings and says this.
#[track_caller]
pub(crate) fn assert_config(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Config(_)), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}
