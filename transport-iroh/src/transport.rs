//! The transport itself: its public face.

use std::fmt;
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::transport::{Address, Connection, LaneSet, Listener, Transport, TransportError};
use async_trait::async_trait;
use iroh::Endpoint;
use iroh::protocol::IncomingFilter;

use crate::allow_list::AllowList;
use crate::config::IrohBuilder;
use crate::connection::STREAMS;
use crate::dialer;
use crate::host::Host;
use crate::listener::IrohListener;
use crate::protocol::{self, ClusterProtocol};

/// The scheme of this transport's addresses.
pub const SCHEME: &str = "iroh";

/// A node's Iroh endpoint as a transport of the cluster. Clones share it.
///
/// [`close`](Self::close) it in the end. Should everything that uses the endpoint
/// be dropped instead (the transport, its listener, its connections and their
/// streams), it is closed in the background, and its port is free some time
/// later.
#[derive(Clone)]
pub struct IrohTransport {
    host: Arc<Host>,
}

impl IrohTransport {
    /// What must be said before there can be a transport.
    pub fn builder() -> IrohBuilder {
        IrohBuilder::new()
    }

    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host }
    }

    #[cfg(test)]
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// This node's identity: its Iroh endpoint id.
    pub fn node_id(&self) -> NodeId {
        self.host.node
    }

    /// The Iroh endpoint below, for its statistics, its relays and its lookup
    /// services. `None` once the transport is closed.
    ///
    /// The endpoint keeps its port as long as somebody holds it. Connections that
    /// come in are the transport's, unless it was [attached](IrohBuilder::attach): do not call
    /// [`Endpoint::accept`].
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.host.endpoint().ok()
    }

    /// Who may come in and be dialled; it can be changed at any time.
    pub fn allow_list(&self) -> &AllowList {
        &self.host.peers
    }

    /// Puts a peer on the [list](Self::allow_list): from now on it may come in and be dialled.
    pub fn allow(&self, peer: NodeId) {
        self.host.peers.allow(peer);
    }

    /// Takes a peer off the [list](Self::allow_list), and closes the connections to it as
    /// [`CloseCode::Refused`](actor_cluster::transport::CloseCode::Refused).
    pub fn revoke(&self, peer: NodeId) {
        self.host.peers.revoke(peer);
    }

    /// What a router takes in [this protocol](crate::ALPN) with, on an endpoint of the caller's: see
    /// [`IrohBuilder::attach`].
    pub fn protocol(&self) -> ClusterProtocol {
        ClusterProtocol::new(&self.host)
    }

    /// For [`RouterBuilder::incoming_filter`](iroh::protocol::RouterBuilder::incoming_filter) of a router that has
    /// [`protocol`](Self::protocol): once half of the places for handshakes are taken, whoever comes must prove its
    /// address first. It is asked before it is known which protocol somebody speaks, so that is so for all of the
    /// router's.
    pub fn incoming_filter(&self) -> IncomingFilter {
        protocol::incoming_filter(&self.host)
    }

    /// Closes the endpoint, if it is the transport's own: the listener ends, dials fail, and every connection is
    /// closed as [`CloseCode::Shutdown`](actor_cluster::transport::CloseCode::Shutdown), after streams that were
    /// dropped have had [`LINGER`](crate::limits::LINGER) to deliver what was written to them. Then waits until no
    /// task is left and the ports are free. Peers that do not acknowledge the end, and handshakes that stall, make
    /// this take some 3 s. An endpoint of the caller's stays open; what is closed are the cluster's connections.
    ///
    /// Whoever holds a connection, a stream or a clone of the endpoint also holds
    /// the port. Connections and streams are waited for; they see their end at
    /// their next read or write.
    ///
    /// Closing twice does nothing, and giving up the wait does not stop it.
    ///
    /// # Errors
    ///
    /// [`TransportError::Io`] where connections or streams are still held after
    /// [`CLOSE_DEADLINE`](crate::limits::CLOSE_DEADLINE). The transport is closed
    /// all the same, and the port is free once they are dropped.
    pub async fn close(&self) -> Result<(), TransportError> {
        self.host.close().await
    }
}

impl fmt::Debug for IrohTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohTransport")
            .field("node", &self.host.node)
            .field("peers", &self.host.peers)
            .field("connections", &self.host.registry.held.count())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for IrohTransport {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn streams(&self) -> &[LaneSet] {
        &STREAMS
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(IrohListener::open(self.host.clone())?))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        Ok(Box::new(dialer::dial(&self.host, address).await?))
    }
}
