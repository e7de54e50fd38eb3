//! The accepting side: what becomes of whoever comes in. On an endpoint of ours one task answers every
//! incoming connection, from the bind to the end of the endpoint; on the caller's its router does, and
//! hands over those that are for us (`protocol.rs`).
//!
//! ```text
//!  Endpoint ─► keep ─┬─ nobody listens, or no place is free ─► refused
//!                    ├─ places get scarce ─► the peer must prove its address
//!                    └─ handshake (a task, under a deadline) ─► list of peers ─► Listener
//! ```

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use actor_cluster::transport::TransportError;
use actor_cluster::transport::net::{Origin, Place};
use iroh::Endpoint;
use iroh::endpoint::{Accepting, Connection, Incoming, IncomingAddr};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::allow_list::{self, STRANGER};
use crate::alpn;
use crate::connection::{IrohConnection, Shared};
use crate::error;
use crate::host::Host;
use crate::identity;

/// What the listener learns: who came in, or that somebody did not.
pub(crate) type Arrival = Result<IrohConnection, TransportError>;

/// The way from those who answer to the listener; `None` where there never was one, or
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

    /// Who is to be told of those who come; `None` where nobody listens.
    pub(crate) fn listener(&self) -> Option<mpsc::Sender<Arrival>> {
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
    if must_prove_its_address(&incoming, host) {
        // Cannot fail: the address has not been proven.
        let _ = incoming.retry();
        return;
    }
    let from = incoming.remote_addr();
    let places = match host.admission.admit(origin_of(&from)) {
        Ok(places) => places,
        Err(detail) => {
            incoming.refuse();
            return report_full(&listener, &from, detail);
        }
    };
    let host = host.clone();
    handshakes.spawn(async move {
        let accepting =
            incoming.accept().map_err(|fault| error::incoming_connection(&fault, place_of(&from)));
        match accepting {
            Ok(accepting) => drop(welcome(accepting, host, &listener, from, places).await),
            // Fails where nobody listens any more, who would have wanted to know.
            Err(fault) => drop(listener.send(Err(fault)).await),
        }
    });
}

/// Whether somebody must show first that what is sent to its address reaches it.
pub(crate) fn must_prove_its_address(incoming: &Incoming, host: &Host) -> bool {
    !incoming.remote_addr_validated() && host.admission.is_scarce(origin_of(&incoming.remote_addr()))
}

/// Tells the listener of somebody for whom there is no place.
pub(crate) fn report_full(listener: &mpsc::Sender<Arrival>, from: &IncomingAddr, detail: String) {
    // Where reports queue up, one about too much of everything is not missed.
    let _ = listener.try_send(Err(TransportError::Handshake { peer: place_of(from), detail }));
}

/// Takes somebody in, within the deadline, and tells the listener what came of it. The connection, if
/// somebody came in.
pub(crate) async fn welcome(
    accepting: Accepting,
    host: Arc<Host>,
    listener: &mpsc::Sender<Arrival>,
    from: IncomingAddr,
    (knocking, seat): (Place, Place),
) -> Option<Connection> {
    let deadline = host.limits.handshake_deadline;
    let peer = place_of(&from);
    let arrival = timeout(deadline, admit(accepting, host, seat, peer.clone())).await.unwrap_or_else(|_| {
        Err(TransportError::Handshake { peer, detail: format!("it took longer than {deadline:?}") })
    });
    let connection = arrival.as_ref().ok().map(|arrival| arrival.quic().clone());
    // Fails where nobody listens any more; then the connection ends here.
    let _ = listener.send(arrival).await;
    // Held until the listener has it, so that these places bound what waits.
    drop(knocking);
    connection
}

async fn admit(accepting: Accepting, host: Arc<Host>, seat: Place, place: String) -> Arrival {
    let held = host.registry.held.enter();
    let connection = match allow_list::handshaking(accepting).await {
        (Ok(connection), _) => connection,
        (Err(_), Some(stranger)) => {
            let peer = format!("{stranger} at {place}");
            return Err(TransportError::Untrusted { peer, detail: STRANGER.to_owned() });
        }
        (Err(failure), None) => return Err(error::handshake(&failure, place)),
    };
    let peer = identity::node_id(connection.remote_id());
    // Registered before the list is read once more: a peer that is taken off it meanwhile, or an
    // endpoint of the caller's without our hooks, is found either by the list or here.
    let shared = Shared::new(connection, host.clone(), Some(seat), held);
    if !host.peers.allows(&peer) {
        shared.close(&allow_list::stranger(&peer));
        let peer = format!("{peer} at {place}");
        return Err(TransportError::Untrusted { peer, detail: STRANGER.to_owned() });
    }
    if !alpn::say_admitted(shared.quic()).await {
        let detail = "it left before it was let in".to_owned();
        return Err(TransportError::Handshake { peer: format!("{peer} at {place}"), detail });
    }
    Ok(IrohConnection::new(shared))
}

/// Whose place somebody takes.
pub(crate) fn origin_of(from: &IncomingAddr) -> Origin {
    match from {
        IncomingAddr::Ip(socket) => Origin::of(socket.ip()),
        IncomingAddr::Relay { endpoint_id, .. } => Origin::Relayed(identity::node_id(*endpoint_id)),
        // A way of the caller's own making, all of which count as one address.
        _ => Origin::of(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    }
}

/// Where somebody calls from, for reports.
fn place_of(from: &IncomingAddr) -> String {
    match from {
        IncomingAddr::Ip(socket) => socket.to_string(),
        IncomingAddr::Relay { url, endpoint_id } => format!("{} by way of {url}", endpoint_id.fmt_short()),
        other => format!("{other:?}"),
    }
}
