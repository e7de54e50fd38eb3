//! The transport itself: what was configured, put to use.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::transport::net::{HostPort, Listen};
use actor_cluster::transport::{Address, Connection, Listener, Transport, TransportError};
use async_trait::async_trait;
use transport_tls::{TlsContext, server_name};

use crate::config::TcpConfig;
use crate::connection::{Io, Role, SocketConnection};
use crate::dialer;
use crate::handshake::Security;
use crate::limits::TcpLimits;
use crate::listener::{Intake, TcpDoor};
use crate::socket;

/// Connects nodes over TCP, with TLS 1.3 and certificates on both sides.
///
/// The [crate's page](crate) has an example.
pub struct TcpTransport {
    pub(crate) security: Arc<Security>,
    pub(crate) listen: Listen,
    pub(crate) limits: TcpLimits,
}

impl TcpTransport {
    /// Starts to configure a transport.
    pub fn builder() -> TcpConfig {
        TcpConfig::default()
    }

    /// The node that the credentials are for: who this node is to its peers.
    /// `None` for a plaintext transport, which is nobody in particular.
    pub fn node_id(&self) -> Option<NodeId> {
        self.tls().map(TlsContext::node_id)
    }

    /// What the node proves itself with and whom it believes, to replace either. `None` for a
    /// plaintext transport.
    pub fn tls(&self) -> Option<&TlsContext> {
        self.security.tls()
    }
}

#[async_trait]
impl Transport for TcpTransport {
    fn scheme(&self) -> &str {
        self.security.scheme()
    }

    fn is_listening(&self) -> bool {
        !self.listen.sockets().is_empty()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        let (mut sockets, mut bound) = (Vec::new(), Vec::new());
        for address in wanted(&self.listen)? {
            let socket = socket::listen(*address).map_err(|source| not_bound(*address, source))?;
            bound.push(socket.local_addr().map_err(|source| not_bound(*address, source))?);
            sockets.push(socket);
        }
        let addresses = reached(&self.listen, &bound, self.scheme())?;
        let door = TcpDoor::new(sockets, self.security.clone());
        Ok(Box::new(Intake::new(door, addresses, &self.limits)))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let target = HostPort::of(address, self.scheme())?;
        let unreachable = |source| TransportError::Unreachable { address: address.to_string(), source };
        let socket = dialer::connect(&target).await.map_err(unreachable)?;
        let connected = socket.peer_addr().map_err(unreachable)?.ip();
        enter(&self.security, socket, (&target, connected), address).await
    }
}

/// Where to listen: somewhere.
pub(crate) fn wanted(listen: &Listen) -> Result<&[SocketAddr], TransportError> {
    match listen.sockets() {
        [] => Err(TransportError::Config("this transport has no address to listen on".into())),
        sockets => Ok(sockets),
    }
}

pub(crate) fn not_bound(address: SocketAddr, source: io::Error) -> TransportError {
    TransportError::Bind { address: address.to_string(), source }
}

/// Where a node is dialled that listens there.
pub(crate) fn reached(
    listen: &Listen,
    bound: &[SocketAddr],
    scheme: &str,
) -> Result<Vec<Address>, TransportError> {
    listen.reached_at(bound).into_iter().map(|place| Address::new(scheme, &place)).collect()
}

/// The dialler's part of a handshake, with whoever has answered at that IP address.
pub(crate) async fn enter(
    security: &Security,
    socket: impl Io + 'static,
    (target, connected): (&HostPort, IpAddr),
    address: &Address,
) -> Result<Box<dyn Connection>, TransportError> {
    let name = server_name(&target.host, connected);
    let secured = security.connect(socket, name, address.as_str()).await?;
    Ok(Box::new(SocketConnection::new(secured, Role::Dialler, address.to_string(), None)?))
}
