//! What went wrong in TLS, in words for people, sorted by what they can do about
//! it. Must not live here: which peer it was (the transports know).

use actor_cluster::transport::TransportError;
use rustls::{AlertDescription, CertRevocationListError, CertificateError, Error, PeerIncompatible};

/// Whose matter an error of TLS is, with what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Certificates: an operator must look at them.
    Trust(String),
    /// The peer is not one of us, or too broken to say so.
    Protocol(String),
}

impl Fault {
    /// Sorts an error of rustls.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Fault::Trust(certificate(error)),
            Error::InvalidCertRevocationList(error) => Fault::Trust(revocation_list(error)),
            Error::NoCertificatesPresented => Fault::Trust("it presented no certificate".into()),
            Error::AlertReceived(description) => alert(*description),
            Error::InvalidMessage(_) => Fault::Protocol("it does not speak TLS".into()),
            Error::NoApplicationProtocol => Fault::Protocol("it does not speak our protocol".into()),
            Error::PeerIncompatible(why) => Fault::Protocol(incompatible(why)),
            other => Fault::Protocol(other.to_string()),
        }
    }

    /// The same as the error of a handshake with this peer.
    pub fn about(self, peer: &str) -> TransportError {
        let peer = peer.to_owned();
        match self {
            Fault::Trust(detail) => TransportError::Untrusted { peer, detail },
            Fault::Protocol(detail) => TransportError::Handshake { peer, detail },
        }
    }
}

fn incompatible(why: &PeerIncompatible) -> String {
    use PeerIncompatible as P;
    match why {
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::SupportedVersionsExtensionRequired
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled
        | P::Tls13RequiredForQuic => "it does not speak TLS 1.3".into(),
        why => format!("it does not speak TLS as we do: {why:?}"),
    }
}

/// What is wrong with the peer's certificate.
fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => format!("its certificate has expired ({error})"),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            format!("its certificate is not valid yet; do the clocks agree? ({error})")
        }
        E::Revoked => "its certificate was revoked; it needs another one".into(),
        E::UnknownRevocationStatus => "its certificate comes from an authority without a revocation list; \
             there must be one of every authority"
            .into(),
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            format!("the revocation list of its authority is out of date ({error})")
        }
        E::UnknownIssuer => "its certificate comes from an authority we do not know".into(),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            format!("its certificate is not meant for both server and client authentication ({error})")
        }
        // Two authorities of one name look like this too.
        E::BadSignature => "a signature does not fit: the authority is not the one we know by that name, \
             or the peer does not hold its certificate's key"
            .into(),
        // Ours, see `identity.rs` and `trust.rs`.
        E::Other(other) => other.to_string(),
        other => format!("its certificate is not valid: {other}"),
    }
}

fn revocation_list(error: &CertRevocationListError) -> String {
    format!("the revocation list of its authority cannot be used: {error:?}")
}

/// What the peer says is wrong with us.
fn alert(alert: AlertDescription) -> Fault {
    use AlertDescription as A;
    Fault::Trust(match alert {
        A::UnknownCA => "it does not know the authority of our certificate".into(),
        A::CertificateExpired => "it says that our certificate is expired or not valid yet".into(),
        A::CertificateRevoked => "it says that our certificate was revoked".into(),
        A::CertificateRequired => "it demands a certificate and got none from us".into(),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateUnknown
        | A::DecryptError
        | A::AccessDenied => format!("it does not accept our certificate ({alert:?})"),
        A::NoApplicationProtocol => return Fault::Protocol("it does not speak our protocol".into()),
        A::ProtocolVersion => return Fault::Protocol("it does not speak TLS 1.3".into()),
        other => return Fault::Protocol(format!("it broke the handshake off ({other:?})")),
    })
}
