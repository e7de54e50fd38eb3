//! What was configured, as QUIC wants it. Must not live here: sockets (`endpoints.rs`).

use std::sync::Arc;

use actor_cluster::transport::{LaneSet, TransportError};
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig, VarInt,
};
use transport_tls::{Fault, TlsContext, Verdict};

use crate::limits::{NEWCOMER_BYTES_MAX, QuicLimits, STREAMS_MAX};

/// What every connection of a transport is made with.
pub(crate) struct Settings {
    pub(crate) context: TlsContext,
    pub(crate) limits: QuicLimits,
    /// How many connections there are to a peer that is dialled.
    pub(crate) connections: usize,
    /// The streams that a dialler opens.
    pub(crate) streams: Vec<LaneSet>,
    host: Arc<TransportConfig>,
    dialler: Arc<TransportConfig>,
}

impl Settings {
    /// # Errors
    ///
    /// [`TransportError::Config`] if a bound is more than QUIC can count to, or the provider of cryptography
    /// cannot do QUIC's first packets.
    pub(crate) fn new(
        context: TlsContext,
        limits: QuicLimits,
        (data_streams, connections): (usize, usize),
    ) -> Result<Self, TransportError> {
        let data = vec![LaneSet::DATA; data_streams.max(connections)];
        let streams = [vec![LaneSet::CONTROL, LaneSet::URGENT], data, vec![LaneSet::BULK]].concat();
        let [mut host, mut dialler] = [transport(&limits)?, transport(&limits)?];
        // Only diallers open streams, and only hosts say that they let somebody in.
        host.max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
            .max_concurrent_uni_streams(VarInt::from_u32(0));
        dialler
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(1));
        let (host, dialler) = (Arc::new(host), Arc::new(dialler));
        let settings = Self { context, limits, connections, streams, host, dialler };
        settings.base()?;
        Ok(settings)
    }

    /// What a socket is opened with.
    pub(crate) fn endpoint(&self) -> Result<EndpointConfig, TransportError> {
        let mut config = EndpointConfig::default();
        let bytes = self.limits.mtu_max.max(ETHERNET_BYTES);
        config.max_udp_payload_size(bytes).map_err(|error| unusable(error.to_string()))?;
        Ok(config)
    }

    /// What a socket that is listened on has until it is known who comes: keys for first packets and for tokens.
    pub(crate) fn base(&self) -> Result<ServerConfig, TransportError> {
        let crypto =
            QuicServerConfig::try_from(self.context.server_config()).map_err(|error| no_quic(&error))?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(self.host.clone());
        // Nobody comes back with a token for another connection.
        config.validation_token.sent(0);
        let newcomers = self.limits.handshakes_max;
        let all = NEWCOMER_BYTES_MAX.saturating_mul(newcomers as u64);
        config
            .max_incoming(newcomers)
            .incoming_buffer_size(NEWCOMER_BYTES_MAX)
            .incoming_buffer_size_total(all);
        Ok(config)
    }

    /// The host's side of one handshake that begins now, and what it will find wrong with the peer.
    pub(crate) fn accepting(&self, base: &ServerConfig) -> Result<(Arc<ServerConfig>, Verdict), Fault> {
        let (config, verdict) = self.context.recording_server_config()?;
        let crypto =
            QuicServerConfig::try_from(config).map_err(|error| Fault::Protocol(error.to_string()))?;
        let mut config = base.clone();
        config.crypto = Arc::new(crypto);
        Ok((Arc::new(config), verdict))
    }

    /// The dialler's.
    pub(crate) fn dialling(&self) -> Result<(ClientConfig, Verdict), TransportError> {
        let (config, verdict) = self.context.recording_client_config();
        let crypto = QuicClientConfig::try_from(config).map_err(|error| no_quic(&error))?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(self.dialler.clone());
        Ok((config, verdict))
    }
}

/// The longest packet that comes from peers with other settings: what Ethernet takes with IPv4.
const ETHERNET_BYTES: u16 = 1472;

/// What is the same for both sides. The control of congestion and segmentation offload are as quinn has them. So
/// are the turns that streams take which are equally urgent: without them no figure was better by more than it
/// varies.
fn transport(limits: &QuicLimits) -> Result<TransportConfig, TransportError> {
    let too_much = |_| unusable("a bound is more than QUIC can count to");
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(limits.mtu_max);
    let window = u64::from(limits.stream_window_bytes) * u64::from(STREAMS_MAX);
    let mut config = TransportConfig::default();
    config
        .keep_alive_interval(Some(limits.keep_alive))
        .max_idle_timeout(Some(IdleTimeout::try_from(limits.idle_timeout).map_err(too_much)?))
        .stream_receive_window(VarInt::from_u32(limits.stream_window_bytes))
        .receive_window(VarInt::try_from(window).map_err(too_much)?)
        .send_window(limits.send_window_bytes)
        .initial_mtu(limits.initial_mtu)
        .mtu_discovery_config(Some(mtu))
        .datagram_receive_buffer_size(None);
    Ok(config)
}

fn no_quic(error: &NoInitialCipherSuite) -> TransportError {
    unusable(format!("the provider of cryptography cannot do QUIC: {error}"))
}

fn unusable(detail: impl Into<String>) -> TransportError {
    TransportError::Config(detail.into())
}
