//! Two nodes that meet or do not, and the few words that the suite's cases are written in.

use std::future::Future;
use std::io;
use std::time::Duration;

use actor_cluster::transport::{Address, ClusterBidiStream, Connection, Listener, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::trust_suite::Harness;
use crate::{Authorities, Credentials, DevCa, NodeCredentials, TlsContext};

/// A case that waits longer than this hangs. Generous, because a loaded machine is not a defect.
const HANG: Duration = Duration::from_secs(60);

/// Turns a wait without end into a failure.
pub(super) async fn guarded<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, wait).await.expect("the case hangs")
}

/// A node of this authority.
pub(super) fn node_of<H: Harness>(ca: &DevCa, name: &str) -> Node {
    Node::with::<H>(&ca.node(name).expect("a certificate"))
}

/// A node that can dial and listen.
pub(super) struct Node {
    pub(super) tls: TlsContext,
    pub(super) transport: Box<dyn Transport>,
}

impl Node {
    /// Proves itself with this, and believes its own authority.
    pub(super) fn with<H: Harness>(node: &NodeCredentials) -> Self {
        Self::of::<H>(credentials(node), node.authorities().expect("an authority"))
    }

    pub(super) fn of<H: Harness>(credentials: Credentials, authorities: Authorities) -> Self {
        let tls = TlsContext::new(credentials, authorities).expect("a context");
        Self { transport: H::transport(&tls), tls }
    }

    pub(super) async fn listen(&self) -> Host {
        let listener = self.transport.listen().await.expect("listen");
        let address = listener.addresses().remove(0);
        Host { listener, address }
    }

    /// Dials a host that does not believe this node, goes on talking as long as it can, and gives what it learns.
    pub(super) async fn learn_why(&self, address: &Address) -> TransportError {
        let connection = match self.transport.dial(address).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        // In TLS 1.3 a dialler is done before the host has seen its certificate, so there may be a connection.
        let mut stream = connection.open(self.transport.streams()[0]).await.expect("open");
        for _ in 0..8 {
            stream.write_all(&[7; 4 << 10]).await.expect("write");
            stream.flush().await.expect("flush");
            tokio::task::yield_now().await;
        }
        let error = stream.read(&mut [0; 16]).await.expect_err("the host does not believe this node");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        let inside = error.into_inner().and_then(|inside| inside.downcast().ok());
        *inside.expect("a transport's error inside")
    }
}

/// A listener and where it is.
pub(super) struct Host {
    listener: Box<dyn Listener>,
    pub(super) address: Address,
}

impl Host {
    /// Lets both meet, and gives both ends of a stream.
    pub(super) async fn connect(&mut self, dialler: &Node) -> Ends {
        let meeting = async { tokio::join!(dialler.transport.dial(&self.address), self.listener.accept()) };
        let (near, far) = guarded(meeting).await;
        let (near, far) = (near.expect("dial"), far.expect("accept"));
        let opening = async { tokio::join!(near.open(dialler.transport.streams()[0]), far.accept()) };
        let (near_stream, far_stream) = guarded(opening).await;
        let (near_stream, far_stream) = (near_stream.expect("open"), far_stream.expect("accept"));
        Ends { near: near_stream, far: far_stream, _connections: [near, far] }
    }

    /// A node that must not get in: what it learns, and what the host says.
    pub(super) async fn refuse(&mut self, dialler: &Node) -> (TransportError, TransportError) {
        let address = self.address.clone();
        guarded(async { tokio::join!(dialler.learn_why(&address), self.refusal()) }).await
    }

    /// A bare client that must not get in: what it is told, and what the host says.
    pub(super) async fn refuse_bare(
        &mut self,
        client: impl Future<Output = String>,
    ) -> (String, TransportError) {
        guarded(async { tokio::join!(client, self.refusal()) }).await
    }

    async fn refusal(&mut self) -> TransportError {
        match self.listener.accept().await {
            Ok(connection) => panic!("{} got through", connection.label()),
            Err(error) => error,
        }
    }
}

/// Both ends of a stream; the dialler's is the near one.
pub(super) struct Ends {
    pub(super) near: Box<dyn ClusterBidiStream>,
    pub(super) far: Box<dyn ClusterBidiStream>,
    _connections: [Box<dyn Connection>; 2],
}

impl Ends {
    pub(super) async fn talk(&mut self) {
        self.near.write_all(b"still there?").await.expect("write");
        self.near.flush().await.expect("flush");
        let mut heard = [0; 12];
        guarded(self.far.read_exact(&mut heard)).await.expect("read");
        assert_eq!(&heard, b"still there?");
    }
}

/// What the node proves itself with.
pub(super) fn credentials(node: &NodeCredentials) -> Credentials {
    node.credentials().expect("credentials")
}

/// The error is about trust and says this.
#[track_caller]
pub(super) fn assert_untrusted(error: &TransportError, detail: &str) {
    assert!(matches!(error, TransportError::Untrusted { .. }), "{error:?}");
    assert!(error.to_string().contains(detail), "{error}");
}
