//! The accepting half: sockets in, connections out. Handshakes run side by side, each under a deadline, and their number is
//! capped.

use std::io;
use std::net::SocketAddr;

use actor_cluster::transport::net::{Admission, AdmissionLimits, Origin, Place};
use actor_cluster::transport::{Address, Connection, Listener, TransportError};
use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::connection::{Role, WsConnection};
use super::{
    ACCEPT_PAUSE, CONNECTIONS_PER_ADDRESS_MAX, HANDSHAKE_DEADLINE, HANDSHAKES_MAX,
    HANDSHAKES_PER_ADDRESS_MAX, PROTOCOL, SCHEME, bounds, handshake_failed,
};

/// A socket that listens, and the handshakes of those who came.
pub(super) struct WsListener {
    /// Owned here and not by a task, so that dropping the listener frees the port at once.
    socket: TcpListener,
    address: Address,
    /// Places for those at their handshake, and for each accepted connection from its first byte to its last.
    admission: Admission,
    /// Aborted when the listener is dropped.
    handshakes: JoinSet<Result<WsConnection, TransportError>>,
    /// Nobody is accepted before, for want of resources.
    pause_until: Option<Instant>,
}

impl WsListener {
    pub(super) fn new(socket: TcpListener, address: Address, connections_max: usize) -> Self {
        let admission = Admission::new(&AdmissionLimits {
            handshake_deadline: HANDSHAKE_DEADLINE,
            handshakes_max: HANDSHAKES_MAX,
            handshakes_per_address_max: HANDSHAKES_PER_ADDRESS_MAX,
            connections_max,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        });
        Self { socket, address, admission, handshakes: JoinSet::new(), pause_until: None }
    }

    /// Starts a handshake, if there is room for it, and for one more from there.
    fn admit(&mut self, socket: TcpStream, from: SocketAddr) -> Result<(), TransportError> {
        let peer = format!("{SCHEME} {from}");
        let dropped = |detail| TransportError::Handshake { peer: peer.clone(), detail };
        let (knocking, place) = self.admission.admit(Origin::of(from.ip())).map_err(dropped)?;
        self.handshakes.spawn(async move {
            let _knocking = knocking;
            let late =
                |_| TransportError::Handshake { peer: peer.clone(), detail: "it was too slow".to_owned() };
            timeout(HANDSHAKE_DEADLINE, shake_hands(socket, peer.clone(), place)).await.map_err(late)?
        });
        Ok(())
    }

    /// Waits out the pause, then for a newcomer.
    async fn newcomer(
        socket: &TcpListener,
        pause_until: Option<Instant>,
    ) -> io::Result<(TcpStream, SocketAddr)> {
        if let Some(until) = pause_until {
            sleep_until(until).await;
        }
        let (socket, from) = socket.accept().await?;
        socket.set_nodelay(true)?;
        Ok((socket, from))
    }
}

#[async_trait]
impl Listener for WsListener {
    fn addresses(&self) -> Vec<Address> {
        vec![self.address.clone()]
    }

    /// Cancel safe: whatever outlasts a poll is in `self`.
    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        loop {
            tokio::select! {
                biased;
                Some(done) = self.handshakes.join_next() => {
                    let done = done.map_err(|error| TransportError::Io(error.into()))?;
                    return done.map(|connection| Box::new(connection) as Box<dyn Connection>);
                }
                newcomer = Self::newcomer(&self.socket, self.pause_until) => {
                    self.pause_until = newcomer.is_err().then(|| Instant::now() + ACCEPT_PAUSE);
                    let (socket, from) = newcomer?;
                    self.admit(socket, from)?;
                }
            }
        }
    }
}

async fn shake_hands(socket: TcpStream, peer: String, place: Place) -> Result<WsConnection, TransportError> {
    let shaken = accept_hdr_async_with_config(socket, Judge, Some(bounds())).await;
    let socket = shaken.map_err(|error| handshake_failed(&peer, &error))?;
    Ok(WsConnection::new(socket, Role::Host, peer, Some(place)))
}

/// Who may have a WebSocket here.
struct Judge;

impl Callback for Judge {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let headers = request.headers();
        // A browser says which page asks, and lets any page ask for any machine's ports. No node says that.
        if headers.contains_key(ORIGIN) {
            return Err(refusal(StatusCode::FORBIDDEN, "this is no place for browsers"));
        }
        if headers.get(SEC_WEBSOCKET_PROTOCOL).is_none_or(|protocol| protocol != PROTOCOL) {
            return Err(refusal(
                StatusCode::BAD_REQUEST,
                "this is a node of an actor cluster, and you are none",
            ));
        }
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        Ok(response)
    }
}

fn refusal(status: StatusCode, why: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(why.to_owned()));
    *response.status_mut() = status;
    response
}
