//! Who does the cryptography. It is always handed over and never installed for
//! the process: another crate may have enabled a second provider, and then
//! asking for the default one panics.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// What a [`TlsContext`](crate::TlsContext) uses unless told otherwise.
pub fn ring() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// AWS-LC: post-quantum key exchange (X25519MLKEM768), and a build of it has a
/// FIPS certificate.
#[cfg(feature = "aws-lc-rs")]
pub fn aws_lc_rs() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
