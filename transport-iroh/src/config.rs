//! What a transport needs to be told, and the endpoint that comes of it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use actor_cluster::id::NodeId;
use actor_cluster::transport::TransportError;
use iroh::address_lookup::AddressLookupBuilder;
use iroh::endpoint::{
    Builder, IdleTimeout, NetReportConfig, PortmapperConfig, QuicTransportConfig, QuicTransportConfigBuilder,
    VarInt, presets,
};
use iroh::{Endpoint, RelayMode, SecretKey};
use tokio::sync::Semaphore;

use crate::alpn::ALPN;
use crate::error;
use crate::host::{Bounds, Host};
use crate::identity::{self, SECRET_KEY_BYTES};
use crate::limits::{
    CONNECTION_WINDOW_BYTES, CONNECTIONS_MAX, HANDSHAKE_DEADLINE, HANDSHAKES_MAX, IDLE_TIMEOUT, KEEP_ALIVE,
    SEND_WINDOW_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use crate::peers::Peers;
use crate::transport::IrohTransport;

/// A last word on QUIC's settings.
type Tune = Box<dyn FnOnce(QuicTransportConfigBuilder) -> QuicTransportConfigBuilder + Send>;

/// Makes an [`IrohTransport`]. Three things must be said: a key, where to bind,
/// and who may be a peer; without the last, the transport talks to nobody.
#[must_use = "nothing is bound before `bind`"]
pub struct IrohBuilder {
    endpoint: Builder,
    secret_key: Option<SecretKey>,
    sockets: Vec<SocketAddr>,
    peers: Peers,
    bounds: Bounds,
    keep_alive: Duration,
    idle_timeout: Duration,
    tune: Option<Tune>,
}

impl IrohBuilder {
    pub(crate) fn new() -> Self {
        // `Minimal` chooses the provider of cryptography and nothing else: no
        // relay and no lookup service. What Iroh would do by itself is off too.
        let endpoint = Endpoint::builder(presets::Minimal)
            .relay_mode(RelayMode::Disabled)
            .portmapper_config(PortmapperConfig::Disabled)
            .net_report_config(NetReportConfig::minimal())
            .clear_ip_transports();
        Self {
            endpoint,
            secret_key: None,
            sockets: Vec::new(),
            peers: Peers::default(),
            bounds: Bounds {
                handshake_deadline: HANDSHAKE_DEADLINE,
                handshakes_max: HANDSHAKES_MAX,
                connections_max: CONNECTIONS_MAX,
            },
            keep_alive: KEEP_ALIVE,
            idle_timeout: IDLE_TIMEOUT,
            tune: None,
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

    /// Where else the node can be dialled, such as the outside of a port mapping.
    pub fn advertise(mut self, socket: SocketAddr) -> Self {
        self.endpoint = self.endpoint.external_addr(socket);
        self
    }

    /// Which relays to use. None by default. Relays help through NAT; they see
    /// who talks to whom, when and how much, not what.
    pub fn relay_mode(mut self, relays: RelayMode) -> Self {
        self.endpoint = self.endpoint.relay_mode(relays);
        self
    }

    /// A service that finds peers by identity and may publish where this node is.
    /// None by default. Can be called several times.
    pub fn address_lookup(mut self, service: impl AddressLookupBuilder) -> Self {
        self.endpoint = self.endpoint.address_lookup(service);
        self
    }

    /// How long a handshake may take, instead of
    /// [`HANDSHAKE_DEADLINE`](crate::limits::HANDSHAKE_DEADLINE).
    pub fn handshake_deadline(mut self, deadline: Duration) -> Self {
        self.bounds.handshake_deadline = deadline;
        self
    }

    /// How many handshakes there may be at once, instead of
    /// [`HANDSHAKES_MAX`](crate::limits::HANDSHAKES_MAX).
    pub fn handshakes_max(mut self, handshakes: usize) -> Self {
        self.bounds.handshakes_max = handshakes;
        self
    }

    /// How many accepted connections there may be at once, instead of
    /// [`CONNECTIONS_MAX`](crate::limits::CONNECTIONS_MAX).
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.bounds.connections_max = connections;
        self
    }

    /// After how much silence to send a packet, instead of
    /// [`KEEP_ALIVE`](crate::limits::KEEP_ALIVE), which is also the longest.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = interval;
        self
    }

    /// After how much silence a connection is lost, instead of
    /// [`IDLE_TIMEOUT`](crate::limits::IDLE_TIMEOUT).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
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
        self.tune = Some(Box::new(tune));
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
        if let Some(fault) = self.fault() {
            return Err(TransportError::Config(fault.to_owned()));
        }
        let quic = self.quic()?;
        let Some(secret_key) = self.secret_key else {
            return Err(TransportError::Config("no key: call `secret_key`".to_owned()));
        };
        let node = identity::node_id(secret_key.public());
        let quic = match self.tune {
            Some(tune) => tune(quic),
            None => quic,
        };
        let mut endpoint =
            self.endpoint.secret_key(secret_key).alpns(vec![ALPN.to_vec()]).transport_config(limited(quic));
        for socket in &self.sockets {
            endpoint = endpoint
                .bind_addr(*socket)
                .map_err(|error| TransportError::Config(format!("cannot bind {socket}: {error}")))?;
        }
        let sockets = self.sockets.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        let endpoint = endpoint.bind().await.map_err(|error| error::bind(error, sockets))?;
        Ok(IrohTransport::new(Host::start(endpoint, node, self.bounds, self.peers)))
    }

    /// What is missing or does not fit together, if anything.
    fn fault(&self) -> Option<&'static str> {
        let counts = [self.bounds.handshakes_max, self.bounds.connections_max];
        if self.sockets.is_empty() {
            Some("no socket to bind: call `bind_addr` or `loopback`")
        } else if !counts.iter().all(|count| (1..=Semaphore::MAX_PERMITS).contains(count)) {
            Some("there must be room for a handshake and a connection")
        } else if self.keep_alive.is_zero() || self.keep_alive > KEEP_ALIVE {
            Some("`keep_alive` must be positive and at most 5 s")
        } else if self.keep_alive >= self.idle_timeout {
            Some("`keep_alive` must be shorter than `idle_timeout`")
        } else {
            None
        }
    }

    /// QUIC's settings as this builder has them.
    fn quic(&self) -> Result<QuicTransportConfigBuilder, TransportError> {
        let idle_timeout = IdleTimeout::try_from(self.idle_timeout)
            .map_err(|_| TransportError::Config("`idle_timeout` is too long".to_owned()))?;
        Ok(QuicTransportConfig::builder()
            .keep_alive_interval(self.keep_alive)
            .default_path_keep_alive_interval(self.keep_alive)
            .max_idle_timeout(Some(idle_timeout))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
            .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
            .send_window(SEND_WINDOW_BYTES)
            // Few long-lived streams: a burst of one goes out whole instead of
            // in turns with the other's.
            .send_fairness(false))
    }
}

/// Nobody can tune these away: what a peer may do is part of the protocol.
fn limited(quic: QuicTransportConfigBuilder) -> QuicTransportConfig {
    quic.max_concurrent_bidi_streams(VarInt::from_u32(u32::from(STREAMS_MAX)))
        // The listener's word that lets a dialler in.
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .datagram_receive_buffer_size(None)
        .build()
}

/// The key stays out of logs.
impl fmt::Debug for IrohBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohBuilder")
            .field("sockets", &self.sockets)
            .field("peers", &self.peers)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}
