//! Pipes keep the contract of transports, and their own.

use super::*;
use crate::id::NodeId;
use crate::testing::transport_suite::{Harness, Node};

/// Anonymous nodes, every lane on one stream.
struct OneStream(World);

impl Harness for OneStream {
    const HAS_CHANNEL_BINDING: bool = false;
    const MALFORMED: &'static [&'static str] = MALFORMED;

    async fn new() -> Self {
        Self(World::default())
    }

    async fn node(&mut self) -> Node {
        let name = self.0.next_name();
        node(self.0.network.transport(name), PeerIdentity::Anonymous)
    }

    async fn again(&mut self, node: Node, address: &Address) -> Node {
        self::node(self.0.network.transport(address.rest()), node.identity)
    }

    async fn nobody(&mut self) -> Address {
        nobody()
    }
}

/// Nodes with identities, a stream for each lane.
struct StreamPerLane(World);

impl StreamPerLane {
    fn transport(&self, name: &str, identity: PeerIdentity) -> Node {
        let transport = self.0.network.transport(name).with_identity(identity);
        node(transport.with_streams([LaneSet::CONTROL, LaneSet::DATA]), identity)
    }
}

impl Harness for StreamPerLane {
    const HAS_CHANNEL_BINDING: bool = false;
    const MALFORMED: &'static [&'static str] = MALFORMED;

    async fn new() -> Self {
        Self(World::default())
    }

    async fn node(&mut self) -> Node {
        let name = self.0.next_name();
        let identity = PeerIdentity::Node(NodeId::from_bytes([self.0.nodes; 32]));
        self.transport(&name, identity)
    }

    async fn again(&mut self, node: Node, address: &Address) -> Node {
        self.transport(address.rest(), node.identity)
    }

    async fn nobody(&mut self) -> Address {
        nobody()
    }
}

const MALFORMED: &[&str] = &["a/b", "a:80", "ä", "[::1]"];

#[derive(Default)]
struct World {
    network: PipeNetwork,
    nodes: u8,
}

impl World {
    fn next_name(&mut self) -> String {
        self.nodes += 1;
        format!("node-{}", self.nodes)
    }
}

fn node(transport: PipeTransport, identity: PeerIdentity) -> Node {
    Node { transport: Box::new(transport), identity }
}

fn nobody() -> Address {
    Address::new(SCHEME, "nobody").unwrap()
}

mod one_stream {
    crate::transport_suite!(super::OneStream);
}

mod stream_per_lane {
    crate::transport_suite!(super::StreamPerLane);
}

#[tokio::test]
async fn a_name_is_had_by_one() {
    let network = PipeNetwork::new();
    let (first, second) = (network.transport("a"), network.transport("a"));
    let _listener = first.listen().await.unwrap();
    let error = second.listen().await.err().unwrap();
    assert!(matches!(error, TransportError::Bind { .. }), "{error}");
    let error = network.transport("a b").listen().await.err().unwrap();
    assert!(matches!(error, TransportError::Config(_)), "{error}");
}

#[tokio::test]
async fn a_full_backlog_refuses() {
    let network = PipeNetwork::new();
    let _listener = network.transport("host").listen().await.unwrap();
    let dialler = network.transport("dialler");
    let address = Address::new(SCHEME, "host").unwrap();
    let mut waiting = Vec::new();
    for _ in 0..BACKLOG_MAX {
        waiting.push(dialler.dial(&address).await.unwrap());
    }
    let error = dialler.dial(&address).await.err().unwrap();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

#[test]
fn pipes_tell_each_end_who_the_other_is() {
    let [a, b] = [1, 2].map(|n| PeerIdentity::Node(NodeId::from_bytes([n; 32])));
    let (near, far) = pipe_between(a, b);
    assert_eq!((near.peer_identity(), far.peer_identity()), (b, a));
    let (near, _far) = pipe();
    assert_eq!(near.peer_identity(), PeerIdentity::Anonymous);
}
