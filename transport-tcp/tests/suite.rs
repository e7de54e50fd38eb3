//! The contract of the seam, kept with TLS and without.

use std::any::Any;
use std::collections::HashMap;
#[cfg(unix)]
use std::sync::Arc;

use actor_cluster::id::NodeId;
use actor_cluster::testing::transport_suite::{Harness, Node};
use actor_cluster::transport::{Address, PeerIdentity, Transport};
#[cfg(unix)]
use actor_cluster::transport::{Connection, Listener, TransportError};
#[cfg(unix)]
use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
#[cfg(unix)]
use transport_tcp::UnixTransport;
use transport_tcp::{DevCa, NodeCredentials, TcpTransport};

use crate::world::{self, ANY_PORT};

mod with_tls {
    actor_cluster::transport_suite!(super::WithTls);
}

mod in_plaintext {
    actor_cluster::transport_suite!(super::InPlaintext);
}

#[cfg(unix)]
mod over_unix_sockets {
    actor_cluster::transport_suite!(super::OverUnixSockets);
}

/// What stands in no address of ours.
const MALFORMED: &[&str] =
    &["host", "host:0", "host:65536", ":80", "::1:80", "[::1]", "[10.0.0.1]:80", "a/b:80", "a@b:80"];

struct WithTls {
    ca: DevCa,
    nodes: HashMap<NodeId, NodeCredentials>,
    reserved: Reserved,
}

impl Harness for WithTls {
    const HAS_CHANNEL_BINDING: bool = true;
    const MALFORMED: &'static [&'static str] = MALFORMED;

    async fn new() -> Self {
        Self { ca: DevCa::new().unwrap(), nodes: HashMap::new(), reserved: Reserved::default() }
    }

    async fn node(&mut self) -> Node {
        let credentials = self.ca.node("node").unwrap();
        let transport = world::config(&credentials).build().unwrap();
        let id = credentials.node_id;
        self.nodes.insert(id, credentials);
        Node { transport: Box::new(transport), identity: PeerIdentity::Node(id) }
    }

    async fn again(&mut self, node: Node, address: &Address) -> Node {
        let PeerIdentity::Node(id) = node.identity else { panic!("a node without an identity") };
        let config = world::settings(&self.nodes[&id]).listen(address.rest().parse().unwrap());
        Node { transport: Box::new(config.build().unwrap()), identity: node.identity }
    }

    async fn nobody(&mut self) -> Address {
        self.reserved.address("tcp+tls")
    }

    async fn silent_peer(&mut self, address: &Address) -> Option<Box<dyn Any>> {
        silent_peer(address).await
    }

    async fn silent_host(&mut self, node: &Node) -> Option<(Address, Box<dyn Any>)> {
        silent_host(node.transport.scheme())
    }

    async fn bad_peer(&mut self, address: &Address) -> bool {
        bad_peer(address).await
    }
}

struct InPlaintext {
    reserved: Reserved,
}

impl Harness for InPlaintext {
    const HAS_CHANNEL_BINDING: bool = false;
    const MALFORMED: &'static [&'static str] = MALFORMED;

    async fn new() -> Self {
        Self { reserved: Reserved::default() }
    }

    async fn node(&mut self) -> Node {
        anonymous(world::plaintext())
    }

    async fn again(&mut self, _node: Node, address: &Address) -> Node {
        let config = TcpTransport::builder().listen(address.rest().parse().unwrap());
        anonymous(config.danger_plaintext().build().unwrap())
    }

    async fn nobody(&mut self) -> Address {
        self.reserved.address("tcp+plaintext")
    }

    async fn silent_peer(&mut self, address: &Address) -> Option<Box<dyn Any>> {
        silent_peer(address).await
    }

    async fn silent_host(&mut self, node: &Node) -> Option<(Address, Box<dyn Any>)> {
        silent_host(node.transport.scheme())
    }

    async fn bad_peer(&mut self, address: &Address) -> bool {
        bad_peer(address).await
    }
}

#[cfg(unix)]
struct OverUnixSockets {
    directory: Arc<tempfile::TempDir>,
    sockets: usize,
}

