//! The dialling half of the transport: from an address to a connection on which
//! the peer has let us in.

use std::io;
use std::sync::Arc;

use actor_cluster::transport::{Address, CloseCode, CloseReason, TransportError};
use tokio::time::timeout;

use crate::address;
use crate::alpn::{self, ALPN};
use crate::connection::{IrohConnection, Shared};
use crate::error;
use crate::host::Host;
use crate::identity;

/// Connects to the address, if its node is on the list of peers.
pub(crate) async fn dial(host: &Arc<Host>, address: &Address) -> Result<IrohConnection, TransportError> {
    let deadline = host.bounds.handshake_deadline;
    match timeout(deadline, connect(host, address)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let detail = format!("no answer within {deadline:?}");
            Err(error::unreachable(address, io::ErrorKind::TimedOut, detail))
        }
    }
}

async fn connect(host: &Arc<Host>, address: &Address) -> Result<IrohConnection, TransportError> {
    let target = address::parse(address)?;
    let peer = identity::node_id(target.id);
    if !host.peers.allows(&peer) {
        return Err(error::untrusted(address, "it is not on our list of peers".to_owned()));
    }
    // Before the endpoint, so that it is dropped after it: it says that somebody
    // may hold the socket.
    let held = host.registry.held.enter();
    let endpoint = host.endpoint()?;
    let connection = endpoint.connect(target, ALPN).await.map_err(|failure| error::dial(failure, address))?;
    let shared = Shared::new(connection, host.clone(), None, held);
    if !alpn::hear_admitted(shared.quic()).await {
        return Err(not_let_in(&shared, address));
    }
    // Read again, now that the connection is registered: see `door::admit`.
    if !host.peers.allows(&peer) {
        shared.close(&CloseReason::new(CloseCode::Refused, "not on the list of peers"));
        return Err(error::untrusted(address, "it was taken off our list of peers".to_owned()));
    }
    Ok(IrohConnection::new(shared))
}

/// Why the listener did not let us in.
fn not_let_in(shared: &Shared, address: &Address) -> TransportError {
    match shared.quic().close_reason() {
        Some(end) => error::dialled_connection(&end, address),
        None => {
            let detail = "it did not say whether it lets us in";
            shared.close(&CloseReason::new(CloseCode::Violation, detail));
            error::untrusted(address, detail.to_owned())
        }
    }
}
