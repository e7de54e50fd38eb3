//! What a transport is told before it starts, and the check that it makes sense.

use std::net::SocketAddr;

use actor_cluster::transport::TransportError;
use actor_cluster::transport::net::Listen;
use transport_tls::{Authorities, Credentials, TlsContext, TlsSettings};

use crate::limits::{CONNECTIONS_PER_PEER_MAX, DATA_STREAMS_MAX, INITIAL_MTU, MTU_MOST, QuicLimits};
use crate::settings::Settings;
use crate::transport::QuicTransport;

/// The settings of a [`QuicTransport`], made by [`QuicTransport::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct QuicConfig {
    listen: Vec<SocketAddr>,
    advertise: Vec<String>,
    tls: TlsSettings,
    data_streams: usize,
    connections: usize,
    limits: QuicLimits,
}

impl QuicConfig {
    pub(crate) fn new() -> Self {
        Self {
            listen: Vec::new(),
            advertise: Vec::new(),
            tls: TlsSettings::default(),
            data_streams: 1,
            connections: 1,
            limits: QuicLimits::default(),
        }
    }

    /// Accepts connections on this address; port 0 takes a free one. May be called several times. Without it
    /// the transport only dials.
    ///
    /// `0.0.0.0` is every interface over IPv4, and `[::]` every interface over both families, whatever the system's default.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// How others reach this node: a host name or an IP address, with a port where it is not the first listening
    /// one. Needed where the node listens on all interfaces (`0.0.0.0`, `[::]`), or behind a translation of
    /// addresses. May be called several times: others try them in this order.
    pub fn advertise(mut self, host: impl Into<String>) -> Self {
        self.advertise.push(host.into());
        self
    }

    /// What this node proves itself with and whom it believes, where that is to be
    /// replaced later, or is shared with other transports. Instead of
    /// [`credentials`](Self::credentials) and [`authorities`](Self::authorities).
    pub fn tls(mut self, context: TlsContext) -> Self {
        self.tls.context = Some(context);
        self
    }

    /// What this node proves itself with.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.tls.credentials = Some(credentials);
        self
    }

    /// Whose certificates this node believes.
    pub fn authorities(mut self, authorities: Authorities) -> Self {
        self.tls.authorities = Some(authorities);
        self
    }

    /// How many streams for data are opened to each node that is dialled, and so how many data lanes the session has: 1 unless
    /// told otherwise, and at most [`DATA_STREAMS_MAX`]. Each actor's messages take one of them.
    ///
    /// What the network loses of a stream delays the actors of its lane alone, so several are worth while where packets are
    /// lost. They are not free: each lane has a window of credit, which is memory that a stalled peer may take, and each
    /// stream has a heartbeat of its own and some 3 KiB of memory on either side.
    pub fn data_streams(mut self, streams: usize) -> Self {
        self.data_streams = streams;
        self
    }

    /// How many QUIC connections are made to each node that is dialled: 1 unless told otherwise, and at most
    /// [`CONNECTIONS_PER_PEER_MAX`]. Each is driven by a task of its own on either side, so several take more than one
    /// processor where one is not enough. The streams for data are spread over them, and are as many at least; all others are on
    /// the first.
    ///
    /// The host counts each among its connections. A dial fails unless all are made and all lead to the same node, so what
    /// stands behind one address must be one node.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Replaces the default bounds.
    pub fn limits(mut self, limits: QuicLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks the settings and makes the transport. Opens no socket yet.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if credentials or authorities are missing or are given twice, if the
    /// key is not the certificate's, if others could not dial where this node
    /// listens, or if a bound cannot be kept.
    pub fn build(self) -> Result<QuicTransport, TransportError> {
        let listen = Listen::new(self.listen.clone(), &self.advertise)?;
        if let Some(fault) = self.fault() {
            return Err(TransportError::Config(fault));
        }
        let streams = (self.data_streams, self.connections);
        let settings = Settings::new(self.tls.into_context()?, self.limits, streams)?;
        Ok(QuicTransport::new(settings, listen))
    }

    /// What cannot be kept, if anything.
    fn fault(&self) -> Option<String> {
        let QuicLimits { keep_alive, idle_timeout, initial_mtu, mtu_max, .. } = self.limits;
        if !(1..=CONNECTIONS_PER_PEER_MAX).contains(&self.connections) {
            Some(format!("there are 1 to {CONNECTIONS_PER_PEER_MAX} connections to a peer"))
        } else if !(1..=DATA_STREAMS_MAX).contains(&self.data_streams) {
            Some(format!("there are 1 to {DATA_STREAMS_MAX} streams for data"))
        } else if keep_alive.is_zero() || keep_alive >= idle_timeout {
            Some("`keep_alive` must be positive and shorter than `idle_timeout`".into())
        } else if !(INITIAL_MTU..=MTU_MOST).contains(&mtu_max)
            || !(INITIAL_MTU..=mtu_max).contains(&initial_mtu)
        {
            Some(format!("a packet has {INITIAL_MTU} to {MTU_MOST} bytes, and at first no more than later"))
        } else if self.limits.stream_window_bytes == 0 || self.limits.send_window_bytes == 0 {
            Some("a window has at least one byte".into())
        } else {
            None
        }
    }
}
