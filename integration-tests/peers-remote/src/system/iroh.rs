//! The floor of everything over Iroh: one of its streams, with its own settings.

use std::net::SocketAddr;

use tokio::io::join;
use transport_iroh::iroh::endpoint::{PortmapperConfig, presets};
use transport_iroh::iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, TransportAddr};

use super::streams;
use super::{Error, Serving};
use crate::far::Far;
use crate::flags::Task;
use crate::measure::Reading;
use crate::rows::BULK_BYTES;

const ALPN: &[u8] = b"bare-stream";

async fn endpoint() -> Result<Endpoint, Error> {
    let builder = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .portmapper_config(PortmapperConfig::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?;
    Ok(builder.alpns(vec![ALPN.to_vec()]).bind().await?)
}

pub(super) async fn serve(task: &Task) -> Result<Serving, Error> {
    let endpoint = endpoint().await?;
    let socket = endpoint.bound_sockets().into_iter().next().ok_or("nothing is bound")?;
    let address = format!("{}@{socket}", endpoint.id());
    let task = *task;
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

pub(super) async fn measure(task: &Task, address: &str, far: &mut Far) -> Result<Reading, Error> {
    let (id, socket) = address.split_once('@').ok_or("no address")?;
    let (id, socket): (EndpointId, SocketAddr) = (id.parse()?, socket.parse()?);
    let endpoint = endpoint().await?;
    let target = EndpointAddr::from_parts(id, [TransportAddr::Ip(socket)]);
    let connection = endpoint.connect(target, ALPN).await?;
    let (writer, reader) = connection.open_bi().await?;
    let reading = streams::run(task, join(reader, writer), far).await;
    drop(connection);
    reading
}
