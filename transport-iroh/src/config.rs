//! What a transport needs to be told, and the endpoint that comes of it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use actor_cluster::id::NodeId;
use actor_cluster::transport::TransportError;
use actor_cluster::transport::net::AdmissionLimits;
use iroh::endpoint::{QuicTransportConfigBuilder, presets};
use iroh::{Endpoint, SecretKey};
use tokio::sync::Semaphore;

use crate::allow_list::AllowList;
use crate::alpn::ALPN;
use crate::error;
use crate::host::{Host, Ownership};
use crate::identity::SECRET_KEY_BYTES;
use crate::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, HANDSHAKE_DEADLINE, HANDSHAKES_MAX,
    HANDSHAKES_PER_ADDRESS_MAX,
};
use crate::quic::QuicSettings;
use crate::reach::Reach;
use crate::transport::IrohTransport;

/// Makes an [`IrohTransport`], with an endpoint of its own ([`bind`](Self::bind)) or on one of the caller's
/// ([`attach`](Self::attach)). Three things must be said: a key, where to bind,
/// and who may be a peer; without the last, the transport talks to nobody. An endpoint of the caller's has the first two.
#[must_use = "there is no transport before `bind` or `attach`"]
pub struct IrohBuilder {
    secret_key: Option<SecretKey>,
    sockets: Vec<SocketAddr>,
    advertised: Vec<SocketAddr>,
    reach: Option<Reach>,
    peers: AllowList,
    limits: AdmissionLimits,
    quic: QuicSettings,
}

impl IrohBuilder {
    pub(crate) fn new() -> Self {
        let limits = AdmissionLimits {
            handshake_deadline: HANDSHAKE_DEADLINE,
            handshakes_max: HANDSHAKES_MAX,
            handshakes_per_address_max: HANDSHAKES_PER_ADDRESS_MAX,
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        };
        Self {
            secret_key: None,
            sockets: Vec::new(),
            advertised: Vec::new(),
            reach: None,
            peers: AllowList::new(),
            limits,
            quic: QuicSettings::default(),
        }
    }

    /// The node's secret key; its public half is the node's identity. Make one
    /// with [`generate_secret_key`](crate::generate_secret_key) and keep it.
    pub fn secret_key(mut self, secret_key: [u8; SECRET_KEY_BYTES]) -> Self {
        self.secret_key = Some(SecretKey::from_bytes(&secret_key));
        self
    }

    /// A UDP socket to bind, at most one of each address family. Port 0 lets the
    /// system choose.
    pub fn bind_addr(mut self, socket: SocketAddr) -> Self {
        self.sockets.push(socket);
        self
    }

    /// Binds to this machine's loopback alone, on a port the system chooses.
    pub fn loopback(self) -> Self {
        self.bind_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Puts these peers on the list of those that may come in and be dialled.
    pub fn allow(self, peers: impl IntoIterator<Item = NodeId>) -> Self {
        peers.into_iter().for_each(|peer| self.peers.allow(peer));
        self
    }

    /// Lets everybody come in and be dialled. They still prove who they are.
    pub fn allow_any(self) -> Self {
        self.peers.allow_any();
        self
    }

    /// Has this list say who may come in and be dialled, in place of what was said before. It can be shared.
    pub fn allow_list(mut self, peers: AllowList) -> Self {
        self.peers = peers;
        self
    }

    /// Where else the node can be dialled, such as the outside of a port mapping.
    pub fn advertise(mut self, socket: SocketAddr) -> Self {
        self.advertised.push(socket);
        self
    }

    /// How peers are reached, and whom that takes: [`Reach::direct`] unless told otherwise, which contacts nobody
    /// else.
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = Some(reach);
        self
    }

    /// How long a handshake may take, instead of
    /// [`HANDSHAKE_DEADLINE`](crate::limits::HANDSHAKE_DEADLINE).
    pub fn handshake_deadline(mut self, deadline: Duration) -> Self {
        self.limits.handshake_deadline = deadline;
        self
    }

    /// How many handshakes there may be at once, instead of
    /// [`HANDSHAKES_MAX`](crate::limits::HANDSHAKES_MAX).
    pub fn handshakes_max(mut self, handshakes: usize) -> Self {
        self.limits.handshakes_max = handshakes;
        self
    }

    /// How many of them may come from one address, instead of
    /// [`HANDSHAKES_PER_ADDRESS_MAX`](crate::limits::HANDSHAKES_PER_ADDRESS_MAX).
    pub fn handshakes_per_address_max(mut self, handshakes: usize) -> Self {
        self.limits.handshakes_per_address_max = handshakes;
        self
    }

