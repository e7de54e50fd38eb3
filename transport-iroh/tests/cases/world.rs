//! Nodes on this machine's loopback, and what tests do with them.

use std::any::Any;
use std::net::{Ipv4Addr, SocketAddr};

use actor_cluster::id::NodeId;
use actor_cluster::testing::transport_suite::{Harness, Node};
use actor_cluster::transport::{
    Address, CloseReason, ClusterBidiStream, Connection, Listener, PeerIdentity, Transport, TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use transport_iroh::{IrohBuilder, IrohTransport, SCHEME, generate_secret_key, node_id_of};

pub(super) use actor_cluster::testing::transport_suite::guarded;

/// The nodes of one case of the suite.
pub(super) struct World {
    nodes: Vec<Member>,
}

struct Member {
    transport: IrohTransport,
    secret_key: [u8; 32],
}

impl Harness for World {
    const HAS_CHANNEL_BINDING: bool = true;

    const MALFORMED: &'static [&'static str] = &[
        "127.0.0.1:4000",
        "localhost",
        "00@127.0.0.1:4000",
        "0202020202020202020202020202020202020202020202020202020202020202@127.0.0.1:4000",
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29@127.0.0.1",
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29@127.0.0.1:0",
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29@localhost:4000",
    ];

    async fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    async fn node(&mut self) -> Node {
        let secret_key = generate_secret_key();
        let builder = IrohTransport::builder().secret_key(secret_key).loopback();
        self.join(builder, secret_key).await
    }

    async fn again(&mut self, node: Node, address: &Address) -> Node {
        let gone = self.nodes.iter().position(|member| identity(&member.transport) == node.identity);
        let Member { transport, secret_key } = self.nodes.remove(gone.expect("a node of this world"));
        drop(node);
        transport.close().await.expect("close");
        let builder = IrohTransport::builder().secret_key(secret_key).bind_addr(socket_of(address));
        self.join(builder, secret_key).await
    }

    async fn nobody(&mut self) -> Address {
        let nobody = node_id_of(&generate_secret_key());
        self.nodes.iter().for_each(|member| member.transport.allow(nobody));
        address(nobody, unused_socket().await)
    }

    async fn silent_peer(&mut self, address: &Address) -> Option<Box<dyn Any>> {
        Some(Box::new(stall(address).await))
    }

    async fn silent_host(&mut self, _node: &Node) -> Option<(Address, Box<dyn Any>)> {
        let silent = node_id_of(&generate_secret_key());
        self.nodes.iter().for_each(|member| member.transport.allow(silent));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        Some((address(silent, socket.local_addr().expect("an address")), Box::new(socket)))
    }

    async fn bad_peer(&mut self, address: &Address) -> bool {
        let stranger = node().await;
        stranger.allow(node_id_in(address));
        let error = stranger.dial(address).await.err().expect("a stranger must not get in");
        assert!(matches!(error, TransportError::Untrusted { .. }), "{error}");
        stranger.close().await.expect("close");
        true
    }
}

impl World {
    /// One more node, whom all the others know.
    async fn join(&mut self, builder: IrohBuilder, secret_key: [u8; 32]) -> Node {
        let others = self.nodes.iter().map(|member| member.transport.node_id());
        let transport = builder.allow(others).bind().await.expect("bind");
        self.nodes.iter().for_each(|member| member.transport.allow(transport.node_id()));
        self.nodes.push(Member { transport: transport.clone(), secret_key });
        Node { identity: identity(&transport), transport: Box::new(transport) }
    }
}

fn identity(transport: &IrohTransport) -> PeerIdentity {
    PeerIdentity::Node(transport.node_id())
}

/// A builder with all but a list of peers.
pub(super) fn builder() -> IrohBuilder {
    IrohTransport::builder().secret_key(generate_secret_key()).loopback()
}

/// A node that knows nobody.
pub(super) async fn node() -> IrohTransport {
    builder().bind().await.expect("bind")
}

