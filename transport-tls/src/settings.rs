//! What a transport is told of TLS before it starts, and the check that it makes sense.

use actor_cluster::transport::TransportError;

use crate::authorities::Authorities;
use crate::context::TlsContext;
use crate::credentials::Credentials;
use crate::pem::unusable;

/// What the builder of a transport was told of TLS: a context, or what to make one of.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// A context that is shared, or in which something is to be replaced later. Instead of the other two.
    pub context: Option<TlsContext>,
    /// What the node proves itself with.
    pub credentials: Option<Credentials>,
    /// Whose certificates it believes.
    pub authorities: Option<Authorities>,
}

impl TlsSettings {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self { context: None, credentials: None, authorities: None })
    }

    /// The context that was given, or a new one.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if credentials or authorities are missing, or are given beside a context, or if the
    /// key is not the certificate's.
    pub fn into_context(self) -> Result<TlsContext, TransportError> {
        match (self.context, self.credentials, self.authorities) {
            (Some(context), None, None) => Ok(context),
            (None, Some(credentials), Some(authorities)) => TlsContext::new(credentials, authorities),
            (Some(_), ..) => Err(unusable(
                "credentials and authorities stand in the TLS context and are given beside it, too",
            )),
            (None, None, _) => Err(unusable("credentials are missing: a certificate chain and its key")),
            (None, _, None) => Err(unusable("authorities are missing: whose certificates to believe")),
        }
    }
}
