//! What a node proves itself with and whom it believes: certificates and keys
//! from PEM or DER. Must not live here: how TLS uses them (`tls.rs`).

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::transport::TransportError;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::identity;
use crate::limits::PEM_BYTES_MAX;

/// A node's certificate chain and its private key.
///
/// The certificate must be for a node: its key is an Ed25519 key, which is then
/// the node's identity, or an authority named the node in it, see the
/// [crate's page](crate). If it lists extended key usages, both server and
/// client authentication must be among them, because a node does both.
pub struct Credentials {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    node_id: NodeId,
}

impl Credentials {
    /// Takes a chain, the node's own certificate first, and the key of that
    /// certificate.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if there is no certificate, or it is not one
    /// for a node. Whether the key fits shows when the transport is built.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TransportError> {
        let own = chain.first().ok_or_else(|| unusable("there is no certificate in the chain"))?;
        let node_id = identity::node_of(own).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { chain, key, node_id })
    }

    /// Reads a chain and a key that are written in PEM. The key must not be
    /// encrypted.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if either cannot be read, or the certificate
    /// is not one for a node.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TransportError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unusable(format!("there is no usable private key: {error}")))?;
        Self::from_der(chain, key)
    }

    /// Reads the PEM files of a chain and a key.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem), and if a file cannot be read or is
    /// larger than [`PEM_BYTES_MAX`]. The message names the file.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TransportError> {
        let (chain_path, key_path) = (chain.as_ref(), key.as_ref());
        Self::from_pem(&read(chain_path)?, &read(key_path)?)
            .map_err(|error| in_file(&format!("{} and {}", chain_path.display(), key_path.display()), &error))
    }

    /// The node these credentials are for.
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }
}

impl Clone for Credentials {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key(), node_id: self.node_id }
    }
}

/// The key stays out of logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

/// The authorities whose certificates are believed.
///
/// Every node that one of them vouches for gets in, so they must be the
/// cluster's own: a public authority would let the world in.
#[derive(Clone, Debug)]
pub struct Authorities {
    pub(crate) roots: Arc<RootCertStore>,
}

impl Authorities {
    /// Takes the authorities' own certificates.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if there is none, or one cannot be read.
    pub fn from_der(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TransportError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| unusable(format!("an authority's certificate is unusable: {error}")))?;
        }
        if roots.is_empty() {
            return Err(unusable("there is no authority whose certificates could be believed"));
        }
        Ok(Self { roots: Arc::new(roots) })
    }

    /// Reads the authorities' certificates, written in PEM.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if there is none, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TransportError> {
        Self::from_der(certificates(pem)?)
    }

    /// Reads a PEM file of authorities' certificates.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem), and if the file cannot be read or is
    /// larger than [`PEM_BYTES_MAX`]. The message names the file.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        let path = path.as_ref();
        Self::from_pem(&read(path)?).map_err(|error| in_file(&path.display().to_string(), &error))
    }
}

/// Every certificate in the text, which has at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(format!("the certificates are not written in PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in the PEM text"));
    }
    Ok(certificates)
}

/// Reads a small file whole.
fn read(path: &Path) -> Result<Vec<u8>, TransportError> {
    let unreadable = |error| unusable(format!("cannot read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if length as u64 > PEM_BYTES_MAX {
        return Err(unusable(format!("{} is larger than {PEM_BYTES_MAX} bytes", path.display())));
    }
    Ok(bytes)
}

fn unusable(detail: impl Into<String>) -> TransportError {
    TransportError::Config(detail.into())
}

/// Says which file an error is about.
fn in_file(file: &str, error: &TransportError) -> TransportError {
    match error {
        TransportError::Config(detail) => unusable(format!("{file}: {detail}")),
        other => unusable(format!("{file}: {other}")),
    }
}
