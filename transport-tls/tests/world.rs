//! What the tests share.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use rustls::{ClientConnection, ServerConnection};
use transport_tls::pki_types::pem::PemObject;
use transport_tls::pki_types::{CertificateDer, ServerName};
pub(crate) use transport_tls::testing::meeting::assert_config;
use transport_tls::{NodeCredentials, TlsContext};

/// A node's side of TLS.
pub(crate) fn context(node: &NodeCredentials) -> TlsContext {
    TlsContext::new(node.credentials().unwrap(), node.authorities().unwrap()).unwrap()
}

/// Some time around now.
pub(crate) fn this_hour() -> Range<SystemTime> {
    let half = Duration::from_secs(30 * 60);
    SystemTime::now() - half..SystemTime::now() + half
}

/// What the node presents.
pub(crate) fn chain_of(node: &NodeCredentials) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(node.cert.as_bytes()).collect::<Result<_, _>>().unwrap()
}

/// Shakes hands in memory: what each side says of it, the dialler first.
pub(crate) fn shake_hands(
    dialler: &TlsContext,
    host: &TlsContext,
) -> (Result<ClientConnection, rustls::Error>, Result<ServerConnection, rustls::Error>) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut near = ClientConnection::new(dialler.client_config(), name).unwrap();
    let mut far = ServerConnection::new(host.server_config()).unwrap();
    let (mut says_near, mut says_far) = (Ok(()), Ok(()));
    for _ in 0..8 {
        let mut bytes = Vec::new();
        while near.wants_write() {
            near.write_tls(&mut bytes).unwrap();
        }
        while !bytes.is_empty() {
            let mut rest = bytes.as_slice();
            far.read_tls(&mut rest).unwrap();
            bytes = rest.to_vec();
            says_far = says_far.and_then(|()| far.process_new_packets().map(drop));
        }
        while far.wants_write() {
            far.write_tls(&mut bytes).unwrap();
        }
        while !bytes.is_empty() {
            let mut rest = bytes.as_slice();
            near.read_tls(&mut rest).unwrap();
            bytes = rest.to_vec();
            says_near = says_near.and_then(|()| near.process_new_packets().map(drop));
        }
    }
    (says_near.map(|()| near), says_far.map(|()| far))
}
