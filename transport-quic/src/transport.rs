//! The transport itself: what was configured, put to use.

use std::fmt;
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::transport::net::Listen;
use actor_cluster::transport::{Address, Connection, LaneSet, Listener, Transport, TransportError};
use async_trait::async_trait;
use transport_tls::TlsContext;

use crate::config::QuicConfig;
use crate::dialer;
use crate::endpoints::Endpoints;
use crate::listener::QuicListener;
use crate::settings::Settings;

/// The scheme of this transport's addresses.
pub const SCHEME: &str = "quic";

/// Connects nodes over QUIC, with TLS 1.3 and certificates on both sides. Clones share it.
///
/// The [crate's page](crate) has an example. Connections live on a tokio runtime, the one on which they were
/// dialled or accepted.
#[derive(Clone)]
pub struct QuicTransport {
    node: Arc<Node>,
}

/// What the transport, its listener and its dials have in common.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) endpoints: Endpoints,
    pub(crate) listen: Listen,
}

impl QuicTransport {
    /// Starts to configure a transport.
    pub fn builder() -> QuicConfig {
        QuicConfig::new()
    }

    pub(crate) fn new(settings: Settings, listen: Listen) -> Self {
        Self { node: Arc::new(Node { settings, endpoints: Endpoints::default(), listen }) }
    }

    #[cfg(test)]
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The node that the credentials are for: who this node is to its peers.
    pub fn node_id(&self) -> NodeId {
        self.tls().node_id()
    }

    /// What the node proves itself with and whom it believes, to replace either.
    pub fn tls(&self) -> &TlsContext {
        &self.node.settings.context
    }

    /// Closes the transport: the listener ends, dials fail, and every connection is closed as
    /// [`Shutdown`](actor_cluster::transport::CloseCode::Shutdown), after streams that were shut down and dropped
    /// have had [`LINGER`](crate::limits::LINGER) to deliver what was written to them. Then waits until the peers
    /// know. Ports are free once the listener and all connections are dropped, too.
    ///
    /// Without it, connections that are in nobody's hands end by themselves, but a process that ends at once may
    /// not have told the peers: they find out by silence.
    ///
    /// Closing twice does nothing. Whoever gives up the wait before the connections are closed may call it again.
    ///
    /// # Errors
    ///
    /// [`TransportError::Io`] where some peer has not acknowledged the end within
    /// [`CLOSE_DEADLINE`](crate::limits::CLOSE_DEADLINE). The transport is closed all the same.
    pub async fn close(&self) -> Result<(), TransportError> {
        self.node.endpoints.close().await
    }
}

impl fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { context, limits, connections, .. } = &self.node.settings;
        f.debug_struct("QuicTransport")
            .field("tls", context)
            .field("listen", &self.node.listen)
            .field("connections", connections)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for QuicTransport {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn streams(&self) -> &[LaneSet] {
        &self.node.settings.streams
    }

    fn is_listening(&self) -> bool {
        !self.node.listen.sockets().is_empty()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        if !self.is_listening() {
            return Err(TransportError::Config("this transport has no address to listen on".into()));
        }
        Ok(Box::new(QuicListener::open(self.node.clone())?))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        Ok(Box::new(dialer::dial(&self.node, address).await?))
    }
}
