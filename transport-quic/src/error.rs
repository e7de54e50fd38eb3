//! What went wrong, in the seam's words, sorted by whose fault it is. The only place that reads quinn's errors.

use actor_cluster::transport::{CloseCode, CloseReason, TransportError, printable};
use quinn::{ConnectionError, TransportErrorCode};
use rustls::{AlertDescription, Error as TlsError};
use transport_tls::{Fault, Verdict};

use crate::endpoints::transport_closed;

/// Sorts a handshake that failed: into certificates that are not believed, by either side, and everything else.
pub(crate) fn handshake_failed(peer: &str, error: &ConnectionError, verdict: &Verdict) -> TransportError {
    match error {
        ConnectionError::TransportError(ours) => match (verdict.fault(), alert(ours.code)) {
            (Some(fault), _) => fault.about(peer),
            (None, Some(alert)) => broken_off(alert, &ours.reason).about(peer),
            (None, None) => dropped(peer, printable(&ours.to_string())),
        },
        ConnectionError::ConnectionClosed(theirs) => match alert(theirs.error_code) {
            Some(alert) => Fault::of(&TlsError::AlertReceived(alert)).about(peer),
            None if theirs.error_code == TransportErrorCode::CONNECTION_REFUSED => {
                dropped(peer, "it takes no more connections now")
            }
            None => dropped(peer, format!("it hung up ({})", printable(&theirs.to_string()))),
        },
        ConnectionError::ApplicationClosed(theirs) => {
            let reason = CloseReason::received(theirs.error_code.into_inner(), &theirs.reason);
            match reason.code {
                CloseCode::Refused => untrusted(peer, format!("it says: {reason}")),
                _ => dropped(peer, format!("it hung up ({reason})")),
            }
        }
        ConnectionError::Reset => dropped(peer, "it hung up"),
        other => dropped(peer, printable(&other.to_string())),
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

/// Why a connection ended on which we were let in: as the peer put it, as `ours` put it where we closed it, or as
/// far as can be told.
pub(crate) fn end_of_connection(
    peer: &str,
    error: &ConnectionError,
    ours: Option<&CloseReason>,
) -> TransportError {
    TransportError::Closed(match error {
        ConnectionError::ApplicationClosed(theirs) => {
            CloseReason::received(theirs.error_code.into_inner(), &theirs.reason)
        }
        // Whoever closes a connection says why, unless all are closed at once.
        ConnectionError::LocallyClosed => ours.cloned().unwrap_or_else(transport_closed),
        ConnectionError::TimedOut => CloseReason::new(CloseCode::Timeout, "nothing was heard of the peer"),
        ConnectionError::ConnectionClosed(theirs) => match alert(theirs.error_code) {
            Some(alert) => return Fault::of(&TlsError::AlertReceived(alert)).about(peer),
            None => CloseReason::new(CloseCode::Lost, printable(&theirs.to_string())),
        },
        ConnectionError::TransportError(ours) => {
            CloseReason::new(CloseCode::Violation, printable(&ours.to_string()))
        }
        other => CloseReason::new(CloseCode::Lost, printable(&other.to_string())),
    })
}

/// The alert of TLS that a connection ended with, if it was one (RFC 9001, section 4.8).
fn alert(code: TransportErrorCode) -> Option<AlertDescription> {
    const ALERTS: u64 = 0x100;
    let alert = u64::from(code).checked_sub(ALERTS)?;
    u8::try_from(alert).ok().map(AlertDescription::from)
}

/// Why we broke a handshake off, other than for the peer's certificate.
fn broken_off(alert: AlertDescription, reason: &str) -> Fault {
    match alert {
        AlertDescription::CertificateRequired => Fault::of(&TlsError::NoCertificatesPresented),
        AlertDescription::NoApplicationProtocol => Fault::of(&TlsError::NoApplicationProtocol),
        _ => Fault::Protocol(printable(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_tls_are_alerts() {
        let unknown_ca = TransportErrorCode::crypto(AlertDescription::UnknownCA.into());
        assert_eq!(alert(unknown_ca), Some(AlertDescription::UnknownCA));
        for code in [TransportErrorCode::CONNECTION_REFUSED, TransportErrorCode::PROTOCOL_VIOLATION] {
            assert_eq!(alert(code), None);
        }
    }
}
