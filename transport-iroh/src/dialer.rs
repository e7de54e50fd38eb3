//! The dialling half of the transport: from an address to a connection on which
//! the peer has let us in.

use std::io;
use std::sync::Arc;

use actor_cluster::transport::{Address, CloseCode, CloseReason, TransportError};
use iroh::endpoint::{ConnectError, ConnectOptions, Connection};
use iroh::{Endpoint, EndpointAddr, TransportAddr};
use tokio::time::timeout;

use crate::address;
use crate::allow_list::{NOT_DIALLED, TAKEN_OFF};
use crate::alpn::{self, ALPN};
use crate::connection::{IrohConnection, Shared};
use crate::error;
use crate::host::{Host, Ownership};
use crate::identity;

/// Connects to the address, if its node is on the list of peers.
pub(crate) async fn dial(host: &Arc<Host>, address: &Address) -> Result<IrohConnection, TransportError> {
    let deadline = host.limits.handshake_deadline;
    match timeout(deadline, connect(host, address)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let detail = format!("no answer within {deadline:?}");
            Err(error::unreachable(address, io::ErrorKind::TimedOut, detail))
        }
    }
}

async fn connect(host: &Arc<Host>, address: &Address) -> Result<IrohConnection, TransportError> {
    let target = known_ways(host, address::parse(address)?, address)?;
    let peer = identity::node_id(target.id);
    if !host.peers.allows(&peer) {
        return Err(error::untrusted(address, NOT_DIALLED.to_owned()));
    }
    // Before the endpoint, so that it is dropped after it: it says that somebody
    // may hold the socket.
    let held = host.registry.held.enter();
    let endpoint = host.endpoint()?;
    let connection = open(&endpoint, target, host).await.map_err(|failure| error::dial(failure, address))?;
    let shared = Shared::new(connection, host.clone(), None, held);
    if !alpn::hear_admitted(shared.quic()).await {
        return Err(not_let_in(&shared, address));
    }
    // Read again, now that the connection is registered: see `door::admit`.
    if !host.peers.allows(&peer) {
        shared.close(&CloseReason::new(CloseCode::Refused, TAKEN_OFF));
        return Err(error::untrusted(address, "it was taken off our list of peers".to_owned()));
    }
    Ok(IrohConnection::new(shared))
}

/// Leaves out the relays that are not among ours.
///
/// # Errors
///
/// [`TransportError::Unreachable`] where no way is left of those that the address has.
fn known_ways(host: &Host, target: EndpointAddr, address: &Address) -> Result<EndpointAddr, TransportError> {
    let Ownership::Ours { relays } = &host.ownership else { return Ok(target) };
    let is_known = |way: &TransportAddr| !matches!(way, TransportAddr::Relay(url) if !relays.contains(url));
    let had_ways = !target.addrs.is_empty();
    let ways: Vec<_> = target.addrs.into_iter().filter(is_known).collect();
    if had_ways && ways.is_empty() {
        let detail = "it is reached by relays that this node does not use: see `Reach::with_relays`";
        return Err(error::unreachable(address, io::ErrorKind::HostUnreachable, detail.to_owned()));
    }
    Ok(EndpointAddr::from_parts(target.id, ways))
}

async fn open(endpoint: &Endpoint, target: EndpointAddr, host: &Host) -> Result<Connection, ConnectError> {
    let options = match &host.ownership {
        // The endpoint's own settings are ours.
        Ownership::Ours { .. } => ConnectOptions::new(),
        Ownership::Callers { quic } => ConnectOptions::new().with_transport_config(quic.clone()),
    };
    Ok(endpoint.connect_with_opts(target, ALPN, options).await?.await?)
}

/// Why the listener did not let us in.
fn not_let_in(shared: &Shared, address: &Address) -> TransportError {
    match shared.quic().close_reason() {
        Some(end) => error::dialled_connection(&end, address),
        None => {
            let detail = "it did not say whether it lets us in";
            shared.close(&CloseReason::new(CloseCode::Violation, detail));
            error::dropped(address, detail)
        }
    }
}
