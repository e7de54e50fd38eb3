//! Who the nodes of one cluster are, over each transport, and how one is started.
//! The keys live in memory and travel through pipes; no file ever holds them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actor_cluster::transport::{Address, TransportError};
use actor_cluster::{NodeBuilder, NodeId, NodeServer, StartError, Wire};
use examples::websocket::{self, WsTransport};
use transport_iroh::{IrohBuilder, IrohTransport, SECRET_KEY_BYTES, generate_secret_key, node_id_of};
use transport_quic::{QuicConfig, QuicTransport};
use transport_tcp::tls::dev_ca::{DevCertificate, DevKey};
use transport_tcp::{Authorities, Credentials, DevCa, TcpConfig, TcpTransport};

/// The length of a cluster's secret.
const SECRET_BYTES: usize = 32;
/// Any port of this machine.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A transport that nodes can meet over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Wire)]
pub enum Way {
    /// TCP with TLS 1.3.
    Tcp,
    /// Iroh's QUIC.
    Iroh,
    /// QUIC with the certificates that TCP has.
    Quic,
    /// WebSocket without TLS. Nothing proves who a node is; they share a secret.
    Ws,
}

impl Way {
    /// Those on which nodes prove who they are.
    pub const ALL: [Way; 3] = [Way::Tcp, Way::Iroh, Way::Quic];

    /// The scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        match self {
            Way::Tcp => "tcp+tls",
            Way::Iroh => transport_iroh::SCHEME,
            Way::Quic => transport_quic::SCHEME,
            Way::Ws => websocket::SCHEME,
        }
    }

    /// Whether a certificate says who a node is that is reached this way.
    fn is_certified(self) -> bool {
        match self {
            Way::Tcp | Way::Quic => true,
            Way::Iroh | Way::Ws => false,
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
    ways: Vec<Way>,
    tls: Option<TlsKeys>,
    iroh: Option<[u8; SECRET_KEY_BYTES]>,
    /// The cluster's secret, where some nodes are.
    secret: Option<[u8; SECRET_BYTES]>,
}

/// PEM texts: a certificate, its key, and the authority that signed it.
#[derive(Clone, Wire)]
struct TlsKeys {
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
        let mut tls = None;
        if ways.iter().any(|way| way.is_certified()) {
            // A node has one identity. Over Iroh it is the endpoint's key, so the
            // certificate names that key and may have any of its own.
            if let Some(node) = node {
                certificate.key = DevKey::EcdsaP256;
                certificate.uris.push(DevCertificate::uri_of(node));
            }
            let signed = self.ca.node_with(name, &certificate)?;
            node = Some(signed.node_id);
            tls = Some(TlsKeys { certificate: signed.cert, key: signed.key, authority: signed.ca });
        }
        let ws = ways.contains(&Way::Ws);
        // Nobody proves anything there, so any identity will do that no other node has.
        let node = node.or_else(|| ws.then(|| node_id_of(&generate_secret_key())));
        let node = node.ok_or_else(|| TransportError::Config(format!("{name} has no way to be reached")))?;
        let secret = ws.then_some(self.secret);
        Ok(NodeKeys { name: name.to_owned(), node, ways: ways.to_vec(), tls, iroh, secret })
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
        self.tcp_on(ANY_PORT)
    }

    /// As [`tcp`](Self::tcp), and it listens there.
    ///
    /// # Errors
    ///
    /// As [`tcp`](Self::tcp).
    pub fn tcp_on(&self, address: SocketAddr) -> Result<TcpConfig, TransportError> {
        let (credentials, authorities) = self.certificate(Way::Tcp)?;
        Ok(TcpTransport::builder().listen(address).credentials(credentials).authorities(authorities))
    }

    /// The settings of this node's QUIC transport: it listens on a free port of this
    /// machine.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the node has no certificate.
    pub fn quic(&self) -> Result<QuicConfig, TransportError> {
        self.quic_on(ANY_PORT)
    }

    /// As [`quic`](Self::quic), and it listens there.
    ///
    /// # Errors
    ///
    /// As [`quic`](Self::quic).
    pub fn quic_on(&self, address: SocketAddr) -> Result<QuicConfig, TransportError> {
        let (credentials, authorities) = self.certificate(Way::Quic)?;
        Ok(QuicTransport::builder().listen(address).credentials(credentials).authorities(authorities))
    }

    /// The ways that the node is reached.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    fn certificate(&self, way: Way) -> Result<(Credentials, Authorities), TransportError> {
        let keys = self.tls.as_ref().ok_or_else(|| self.lacks(way))?;
        let credentials = Credentials::from_pem(keys.certificate.as_bytes(), keys.key.as_bytes())?;
        Ok((credentials, Authorities::from_pem(keys.authority.as_bytes())?))
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
    /// talks to over Iroh; over TCP and QUIC it is all of its authority's.
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
        let (mut iroh, mut quic) = (None, None);
        for way in &self.ways {
            builder = match way {
                Way::Tcp => builder.transport(self.tcp()?.build()?),
                Way::Iroh => builder.transport(iroh.insert(self.iroh(peers)?.bind().await?).clone()),
                Way::Quic => builder.transport(quic.insert(self.quic()?.build()?).clone()),
                Way::Ws => builder.transport(WsTransport::listening_on(ANY_PORT)),
            };
        }
        if let Some(secret) = &self.secret {
            builder = builder.secret(secret);
        }
        Ok(RunningNode { server: builder.start().await?, iroh, quic })
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
    quic: Option<QuicTransport>,
}

/// A node that was set up otherwise, without what has to be closed.
impl From<NodeServer> for RunningNode {
    fn from(server: NodeServer) -> Self {
        Self { server, iroh: None, quic: None }
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
    /// What Iroh says if its port cannot be freed, or QUIC if a peer does not acknowledge the end.
    pub async fn shutdown(self) -> Result<(), TransportError> {
        self.server.shutdown().await;
        if let Some(iroh) = self.iroh {
            iroh.close().await?;
        }
        match self.quic {
            Some(quic) => quic.close().await,
            None => Ok(()),
        }
    }
}
