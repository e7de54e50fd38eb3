//! The floor of everything over QUIC: one of quinn's streams, with its own settings, and mutual TLS as `tls.rs` has it.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, ServerConfig};
use tokio::io::join;

use super::streams;
use super::tls::{Certificate, NAME};
use super::{Error, Serving};
use crate::far::Far;
use crate::flags::Task;
use crate::measure::Reading;
use crate::rows::BULK_BYTES;

const ALPN: &[u8] = b"bare-stream";

pub(super) async fn serve(task: &Task, certificate: &Certificate) -> Result<Serving, Error> {
    let mut config = certificate.server()?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config)?));
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse()?)?;
    let (address, task) = (endpoint.local_addr()?, *task);
    tokio::spawn({
        let endpoint = endpoint.clone();
        async move {
            let incoming = endpoint.accept().await.ok_or("the endpoint is closed")?;
            let connection = incoming.await?;
            let (writer, reader) = connection.accept_bi().await?;
            let served = streams::serve(&task, join(reader, writer), BULK_BYTES).await;
            connection.closed().await;
            served
        }
    });
    Ok(Serving::new(address, endpoint))
}

pub(super) async fn measure(
    task: &Task,
    certificate: &Certificate,
    address: &str,
    far: &mut Far,
) -> Result<Reading, Error> {
    let mut config = certificate.client()?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?));
    let endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
    let connection = endpoint.connect_with(config, address.parse()?, NAME)?.await?;
    let (writer, reader) = connection.open_bi().await?;
    let reading = streams::run(task, join(reader, writer), far).await;
    drop(connection);
    reading
}
