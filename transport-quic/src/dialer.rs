//! The dialling half: from an address to a peer that has let us in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actor_cluster::transport::net::{Host, HostPort, first_to_answer, resolve};
use actor_cluster::transport::{Address, CloseCode, CloseReason, TransportError};
use futures_util::future::try_join_all;
use quinn::{ConnectError, Connecting, ConnectionError};
use tokio::time::timeout;
use transport_tls::{PeerRole, Verdict, server_name};

use crate::connection::{QuicConnection, Shared};
use crate::error::{dropped, handshake_failed, untrusted};
use crate::handshake;
use crate::limits::CONNECT_DEADLINE;
use crate::protocol::hear_admitted;
use crate::transport::{Node, SCHEME};

/// Connects to the node at the address, as often as was configured.
pub(crate) async fn dial(node: &Arc<Node>, address: &Address) -> Result<QuicConnection, TransportError> {
    let target = HostPort::of(address, SCHEME)?;
    let unreachable = |source| TransportError::Unreachable { address: address.to_string(), source };
    let dialling = Dialling { node, host: &target.host, label: address.as_str() };
    let places = resolve(&target).await.map_err(unreachable)?;
    // Whoever answers is the one, even if it does not let us in.
    let first = first_to_answer(places, |place| dialling.attempt(place)).await.map_err(unreachable)??;
    let_in(&first).await?;
    let place = first.place();
    let again = || async {
        let other = dialling.attempt(place).await.map_err(unreachable)??;
        let_in(&other).await?;
        Ok::<_, TransportError>(other)
    };
    let others = try_join_all((1..node.settings.connections).map(|_| again())).await?;
    if let Some(other) = others.iter().find(|other| other.peer() != first.peer()) {
        let detail = format!(
            "its connections lead to different nodes, {} and {}; each node needs an address of its own",
            first.peer(),
            other.peer()
        );
        return Err(untrusted(address.as_str(), detail));
    }
    let shared = [vec![first], others].concat();
    Ok(QuicConnection::dialled(shared, &node.settings.streams))
}

/// What all connections of a dial have in common.
struct Dialling<'a> {
    node: &'a Arc<Node>,
    host: &'a Host,
    /// Who is dialled, in errors and logs.
    label: &'a str,
}

impl Dialling<'_> {
    /// Tries one IP address. The outer error is that nobody answers there.
    async fn attempt(&self, place: SocketAddr) -> io::Result<Result<Arc<Shared>, TransportError>> {
        let (connecting, verdict) = match self.begin(place) {
            Ok(begun) => begun,
            Err(TransportError::Io(error)) => return Err(error),
            Err(error) => return Ok(Err(error)),
        };
        let silent = || io::Error::new(io::ErrorKind::TimedOut, "nobody answers");
        match timeout(CONNECT_DEADLINE, connecting).await {
            Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(silent()),
            Ok(Err(error)) => Ok(Err(handshake_failed(self.label, &error, &verdict))),
            Ok(Ok(connection)) => {
                let label = self.label.to_owned();
                Ok(handshake::proven(self.node, connection, PeerRole::Host, label, None))
            }
        }
    }

    fn begin(&self, place: SocketAddr) -> Result<(Connecting, Verdict), TransportError> {
        let Node { settings, endpoints, .. } = &**self.node;
        let name = server_name(self.host, place.ip());
        let (config, verdict) = settings.dialling()?;
        let begin = || {
            let endpoint = endpoints.towards(place.ip(), settings)?;
            Ok::<_, TransportError>(endpoint.connect_with(config.clone(), place, &name.to_str()))
        };
        let begun = match begin()? {
            // The socket is broken, and gets one successor; or the transport was closed, which that says.
            Err(ConnectError::EndpointStopping) => {
                endpoints.replace(place.ip());
                begin()?
            }
            begun => begun,
        };
        let connecting = begun.map_err(|error| TransportError::Io(io::Error::other(error)))?;
        Ok((connecting, verdict))
    }
}

/// Waits until the host has let us in.
async fn let_in(shared: &Shared) -> Result<(), TransportError> {
    if hear_admitted(shared.quic()).await {
        return Ok(());
    }
    match shared.quic().close_reason() {
        Some(end) => Err(handshake_failed(shared.label(), &end, &Verdict::default())),
        None => {
            let detail = "it did not say whether it lets us in";
            shared.close(&CloseReason::new(CloseCode::Violation, detail));
            Err(dropped(shared.label(), detail))
        }
    }
}
