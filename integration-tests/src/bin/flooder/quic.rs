//! Datagrams that come to no connection, and connections of strangers.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actor_cluster::transport::{Address, Transport};
use integration_tests::siege::Kind;
use integration_tests::{Authority, Way};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use transport_quic::QuicTransport;

use super::{Flood, source};

/// The longest datagram that is caught.
const DATAGRAM_BYTES_MAX: usize = 2048;

/// How many of their beginnings are caught before they are sent: making one costs more than sending it.
const CAUGHT: u32 = 500;

/// Makes them all. How many were sent, or refused.
pub(super) async fn flood(flood: Flood) -> Result<u32, Box<dyn Error>> {
    let transport = Arc::new(Authority::new()?.keys("stranger", &[Way::Quic])?.quic()?.build()?);
    let target = flood.target;
    match flood.kind {
        Kind::Noise => {
            let sent = flood.run(|number| async move {
                // Short and long headers, of versions that are none.
                let mut noise = [0xa5; 1200];
                noise[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
                send(number, &noise, target).await
            });
            Ok(sent.await)
        }
        Kind::Initial => {
            let mut trap = Trap::new(transport).await?;
            let mut sent = 0;
            while sent < flood.count {
                let some = CAUGHT.min(flood.count - sent);
                let mut caught = Vec::new();
                for _ in 0..some {
                    caught.push(trap.catch().await?);
                }
                let from = sent;
                let round = Flood { count: some, ..flood };
                let mut caught = caught.into_iter();
                sent += round
                    .run(|number| {
                        let datagram = caught.next().unwrap_or_default();
                        async move { send(from + number, &datagram, target).await }
                    })
                    .await;
            }
            Ok(sent)
        }
        _ => {
            let address: Address = format!("{}://{target}", Way::Quic.scheme()).parse()?;
            let refused = flood.run(|_| {
                let (transport, address) = (transport.clone(), address.clone());
                async move {
                    match timeout(flood.patience, transport.dial(&address)).await {
                        Ok(Ok(_)) => Err(io::Error::other("a stranger got in")),
                        Ok(Err(_)) | Err(_) => Ok(()),
                    }
                }
            });
            Ok(refused.await)
        }
    }
}

async fn send(number: u32, datagram: &[u8], target: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(source(number)).await?;
    socket.send_to(datagram, target).await.map(drop)
}

/// Where the beginnings of connections are caught, each with a number of its own.
struct Trap {
    transport: Arc<QuicTransport>,
    socket: UdpSocket,
    address: Address,
    seen: HashSet<Vec<u8>>,
}

impl Trap {
    async fn new(transport: Arc<QuicTransport>) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = format!("{}://{}", Way::Quic.scheme(), socket.local_addr()?).parse()?;
        Ok(Self { transport, socket, address, seen: HashSet::new() })
    }

    async fn catch(&mut self) -> Result<Vec<u8>, Box<dyn Error>> {
        let Self { transport, socket, address, seen } = self;
        let caught = async {
            loop {
                let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
                let bytes = socket.recv(&mut datagram).await?;
                datagram.truncate(bytes);
                // What others of them still say has a number that was seen before.
                if bytes >= 1200 && seen.insert(destination(&datagram).to_vec()) {
                    return io::Result::Ok(datagram);
                }
            }
        };
        tokio::select! {
            caught = caught => Ok(caught?),
            _ = transport.dial(address) => Err("nobody answers there".into()),
        }
    }
}

/// The number of the connection that a first datagram is for: behind the first byte, the version and its own length.
fn destination(datagram: &[u8]) -> &[u8] {
    let length = usize::from(datagram.get(5).copied().unwrap_or_default());
    datagram.get(6..6 + length).unwrap_or_default()
}