/// A transport whose sockets are there for as long as it is.
#[cfg(unix)]
struct Housed {
    transport: UnixTransport,
    _directory: Arc<tempfile::TempDir>,
}

#[cfg(unix)]
#[async_trait]
impl Transport for Housed {
    fn scheme(&self) -> &str {
        self.transport.scheme()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        self.transport.listen().await
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        self.transport.dial(address).await
    }
}

#[cfg(unix)]
impl OverUnixSockets {
    fn listening_at(&self, path: &str) -> Node {
        let transport = UnixTransport::builder().listen(path).build().unwrap();
        let transport = Box::new(Housed { transport, _directory: self.directory.clone() });
        Node { transport, identity: PeerIdentity::Anonymous }
    }

    fn next_path(&mut self) -> String {
        self.sockets += 1;
        self.directory.path().join(self.sockets.to_string()).to_str().unwrap().to_owned()
    }
}

#[cfg(unix)]
impl Harness for OverUnixSockets {
    const HAS_CHANNEL_BINDING: bool = false;
    const MALFORMED: &'static [&'static str] = &[
        "node.sock",
        "./node.sock",
        "/a/path/that/is/too/long/for/a/socket/of/any/system/of/which/there/are/some/that/take/no/more/than/103/bytes",
    ];

    async fn new() -> Self {
        Self { directory: Arc::new(tempfile::tempdir().unwrap()), sockets: 0 }
    }

    async fn node(&mut self) -> Node {
        let path = self.next_path();
        self.listening_at(&path)
    }

    async fn again(&mut self, _node: Node, address: &Address) -> Node {
        self.listening_at(address.rest())
    }

    async fn nobody(&mut self) -> Address {
        let path = self.next_path();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        Address::new("unix", &path).unwrap()
    }

    async fn silent_peer(&mut self, address: &Address) -> Option<Box<dyn Any>> {
        Some(Box::new(tokio::net::UnixStream::connect(address.rest()).await.unwrap()))
    }

    async fn silent_host(&mut self, _node: &Node) -> Option<(Address, Box<dyn Any>)> {
        let path = self.next_path();
        let host = std::os::unix::net::UnixListener::bind(&path).unwrap();
        Some((Address::new("unix", &path).unwrap(), Box::new(host)))
    }

    async fn bad_peer(&mut self, address: &Address) -> bool {
        let mut socket = tokio::net::UnixStream::connect(address.rest()).await.unwrap();
        // The listener may hang up before it has read all of it.
        let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
        true
    }
}

fn anonymous(transport: TcpTransport) -> Node {
    assert_eq!((transport.scheme(), transport.node_id()), ("tcp+plaintext", None));
    Node { transport: Box::new(transport), identity: PeerIdentity::Anonymous }
}

/// Ports that are bound and not listened on, so that nobody else gets them.
#[derive(Default)]
struct Reserved(Vec<TcpSocket>);

impl Reserved {
    fn address(&mut self, scheme: &str) -> Address {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(ANY_PORT).unwrap();
        let address = Address::new(scheme, &socket.local_addr().unwrap().to_string()).unwrap();
        self.0.push(socket);
        address
    }
}

async fn silent_peer(address: &Address) -> Option<Box<dyn Any>> {
    Some(Box::new(TcpStream::connect(address.rest()).await.unwrap()))
}

/// The system takes connections for it, and it never looks.
fn silent_host(scheme: &str) -> Option<(Address, Box<dyn Any>)> {
    let host = std::net::TcpListener::bind(ANY_PORT).unwrap();
    let address = Address::new(scheme, &host.local_addr().unwrap().to_string()).unwrap();
    Some((address, Box::new(host)))
}

/// Talks of something else and stays until it is thrown out.
async fn bad_peer(address: &Address) -> bool {
    let mut socket = TcpStream::connect(address.rest()).await.unwrap();
    // The listener may hang up before it has read all of it.
    let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
    let _ = socket.read_to_end(&mut Vec::new()).await;
    true
}
