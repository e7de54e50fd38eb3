//! A transport over WebSocket, as an example of how one is written.
//!
//! ```text
//!  WsTransport ── listen() ─► WsListener ── accept() ─┐
//!       └─────── dial("ws://host:port") ──────────────┴─► WsConnection ─► WsStream, one
//! ```
//!
//! **It proves nothing.** Whoever can see the network reads every message, and whoever can touch it changes them.
//! Every peer is [`Anonymous`](actor_cluster::transport::PeerIdentity::Anonymous), so a session demands the
//! cluster's shared secret ([`NodeBuilder::secret`](actor_cluster::NodeBuilder::secret)), and no channel binding
//! ties the secret's proof to the connection. It is for one machine, or for a network that something else
//! protects.

mod connection;
mod listener;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actor_cluster::transport::net::{HostPort, first_to_answer, resolve};
use actor_cluster::transport::{Address, CloseReason, Connection, Listener, Transport, TransportError};
use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use self::connection::{Role, WsConnection};
use self::listener::WsListener;

/// The scheme of the addresses, which read `ws://host:port`.
pub const SCHEME: &str = "ws";

/// What both sides speak over WebSocket: nobody else's endpoint is taken for a node.
pub const PROTOCOL: &str = "actor-cluster-1";

/// The longest message, in bytes. Whoever sends a longer one is disconnected; we write no longer ones.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// How many written bytes are kept that the system has not taken, a message more at most. Then writers wait.
pub const WRITE_BUFFER_BYTES: usize = 128 << 10;

/// How long a peer that connected to us may take until it has asked for a WebSocket. Then it is dropped.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How many peers may be at their handshake at once. One more is dropped as soon as it connects.
pub const HANDSHAKES_MAX: usize = 64;

/// How many of those may come from one address, or from one network of IPv6: so one machine cannot take all places.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 16;

/// How many accepted connections there may be at once, those at their handshake among them. One more
/// is dropped as soon as it connects.
pub const CONNECTIONS_MAX: usize = 1024;

/// How many of those may come from one address.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// How long nobody is accepted after the system had no resources for it.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Socket = WebSocketStream<TcpStream>;

/// Connects nodes over WebSocket without TLS. [The module](self) says what that does not protect.
#[derive(Clone, Copy, Debug)]
pub struct WsTransport {
    listen: Option<SocketAddr>,
    connections_max: usize,
}

impl WsTransport {
    /// Accepts connections on this address; port 0 takes a free one.
    pub fn listening_on(address: SocketAddr) -> Self {
        Self { listen: Some(address), connections_max: CONNECTIONS_MAX }
    }

    /// Only dials.
    pub fn dialling_only() -> Self {
        Self { listen: None, connections_max: CONNECTIONS_MAX }
    }

    /// Accepts so many connections at once, instead of [`CONNECTIONS_MAX`].
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }
}

#[async_trait]
impl Transport for WsTransport {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn is_listening(&self) -> bool {
        self.listen.is_some()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        let Some(address) = self.listen else {
            return Err(TransportError::Config("this transport has no address to listen on".into()));
        };
        let failed = |source| TransportError::Bind { address: address.to_string(), source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        let address = Address::new(SCHEME, &bound.to_string())?;
        Ok(Box::new(WsListener::new(socket, address, self.connections_max)))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let target = HostPort::of(address, SCHEME)?;
        let unreachable = |source| TransportError::Unreachable { address: address.to_string(), source };
        let places = resolve(&target).await.map_err(unreachable)?;
        let socket = first_to_answer(places, TcpStream::connect::<SocketAddr>).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        let failed = |error: Error| handshake_failed(address.as_str(), &error);
        let mut request = format!("{address}/").into_client_request().map_err(failed)?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        let shaken = client_async_with_config(request, socket, Some(bounds())).await;
        let (socket, _answer) = shaken.map_err(failed)?;
        Ok(Box::new(WsConnection::new(socket, Role::Dialler, address.to_string(), None)))
    }
}

/// What one peer can make us keep.
fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(MESSAGE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        // Each message is given to the system at once, as whoever wants few packets writes long ones.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES)
}

fn handshake_failed(peer: &str, error: &Error) -> TransportError {
    TransportError::Handshake { peer: peer.to_owned(), detail: error.to_string() }
}

/// What a stream says that has ended.
fn closed(reason: CloseReason) -> io::Error {
    TransportError::Closed(reason).into()
}
