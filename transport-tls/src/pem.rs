//! PEM texts and the files that hold them. Must not live here: what the
//! certificates in them are for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use actor_cluster::transport::TransportError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{Error, PemObject};

use crate::limits::PEM_BYTES_MAX;

/// Every certificate in the text, which has at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let certificates =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| {
            unusable(format!("the certificates are not written in PEM: {}", describe(&error)))
        })?;
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in the PEM text"));
    }
    Ok(certificates)
}

/// What is wrong with a text, without a word of it: it may be a key, and this goes into logs.
pub(crate) fn describe(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "a section has no end; were its line breaks lost?",
        Error::IllegalSectionStart { .. } => "a section begins wrongly; were its line breaks lost?",
        Error::Base64Decode(_) => "what stands in a section is not Base64",
        Error::NoItemsFound => "there is none",
        Error::SectionTooLarge => "a section is too long",
        _ => "it cannot be read",
    }
}

/// Reads a small file whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TransportError> {
    let unreadable = |error| unusable(format!("cannot read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if length as u64 > PEM_BYTES_MAX {
        return Err(unusable(format!("{} is larger than {PEM_BYTES_MAX} bytes", path.display())));
    }
    Ok(bytes)
}

pub(crate) fn unusable(detail: impl Into<String>) -> TransportError {
    TransportError::Config(detail.into())
}

/// Says which file an error is about.
pub(crate) fn in_file(file: &str, error: &TransportError) -> TransportError {
    match error {
        TransportError::Config(detail) => unusable(format!("{file}: {detail}")),
        other => unusable(format!("{file}: {other}")),
    }
}
