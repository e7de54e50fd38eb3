//! From a beginning of a QUIC connection to a peer we know. Must not live here: deadlines and caps (`listener.rs`,
//! `dialer.rs`).

use std::sync::Arc;

use actor_cluster::transport::TransportError;
use actor_cluster::transport::net::Place;
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Incoming, ServerConfig};
use rustls::Error as TlsError;
use rustls_pki_types::CertificateDer;
use transport_tls::{ALPN, Fault, PeerRole};

use crate::connection::Shared;
use crate::error::handshake_failed;
use crate::transport::Node;

/// The peer's certificate, and those between it and an authority.
type Chain = Arc<[CertificateDer<'static>]>;

/// The host's part.
pub(crate) async fn accept(
    node: &Node,
    incoming: Incoming,
    base: &ServerConfig,
    label: String,
    place: Place,
) -> Result<Arc<Shared>, TransportError> {
    let accepting = node.settings.accepting(base);
    let (config, verdict) = accepting.map_err(|fault| fault.about(&label))?;
    let failed = |error| handshake_failed(&label, &error, &verdict);
    let connecting = incoming.accept_with(config).map_err(failed)?;
    let connection = connecting.await.map_err(failed)?;
    proven(node, connection, PeerRole::Dialler, label, Some(place))
}

/// Takes a connection whose handshake is done.
///
/// # Errors
///
/// If the peer speaks another protocol, or is not believed any more.
pub(crate) fn proven(
    node: &Node,
    connection: Connection,
    role: PeerRole,
    label: String,
    place: Option<Place>,
) -> Result<Arc<Shared>, TransportError> {
    let chain = proof_of(&connection).map_err(|fault| fault.about(&label))?;
    let lingering = node.endpoints.lingering.clone();
    Shared::new(connection, &node.settings.context, (chain, role), label, (place, lingering))
}

/// What the handshake has proven.
fn proof_of(connection: &Connection) -> Result<Chain, Fault> {
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    if data.and_then(|data| data.protocol).as_deref() != Some(ALPN) {
        return Err(Fault::of(&TlsError::NoApplicationProtocol));
    }
    let chain =
        connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    Ok(chain.map_or_else(|| Arc::from([]), |chain| Arc::from(*chain)))
}
