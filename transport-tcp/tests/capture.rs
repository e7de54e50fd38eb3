//! What somebody sees who sits between two nodes.

use actor_cluster::transport::{Address, LaneSet, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport_tcp::{DevCa, TcpTransport};

use crate::world::{ANY_PORT, Host, guarded, node_of, plaintext};

const PAYLOAD: &[u8] = b"the fleet sails at dawn";

#[tokio::test]
async fn b08_a_capture_shows_no_plaintext_payload() {
    let ca = DevCa::new().unwrap();
    let captured = capture(&node_of(&ca, "host"), &node_of(&ca, "dialler")).await;
    assert!(!shows(&captured, PAYLOAD));
    // Names and certificates are encrypted as well.
    assert!(!shows(&captured, b"dialler"));

    // The same ears hear everything where TLS was switched off.
    let captured = capture(&plaintext(), &plaintext()).await;
    assert!(shows(&captured, PAYLOAD));
}

/// Everything that passes a wire tap between two nodes that tell each other the
/// payload.
async fn capture(host: &TcpTransport, dialler: &TcpTransport) -> Vec<u8> {
    let mut host = Host::start(host).await;
    let tap = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = Address::new(dialler.scheme(), &tap.local_addr().unwrap().to_string()).unwrap();
    let server = host.address.rest().to_owned();
    let tapping = async {
        let (client, _) = tap.accept().await.unwrap();
        relay(client, TcpStream::connect(server).await.unwrap()).await
    };
    let talking = async {
        let (near, far) = tokio::join!(dialler.dial(&address), host.listener.accept());
        let (near, far) = (near.unwrap(), far.unwrap());
        let mut near = near.open(LaneSet::ALL).await.unwrap();
        let mut far = far.accept().await.unwrap();
        let mut heard = vec![0; PAYLOAD.len()];
        near.write_all(PAYLOAD).await.unwrap();
        near.flush().await.unwrap();
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, PAYLOAD);
        far.write_all(PAYLOAD).await.unwrap();
        far.shutdown().await.unwrap();
        near.read_to_end(&mut heard).await.unwrap();
        near.shutdown().await.unwrap();
    };
    guarded(async { tokio::join!(tapping, talking).0 }).await
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
                to.write_all(&buffer[..bytes]).await.unwrap();
            }
            _ => break,
        }
    }
    let _ = to.shutdown().await;
    copied
}

fn shows(captured: &[u8], words: &[u8]) -> bool {
    captured.windows(words.len()).any(|window| window == words)
}
