//! The accepting half: sockets in, authenticated connections out.
//!
//! ```text
//!  socket ─ accept ─► caps ─► a handshake each, under its deadline ─► accept()
//!     ▲ pause when out of resources      └────── side by side ──────┘
//! ```
//!
//! Nothing is accepted while nobody asks for connections: newcomers wait in the
//! system's backlog.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actor_cluster::transport::{Address, Connection, Listener, TransportError};
use async_trait::async_trait;
use tokio::net::{TcpListener as Socket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::{Role, TcpConnection};
use crate::error::dropped;
use crate::handshake::{Refusal, Security};
use crate::limits::{ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN, TcpLimits};
use crate::places::{Full, Origin, Place, Places};
use crate::socket;

/// Listening sockets and the handshakes of those they let knock.
pub(crate) struct TcpListener {
    /// Owned here and not by a task, so that dropping the listener frees the
    /// ports at once.
    sockets: Sockets,
    addresses: Vec<Address>,
    security: Arc<Security>,
    limits: TcpLimits,
    /// One for each accepted connection, from its first byte to its last.
    connections: Arc<Places>,
    /// One for each that is at its handshake.
    knocking: Arc<Places>,
    /// Aborted when the listener is dropped.
    handshakes: JoinSet<Result<TcpConnection, TransportError>>,
    pause: Pause,
}

impl TcpListener {
    /// Listens on sockets that are bound already.
    pub(crate) fn new(
        sockets: Vec<Socket>,
        addresses: Vec<Address>,
        security: Arc<Security>,
        limits: TcpLimits,
    ) -> Self {
        let sockets = Sockets { list: sockets, next: 0 };
        let connections = Places::new(limits.connections_max, limits.connections_per_address_max);
        let knocking = Places::new(limits.handshakes_max, limits.handshakes_per_address_max);
        let (handshakes, pause) = (JoinSet::new(), Pause::default());
        Self { sockets, addresses, security, limits, connections, knocking, handshakes, pause }
    }

    /// Starts the handshake of a newcomer, if there is room for it.
    fn admit(&mut self, socket: TcpStream, peer: SocketAddr) -> Result<(), TransportError> {
        let label = format!("{} {peer}", self.security.scheme());
        let origin = Origin::of(peer.ip());
        let knocking = self.knocking.take(origin).map_err(|full| match full {
            Full::All(most) => dropped(&label, format!("more than {most} peers are at their handshake")),
            Full::Origin(most) => {
                dropped(&label, format!("more than {most} peers from its address are at their handshake"))
            }
        })?;
        let place = self.connections.take(origin).map_err(|full| match full {
            Full::All(most) => dropped(&label, format!("there are more than {most} connections")),
            Full::Origin(most) => {
                dropped(&label, format!("there are more than {most} connections from its address"))
            }
        })?;
        let deadline = self.limits.handshake_deadline;
        let shaking = shake_hands(self.security.clone(), socket, label, place, deadline);
        self.handshakes.spawn(async move {
            let _knocking = knocking;
            shaking.await
        });
        Ok(())
    }
}

#[async_trait]
impl Listener for TcpListener {
    fn addresses(&self) -> Vec<Address> {
        self.addresses.clone()
    }

    /// Cancel safe, because everything that outlasts a poll is kept in `self`.
    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        loop {
            tokio::select! {
                // Those who are done go first; new handshakes are started below.
                biased;
                Some(done) = self.handshakes.join_next() => {
                    let done = done.map_err(|error| dropped("a peer", error.to_string()))?;
                    return done.map(|connection| Box::new(connection) as Box<dyn Connection>);
                }
                accepted = next_socket(&mut self.sockets, &self.pause) => {
                    let (socket, peer) = accepted.inspect_err(|error| self.pause.after(error))?;
                    self.pause = Pause::default();
                    self.admit(socket, peer)?;
                }
            }
        }
    }
}

/// Waits out the pause, then for a newcomer.
async fn next_socket(sockets: &mut Sockets, pause: &Pause) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(until) = pause.until {
        sleep_until(until).await;
    }
    poll_fn(|cx| sockets.poll_accept(cx)).await
}

/// What newcomers knock at.
struct Sockets {
    list: Vec<Socket>,
    /// Which one is looked at first: a flood at one leaves the others their turn.
    next: usize,
}

impl Sockets {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let count = self.list.len();
        for index in (0..count).map(|offset| (self.next + offset) % count) {
            if let Poll::Ready(accepted) = self.list[index].poll_accept(cx) {
                self.next = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

/// One newcomer's handshake, which is over at the deadline.
async fn shake_hands(
    security: Arc<Security>,
    socket: TcpStream,
    label: String,
    place: Place,
    time: Duration,
) -> Result<TcpConnection, TransportError> {
    let started = Instant::now();
    let handshake = async {
        socket::tune(&socket).map_err(|error| Refusal { error: error.into(), socket: None })?;
        security.accept(socket, &label).await
    };
    match timeout(time, handshake).await {
        Ok(Ok(secured)) => TcpConnection::new(secured, Role::Host, label, Some(place)),
        Ok(Err(mut refusal)) => {
            // Whether it stays to hear the reason is up to the peer.
            let left = time.saturating_sub(started.elapsed());
            let _ = timeout(left, refusal.see_out()).await;
            Err(refusal.error)
        }
        Err(_) => Err(dropped(&label, format!("it took longer than {time:?}"))),
    }
}

/// When the next connection may be accepted. Without it a process that has no
/// file descriptor left would spin: the newcomer it cannot accept stays first in
/// the backlog.
#[derive(Debug, Default)]
struct Pause {
    length: Duration,
    until: Option<Instant>,
}

impl Pause {
    fn after(&mut self, error: &io::Error) {
        if is_about_one_peer(error) {
            return;
        }
        self.length = (self.length * 2).clamp(ACCEPT_PAUSE_MIN, ACCEPT_PAUSE_MAX);
        self.until = Some(Instant::now() + self.length);
    }
}

/// Whether the error concerns the newcomer alone, who is gone by now. Everything
/// else is taken for a lack of resources.
fn is_about_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_spare_lost_peers() {
        let mut pause = Pause::default();
        pause.after(&io::ErrorKind::ConnectionAborted.into());
        assert_eq!(pause.until, None);
        let mut lengths = Vec::new();
        for _ in 0..12 {
            // EMFILE has no kind of its own.
            pause.after(&io::Error::from_raw_os_error(24));
            lengths.push(pause.length);
        }
        assert_eq!(lengths[..3], [1, 2, 4].map(|factor| ACCEPT_PAUSE_MIN * factor));
        assert_eq!(lengths.last(), Some(&ACCEPT_PAUSE_MAX));
        assert!(pause.until.is_some());
    }
}
