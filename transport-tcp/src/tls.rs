//! TLS 1.3 with certificates on both sides: who is believed, and what a finished
//! handshake proves. Must not live here: sockets and deadlines.

use std::io;
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::transport::{ChannelBinding, TransportError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ConnectionCommon, DigitallySignedStruct, DistinguishedName, Error,
    OtherError, RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::credentials::{Authorities, Credentials};
use crate::identity;

/// The protocol that both sides must name (ALPN), so that nobody who listens or
/// dials for something else is taken for a node.
pub const ALPN: &[u8] = b"actor-cluster/1";

/// Both roles of a node, ready to shake hands.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) connector: TlsConnector,
}

impl Tls {
    pub(crate) fn new(credentials: &Credentials, authorities: &Authorities) -> Result<Self, TransportError> {
        // Never the process's default provider: another crate may have enabled
        // a second one, and then asking for the default panics.
        let provider = Arc::new(ring::default_provider());
        let roots = &authorities.roots;
        let server = server_config(provider.clone(), roots, credentials).map_err(unusable)?;
        let client = client_config(provider, roots, credentials).map_err(unusable)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        })
    }
}

/// What a finished handshake proves about the other side.
pub(crate) struct Proof {
    pub(crate) node: NodeId,
    pub(crate) binding: ChannelBinding,
}

/// Reads the proof out of a finished handshake.
pub(crate) fn prove<Side>(session: &ConnectionCommon<Side>) -> io::Result<Proof> {
    // A client that names no protocol at all is not refused by rustls.
    if session.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::other(Error::NoApplicationProtocol));
    }
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.ok_or_else(|| io::Error::other(Error::NoCertificatesPresented))?;
    let node = node_of(certificate).map_err(io::Error::other)?;
    let binding = session
        .export_keying_material([0; ChannelBinding::BYTES], ChannelBinding::EXPORTER_LABEL, Some(&[]))
        .map_err(io::Error::other)?;
    Ok(Proof { node, binding: ChannelBinding::new(binding) })
}

/// The accepting role.
fn server_config(
    provider: Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    credentials: &Credentials,
) -> Result<ServerConfig, Error> {
    let chain = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        // Strangers need not learn which authorities this cluster has, and
        // nodes present the one certificate they have anyway.
        .clear_root_hint_subjects()
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(DiallerVerifier { chain }))
        .with_single_cert(credentials.chain.clone(), credentials.key.clone_key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session proves nothing anew: a certificate that has expired
    // since would still get in.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// The dialling role.
fn client_config(
    provider: Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    credentials: &Credentials,
) -> Result<ClientConfig, Error> {
    let verifier = HostVerifier { roots: roots.clone(), provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(credentials.chain.clone(), credentials.key.clone_key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Believes a dialler whose certificate an authority signed for client
/// authentication, and which speaks for a node.
#[derive(Debug)]
struct DiallerVerifier {
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for DiallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        // Asked here, not after the handshake, so that the peer gets an alert.
        node_of(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Believes a host whose certificate an authority signed for server
/// authentication, and which speaks for a node.
///
/// It does not ask whether the certificate is for the *name* that was dialled,
/// as a browser would. A browser asks for a name, so the name is what must be
/// proven. A cluster asks for a node: whoever dials learns from the certificate
/// which node answered, and the session refuses one it did not mean. Host names
/// and addresses are only ways to get there; they come from gossip, belong to
/// load balancers and change, and a certificate that had to list them would
/// authenticate the weaker thing.
#[derive(Debug)]
struct HostVerifier {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for HostVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        node_of(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The node of a certificate, as an error TLS can carry to its end.
fn node_of(certificate: &CertificateDer<'_>) -> Result<NodeId, Error> {
    identity::node_of(certificate)
        .map_err(|error| Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error)))))
}

/// Never met, because only TLS 1.3 is offered.
fn not_tls13() -> Error {
    Error::General("a signature of TLS 1.2".into())
}

fn unusable(error: Error) -> TransportError {
    TransportError::Config(match error {
        Error::InconsistentKeys(_) => "the private key is not the one of the certificate".into(),
        other => other.to_string(),
    })
}
