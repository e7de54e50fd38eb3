//! The suite's nodes, and what becomes of those that must not get in.

use std::future::Future;
use std::io;

use actor_cluster::transport::{Address, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Harness;
use crate::testing::meeting::{ANY_PORT, Host, guarded};
use crate::{Authorities, Credentials, DevCa, NodeCredentials, TlsContext};

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
        Self { transport: Self::transport::<H>(&tls), tls }
    }

    /// A transport that listens on any port of this machine.
    pub(super) fn transport<H: Harness>(tls: &TlsContext) -> Box<dyn Transport> {
        H::build(tls, &[ANY_PORT], &[]).expect("a transport")
    }

    pub(super) async fn listen(&self) -> Host {
        Host::start(&*self.transport).await
    }

    /// Dials a host that does not believe this node, goes on talking as long as it can, and gives what it learns.
    async fn learn_why(&self, address: &Address) -> TransportError {
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

/// A node that must not get in: what it learns, and what the host says.
pub(super) async fn refuse(host: &mut Host, dialler: &Node) -> (TransportError, TransportError) {
    let address = host.address.clone();
    guarded(async { tokio::join!(dialler.learn_why(&address), host.refusal()) }).await
}

/// A bare client that must not get in: what it is told, and what the host says.
pub(super) async fn refuse_bare<C: Future<Output = String>>(
    host: &mut Host,
    client: impl FnOnce(Address) -> C,
) -> (String, TransportError) {
    let client = client(host.address.clone());
    guarded(async { tokio::join!(client, host.refusal()) }).await
}

/// What the node proves itself with.
pub(super) fn credentials(node: &NodeCredentials) -> Credentials {
    node.credentials().expect("credentials")
}
