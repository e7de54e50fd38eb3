//! What this transport says on its own account: the name of the protocol and
//! the one byte by which a listener lets a dialler in. Must not live here:
//! anything the cluster says.

use iroh::endpoint::Connection;

/// The application protocol that TLS negotiates. A peer that does not speak it
/// gets no connection.
///
/// Version 1: once a dialler is let in, the listener opens a unidirectional
/// stream, writes the byte 1 and finishes it. Then the dialler opens its
/// bidirectional streams, the control lane's first, and speaks first on each,
/// because QUIC shows a stream to the peer only once something was sent on it. A
/// listener that does not let the dialler in closes the connection instead.
/// Every close, reset and stop carries a
/// [`CloseCode`](actor_cluster::transport::CloseCode) as its application error
/// code, and a close also a detail in UTF-8.
pub const ALPN: &[u8] = b"actor-cluster/1";

/// What a listener writes to a dialler that it lets in.
const ADMITTED: [u8; 1] = [1];

/// Tells the dialler that it is let in. `false` where it cannot be told any more.
///
/// Without this word a dialler could not know: in TLS 1.3 its handshake is done
/// before the listener has even seen who it is.
pub(crate) async fn say_admitted(connection: &Connection) -> bool {
    let Ok(mut stream) = connection.open_uni().await else { return false };
    stream.write_all(&ADMITTED).await.is_ok() && stream.finish().is_ok()
}

/// Waits until the listener lets us in. `false` where it does not; the end of
/// the connection then says why, unless the listener said something else.
pub(crate) async fn hear_admitted(connection: &Connection) -> bool {
    let Ok(mut stream) = connection.accept_uni().await else { return false };
    matches!(stream.read_to_end(ADMITTED.len()).await, Ok(word) if word == ADMITTED)
}
