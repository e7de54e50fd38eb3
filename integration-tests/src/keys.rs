//! Who the nodes of one cluster are, over each transport, and how one is started.
//! The keys live in memory and travel through pipes; no file ever holds them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use actor_cluster::transport::{Address, TransportError};
use actor_cluster::{NodeBuilder, NodeId, NodeServer, StartError, Wire};
use examples::websocket::{self, WsTransport};
use transport_iroh::{IrohBuilder, IrohTransport, SECRET_KEY_BYTES, generate_secret_key, node_id_of};
use transport_tcp::tls::dev_ca::{DevCertificate, DevKey};
use transport_tcp::{Authorities, Credentials, DevCa, TcpConfig, TcpTransport};

/// The length of a cluster's secret.
const SECRET_BYTES: usize = 32;

/// A transport that nodes can meet over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// TCP with TLS 1.3.
    Tcp,
    /// Iroh's QUIC.
    Iroh,
    /// WebSocket without TLS. Nothing proves who a node is; they share a secret.
    Ws,
}

impl Way {
    /// Those on which nodes prove who they are.
    pub const ALL: [Way; 2] = [Way::Tcp, Way::Iroh];

    /// The scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        match self {
            Way::Tcp => "tcp+tls",
            Way::Iroh => transport_iroh::SCHEME,
            Way::Ws => websocket::SCHEME,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.scheme())
    }
}

/// Makes the keys of a cluster's nodes. Its certificate authority lives as long as
/// this value.
#[derive(Debug)]
pub struct Authority {
    ca: DevCa,
    /// What nodes share where nothing else proves that they belong together.
    secret: [u8; SECRET_BYTES],
}

/// All that one node proves itself with. Whoever has this value is the node.
#[derive(Clone, Wire)]
pub struct NodeKeys {
    /// The node's name, for people.
    pub name: String,
    /// Who it is, over every transport.
    pub node: NodeId,
    tcp: Option<TcpKeys>,
    iroh: Option<[u8; SECRET_KEY_BYTES]>,
    /// Whether it is reached over WebSocket.
    ws: bool,
    /// The cluster's secret, where some nodes are.
    secret: Option<[u8; SECRET_BYTES]>,
}

/// PEM texts: a certificate, its key, and the authority that signed it.
#[derive(Clone, Wire)]
struct TcpKeys {
    certificate: String,
    key: String,
    authority: String,
}

impl Authority {
    /// An authority of its own kind: nodes of another one are strangers.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the system has no random bytes.
    pub fn new() -> Result<Self, TransportError> {
        Ok(Self { ca: DevCa::new()?, secret: generate_secret_key() })
    }

    /// Keys for a new node that is reached these ways.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the name cannot be used or no way is given.
    pub fn keys(&self, name: &str, ways: &[Way]) -> Result<NodeKeys, TransportError> {
        self.keys_with(name, ways, DevCertificate::default())
    }

    /// As [`keys`](Self::keys), with a certificate that says what it is told to.
    ///
    /// # Errors
    ///
    /// As [`keys`](Self::keys).
    pub fn keys_with(
        &self,
        name: &str,
        ways: &[Way],
        mut certificate: DevCertificate,
    ) -> Result<NodeKeys, TransportError> {
        let iroh = ways.contains(&Way::Iroh).then(generate_secret_key);
        let mut node = iroh.as_ref().map(node_id_of);
        let mut tcp = None;
        if ways.contains(&Way::Tcp) {
            // A node has one identity. Over Iroh it is the endpoint's key, so the
            // certificate names that key and may have any of its own.
            if let Some(node) = node {
                certificate.key = DevKey::EcdsaP256;
                certificate.uris.push(DevCertificate::uri_of(node));
            }
            let signed = self.ca.node_with(name, &certificate)?;
            node = Some(signed.node_id);
            tcp = Some(TcpKeys { certificate: signed.cert, key: signed.key, authority: signed.ca });
        }
        let ws = ways.contains(&Way::Ws);
        // Nobody proves anything there, so any identity will do that no other node has.
        let node = node.or_else(|| ws.then(|| node_id_of(&generate_secret_key())));
        let node = node.ok_or_else(|| TransportError::Config(format!("{name} has no way to be reached")))?;
        Ok(NodeKeys { name: name.to_owned(), node, tcp, iroh, ws, secret: ws.then_some(self.secret) })
    }
}

