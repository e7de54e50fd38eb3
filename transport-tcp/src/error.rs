//! What went wrong at a handshake, in words for people, sorted by what they can
//! do about it. Must not live here: the errors themselves (the seam's).

use std::io;

use actor_cluster::transport::TransportError;
use transport_tls::Fault;

/// Sorts a handshake that failed: into certificates that are not believed, by
/// either side, and everything else.
pub(crate) fn handshake_failed(peer: &str, error: &io::Error) -> TransportError {
    match fault_of(error) {
        Some(fault) => fault.about(peer),
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
    match fault_of(&error) {
        Some(Fault::Trust(detail)) => untrusted(peer, detail).into(),
        _ => error,
    }
}

fn fault_of(error: &io::Error) -> Option<Fault> {
    error.get_ref()?.downcast_ref().map(Fault::of)
}

fn describe_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "it hung up".into()
        }
        _ => error.to_string(),
    }
}
