//! Iroh's errors in the seam's words, sorted by whose fault they are. The only
//! place that reads Iroh's error types.

use std::io;

use actor_cluster::transport::{Address, CloseCode, CloseReason, TransportError};
use iroh::endpoint::{
    BindError, ConnectError, ConnectWithOptsError, ConnectingError, ConnectionError, TransportErrorCode,
    VarInt,
};

/// The TLS alert of a peer that speaks none of our protocols.
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Our own list is asked before, so it can only be what else there is.
const HOOKED: &str =
    "it was taken off our list of peers meanwhile, or another of the endpoint's hooks rejects it";

/// Why a connection ended: as the peer put it, as `ours` put it where we closed
/// it, or as far as can be told.
pub(crate) fn end_of_connection(error: &ConnectionError, ours: Option<&CloseReason>) -> CloseReason {
    match error {
        ConnectionError::ApplicationClosed(close) => said_by_peer(close.error_code, &close.reason),
        ConnectionError::LocallyClosed => ours.cloned().unwrap_or_else(|| CloseCode::Done.into()),
        ConnectionError::TimedOut => CloseCode::Timeout.into(),
        ConnectionError::TransportError(fault) => {
            CloseReason::new(CloseCode::Violation, printable(&fault.to_string()))
        }
        other => CloseReason::new(CloseCode::Lost, printable(&other.to_string())),
    }
}

/// The reason that a peer's application error code and detail stand for.
pub(crate) fn said_by_peer(code: VarInt, detail: &[u8]) -> CloseReason {
    let detail = printable(&String::from_utf8_lossy(detail));
    match u32::try_from(code.into_inner()).ok().and_then(CloseCode::from_u32) {
        Some(known) => CloseReason::new(known, detail),
        None => CloseReason::new(CloseCode::Lost, format!("closed with the unknown code {code}: {detail}")),
    }
}

/// What reading and writing say once the stream is over. Whoever wants the
/// reason finds it inside, as [`TransportError::Closed`].
pub(crate) fn closed(reason: CloseReason) -> io::Error {
    let kind = match reason.code {
        CloseCode::Timeout => io::ErrorKind::TimedOut,
        CloseCode::Lost => io::ErrorKind::ConnectionReset,
        _ => io::ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, TransportError::Closed(reason))
}

/// Why a dial failed before there was a connection.
pub(crate) fn dial(error: ConnectError, address: &Address) -> TransportError {
    match error {
        ConnectError::Connect { source, .. } => start_of_dial(source, address),
        ConnectError::Connecting { source: ConnectingError::ConnectionError { source, .. }, .. }
        | ConnectError::Connection { source, .. } => dialled_connection(&source, address),
        ConnectError::Connecting { source: ConnectingError::LocallyRejected { .. }, .. } => {
            untrusted(address, HOOKED.to_owned())
        }
        ConnectError::Connecting { source, .. } => untrusted(address, format!("{source:#}")),
        other => unreachable(address, io::ErrorKind::Other, format!("{other:#}")),
    }
}

/// Why a dialled connection ended before the listener let us in.
pub(crate) fn dialled_connection(error: &ConnectionError, address: &Address) -> TransportError {
    if let Some(detail) = distrust(error) {
        return untrusted(address, detail);
    }
    let kind = match error {
        ConnectionError::TimedOut => io::ErrorKind::TimedOut,
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::CONNECTION_REFUSED =>
        {
            io::ErrorKind::ConnectionRefused
        }
        _ => io::ErrorKind::ConnectionAborted,
    };
    unreachable(address, kind, error.to_string())
}

/// We do not trust who is at the address, or they do not trust us.
pub(crate) fn untrusted(address: &Address, detail: String) -> TransportError {
    TransportError::Untrusted { peer: address.to_string(), detail: printable(&detail) }
}

/// Nobody can be spoken to at the address.
pub(crate) fn unreachable(address: &Address, kind: io::ErrorKind, detail: String) -> TransportError {
    TransportError::Unreachable {
        address: address.to_string(),
        source: io::Error::new(kind, printable(&detail)),
    }
}

/// Why somebody at `peer` did not get through its handshake with us.
pub(crate) fn handshake(error: &ConnectingError, peer: String) -> TransportError {
    match error {
        ConnectingError::ConnectionError { source, .. } => incoming_connection(source, peer),
        other => TransportError::Untrusted { peer, detail: printable(&format!("{other:#}")) },
    }
}

/// Why an incoming connection ended before it was let in.
pub(crate) fn incoming_connection(error: &ConnectionError, peer: String) -> TransportError {
    match distrust(error) {
        Some(detail) => TransportError::Untrusted { peer, detail: printable(&detail) },
        None => TransportError::Handshake { peer, detail: printable(&error.to_string()) },
    }
}

/// Why the endpoint could not be made.
pub(crate) fn bind(error: BindError, address: String) -> TransportError {
    match error {
        BindError::Sockets { source, .. } => TransportError::Bind { address, source },
        other => TransportError::Config(format!("{other:#}")),
    }
}

/// The transport is closed on this side.
pub(crate) fn transport_closed() -> TransportError {
    TransportError::Closed(CloseReason::new(CloseCode::Shutdown, "the transport is closed"))
}

fn start_of_dial(error: ConnectWithOptsError, address: &Address) -> TransportError {
    match error {
        ConnectWithOptsError::SelfConnect { .. } => address.unusable("it is our own"),
        ConnectWithOptsError::EndpointClosed { .. } => transport_closed(),
        ConnectWithOptsError::LocallyRejected { .. } => untrusted(address, HOOKED.to_owned()),
        ConnectWithOptsError::NoAddress { .. } => {
            unreachable(address, io::ErrorKind::NotFound, "it is not known where the peer is".to_owned())
        }
        other => unreachable(address, io::ErrorKind::Other, format!("{other:#}")),
    }
}

/// Whether the connection ended because one side did not believe or did not want
/// the other; and if so, in which words.
fn distrust(error: &ConnectionError) -> Option<String> {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let reason = said_by_peer(close.error_code, &close.reason);
            (reason.code == CloseCode::Refused).then(|| format!("it says: {reason}"))
        }
        ConnectionError::TransportError(fault) => is_proof_failure(fault.code).then(|| fault.to_string()),
        ConnectionError::ConnectionClosed(close) => {
            is_proof_failure(close.error_code).then(|| format!("it says: {close}"))
        }
        _ => None,
    }
}

/// Whether the code is a TLS alert that is about somebody's proof of identity.
fn is_proof_failure(code: TransportErrorCode) -> bool {
    const ALERTS: std::ops::Range<u64> = 0x100..0x200;
    ALERTS.contains(&u64::from(code)) && code != TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL)
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
    fn reads_and_writes_carry_the_reason_inside() {
        let error = closed(CloseReason::new(CloseCode::Shutdown, "bye"));
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<TransportError>());
        assert!(
            matches!(inside, Some(TransportError::Closed(reason)) if reason.detail() == "bye"),
            "{error}"
        );
    }
}
