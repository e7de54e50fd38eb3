//! What went wrong at a handshake, in words for people, sorted by what they can
//! do about it. Must not live here: the errors themselves (the seam's).

use std::io;

use actor_cluster::transport::TransportError;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// Sorts a handshake that failed: into certificates that are not believed, by
/// either side, and everything else.
pub(crate) fn handshake_failed(peer: &str, error: &io::Error) -> TransportError {
    match tls_error(error).map(explain) {
        Some(Cause::Trust(detail)) => untrusted(peer, detail),
        Some(Cause::Protocol(detail)) => dropped(peer, detail),
        None => dropped(peer, describe_io(error)),
    }
}

/// The peer could not prove itself, or does not believe us.
pub(crate) fn untrusted(peer: &str, detail: impl Into<String>) -> TransportError {
    TransportError::Untrusted { peer: peer.to_owned(), detail: detail.into() }
}

/// The peer did not finish its handshake.
pub(crate) fn dropped(peer: &str, detail: impl Into<String>) -> TransportError {
    TransportError::Handshake { peer: peer.to_owned(), detail: detail.into() }
}

/// Explains the error of an established stream.
///
/// In TLS 1.3 the client is done before the server has seen its certificate, so
/// a dialler that is refused learns it here, on its first read.
pub(crate) fn on_stream(peer: &str, error: io::Error) -> io::Error {
    match tls_error(&error).map(explain) {
        Some(Cause::Trust(detail)) => {
            io::Error::new(io::ErrorKind::PermissionDenied, untrusted(peer, detail))
        }
        _ => error,
    }
}

/// Whose matter a TLS error is.
enum Cause {
    /// Certificates: an operator must look at them.
    Trust(String),
    /// The peer is not one of us, or too broken to say so.
    Protocol(String),
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

fn explain(error: &TlsError) -> Cause {
    match error {
        TlsError::InvalidCertificate(error) => Cause::Trust(explain_certificate(error)),
        TlsError::NoCertificatesPresented => Cause::Trust("it presented no certificate".into()),
        TlsError::AlertReceived(alert) => explain_alert(*alert),
        TlsError::InvalidMessage(_) => Cause::Protocol("it does not speak TLS".into()),
        TlsError::NoApplicationProtocol => Cause::Protocol("it does not speak our protocol".into()),
        TlsError::PeerIncompatible(why) => {
            Cause::Protocol(format!("it does not speak TLS as we do: {why:?}"))
        }
        other => Cause::Protocol(other.to_string()),
    }
}

/// What is wrong with the peer's certificate.
fn explain_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => format!("its certificate has expired ({error})"),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            format!("its certificate is not valid yet; do the clocks agree? ({error})")
        }
        E::UnknownIssuer => "its certificate comes from an authority we do not know".into(),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            format!("its certificate is not meant for both server and client authentication ({error})")
        }
        // Two authorities of one name look like this too.
        E::BadSignature => "a signature does not fit: the authority is not the one we know by that name, \
             or the peer does not hold its certificate's key"
            .into(),
        // Ours, see `identity.rs`.
        E::Other(other) => other.to_string(),
        other => format!("its certificate is not valid: {other}"),
    }
}

/// What the peer says is wrong with us.
fn explain_alert(alert: AlertDescription) -> Cause {
    use AlertDescription as A;
    Cause::Trust(match alert {
        A::UnknownCA => "it does not know the authority of our certificate".into(),
        A::CertificateExpired => "it says that our certificate is expired or not valid yet".into(),
        A::CertificateRequired => "it demands a certificate and got none from us".into(),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateUnknown
        | A::DecryptError
        | A::AccessDenied => format!("it does not accept our certificate ({alert:?})"),
        A::NoApplicationProtocol => return Cause::Protocol("it does not speak our protocol".into()),
        A::ProtocolVersion => return Cause::Protocol("it does not speak TLS 1.3".into()),
        other => return Cause::Protocol(format!("it broke the handshake off ({other:?})")),
    })
}

fn describe_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "it hung up".into()
        }
        _ => error.to_string(),
    }
}
