//! The same over the simulated network of [`turmoil`], for tests: hosts of one thread, in virtual time, that can be cut
//! off, held up and crashed. The handshakes, the caps and the bytes of TLS are the real ones; what turmoil stands in for is the
//! system's sockets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actor_cluster::transport::net::{Host, HostPort, Listen};
use actor_cluster::transport::{Address, Connection, Listener, Transport, TransportError};
use async_trait::async_trait;
use tokio::time::timeout;
use transport_tls::TlsContext;
use turmoil::net::{TcpListener, TcpStream};

use crate::handshake::{Refusal, Secured, Security};
use crate::limits::{CONNECT_DEADLINE, TcpLimits};
use crate::listener::{Door, Intake, Knock};
use crate::transport::{enter, not_bound, reached, wanted};

/// Connects nodes that are hosts of a simulation, over its TCP and with real TLS. Made by
/// [`TcpConfig::build_on_turmoil`](crate::TcpConfig::build_on_turmoil).
///
/// Addresses are those of [`TcpTransport`](crate::TcpTransport), with the hosts' names in the simulation.
///
/// # What is the same each time
///
/// Who is delayed, and for how long, by the simulation's seed. The bytes are not: keys and nonces are real, so that two runs may
/// differ where their number decides.
///
/// # Panics
///
/// Outside of a host of a simulation, as all that is turmoil's.
pub struct TurmoilTransport {
    security: Arc<Security>,
    listen: Listen,
    limits: TcpLimits,
}

impl TurmoilTransport {
    pub(crate) fn new(security: Security, listen: Listen, limits: TcpLimits) -> Self {
        Self { security: Arc::new(security), listen, limits }
    }

    /// What the node proves itself with and whom it believes, to replace either. `None` for a
    /// plaintext transport.
    pub fn tls(&self) -> Option<&TlsContext> {
        self.security.tls()
    }
}

#[async_trait]
impl Transport for TurmoilTransport {
    fn scheme(&self) -> &str {
        self.security.scheme()
    }

    fn is_listening(&self) -> bool {
        !self.listen.sockets().is_empty()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        let (mut sockets, mut bound) = (Vec::new(), Vec::new());
        for address in wanted(&self.listen)? {
            let socket = TcpListener::bind(*address).await.map_err(|source| not_bound(*address, source))?;
            bound.push(socket.local_addr().map_err(|source| not_bound(*address, source))?);
            sockets.push(Socket::new(socket));
        }
        let addresses = reached(&self.listen, &bound, self.scheme())?;
        let door = TurmoilDoor { sockets, security: self.security.clone() };
        Ok(Box::new(Intake::new(door, addresses, &self.limits)))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let target = HostPort::of(address, self.scheme())?;
        let unreachable = |source| TransportError::Unreachable { address: address.to_string(), source };
        let socket = connect(&target).await.map_err(unreachable)?;
        let connected = socket.peer_addr().map_err(unreachable)?.ip();
        enter(&self.security, socket, (&target, connected), address).await
    }
}

/// A host that is cut off answers nothing, and turmoil waits for it for ever.
async fn connect(target: &HostPort) -> io::Result<TcpStream> {
    let connecting = async {
        match &target.host {
            Host::Name(name) => TcpStream::connect((name.as_str(), target.port)).await,
            Host::Ip(ip) => TcpStream::connect((*ip, target.port)).await,
        }
    };
    timeout(CONNECT_DEADLINE, connecting).await?
}

/// Sockets of a host.
struct TurmoilDoor {
    sockets: Vec<Socket>,
    security: Arc<Security>,
}

type Accepted = io::Result<(TcpStream, SocketAddr)>;

/// A listening socket. It is asked for a newcomer by a future, which would lose one if it were dropped half way.
struct Socket {
    listener: Arc<TcpListener>,
    accepting: Pin<Box<dyn Future<Output = Accepted> + Send>>,
}

impl Socket {
    fn new(listener: TcpListener) -> Self {
        let listener = Arc::new(listener);
        Self { accepting: accept(listener.clone()), listener }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Accepted> {
        let accepted = ready!(self.accepting.as_mut().poll(cx));
        self.accepting = accept(self.listener.clone());
        Poll::Ready(accepted)
    }
}

fn accept(listener: Arc<TcpListener>) -> Pin<Box<dyn Future<Output = Accepted> + Send>> {
    Box::pin(async move { listener.accept().await })
}

impl Door for TurmoilDoor {
    type Socket = TcpStream;

    fn poll_knock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Knock<TcpStream>>> {
        for socket in &mut self.sockets {
            let Poll::Ready(accepted) = socket.poll_accept(cx) else { continue };
            return Poll::Ready(Knock::of(accepted, self.security.scheme()));
        }
        Poll::Pending
    }

    fn shake_hands(
        &self,
        socket: TcpStream,
        label: &str,
    ) -> impl Future<Output = Result<Secured, Refusal>> + Send + use<> {
        let (security, label) = (self.security.clone(), label.to_owned());
        async move { security.accept(socket, &label).await }
    }
}
