//! The handshake of transports without TLS, since they were told to be or never leave the machine: a greeting in
//! both directions, so that neither end mistakes TLS, or anything else, for a
//! peer. It proves nothing about who the peer is. Must not live here: any way
//! to plaintext that nobody asked for.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connection::Io;

/// What both ends say first, the dialler before the host.
const GREETING: &[u8] = b"actor-cluster/1 plaintext\n";

/// What the first byte of every TLS connection is: a handshake record, or an
/// alert.
const TLS_FIRST_BYTES: [u8; 2] = [0x16, 0x15];

/// The dialler's part.
pub(crate) async fn greet(socket: &mut impl Io) -> io::Result<()> {
    socket.write_all(GREETING).await?;
    hear(socket).await
}

/// The host's part. A stranger is answered too: from the greeting a TLS client
/// sees at once that this is no TLS, instead of waiting for more.
pub(crate) async fn answer(socket: &mut impl Io) -> io::Result<()> {
    let heard = hear(socket).await;
    socket.write_all(GREETING).await?;
    heard
}

/// Reads the peer's greeting, and not a byte beyond it or beyond the first
/// that is wrong.
async fn hear(socket: &mut impl Io) -> io::Result<()> {
    for expected in GREETING {
        let heard = socket.read_u8().await?;
        if heard != *expected {
            let speaks_tls = TLS_FIRST_BYTES.contains(&heard);
            return Err(io::Error::other(if speaks_tls { Stranger::SpeaksTls } else { Stranger::Unknown }));
        }
    }
    Ok(())
}

/// A peer that does not greet as plaintext peers do.
#[derive(Debug, thiserror::Error)]
enum Stranger {
    #[error("it speaks TLS, and this side was told not to")]
    SpeaksTls,
    #[error("it does not speak our protocol in plaintext")]
    Unknown,
}
