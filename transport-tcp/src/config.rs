//! What a transport is told before it starts, and the check that it makes sense.

use std::net::SocketAddr;
use std::sync::Arc;

use actor_cluster::transport::TransportError;
use actor_cluster::transport::net::Listen;
use transport_tls::{Authorities, Credentials, TlsContext, TlsSettings};

use crate::handshake::Security;
use crate::limits::TcpLimits;
use crate::transport::TcpTransport;

/// The settings of a [`TcpTransport`], made by [`TcpTransport::builder`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TcpConfig {
    listen: Vec<SocketAddr>,
    advertise: Vec<String>,
    tls: TlsSettings,
    plaintext: bool,
    limits: TcpLimits,
}

impl TcpConfig {
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

    /// Replaces the default bounds.
    pub fn limits(mut self, limits: TcpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// **Switches off encryption, integrity and authentication.**
    ///
    /// Whoever can see the network reads every message; whoever can touch it
    /// changes them; every peer is [`Anonymous`], and there is no channel
    /// binding that could tie a shared secret's proof to the connection. The
    /// scheme becomes `tcp+plaintext`, and such a transport does not talk to one
    /// with TLS. For experiments on one machine and for networks that something
    /// else protects; nothing else in this crate leads to plaintext.
    ///
    /// [`Anonymous`]: actor_cluster::transport::PeerIdentity::Anonymous
    pub fn danger_plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Checks the settings and makes the transport. Opens no socket yet.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if credentials or authorities are missing, or are given twice
    /// or together with [`danger_plaintext`](Self::danger_plaintext), if the
    /// key is not the certificate's, or if others could not dial where this node
    /// listens.
    pub fn build(self) -> Result<TcpTransport, TransportError> {
        let (security, listen, limits) = self.check()?;
        Ok(TcpTransport { security: Arc::new(security), listen, limits })
    }

    /// The same, for a host of a [`turmoil`](::turmoil) simulation, which must
    /// [advertise](Self::advertise) its name there.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    #[cfg(feature = "turmoil")]
    pub fn build_on_turmoil(self) -> Result<crate::TurmoilTransport, TransportError> {
        let (security, listen, limits) = self.check()?;
        Ok(crate::TurmoilTransport::new(security, listen, limits))
    }

    fn check(self) -> Result<(Security, Listen, TcpLimits), TransportError> {
        let listen = Listen::new(self.listen.clone(), &self.advertise)?;
        let limits = self.limits;
        Ok((self.security()?, listen, limits))
    }

    fn security(self) -> Result<Security, TransportError> {
        if !self.plaintext {
            return self.tls.into_context().map(Security::Tls);
        }
        if !self.tls.is_empty() {
            let detail = "credentials and authorities are for TLS, but plaintext was asked for";
            return Err(TransportError::Config(detail.into()));
        }
        tracing::warn!("this transport has no TLS: anybody can read it, change it and take part");
        Ok(Security::Plaintext)
    }
}
