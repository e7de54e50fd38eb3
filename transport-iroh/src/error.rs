//! Iroh's errors in the seam's words, sorted by whose fault they are. The only
//! place that reads Iroh's error types.

use std::io;

use actor_cluster::transport::{Address, CloseCode, CloseReason, TransportError, printable};
use iroh::endpoint::{
    BindError, ConnectError, ConnectWithOptsError, ConnectingError, ConnectionError, TransportErrorCode,
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
        ConnectionError::ApplicationClosed(close) => {
            CloseReason::received(close.error_code.into_inner(), &close.reason)
        }
        ConnectionError::LocallyClosed => ours.cloned().unwrap_or_else(|| CloseCode::Done.into()),
        ConnectionError::TimedOut => CloseCode::Timeout.into(),
        ConnectionError::TransportError(fault) => {
            CloseReason::new(CloseCode::Violation, printable(&fault.to_string()))
        }
        other => CloseReason::new(CloseCode::Lost, printable(&other.to_string())),
    }
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
    match error {
        ConnectionError::TimedOut => {
            unreachable(address, io::ErrorKind::TimedOut, "nobody answers".to_owned())
        }
        // Nobody listens there, or takes more connections now: an endpoint says no more than that.
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::CONNECTION_REFUSED =>
        {
            unreachable(address, io::ErrorKind::ConnectionRefused, error.to_string())
        }
        other => dropped(address, &format!("it hung up ({other})")),
    }
}

/// Whoever is at the address did not finish its handshake with us.
pub(crate) fn dropped(address: &Address, detail: &str) -> TransportError {
    TransportError::Handshake { peer: address.to_string(), detail: printable(detail) }
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
            let reason = CloseReason::received(close.error_code.into_inner(), &close.reason);
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
