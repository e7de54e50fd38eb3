//! What a node proves itself with: certificates and their key, from PEM or DER.
//! Must not live here: whom it believes (`authorities.rs`).

use std::fmt;
use std::path::Path;

use actor_cluster::id::NodeId;
use actor_cluster::transport::TransportError;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::identity;
use crate::pem::{certificates, describe, in_file, read, unusable};

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
    /// for a node. Whether the key fits shows when a context is made of it.
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
            .map_err(|error| unusable(format!("there is no usable private key: {}", describe(&error))))?;
        Self::from_der(chain, key)
    }

    /// Reads the PEM files of a chain and a key. A warning is logged where others than
    /// the key's owner may read it.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem), and if a file cannot be read or is
    /// larger than [`PEM_BYTES_MAX`](crate::limits::PEM_BYTES_MAX). The message
    /// names the file.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TransportError> {
        let (chain_path, key_path) = (chain.as_ref(), key.as_ref());
        warn_of_readers(key_path);
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

/// A key that others can read is no secret. It is used all the same: files that an
/// orchestrator mounts are often readable by the whole container.
#[cfg(unix)]
pub(crate) fn warn_of_readers(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    const GROUP_AND_OTHERS: u32 = 0o077;

    // Whether it can be read at all shows later.
    let Ok(metadata) = key.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & GROUP_AND_OTHERS != 0 {
        let key = key.display();
        tracing::warn!(%key, mode = format!("{mode:o}"), "others may read this private key; chmod 600 it");
    }
}

#[cfg(not(unix))]
pub(crate) fn warn_of_readers(_key: &Path) {}
