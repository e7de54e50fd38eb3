//! From a TCP connection to a peer we know: TLS, or what stands in for it where
//! it was switched off. Must not live here: deadlines and caps (`listener.rs`).

use std::io;
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::transport::{ChannelBinding, TransportError};
use rustls::{ConnectionCommon, Error as TlsError};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use transport_tls::{ALPN, Fault, TlsContext, node_of};

use crate::connection::Io;
use crate::error::handshake_failed;
use crate::limits::{REFUSED_BYTES_MAX, WRITE_BUFFER_BYTES};
use crate::plaintext;
use crate::read_ahead::ReadAhead;

/// How this node's connections are protected.
pub(crate) enum Security {
    Tls(TlsContext),
    /// Not at all. Only `TcpConfig::danger_plaintext` makes this.
    Plaintext,
}

/// A connection after its handshake.
pub(crate) struct Secured {
    pub(crate) io: Box<dyn Io>,
    pub(crate) peer: Peer,
}

/// What is known of the other side.
pub(crate) enum Peer {
    /// Nothing.
    Anonymous,
    /// The system vouches for it.
    Known(NodeId),
    /// A handshake of TLS has proven it.
    Proven(Proof),
}

/// What a finished handshake proves about the other side.
pub(crate) struct Proof {
    pub(crate) binding: ChannelBinding,
    /// The peer's certificate, and those between it and an authority.
    pub(crate) chain: Arc<[CertificateDer<'static>]>,
    /// Who judged the chain, and will again.
    pub(crate) context: TlsContext,
}

/// A peer that does not get in, and its connection, where it still stands.
pub(crate) struct Refusal {
    pub(crate) error: TransportError,
    pub(crate) socket: Option<Box<dyn Io>>,
}

impl Security {
    /// The scheme of this kind's addresses.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Security::Tls(_) => "tcp+tls",
            Security::Plaintext => "tcp+plaintext",
        }
    }

    /// What there is to replace; nothing in plaintext.
    pub(crate) fn tls(&self) -> Option<&TlsContext> {
        match self {
            Security::Tls(context) => Some(context),
            Security::Plaintext => None,
        }
    }

    /// The host's part.
    pub(crate) async fn accept<S: Io + 'static>(
        &self,
        mut socket: S,
        peer: &str,
    ) -> Result<Secured, Refusal> {
        let refuse = |error: io::Error, socket: Option<S>| Refusal {
            error: handshake_failed(peer, &error),
            socket: socket.map(|socket| Box::new(socket) as Box<dyn Io>),
        };
        match self {
            Security::Tls(tls) => {
                let acceptor = TlsAcceptor::from(tls.server_config());
                let accepted = acceptor.accept(ReadAhead::new(socket)).into_fallible().await;
                let stream = accepted.map_err(|(error, socket)| refuse(error, Some(socket.into_inner())))?;
                let proof = prove(tls, stream.get_ref().1).map_err(|error| refuse(error, None))?;
                Ok(Secured::proven(stream.into(), proof))
            }
            Security::Plaintext => match plaintext::answer(&mut socket).await {
                Ok(()) => Ok(Secured::anonymous(socket)),
                Err(error) => Err(refuse(error, Some(socket))),
            },
        }
    }

    /// The dialler's part.
    pub(crate) async fn connect<S: Io + 'static>(
        &self,
        mut socket: S,
        name: ServerName<'static>,
        peer: &str,
    ) -> Result<Secured, TransportError> {
        let failed = |error: io::Error| handshake_failed(peer, &error);
        match self {
            Security::Tls(tls) => {
                let connector = TlsConnector::from(tls.client_config());
                let stream = connector.connect(name, ReadAhead::new(socket)).await.map_err(failed)?;
                let proof = prove(tls, stream.get_ref().1).map_err(failed)?;
                Ok(Secured::proven(stream.into(), proof))
            }
            Security::Plaintext => {
                plaintext::greet(&mut socket).await.map_err(failed)?;
                Ok(Secured::anonymous(socket))
            }
        }
    }
}

impl Proof {
    /// The node that the peer's certificate speaks for.
    pub(crate) fn node(&self) -> Result<NodeId, Fault> {
        node_of(&self.chain)
    }
}

/// Reads the proof out of a finished handshake.
fn prove<Side>(context: &TlsContext, session: &ConnectionCommon<Side>) -> io::Result<Proof> {
    // A client that names no protocol at all is not refused by rustls.
    if session.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::other(TlsError::NoApplicationProtocol));
    }
    let chain = session.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let binding = session
        .export_keying_material([0; ChannelBinding::BYTES], ChannelBinding::EXPORTER_LABEL, Some(&[]))
        .map_err(io::Error::other)?;
    Ok(Proof { binding: ChannelBinding::new(binding), chain, context: context.clone() })
}

impl Secured {
    fn proven<S: Io + 'static>(mut stream: TlsStream<ReadAhead<S>>, proof: Proof) -> Self {
        match &mut stream {
            TlsStream::Client(stream) => stream.get_mut().1.set_buffer_limit(Some(WRITE_BUFFER_BYTES)),
            TlsStream::Server(stream) => stream.get_mut().1.set_buffer_limit(Some(WRITE_BUFFER_BYTES)),
        }
        Self { io: Box::new(stream), peer: Peer::Proven(proof) }
    }

    fn anonymous(socket: impl Io + 'static) -> Self {
        Self { io: Box::new(socket), peer: Peer::Anonymous }
    }
}

impl Refusal {
    /// Lets the peer read why it is refused. If the connection were closed while
    /// bytes of the peer are still unread, the system would reset it, and the
    /// reset would overtake the alert that explains it.
    pub(crate) async fn see_out(&mut self) {
        let Some(mut socket) = self.socket.take() else { return };
        if socket.shutdown().await.is_err() {
            return;
        }
        let mut left = REFUSED_BYTES_MAX;
        let mut ignored = [0; 4096];
        while left > 0 {
            match socket.read(&mut ignored).await {
                Ok(0) | Err(_) => return,
                Ok(bytes) => left = left.saturating_sub(bytes),
            }
        }
    }
}
