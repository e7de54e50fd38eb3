//! Whose certificates are believed, and which of them were taken back. Must not
//! live here: how a chain is judged (`trust.rs`).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use actor_cluster::transport::TransportError;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use crate::pem::{certificates, describe, in_file, read, unusable};

/// The authorities whose certificates are believed.
///
/// Every node that one of them vouches for gets in, so they must be the
/// cluster's own: a public authority would let the world in.
#[derive(Clone, Debug)]
pub struct Authorities {
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) revocations: Option<RevocationLists>,
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
        Ok(Self { roots: Arc::new(roots), revocations: None })
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
    /// larger than [`PEM_BYTES_MAX`](crate::limits::PEM_BYTES_MAX). The message
    /// names the file.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        let path = path.as_ref();
        Self::from_pem(&read(path)?).map_err(|error| in_file(&path.display().to_string(), &error))
    }

    /// Believes no certificate that stands in these lists, instead of those that
    /// were given before.
    ///
    /// There must be a list of every authority, those between included: a
    /// certificate of one without a list is refused, because nobody says that it
    /// was not taken back. Lists are found by the name of their authority, so an authority
    /// that takes the place of another needs a name of its own.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if there is no list of one of these authorities: none of its nodes
    /// would get in.
    pub fn with_revocations(mut self, lists: RevocationLists) -> Result<Self, TransportError> {
        let is_listed =
            |root: &TrustAnchor<'_>| lists.lists.iter().any(|list| list.issuer() == root.subject.as_ref());
        if !self.roots.roots.iter().all(is_listed) {
            return Err(unusable("one of the authorities has no revocation list; there must be one of each"));
        }
        self.revocations = Some(lists);
        Ok(self)
    }
}

/// Certificates that authorities have taken back: their revocation lists (CRLs,
/// RFC 5280 version 2).
///
/// A list that should have been followed by another is still used, as an old one
/// is better than none; [`refuse_outdated`](Self::refuse_outdated) changes that.
#[derive(Clone)]
pub struct RevocationLists {
    pub(crate) lists: Arc<[CertRevocationList<'static>]>,
    pub(crate) refuses_outdated: bool,
}

impl RevocationLists {
    /// Takes lists in DER.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if there is none, if two are of the same authority, or if one cannot be read: a
    /// delta or an indirect list, or one without a time for the next.
    pub fn from_der<'a>(
        lists: impl IntoIterator<Item = CertificateRevocationListDer<'a>>,
    ) -> Result<Self, TransportError> {
        let read = |list: CertificateRevocationListDer<'a>| {
            OwnedCertRevocationList::from_der(&list)
                .map(CertRevocationList::from)
                .map_err(|error| unusable(format!("a revocation list is unusable: {error}")))
        };
        let lists = lists.into_iter().map(read).collect::<Result<Arc<[_]>, _>>()?;
        if lists.is_empty() {
            return Err(unusable("there is no revocation list"));
        }
        // Only one of them would be looked at.
        let mut issuers: Vec<&[u8]> = lists.iter().map(CertRevocationList::issuer).collect();
        issuers.sort_unstable();
        if issuers.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(unusable("two revocation lists are of the same authority; keep its newest, whole"));
        }
        Ok(Self { lists, refuses_outdated: false })
    }

    /// Reads lists that are written in PEM (`X509 CRL`).
    ///
    /// # Errors
    ///
    /// As [`from_der`](Self::from_der).
    pub fn from_pem(pem: &[u8]) -> Result<Self, TransportError> {
        let lists = CertificateRevocationListDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| {
                unusable(format!("the revocation lists are not written in PEM: {}", describe(&error)))
            })?;
        Self::from_der(lists)
    }

    /// Reads a PEM file of lists.
    ///
    /// # Errors
    ///
    /// As [`from_der`](Self::from_der), and if the file cannot be read or is
    /// larger than [`PEM_BYTES_MAX`](crate::limits::PEM_BYTES_MAX). The message
    /// names the file.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        let path = path.as_ref();
        Self::from_pem(&read(path)?).map_err(|error| in_file(&path.display().to_string(), &error))
    }

    /// Refuses everybody of an authority whose list should have been followed by
    /// another. Then the cluster stands only as long as somebody renews the lists; whoever is
    /// connected stays.
    pub fn refuse_outdated(mut self) -> Self {
        self.refuses_outdated = true;
        self
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLists")
            .field("lists", &self.lists.len())
            .field("refuses_outdated", &self.refuses_outdated)
            .finish()
    }
}
