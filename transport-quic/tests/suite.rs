//! The contract of the seam.

use std::any::Any;
use std::collections::HashMap;

use actor_cluster::id::NodeId;
use actor_cluster::testing::transport_suite::{Harness, Node};
use actor_cluster::transport::{Address, PeerIdentity, Transport, TransportError};
use tokio::net::UdpSocket;
use transport_quic::{DevCa, NodeCredentials, SCHEME};

use crate::world::{self, ANY_PORT, guarded};

actor_cluster::transport_suite!(Quic);

struct Quic {
    ca: DevCa,
    nodes: HashMap<NodeId, NodeCredentials>,
    /// Sockets that say nothing, so that nobody else gets their ports.
    reserved: Vec<UdpSocket>,
}

impl Harness for Quic {
    const HAS_CHANNEL_BINDING: bool = true;
    const MALFORMED: &'static [&'static str] =
        &["host", "host:0", "host:65536", ":80", "::1:80", "[::1]", "[10.0.0.1]:80", "a/b:80", "a@b:80"];

    async fn new() -> Self {
        Self { ca: DevCa::new().unwrap(), nodes: HashMap::new(), reserved: Vec::new() }
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
        let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
        let address = Address::new(SCHEME, &socket.local_addr().unwrap().to_string()).unwrap();
        self.reserved.push(socket);
        address
    }

    async fn silent_peer(&mut self, address: &Address) -> Option<Box<dyn Any>> {
        Some(Box::new(world::knock(address).await))
    }

    /// Believes the host, who does not believe it, and stays until it has heard so.
    async fn bad_peer(&mut self, address: &Address) -> bool {
        let stranger = DevCa::new().unwrap().node("stranger").unwrap();
        let believer = NodeCredentials { ca: self.ca.pem().to_owned(), ..stranger };
        let dialler = world::settings(&believer).build().unwrap();
        let error = guarded(dialler.dial(address)).await.err().expect("it must not get in");
        assert!(matches!(error, TransportError::Untrusted { .. }), "{error}");
        true
    }
}
