//! How connections are set up in QUIC, and what nobody can change about it.

use std::time::Duration;

use actor_cluster::transport::TransportError;
use iroh::endpoint::{IdleTimeout, QuicTransportConfig, QuicTransportConfigBuilder, VarInt};

use crate::limits::{
    CONNECTION_WINDOW_BYTES, IDLE_TIMEOUT, KEEP_ALIVE, PATH_IDLE_TIMEOUT, PATH_KEEP_ALIVE, SEND_WINDOW_BYTES,
    STREAM_WINDOW_BYTES, STREAMS_MAX,
};

/// A last word on QUIC's settings.
type Tune = Box<dyn FnOnce(QuicTransportConfigBuilder) -> QuicTransportConfigBuilder + Send>;

/// What can be said of them.
pub(crate) struct QuicSettings {
    pub(crate) keep_alive: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) tune: Option<Tune>,
    has_other_paths: bool,
}

impl Default for QuicSettings {
    fn default() -> Self {
        Self { keep_alive: KEEP_ALIVE, idle_timeout: IDLE_TIMEOUT, tune: None, has_other_paths: false }
    }
}

impl QuicSettings {
    /// Connections have a relay to fall back on, so a path that is silent is given up soon.
    pub(crate) fn with_other_paths(mut self) -> Self {
        self.has_other_paths = true;
        self
    }

    /// The settings as QUIC has them.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] where they do not fit together.
    pub(crate) fn build(self) -> Result<QuicTransportConfig, TransportError> {
        let fault = |detail: &str| Err(TransportError::Config(detail.to_owned()));
        if self.keep_alive.is_zero() || self.keep_alive > KEEP_ALIVE {
            return fault("`keep_alive` must be positive and at most 5 s");
        }
        if self.keep_alive >= self.idle_timeout {
            return fault("`keep_alive` must be shorter than `idle_timeout`");
        }
        let Ok(idle_timeout) = IdleTimeout::try_from(self.idle_timeout) else {
            return fault("`idle_timeout` is too long");
        };
        let quic = QuicTransportConfig::builder()
            .keep_alive_interval(self.keep_alive)
            .default_path_keep_alive_interval(self.keep_alive)
            .max_idle_timeout(Some(idle_timeout))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
            .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
            .send_window(SEND_WINDOW_BYTES)
            // Few long-lived streams: a burst of one goes out whole instead of
            // in turns with the other's.
            .send_fairness(false);
        let quic = match self.has_other_paths {
            true => quic
                .default_path_keep_alive_interval(self.keep_alive.min(PATH_KEEP_ALIVE))
                .default_path_max_idle_timeout(PATH_IDLE_TIMEOUT),
            false => quic,
        };
        Ok(limited(match self.tune {
            Some(tune) => tune(quic),
            None => quic,
        }))
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
