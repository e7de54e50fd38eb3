//! Nodes of this machine that meet or do not, and the few words that tests of transports over TLS are written in.
//! Must not live here: what is tested.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use actor_cluster::transport::{
    Address, ClusterBidiStream, Connection, LaneSet, Listener, Transport, TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Any port of this machine, over IPv4.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A test that waits longer than this hangs. Generous, because a loaded machine is not a defect.
const HANG: Duration = Duration::from_secs(60);

/// Turns a wait without end into a failure.
pub async fn guarded<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, wait).await.expect("the test hangs")
}

/// What a dial or a listener comes to.
pub type Met = Result<Box<dyn Connection>, TransportError>;

/// A listener and where it is.
pub struct Host {
    /// Whoever comes is accepted here.
    pub listener: Box<dyn Listener>,
    /// Where [`connect`](Self::connect) and [`meet`](Self::meet) dial.
    pub address: Address,
}

impl Host {
    /// Has a transport listen; of several addresses, the first is dialled.
    pub async fn start(transport: &(impl Transport + ?Sized)) -> Self {
        let listener = transport.listen().await.expect("listen");
        let address = listener.addresses().remove(0);
        Self { listener, address }
    }

    /// Dials and accepts at once.
    pub async fn meet(&mut self, dialler: &(impl Transport + ?Sized)) -> (Met, Met) {
        guarded(async { tokio::join!(dialler.dial(&self.address), self.listener.accept()) }).await
    }

    /// Dials, accepts, and gives both ends of the first stream.
    pub async fn connect(&mut self, dialler: &(impl Transport + ?Sized)) -> Ends {
        let (near, far) = self.meet(dialler).await;
        Ends::open(near.expect("dial"), far.expect("accept"), dialler.streams()[0]).await
    }

    /// Waits for somebody who does not get in, and says why.
    pub async fn refusal(&mut self) -> TransportError {
        refused(guarded(self.listener.accept()).await)
    }
}

/// Both ends of a connection, and of a stream on it. The dialler's are the near ones.
pub struct Ends {
    /// The dialler's end of the stream.
    pub near: Box<dyn ClusterBidiStream>,
    /// The host's end of the stream.
    pub far: Box<dyn ClusterBidiStream>,
    /// The dialler's end of the connection.
    pub near_connection: Box<dyn Connection>,
    /// The host's end of the connection.
    pub far_connection: Box<dyn Connection>,
}

impl Ends {
    /// Opens a stream and accepts it.
    pub async fn open(near: Box<dyn Connection>, far: Box<dyn Connection>, lanes: LaneSet) -> Self {
        let (near_connection, far_connection) = (near, far);
        let opening = async { tokio::join!(near_connection.open(lanes), far_connection.accept()) };
        let (near, far) = guarded(opening).await;
        Self { near: near.expect("open"), far: far.expect("accept"), near_connection, far_connection }
    }

    /// Something crosses from the dialler to the host.
    pub async fn talk(&mut self) {
        self.near.write_all(b"still there?").await.expect("write");
        self.near.flush().await.expect("flush");
        let mut heard = [0; 12];
        guarded(self.far.read_exact(&mut heard)).await.expect("read");
        assert_eq!(&heard, b"still there?");
    }
}

/// The error of a connection that must not come to be.
pub fn refused(outcome: Met) -> TransportError {
    match outcome {
        Ok(connection) => panic!("{} got through", connection.label()),
        Err(error) => error,
    }
}

/// The error is about trust and says this.
#[track_caller]
pub fn assert_untrusted(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Untrusted { .. }), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}

/// The error is about a handshake that was not finished and says this.
#[track_caller]
pub fn assert_dropped(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Handshake { .. }), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}

/// The error is about settings and says this.
#[track_caller]
pub fn assert_config(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Config(_)), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}
