//! Which node a certificate speaks for. Must not live here: whether the
//! certificate is to be trusted (`trust.rs` asks that first).

use actor_cluster::id::NodeId;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// What the URI in a certificate's subject alternative names starts with, before
/// the 64 hexadecimal digits of the node's identity.
pub const NODE_URI_PREFIX: &str = "actor-node:";

/// The DER encoding of an Ed25519 public key, up to the key itself: a sequence
/// of the algorithm's identifier (RFC 8410) and a bit string.
const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The node that a certificate speaks for: the one it names, else the one whose
/// key it holds.
///
/// A name comes first, because that is what lets a node change its key and stay
/// who it is. Only the authority that signed the certificate can put it there,
/// so the caller must have verified the chain, and the peer's possession of the
/// key, before it believes the answer.
pub(crate) fn node_of(certificate: &CertificateDer<'_>) -> Result<NodeId, IdentityError> {
    let certificate = EndEntityCert::try_from(certificate).map_err(IdentityError::Unreadable)?;
    match named(&certificate)? {
        Some(node) => Ok(node),
        None => keyed(&certificate).ok_or(IdentityError::Missing),
    }
}

/// The one node named in the certificate. Two names would let the reader choose
/// whom to believe, and a name we cannot read must not be taken for no name.
fn named(certificate: &EndEntityCert<'_>) -> Result<Option<NodeId>, IdentityError> {
    let mut names = certificate.valid_uri_names().filter_map(|uri| uri.strip_prefix(NODE_URI_PREFIX));
    let Some(name) = names.next() else { return Ok(None) };
    if names.next().is_some() {
        return Err(IdentityError::Ambiguous);
    }
    name.parse().map(Some).map_err(|_| IdentityError::Malformed)
}

/// The certificate's own key, where it is of the kind that identities are.
fn keyed(certificate: &EndEntityCert<'_>) -> Option<NodeId> {
    let spki = certificate.subject_public_key_info();
    NodeId::try_from(spki.strip_prefix(&ED25519_SPKI_PREFIX)?).ok()
}

/// Why a certificate speaks for no node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("the certificate cannot be read: {0}")]
    Unreadable(webpki::Error),
    #[error("the certificate names more than one node")]
    Ambiguous,
    #[error("the certificate names a node, but not by 64 hexadecimal digits")]
    Malformed,
    #[error("the certificate says nothing about a node: it has no Ed25519 key and no {NODE_URI_PREFIX} URI")]
    Missing,
}
