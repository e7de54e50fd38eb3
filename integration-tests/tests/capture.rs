//! What somebody sees who sits between two nodes of a cluster.

use std::net::{Ipv4Addr, SocketAddr};

use actor_cluster::transport::Address;
use actor_cluster::{Mode, NodeId, NodeServer};
use actor_core::{ActorSystem, SpawnOptions};
use integration_tests::Way;
use integration_tests::echo::{ECHOES, Echo, Say};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport_tcp::TcpTransport;

use crate::support::{guarded, two};

const PAYLOAD: &str = "the fleet sails at dawn";

#[tokio::test]
async fn b08_a_tls_cluster_session_carries_no_plaintext() {
    guarded(async {
        let [host, dialler] = two(&[Way::Tcp]);
        let [host, dialler] = [host, dialler].map(|keys| {
            let transport = keys.tcp().unwrap().build().unwrap();
            (keys.node, transport)
        });
        let captured = overhear(host, dialler).await;
        assert!(!captured.is_empty());
        for secret in [PAYLOAD, "listening-node", "dialling-node", ECHOES] {
            assert!(!shows(&captured, secret), "{secret} is on the wire");
        }
    })
    .await;
}

/// The same ears hear everything where TLS was switched off: they are not deaf.
#[tokio::test]
async fn a_plaintext_cluster_session_can_be_read_by_anybody() {
    guarded(async {
        let plaintext = |number| {
            let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let transport = TcpTransport::builder().listen(loopback).danger_plaintext().build().unwrap();
            (NodeId::from_bytes([number; 32]), transport)
        };
        let captured = overhear(plaintext(1), plaintext(2)).await;
        for word in [PAYLOAD, "listening-node", "dialling-node", ECHOES] {
            assert!(shows(&captured, word), "{word} was not heard");
        }
        assert!(!shows(&captured, "a secret of the cluster's"), "not even then");
    })
    .await;
}

/// Everything that passes a wire tap between two nodes, one of which tells the other
/// the payload.
async fn overhear(host: (NodeId, TcpTransport), dialler: (NodeId, TcpTransport)) -> Vec<u8> {
    let host = node("listening-node", host).await;
    let dialler = node("dialling-node", dialler).await;
    let tap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let there = &host.addresses()[0];
    let tapped = Address::new(there.scheme(), &tap.local_addr().unwrap().to_string()).unwrap();
    let server = there.rest().to_owned();
    let tapping = async {
        let (client, _) = tap.accept().await.unwrap();
        relay(client, TcpStream::connect(server).await.unwrap()).await
    };
    let talking = async {
        dialler.connect(&tapped).await.unwrap();
        let echoes = dialler.group::<Say>(ECHOES);
        let remote = echoes.iter().find(|echo| !echo.is_local()).unwrap();
        assert_eq!(remote.call(|port| Say::This(PAYLOAD.to_owned(), port)).await.unwrap(), PAYLOAD);
        dialler.shutdown().await;
        host.shutdown().await;
    };
    tokio::join!(tapping, talking).0
}

async fn node(name: &str, (id, transport): (NodeId, TcpTransport)) -> NodeServer {
    let system = ActorSystem::new();
    let builder = NodeServer::builder(id).name(name).system(system.clone()).mode(Mode::Isolated);
    let node = builder.secret("a secret of the cluster's").transport(transport).start().await.unwrap();
    let echo = system.spawn(Echo, (), SpawnOptions::new()).await.unwrap();
    node.join_group(ECHOES, &echo).unwrap();
    node
}

/// Passes bytes on in both directions and keeps a copy.
async fn relay(client: TcpStream, server: TcpStream) -> Vec<u8> {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let (mut there, back) = tokio::join!(copy(client_read, server_write), copy(server_read, client_write));
    there.extend(back);
    there
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> Vec<u8> {
    let (mut copied, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match from.read(&mut buffer).await {
            Ok(bytes) if bytes > 0 => {
                copied.extend_from_slice(&buffer[..bytes]);
                // Whoever does not read any more has been told enough.
                let _ = to.write_all(&buffer[..bytes]).await;
            }
            _ => break,
        }
    }
    let _ = to.shutdown().await;
    copied
}

fn shows(captured: &[u8], words: &str) -> bool {
    captured.windows(words.len()).any(|window| window == words.as_bytes())
}
