//! The accepting side of an endpoint: one task that answers every incoming
//! connection, from the bind to the end of the endpoint.
//!
//! ```text
//!  Endpoint ─► keep ─┬─ nobody listens, or no place is free ─► refused
//!                    ├─ places get scarce ─► the peer must prove its address
//!                    └─ handshake (a task, under a deadline) ─► list of peers ─► Listener
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use actor_cluster::transport::{CloseCode, CloseReason, TransportError};
use iroh::Endpoint;
use iroh::endpoint::{Incoming, IncomingAddr};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::alpn;
use crate::connection::{IrohConnection, Shared};
use crate::error;
use crate::host::Host;
use crate::identity;
use crate::registry::GaugeGuard;

/// What the listener learns: who came in, or that somebody did not.
pub(crate) type Arrival = Result<IrohConnection, TransportError>;

/// The way from the task to the listener; `None` where there never was one, or
/// will never be one again.
#[derive(Default)]
pub(crate) struct Door {
    listener: Mutex<Option<mpsc::Sender<Arrival>>>,
}

impl Door {
    /// Lets arrivals through to a new listener. `None` where somebody listens
    /// already.
    pub(crate) fn open(&self, backlog: usize) -> Option<mpsc::Receiver<Arrival>> {
        let mut listener = self.lock();
        if listener.as_ref().is_some_and(|listener| !listener.is_closed()) {
            return None;
        }
        let (sender, receiver) = mpsc::channel(backlog);
        *listener = Some(sender);
        Some(receiver)
    }

    /// Lets nobody through, and tells the listener so.
    pub(crate) fn shut(&self) {
        self.lock().take();
    }

    fn listener(&self) -> Option<mpsc::Sender<Arrival>> {
        self.lock().clone().filter(|listener| !listener.is_closed())
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::Sender<Arrival>>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers incoming connections until the endpoint is closed. Without this, they
/// would pile up in the endpoint whenever nobody listens.
///
/// The endpoint outlives the host only until it is closed, which the host's end
/// brings about.
pub(crate) async fn keep(endpoint: Endpoint, host: Weak<Host>) {
    let mut handshakes = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        // Those that are done, so that the set stays as small as its bound.
        while handshakes.try_join_next().is_some() {}
        match host.upgrade() {
            Some(host) => answer(incoming, &host, &mut handshakes),
            None => incoming.refuse(),
        }
    }
    handshakes.shutdown().await;
}

/// Decides what becomes of an incoming connection, without any cryptography.
fn answer(incoming: Incoming, host: &Arc<Host>, handshakes: &mut JoinSet<()>) {
    let Some(listener) = host.door.listener() else { return incoming.refuse() };
    let scarce = host.handshakes.available_permits() <= host.bounds.handshakes_max / 2;
    if scarce && !incoming.remote_addr_validated() {
        // Cannot fail: the address has not been validated.
        let _ = incoming.retry();
        return;
    }
    let Ok(place) = host.handshakes.clone().try_acquire_owned() else {
        return turn_away(incoming, &listener, "too many handshakes at once");
    };
    let Ok(seat) = host.seats.clone().try_acquire_owned() else {
        return turn_away(incoming, &listener, "too many connections");
    };
    let host = host.clone();
    handshakes.spawn(async move {
        let arrival = welcome(incoming, host, seat).await;
        // Fails where nobody listens any more; then the connection ends here.
        let _ = listener.send(arrival).await;
        // Held until the listener has it, so that these places bound what waits.
        drop(place);
    });
}

fn turn_away(incoming: Incoming, listener: &mpsc::Sender<Arrival>, detail: &str) {
    let peer = place_of(&incoming);
    incoming.refuse();
    // Where reports queue up, one about too much of everything is not missed.
    let _ = listener.try_send(Err(TransportError::Handshake { peer, detail: detail.to_owned() }));
}

/// Takes somebody in, within the deadline.
async fn welcome(incoming: Incoming, host: Arc<Host>, seat: OwnedSemaphorePermit) -> Arrival {
    let held = host.registry.held.enter();
    let peer = place_of(&incoming);
    let deadline = host.bounds.handshake_deadline;
    let admission = admit(incoming, host, seat, held, peer.clone());
    timeout(deadline, admission).await.unwrap_or_else(|_| {
        Err(TransportError::Handshake { peer, detail: format!("it took longer than {deadline:?}") })
    })
}

async fn admit(
    incoming: Incoming,
    host: Arc<Host>,
    seat: OwnedSemaphorePermit,
    held: GaugeGuard,
    place: String,
) -> Arrival {
    let accepting = match incoming.accept() {
        Ok(accepting) => accepting,
        Err(failure) => return Err(error::incoming_connection(&failure, place)),
    };
    let connection = match accepting.await {
        Ok(connection) => connection,
        Err(failure) => return Err(error::handshake(&failure, place)),
    };
    let peer = identity::node_id(connection.remote_id());
    // Registered before the list is read: a peer that is taken off it meanwhile
    // is found either by `IrohTransport::revoke` or here.
    let shared = Shared::new(connection, host.clone(), Some(seat), held);
    if !host.peers.allows(&peer) {
        let detail = "not on the list of peers";
        shared.close(&CloseReason::new(CloseCode::Refused, detail));
        return Err(TransportError::Untrusted {
            peer: format!("{peer} at {place}"),
            detail: detail.to_owned(),
        });
    }
    if !alpn::say_admitted(shared.quic()).await {
        let detail = "it left before it was let in".to_owned();
        return Err(TransportError::Handshake { peer: format!("{peer} at {place}"), detail });
    }
    Ok(IrohConnection::new(shared))
}

/// Where somebody calls from, for reports.
fn place_of(incoming: &Incoming) -> String {
    match incoming.remote_addr() {
        IncomingAddr::Ip(socket) => socket.to_string(),
        IncomingAddr::Relay { url, endpoint_id } => format!("{} by way of {url}", endpoint_id.fmt_short()),
        other => format!("{other:?}"),
    }
}
