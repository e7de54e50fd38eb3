//! What the tests share: an authority, its nodes, and the words to let them
//! meet.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use actor_cluster::transport::{
    Address, ClusterBidiStream, Connection, LaneSet, Listener, Transport, TransportError,
};
use tokio::net::{TcpSocket, TcpStream};
use transport_tcp::{DevCa, NodeCredentials, TcpConfig, TcpTransport};

/// Any port of this machine, over IPv4.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A test that waits longer than this hangs.
const HANG: Duration = Duration::from_secs(60);

/// Turns a wait without end into a failure.
pub(crate) async fn guarded<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, wait).await.expect("the test hangs")
}

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

/// A listener and where it is.
pub(crate) struct Host {
    pub(crate) listener: Box<dyn Listener>,
    pub(crate) address: Address,
}

impl Host {
    pub(crate) async fn start(transport: &TcpTransport) -> Self {
        let listener = transport.listen().await.unwrap();
        let address = listener.addresses().remove(0);
        Self { listener, address }
    }

    /// A bare TCP connection to the listener.
    pub(crate) async fn knock(&self) -> TcpStream {
        TcpStream::connect(self.address.rest()).await.unwrap()
    }

    /// A bare TCP connection from another address of this machine's, by its last number.
    pub(crate) async fn knock_from(&self, number: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, number], 0))).unwrap();
        socket.connect(self.address.rest().parse().unwrap()).await.unwrap()
    }

    /// The same host and port, for a transport of the other kind.
    pub(crate) fn address_for(&self, transport: &TcpTransport) -> Address {
        Address::new(transport.scheme(), self.address.rest()).unwrap()
    }

    /// Dials and accepts at once.
    pub(crate) async fn meet(
        &mut self,
        dialler: &TcpTransport,
    ) -> (Result<Box<dyn Connection>, TransportError>, Result<Box<dyn Connection>, TransportError>) {
        let address = self.address_for(dialler);
        guarded(async { tokio::join!(dialler.dial(&address), self.listener.accept()) }).await
    }

    /// Dials, accepts, and gives both ends of the stream.
    pub(crate) async fn connect(
        &mut self,
        dialler: &TcpTransport,
    ) -> (Box<dyn ClusterBidiStream>, Box<dyn ClusterBidiStream>) {
        let (near, far) = self.meet(dialler).await;
        (near.unwrap().open(LaneSet::ALL).await.unwrap(), far.unwrap().accept().await.unwrap())
    }

    /// Waits for somebody who does not get in, and says why.
    pub(crate) async fn refusal(&mut self) -> TransportError {
        refused(guarded(self.listener.accept()).await)
    }
}

/// The error of a connection that must not come to be.
pub(crate) fn refused(outcome: Result<Box<dyn Connection>, TransportError>) -> TransportError {
    match outcome {
        Ok(connection) => panic!("{} got through", connection.label()),
        Err(error) => error,
    }
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
