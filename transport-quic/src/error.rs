//! What went wrong, in the seam's words, sorted by whose fault it is. The only place that reads quinn's errors.

use std::io;

use actor_cluster::transport::{CloseCode, CloseReason, TransportError};
use quinn::{ConnectionError, TransportErrorCode, VarInt};
use rustls::{AlertDescription, Error as TlsError};
use transport_tls::{Fault, Verdict};

use crate::endpoints::transport_closed;

/// Sorts a handshake that failed: into certificates that are not believed, by either side, and everything else.
pub(crate) fn handshake_failed(peer: &str, error: &ConnectionError, verdict: &Verdict) -> TransportError {
    match error {
        ConnectionError::TransportError(ours) => match (verdict.fault(), alert(ours.code)) {
            (Some(fault), _) => faulty(peer, fault),
            (None, Some(alert)) => faulty(peer, broken_off(alert, &ours.reason)),
            (None, None) => dropped(peer, printable(&ours.to_string())),
        },
        ConnectionError::ConnectionClosed(theirs) => match alert(theirs.error_code) {
            Some(alert) => faulty(peer, Fault::of(&TlsError::AlertReceived(alert))),
            None if theirs.error_code == TransportErrorCode::CONNECTION_REFUSED => {
                dropped(peer, "it takes no more connections now")
            }
            None => dropped(peer, format!("it hung up ({})", printable(&theirs.to_string()))),
        },
        ConnectionError::ApplicationClosed(theirs) => {
            let reason = said_by_peer(theirs.error_code, &theirs.reason);
            match reason.code {
                CloseCode::Refused => untrusted(peer, format!("it says: {reason}")),
                _ => dropped(peer, format!("it hung up ({reason})")),
            }
        }
        ConnectionError::Reset => dropped(peer, "it hung up"),
        other => dropped(peer, printable(&other.to_string())),
    }
}

/// What is wrong in TLS.
pub(crate) fn faulty(peer: &str, fault: Fault) -> TransportError {
    match fault {
        Fault::Trust(detail) => untrusted(peer, detail),
        Fault::Protocol(detail) => dropped(peer, detail),
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
        ConnectionError::ApplicationClosed(theirs) => said_by_peer(theirs.error_code, &theirs.reason),
        // Whoever closes a connection says why, unless all are closed at once.
        ConnectionError::LocallyClosed => ours.cloned().unwrap_or_else(transport_closed),
        ConnectionError::TimedOut => CloseReason::new(CloseCode::Timeout, "nothing was heard of the peer"),
        ConnectionError::ConnectionClosed(theirs) => match alert(theirs.error_code) {
            Some(alert) => return faulty(peer, Fault::of(&TlsError::AlertReceived(alert))),
            None => CloseReason::new(CloseCode::Lost, printable(&theirs.to_string())),
        },
        ConnectionError::TransportError(ours) => {
            CloseReason::new(CloseCode::Violation, printable(&ours.to_string()))
        }
        other => CloseReason::new(CloseCode::Lost, printable(&other.to_string())),
    })
}

/// The reason that a peer's application error code and detail stand for.
pub(crate) fn said_by_peer(code: VarInt, detail: &[u8]) -> CloseReason {
    let detail = printable(&String::from_utf8_lossy(detail));
    match u32::try_from(code.into_inner()).ok().and_then(CloseCode::from_u32) {
        Some(known) => CloseReason::new(known, detail),
        None => CloseReason::new(CloseCode::Lost, format!("closed with the unknown code {code}: {detail}")),
    }
}

/// What reading and writing say once the stream is over. Whoever wants the reason finds it inside.
pub(crate) fn over(error: TransportError) -> io::Error {
    match error {
        TransportError::Io(error) => error,
        TransportError::Untrusted { .. } => io::Error::new(io::ErrorKind::PermissionDenied, error),
        other => io::Error::new(io::ErrorKind::NotConnected, other),
    }
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

/// A peer's words, fit for one line of a log.
fn printable(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_reason_is_read_and_cleaned() {
        let code = VarInt::from_u32(CloseCode::Violation.as_u32());
        let reason = said_by_peer(code, b"bad frame\n2026 INFO all is well\xff");
        assert_eq!(reason.code, CloseCode::Violation);
        assert_eq!(reason.detail(), "bad frame 2026 INFO all is well\u{fffd}");
    }

    #[test]
    fn an_unknown_code_is_a_loss_that_names_it() {
        let reason = said_by_peer(VarInt::from_u64(1 << 40).unwrap(), b"");
        assert_eq!(reason.code, CloseCode::Lost);
        assert!(reason.detail().contains(&(1u64 << 40).to_string()), "{reason}");
    }

    #[test]
    fn only_codes_of_tls_are_alerts() {
        let unknown_ca = TransportErrorCode::crypto(AlertDescription::UnknownCA.into());
        assert_eq!(alert(unknown_ca), Some(AlertDescription::UnknownCA));
        for code in [TransportErrorCode::CONNECTION_REFUSED, TransportErrorCode::PROTOCOL_VIOLATION] {
            assert_eq!(alert(code), None);
        }
    }

    #[test]
    fn reads_and_writes_carry_the_reason_inside() {
        let reason = CloseReason::new(CloseCode::Shutdown, "bye");
        let error = over(TransportError::Closed(reason.clone()));
        assert_eq!((error.kind(), CloseReason::of(&error)), (io::ErrorKind::NotConnected, Some(&reason)));
        let error = over(untrusted("a peer", "why"));
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