    /// How many accepted connections there may be at once, instead of
    /// [`CONNECTIONS_MAX`](crate::limits::CONNECTIONS_MAX).
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.limits.connections_max = connections;
        self
    }

    /// How many of them may come from one address, instead of
    /// [`CONNECTIONS_PER_ADDRESS_MAX`](crate::limits::CONNECTIONS_PER_ADDRESS_MAX).
    pub fn connections_per_address_max(mut self, connections: usize) -> Self {
        self.limits.connections_per_address_max = connections;
        self
    }

    /// After how much silence to send a packet, instead of
    /// [`KEEP_ALIVE`](crate::limits::KEEP_ALIVE), which is also the longest.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.quic.keep_alive = interval;
        self
    }

    /// After how much silence a connection is lost, instead of
    /// [`IDLE_TIMEOUT`](crate::limits::IDLE_TIMEOUT).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.quic.idle_timeout = timeout;
        self
    }

    /// Has the last word on QUIC's settings: windows, congestion control, MTU.
    ///
    /// Leave segmentation offload on, and keep the initial MTU below 16 000: with
    /// more, connections hang without an error.
    pub fn tune_quic(
        mut self,
        tune: impl FnOnce(QuicTransportConfigBuilder) -> QuicTransportConfigBuilder + Send + 'static,
    ) -> Self {
        self.quic.tune = Some(Box::new(tune));
        self
    }

    /// Binds the sockets. Must be called on a tokio runtime, on which the
    /// endpoint then lives.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] where something is missing or does not fit
    /// together; [`TransportError::Bind`] where a port is taken or may not be
    /// used.
    pub async fn bind(self) -> Result<IrohTransport, TransportError> {
        self.check_limits()?;
        let (Some(secret_key), false) = (&self.secret_key, self.sockets.is_empty()) else {
            return Err(fault(
                "it takes a key and a socket to bind: call `secret_key`, and `bind_addr` or `loopback`",
            ));
        };
        // `Minimal` chooses the provider of cryptography and nothing else: no
        // relay and no lookup service.
        let mut endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(secret_key.clone())
            .alpns(vec![ALPN.to_vec()])
            .hooks(self.peers.clone())
            .clear_ip_transports();
        for socket in &self.sockets {
            endpoint = endpoint
                .bind_addr(*socket)
                .map_err(|error| fault(format!("cannot bind {socket}: {error}")))?;
        }
        endpoint = self.advertised.iter().fold(endpoint, |endpoint, socket| endpoint.external_addr(*socket));
        let sockets = self.sockets.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        let reach = self.reach.unwrap_or_default();
        let relays = reach.relays();
        let quic = if relays.is_empty() { self.quic } else { self.quic.with_other_paths() };
        let endpoint = reach.apply(endpoint)?.transport_config(quic.build()?);
        let endpoint = endpoint.bind().await.map_err(|error| error::bind(error, sockets))?;
        let host = Host::start(endpoint, Ownership::Ours { relays }, self.limits, self.peers);
        Ok(IrohTransport::new(host))
    }

    /// Works on an endpoint of the caller's, beside whatever else that is for. The caller accepts on it, by
    /// a [`Router`](iroh::protocol::Router) that has this transport's
    /// [`protocol`](IrohTransport::protocol); without one, the transport only dials. The
    /// endpoint stays the caller's to close. Must be called on a tokio runtime.
    ///
    /// The endpoint has its own key, sockets, relays and lookup services, so none of them is to be said here. Nor
    /// has this transport a say in what a peer may do on a connection that it has dialled: give the
    /// endpoint [settings](iroh::endpoint::Builder::transport_config) that bound streams and windows, or
    /// a peer that was let in can fill as much memory as Iroh's grant it. The list of peers is best
    /// installed in the endpoint, too; see [`AllowList`].
    ///
    /// ```
    /// use actor_cluster::transport::Transport;
    /// use iroh::endpoint::{Connection, presets};
    /// use iroh::protocol::{AcceptError, ProtocolHandler, Router};
    /// use transport_iroh::iroh::{self, Endpoint};
    /// use transport_iroh::{ALPN, AllowList, IrohTransport};
    ///
    /// #[derive(Debug)]
    /// struct Files;
    ///
    /// impl ProtocolHandler for Files {
    ///     async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
    ///         connection.closed().await;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let friend = transport_iroh::node_id_of(&transport_iroh::generate_secret_key());
    /// let peers = AllowList::of([friend]);
    /// let endpoint = Endpoint::builder(presets::Minimal)
    ///     .clear_ip_transports()
    ///     .bind_addr("127.0.0.1:0")?
    ///     .hooks(peers.clone())
    ///     .bind()
    ///     .await?;
    /// let transport = IrohTransport::builder().allow_list(peers).attach(endpoint.clone())?;
    /// let router = Router::builder(endpoint)
    ///     .incoming_filter(transport.incoming_filter())
    ///     .accept(ALPN, transport.protocol())
    ///     .accept(b"files/1", Files)
    ///     .spawn();
    /// let listener = transport.listen().await?;
    /// # drop(listener);
    /// // Closes the transport, and the endpoint behind it.
    /// router.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] where something is said that is the endpoint's, or does not fit together;
    /// [`TransportError::Closed`] where the endpoint is closed.
    pub fn attach(self, endpoint: Endpoint) -> Result<IrohTransport, TransportError> {
        self.check_limits()?;
        let is_the_endpoints = self.secret_key.is_some()
            || self.reach.is_some()
            || !(self.sockets.is_empty() && self.advertised.is_empty());
        if is_the_endpoints {
            return Err(fault(
                "the endpoint has a key, sockets and a reach of its own: leave `secret_key`, `bind_addr`, `loopback`, \
                 `advertise` and `reach` out, and say it where the endpoint is built",
            ));
        }
        if endpoint.is_closed() {
            return Err(error::transport_closed());
        }
        let ownership = Ownership::Callers { quic: self.quic.build()? };
        Ok(IrohTransport::new(Host::start(endpoint, ownership, self.limits, self.peers)))
    }

    fn check_limits(&self) -> Result<(), TransportError> {
        let most = &self.limits;
        let counts = [
            most.handshakes_max,
            most.handshakes_per_address_max,
            most.connections_max,
            most.connections_per_address_max,
        ];
        // As many may wait in a channel.
        if counts.iter().all(|count| (1..=Semaphore::MAX_PERMITS).contains(count)) {
            Ok(())
        } else {
            Err(fault("there must be room for a handshake and a connection"))
        }
    }
}

fn fault(detail: impl Into<String>) -> TransportError {
    TransportError::Config(detail.into())
}

/// The key stays out of logs.
impl fmt::Debug for IrohBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohBuilder")
            .field("sockets", &self.sockets)
            .field("reach", &self.reach)
            .field("peers", &self.peers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
