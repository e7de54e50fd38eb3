//! Where credentials and authorities are read from, again and again. Must not
//! live here: what is done with them (`context.rs`).

use std::path::{Path, PathBuf};

use actor_cluster::transport::TransportError;

use crate::authorities::{Authorities, RevocationLists};
use crate::credentials::{Credentials, warn_of_readers};
use crate::pem::{in_file, read};

/// The PEM files of one node.
///
/// They should be replaced by renaming others, as certificate managers do: a file that is being written when it is
/// read again is half of one. What does not fit together then, a key of another certificate or an authority
/// without its revocation list, replaces nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    chain: PathBuf,
    key: PathBuf,
    authorities: PathBuf,
    revocations: Option<PathBuf>,
}

/// What stood in the files.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    chain: Vec<u8>,
    key: Vec<u8>,
    authorities: Vec<u8>,
    revocations: Option<Vec<u8>>,
}

impl Contents {
    /// Whether the same are believed.
    pub(crate) fn has_same_trust(&self, other: &Self) -> bool {
        (&self.authorities, &self.revocations) == (&other.authorities, &other.revocations)
    }
}

impl TlsFiles {
    /// The node's certificate chain, the key of it, and the authorities it believes.
    pub fn new(chain: impl AsRef<Path>, key: impl AsRef<Path>, authorities: impl AsRef<Path>) -> Self {
        Self {
            chain: chain.as_ref().into(),
            key: key.as_ref().into(),
            authorities: authorities.as_ref().into(),
            revocations: None,
        }
    }

    /// The authorities' revocation lists, see
    /// [`Authorities::with_revocations`](crate::Authorities::with_revocations).
    pub fn revocations(mut self, lists: impl AsRef<Path>) -> Self {
        self.revocations = Some(lists.as_ref().into());
        self
    }

    /// Reads what is there now. Whether it is of any use shows later.
    pub(crate) fn contents(&self) -> Result<Contents, TransportError> {
        Ok(Contents {
            chain: read(&self.chain)?,
            key: read(&self.key)?,
            authorities: read(&self.authorities)?,
            revocations: self.revocations.as_deref().map(read).transpose()?,
        })
    }

    /// What the contents say.
    pub(crate) fn parse(&self, contents: &Contents) -> Result<(Credentials, Authorities), TransportError> {
        let both = format!("{} and {}", self.chain.display(), self.key.display());
        let credentials =
            Credentials::from_pem(&contents.chain, &contents.key).map_err(|error| in_file(&both, &error))?;
        let authorities = Authorities::from_pem(&contents.authorities)
            .map_err(|error| in_file(&self.authorities.display().to_string(), &error))?;
        let authorities = match (&contents.revocations, &self.revocations) {
            (Some(lists), Some(path)) => RevocationLists::from_pem(lists)
                .and_then(|lists| authorities.with_revocations(lists))
                .map_err(|error| in_file(&path.display().to_string(), &error))?,
            _ => authorities,
        };
        // Last, so that it is said once for what is used, and not at each look at what is not.
        warn_of_readers(&self.key);
        Ok((credentials, authorities))
    }
}
