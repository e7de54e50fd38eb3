//! The accepting half: packets of newcomers in, authenticated connections out.
//!
//! ```text
//!              ┌─ no place is free ─────► refused, reported
//!  sockets ────┼─ places get scarce ────► it must prove its address first
//!              └─ a handshake each, under its deadline ─► accept()
//!                        └────── side by side ──────┘
//! ```
//!
//! Nobody is answered while nobody asks for connections: a few newcomers wait, the others are not heard and try again.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actor_cluster::transport::net::{Admission, Origin, Place};
use actor_cluster::transport::{Address, Connection, Listener, TransportError};
use async_trait::async_trait;
use futures_util::FutureExt;
use quinn::{Endpoint, Incoming, ServerConfig};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connection::{QuicConnection, Shared};
use crate::error::dropped;
use crate::handshake;
use crate::transport::{Node, SCHEME};

/// Sockets, and the handshakes of those who came there.
pub(crate) struct QuicListener {
    doors: Vec<Endpoint>,
    /// Which one is looked at first: a flood at one leaves the others their turn.
    next_door: usize,
    addresses: Vec<Address>,
    admission: Admission,
    /// What newcomers get until their handshake begins.
    base: ServerConfig,
    /// Aborted when the listener is dropped.
    handshakes: JoinSet<Result<Arc<Shared>, TransportError>>,
    node: Arc<Node>,
}

impl QuicListener {
    /// Opens the sockets.
    ///
    /// # Errors
    ///
    /// [`TransportError::Bind`] where a port is taken; [`TransportError::Closed`] where the transport is closed.
    pub(crate) fn open(node: Arc<Node>) -> Result<Self, TransportError> {
        let Node { settings, endpoints, listen } = &*node;
        let base = settings.base()?;
        let doors = endpoints.listen(listen.sockets(), settings, &base)?;
        let mut listener = Self {
            doors,
            next_door: 0,
            addresses: Vec::new(),
            admission: Admission::new(&settings.limits.admission()),
            base,
            handshakes: JoinSet::new(),
            node: node.clone(),
        };
        let bound = listener.doors.iter().map(Endpoint::local_addr).collect::<Result<Vec<_>, _>>()?;
        let reached = listen.reached_at(&bound).into_iter();
        listener.addresses = reached.map(|place| Address::new(SCHEME, &place)).collect::<Result<_, _>>()?;
        Ok(listener)
    }

    /// Waits for somebody who is let in, or is not. Cancel safe, because everything that outlasts a poll is kept in `self`.
    pub(crate) async fn next(&mut self) -> Result<QuicConnection, TransportError> {
        loop {
            tokio::select! {
                // Those who are done go first; new handshakes are started below.
                biased;
                Some(done) = self.handshakes.join_next() => {
                    let done = done.map_err(|error| dropped("a peer", error.to_string()))?;
                    return done.map(QuicConnection::accepted);
                }
                incoming = next_incoming(&self.doors, &mut self.next_door) => match incoming {
                    Some(incoming) => self.admit(incoming)?,
                    None => return Err(self.node.endpoints.end_of_listening()),
                }
            }
        }
    }

    /// Starts the handshake of a newcomer, if there is room for it. Whoever is dropped is refused.
    fn admit(&mut self, incoming: Incoming) -> Result<(), TransportError> {
        let origin = Origin::of(incoming.remote_address().ip());
        if self.admission.is_scarce(origin) && !incoming.remote_address_validated() {
            // Cannot fail, as the address has not been validated.
            let _ = incoming.retry();
            return Ok(());
        }
        let label = label(incoming.remote_address());
        let admitted = self.admission.admit(origin);
        let (knocking, place) = admitted.map_err(|detail| dropped(&label, detail))?;
        let deadline = self.node.settings.limits.handshake_deadline;
        let welcomed = welcome(self.node.clone(), incoming, self.base.clone(), label.clone(), place);
        self.handshakes.spawn(async move {
            let _knocking = knocking;
            in_time(welcomed, &label, deadline).await
        });
        Ok(())
    }
}

#[async_trait]
impl Listener for QuicListener {
    fn addresses(&self) -> Vec<Address> {
        self.addresses.clone()
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        Ok(Box::new(self.next().await?))
    }
}

impl Drop for QuicListener {
    fn drop(&mut self) {
        for door in &self.doors {
            door.set_server_config(None);
            // Those who wait are refused, or they would wait for as long as a connection keeps the socket.
            while let Some(Some(incoming)) = door.accept().now_or_never() {
                incoming.refuse();
            }
        }
        self.node.endpoints.forget(&self.doors);
    }
}

/// Waits for a newcomer at any of the sockets. `None` once all of them are closed.
async fn next_incoming(doors: &[Endpoint], next: &mut usize) -> Option<Incoming> {
    let mut knocks: Vec<_> = doors.iter().map(|door| Box::pin(door.accept())).collect();
    let count = knocks.len();
    poll_fn(|cx| {
        let mut closed = 0;
        for index in (0..count).map(|offset| (*next + offset) % count) {
            match knocks[index].as_mut().poll(cx) {
                Poll::Ready(Some(incoming)) => {
                    *next = index + 1;
                    return Poll::Ready(Some(incoming));
                }
                Poll::Ready(None) => closed += 1,
                Poll::Pending => {}
            }
        }
        if closed == count { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

/// One newcomer's handshake, until it is let in.
async fn welcome(
    node: Arc<Node>,
    incoming: Incoming,
    base: ServerConfig,
    label: String,
    place: Place,
) -> Result<Arc<Shared>, TransportError> {
    let shared = handshake::accept(&node, incoming, &base, label, place).await?;
    shared.admit().await?;
    Ok(shared)
}

async fn in_time<T>(
    handshake: impl Future<Output = Result<T, TransportError>>,
    label: &str,
    time: Duration,
) -> Result<T, TransportError> {
    let late = |_| Err(dropped(label, format!("it took longer than {time:?}")));
    timeout(time, handshake).await.unwrap_or_else(late)
}

/// The transport, and where a peer is.
pub(crate) fn label(peer: SocketAddr) -> String {
    format!("{SCHEME} {}", SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}
