//! The accepting half: sockets in, authenticated connections out.
//!
//! ```text
//!  door ─── knock ──► caps ─► a handshake each, under its deadline ─► accept()
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

use actor_cluster::transport::net::{Admission, Origin};
use actor_cluster::transport::{Address, Connection, Listener, TransportError};
use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::{Role, SocketConnection};
use crate::error::dropped;
use crate::handshake::{Refusal, Secured, Security};
use crate::limits::{ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN, TcpLimits};
use crate::socket;

/// What newcomers knock at, and how they are let in.
pub(crate) trait Door: Send + 'static {
    /// A bare connection.
    type Socket: Send + 'static;

    /// Waits for a newcomer.
    fn poll_knock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Knock<Self::Socket>>>;

    /// The host's part of a handshake.
    fn shake_hands(
        &self,
        socket: Self::Socket,
        label: &str,
    ) -> impl Future<Output = Result<Secured, Refusal>> + Send + use<Self>;
}

/// A newcomer.
pub(crate) struct Knock<Socket> {
    pub(crate) socket: Socket,
    pub(crate) origin: Origin,
    /// The transport, and where it comes from.
    pub(crate) label: String,
}

impl<Socket> Knock<Socket> {
    /// What a socket of the network has accepted.
    pub(crate) fn of(accepted: io::Result<(Socket, SocketAddr)>, scheme: &str) -> io::Result<Self> {
        let (socket, peer) = accepted?;
        Ok(Self { socket, origin: Origin::of(peer.ip()), label: format!("{scheme} {peer}") })
    }
}

/// A door and the handshakes of those who knocked there.
pub(crate) struct Intake<D> {
    /// Owned here and not by a task, so that dropping the listener frees its
    /// addresses at once.
    door: D,
    addresses: Vec<Address>,
    deadline: Duration,
    admission: Admission,
    /// Aborted when the listener is dropped.
    handshakes: JoinSet<Result<SocketConnection, TransportError>>,
    pause: Pause,
}

impl<D: Door> Intake<D> {
    /// Listens at a door that is open already.
    pub(crate) fn new(door: D, addresses: Vec<Address>, limits: &TcpLimits) -> Self {
        let admission = Admission::new(limits);
        let (handshakes, pause) = (JoinSet::new(), Pause::default());
        let deadline = limits.handshake_deadline;
        Self { door, addresses, deadline, admission, handshakes, pause }
    }

    /// Starts the handshake of a newcomer, if there is room for it.
    fn admit(&mut self, knock: Knock<D::Socket>) -> Result<(), TransportError> {
        let Knock { socket, origin, label } = knock;
        let admitted = self.admission.admit(origin);
        let (knocking, place) = admitted.map_err(|detail| dropped(&label, detail))?;
        let shaking = self.door.shake_hands(socket, &label);
        let deadline = self.deadline;
        self.handshakes.spawn(async move {
            let _knocking = knocking;
            let secured = in_time(shaking, &label, deadline).await?;
            SocketConnection::new(secured, Role::Host, label, Some(place))
        });
        Ok(())
    }

    /// Waits out the pause, then for a newcomer.
    async fn next_knock(door: &mut D, pause: &Pause) -> io::Result<Knock<D::Socket>> {
        if let Some(until) = pause.until {
            sleep_until(until).await;
        }
        poll_fn(|cx| door.poll_knock(cx)).await
    }
}

#[async_trait]
impl<D: Door> Listener for Intake<D> {
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
                knock = Self::next_knock(&mut self.door, &self.pause) => {
                    let knock = knock.inspect_err(|error| self.pause.after(error))?;
                    self.pause = Pause::default();
                    self.admit(knock)?;
                }
            }
        }
    }
}

/// One newcomer's handshake, which is over at the deadline.
async fn in_time(
    handshake: impl Future<Output = Result<Secured, Refusal>>,
    label: &str,
    time: Duration,
) -> Result<Secured, TransportError> {
    let started = Instant::now();
    match timeout(time, handshake).await {
        Ok(Ok(secured)) => Ok(secured),
        Ok(Err(mut refusal)) => {
            // Whether it stays to hear the reason is up to the peer.
            let left = time.saturating_sub(started.elapsed());
            let _ = timeout(left, refusal.see_out()).await;
            Err(refusal.error)
        }
        Err(_) => Err(dropped(label, format!("it took longer than {time:?}"))),
    }
}

/// Sockets of TCP.
pub(crate) struct TcpDoor {
    sockets: Vec<TcpListener>,
    /// Which one is looked at first: a flood at one leaves the others their turn.
    next: usize,
    security: Arc<Security>,
}

impl TcpDoor {
    /// Takes sockets that are bound already.
    pub(crate) fn new(sockets: Vec<TcpListener>, security: Arc<Security>) -> Self {
        Self { sockets, next: 0, security }
    }
}

impl Door for TcpDoor {
    type Socket = TcpStream;

    fn poll_knock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Knock<TcpStream>>> {
        let count = self.sockets.len();
        for index in (0..count).map(|offset| (self.next + offset) % count) {
            let Poll::Ready(accepted) = self.sockets[index].poll_accept(cx) else { continue };
            self.next = index + 1;
            return Poll::Ready(Knock::of(accepted, self.security.scheme()));
        }
        Poll::Pending
    }

    fn shake_hands(
        &self,
        socket: TcpStream,
        label: &str,
    ) -> impl Future<Output = Result<Secured, Refusal>> + Send + use<> {
        let (security, label) = (self.security.clone(), label.to_owned());
        async move {
            socket::tune(&socket).map_err(|error| Refusal { error: error.into(), socket: None })?;
            security.accept(socket, &label).await
        }
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
