//! The transport as one protocol among others on an endpoint of the caller's: its router answers whoever comes,
//! and hands over those that speak ours.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};

use iroh::endpoint::{Accepting, Connection, Incoming};
use iroh::protocol::{AcceptError, IncomingFilter, IncomingFilterOutcome, ProtocolHandler};

use crate::door;
use crate::host::Host;

/// Takes the cluster's connections from a [`Router`](iroh::protocol::Router), registered there for
/// [`ALPN`](crate::ALPN). Made by [`IrohTransport::protocol`](crate::IrohTransport::protocol).
///
/// Connections are let in as on an endpoint of the transport's own: within the deadline, while there are
/// places, those on the list of peers, and to a listener. One for which there is no place is closed, and cannot be told
/// why, as its handshake has begun by then. They outlive the handler's futures: the router holds none of
/// them up. When the router shuts down, it waits until the transport is
/// [closed](crate::IrohTransport::close).
#[derive(Clone)]
pub struct ClusterProtocol {
    /// The transport keeps the endpoint, and not the router the transport.
    host: Weak<Host>,
}

impl ClusterProtocol {
    pub(crate) fn new(host: &Arc<Host>) -> Self {
        Self { host: Arc::downgrade(host) }
    }
}

impl ProtocolHandler for ClusterProtocol {
    /// Does all there is to do, as it is here that a handshake can be given up, or refused.
    async fn on_accepting(&self, accepting: Accepting) -> Result<Connection, AcceptError> {
        let host = self.host.upgrade().ok_or_else(|| not_taken("the transport is gone"))?;
        let listener = host.door.listener().ok_or_else(|| not_taken("nobody listens"))?;
        let from = accepting.remote_addr();
        let places = match host.admission.admit(door::origin_of(&from)) {
            Ok(places) => places,
            Err(detail) => {
                door::report_full(&listener, &from, detail.clone());
                return Err(not_taken(&detail));
            }
        };
        let connection = door::welcome(accepting, host, &listener, from, places).await;
        connection.ok_or_else(|| not_taken("it was not let in; the listener was told why"))
    }

    async fn accept(&self, _: Connection) -> Result<(), AcceptError> {
        Ok(())
    }

    async fn shutdown(&self) {
        if let Some(host) = self.host.upgrade()
            && let Err(error) = host.close().await
        {
            tracing::warn!(%error, "the router's endpoint closes before the transport's connections are gone");
        }
    }
}

/// Asks whoever comes to prove its address first while places for handshakes get scarce.
pub(crate) fn incoming_filter(host: &Arc<Host>) -> IncomingFilter {
    let host = Arc::downgrade(host);
    Arc::new(move |incoming: &Incoming| match host.upgrade() {
        Some(host) if door::must_prove_its_address(incoming, &host) => IncomingFilterOutcome::Retry,
        _ => IncomingFilterOutcome::Accept,
    })
}

/// What the router writes into its log.
fn not_taken(why: &str) -> AcceptError {
    AcceptError::from_err(io::Error::other(why.to_owned()))
}

impl fmt::Debug for ClusterProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterProtocol").finish_non_exhaustive()
    }
}