/// Two nodes that know each other.
pub(super) async fn friends() -> (IrohTransport, IrohTransport) {
    let (a, b) = (node().await, node().await);
    a.allow(b.node_id());
    b.allow(a.node_id());
    (a, b)
}

/// Two friends, one of which listens to the other.
pub(super) struct Pair {
    pub(super) dialler: IrohTransport,
    pub(super) host: IrohTransport,
    pub(super) listener: Box<dyn Listener>,
    pub(super) address: Address,
}

impl Pair {
    pub(super) async fn listening() -> Self {
        let (dialler, host) = friends().await;
        Self::of(dialler, host).await
    }

    /// Two nodes that know each other already.
    pub(super) async fn of(dialler: IrohTransport, host: IrohTransport) -> Self {
        let listener = host.listen().await.expect("listen");
        let address = listener.addresses().remove(0);
        Self { dialler, host, listener, address }
    }

    /// A new connection: the dialler's end, and the other.
    pub(super) async fn connect(&mut self) -> (Box<dyn Connection>, Box<dyn Connection>) {
        let (near, far) = tokio::join!(self.dialler.dial(&self.address), self.listener.accept());
        (near.expect("dial"), far.expect("accept"))
    }

    /// A new connection with its first stream.
    pub(super) async fn talk(&mut self) -> (End, End) {
        let (near, far) = self.connect().await;
        let mut opened = near.open(self.dialler.streams()[0]).await.expect("open");
        opened.write_all(b"hello").await.expect("write");
        let mut accepted = far.accept().await.expect("accept");
        let mut hello = [0; 5];
        accepted.read_exact(&mut hello).await.expect("read");
        (End { connection: near, stream: opened }, End { connection: far, stream: accepted })
    }

    /// Closes both, the one that listens first.
    pub(super) async fn close(self) {
        drop(self.listener);
        self.host.close().await.expect("close");
        self.dialler.close().await.expect("close");
    }
}

/// One end of a connection and of a stream on it.
pub(super) struct End {
    pub(super) connection: Box<dyn Connection>,
    pub(super) stream: Box<dyn ClusterBidiStream>,
}

/// The reason that the next read finds, after whatever is left to read.
pub(super) async fn end_of(stream: &mut Box<dyn ClusterBidiStream>) -> CloseReason {
    let mut buffer = [0; 1024];
    let error = loop {
        match stream.read(&mut buffer).await {
            Ok(0) => panic!("the stream came to its end"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TransportError>());
    match cause {
        Some(TransportError::Closed(reason)) => reason.clone(),
        other => panic!("{error}: {other:?}"),
    }
}

/// Begins a handshake with the address, hears the answer and says no more.
pub(super) async fn stall(address: &Address) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    let here = socket.local_addr().expect("an address");
    let lure = builder().allow_any().bind().await.expect("bind");
    // The first packet of a real dial, which was lured here.
    let mut packet = vec![0; 2048];
    let at_us = self::address(node_id_in(address), here);
    let bytes = tokio::select! {
        _ = lure.dial(&at_us) => panic!("nobody answers here"),
        received = socket.recv(&mut packet) => received.expect("a packet"),
    };
    socket.send_to(&packet[..bytes], socket_of(address)).await.expect("send");
    let answered = async {
        loop {
            let (_, from) = socket.recv_from(&mut packet).await.expect("an answer");
            if from == socket_of(address) {
                break;
            }
        }
    };
    answered.await;
    socket
}

/// Where a node is.
pub(super) fn address(node: NodeId, socket: SocketAddr) -> Address {
    Address::new(SCHEME, &format!("{node}@{socket}")).expect("an address")
}

/// The node that an address is about.
pub(super) fn node_id_in(address: &Address) -> NodeId {
    let (node, _) = address.rest().split_once('@').expect("a node");
    node.parse().expect("a node")
}

/// The only socket of an address.
pub(super) fn socket_of(address: &Address) -> SocketAddr {
    let (_, socket) = address.rest().split_once('@').expect("a socket");
    socket.parse().expect("a socket")
}

/// A socket on which nobody hears.
pub(super) async fn unused_socket() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    socket.local_addr().expect("an address")
}
