//! Whether a chain of certificates is believed, and which node it speaks for. The same judgement in both
//! directions, at the handshake and later. Must not live here: how rustls asks for it (`verifier.rs`).

use std::sync::Arc;

use actor_cluster::id::NodeId;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::{
    CertRevocationListError, CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationOptions,
    RevocationOptionsBuilder,
};

use crate::authorities::{Authorities, RevocationLists};
use crate::fault::Fault;
use crate::identity;

/// What the peer was when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRole {
    /// It dialled us, as a client.
    Dialler,
    /// We dialled it, as a server.
    Host,
}

impl PeerRole {
    fn usage(self) -> KeyUsage {
        match self {
            PeerRole::Dialler => KeyUsage::client_auth(),
            PeerRole::Host => KeyUsage::server_auth(),
        }
    }
}

/// Believes who is vouched for by an authority for the side it is on, and speaks
/// for a node.
///
/// Of a host it does not ask whether the certificate is for the *name* that was
/// dialled, as a browser would. A browser asks for a name, so the name is what must be
/// proven. A cluster asks for a node: whoever dials learns from the certificate
/// which node answered, and the session refuses one it did not mean. Host names
/// and addresses are only ways to get there; they come from gossip, belong to
/// load balancers and change, and a certificate that had to list them would
/// authenticate the weaker thing.
#[derive(Debug)]
pub(crate) struct Trust {
    authorities: Authorities,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    pub(crate) fn new(authorities: Authorities, provider: Arc<CryptoProvider>) -> Self {
        Self { authorities, provider }
    }

    /// The node that the chain speaks for, if it is believed. The peer's possession
    /// of the key is another matter.
    pub(crate) fn judge(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        role: PeerRole,
        now: UnixTime,
    ) -> Result<NodeId, Error> {
        let lists = self.authorities.revocations.as_ref().map(References::new);
        let certificate = EndEntityCert::try_from(own).map_err(tls_error)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let roots = &self.authorities.roots.roots;
        let revocation = lists.as_ref().and_then(References::options);
        certificate
            .verify_for_usage(algorithms, roots, between, now, role.usage(), revocation, None)
            .map_err(tls_error)?;
        // Asked here, not after the handshake, so that the peer gets an alert.
        named(own)
    }

    /// Whether the key of this certificate has signed the message, as TLS 1.3 has it.
    pub(crate) fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    /// The signatures that can be told to be right.
    pub(crate) fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Revocation lists as webpki wants them.
struct References<'a> {
    lists: Vec<&'a CertRevocationList<'static>>,
    expiration: ExpirationPolicy,
}

impl<'a> References<'a> {
    fn new(lists: &'a RevocationLists) -> Self {
        let expiration =
            if lists.refuses_outdated { ExpirationPolicy::Enforce } else { ExpirationPolicy::Ignore };
        Self { lists: lists.lists.iter().collect(), expiration }
    }

    /// What the builder starts with is what we want: the whole chain is looked at, and who
    /// stands in no authority's list because there is none is refused.
    fn options(&self) -> Option<RevocationOptions<'_>> {
        // Fails only where there is no list, and then there is no `RevocationLists`.
        let options = RevocationOptionsBuilder::new(&self.lists).ok()?;
        Some(options.with_expiration_policy(self.expiration).build())
    }
}

/// The node that a certificate speaks for, which was believed already.
fn named(certificate: &CertificateDer<'_>) -> Result<NodeId, Error> {
    identity::node_of(certificate).map_err(|error| other(Arc::new(error)))
}

/// The node that the first certificate of a chain speaks for. Whoever asks has had the chain
/// [judged](crate::TlsContext::judge), by a handshake or otherwise, and the key proven.
///
/// # Errors
///
/// If there is none, or it speaks for no node.
pub fn node_of(chain: &[CertificateDer<'_>]) -> Result<NodeId, Fault> {
    let own = chain.first().ok_or_else(|| Fault::of(&Error::NoCertificatesPresented))?;
    named(own).map_err(|error| Fault::of(&error))
}

/// What webpki says, in the words that TLS has alerts for.
fn tls_error(error: webpki::Error) -> Error {
    use CertificateError as C;
    use webpki::Error as E;
    Error::InvalidCertificate(match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => C::BadEncoding,
        E::CertNotValidYet { time, not_before } => C::NotValidYetContext { time, not_before },
        E::CertExpired { time, not_after } => C::ExpiredContext { time, not_after },
        E::CertRevoked => C::Revoked,
        E::UnknownRevocationStatus => C::UnknownRevocationStatus,
        E::CrlExpired { time, next_update } => C::ExpiredRevocationListContext { time, next_update },
        E::UnknownIssuer => C::UnknownIssuer,
        E::InvalidSignatureForPublicKey => C::BadSignature,
        E::RequiredEkuNotFoundContext(_) => C::InvalidPurpose,
        E::InvalidCrlSignatureForPublicKey => return CertRevocationListError::BadSignature.into(),
        E::IssuerNotCrlSigner => return CertRevocationListError::IssuerInvalidForCrl.into(),
        error => return other(Arc::new(Unbelievable(error))),
    })
}

/// Whatever else is wrong with a chain.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is not valid: {0}")]
struct Unbelievable(webpki::Error);

fn other(error: Arc<dyn std::error::Error + Send + Sync>) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(error)))
}