impl NodeKeys {
    /// The same node, which has the secret that the other one has: who has one demands it of everybody.
    pub fn sharing_secret_with(mut self, other: &NodeKeys) -> Self {
        self.secret = other.secret;
        self
    }

    /// The settings of this node's TCP transport: it listens on a free port of this
    /// machine.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the node has no certificate.
    pub fn tcp(&self) -> Result<TcpConfig, TransportError> {
        let keys = self.tcp.as_ref().ok_or_else(|| self.lacks(Way::Tcp))?;
        Ok(TcpTransport::builder()
            .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .credentials(Credentials::from_pem(keys.certificate.as_bytes(), keys.key.as_bytes())?)
            .authorities(Authorities::from_pem(keys.authority.as_bytes())?))
    }

    /// The settings of this node's Iroh transport: it is bound to this machine's
    /// loopback and talks to `peers` alone.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the node has no Iroh key.
    pub fn iroh(&self, peers: &[NodeId]) -> Result<IrohBuilder, TransportError> {
        let secret_key = self.iroh.ok_or_else(|| self.lacks(Way::Iroh))?;
        Ok(IrohTransport::builder().secret_key(secret_key).loopback().allow(peers.iter().copied()))
    }

    /// The node's Iroh key, for a transport with settings of its own.
    pub fn iroh_key(&self) -> Option<[u8; SECRET_KEY_BYTES]> {
        self.iroh
    }

    /// Starts the node with a transport for each of its ways. `peers` are those it
    /// talks to over Iroh; over TCP it is all of its authority's.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn start(
        &self,
        peers: &[NodeId],
        settings: impl FnOnce(NodeBuilder) -> NodeBuilder,
    ) -> Result<RunningNode, StartError> {
        let mut builder = settings(NodeServer::builder(self.node).name(&self.name));
        if self.tcp.is_some() {
            builder = builder.transport(self.tcp()?.build()?);
        }
        let mut iroh = None;
        if self.iroh.is_some() {
            let transport = self.iroh(peers)?.bind().await?;
            builder = builder.transport(transport.clone());
            iroh = Some(transport);
        }
        if let Some(secret) = &self.secret {
            builder = builder.secret(secret);
        }
        if self.ws {
            builder =
                builder.transport(WsTransport::listening_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
        }
        Ok(RunningNode { server: builder.start().await?, iroh })
    }

    fn lacks(&self, way: Way) -> TransportError {
        TransportError::Config(format!("{} has no keys for {way}", self.name))
    }
}

/// Keys stay out of logs.
impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKeys").field("name", &self.name).field("node", &self.node).finish_non_exhaustive()
    }
}

/// A node of this process.
#[derive(Debug)]
pub struct RunningNode {
    /// The node.
    pub server: NodeServer,
    /// Kept to be closed: the node's own end leaves the endpoint open.
    iroh: Option<IrohTransport>,
}

/// A node without Iroh, that was set up otherwise.
impl From<NodeServer> for RunningNode {
    fn from(server: NodeServer) -> Self {
        Self { server, iroh: None }
    }
}

impl RunningNode {
    /// Where the node can be dialled this way.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if it does not listen there.
    pub fn address(&self, way: Way) -> Result<Address, TransportError> {
        let found = self.server.addresses().iter().find(|address| address.scheme() == way.scheme());
        found.cloned().ok_or_else(|| TransportError::Config(format!("the node does not listen on {way}")))
    }

    /// Says goodbye to every peer, and waits until no task and no port of the node
    /// is left.
    ///
    /// # Errors
    ///
    /// What Iroh says if its port cannot be freed.
    pub async fn shutdown(self) -> Result<(), TransportError> {
        self.server.shutdown().await;
        match self.iroh {
            Some(iroh) => iroh.close().await,
            None => Ok(()),
        }
    }
}
