//! The way to other nodes: dial, shake hands, hand the streams to a session.

use std::sync::Arc;

use bytes::Bytes;

use super::Node;
use super::handshaking::{self, Failure};
use super::peer::{Link, LinkState};
use crate::error::{ConnectError, HandshakeError};
use crate::event::NodeEvent;
use crate::id::NodeId;
use crate::limits::DIAL_ATTEMPTS_MAX;
use crate::transport::{Address, CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet};

/// Dials a node and waits until the session with it is ready.
pub(super) async fn connect(
    node: &Arc<Node>,
    address: &Address,
    expected: Option<NodeId>,
) -> Result<Arc<Link>, ConnectError> {
    let patience = node.handshake_timeout();
    let attempts = async {
        for _ in 1..DIAL_ATTEMPTS_MAX {
            match dial(node, address, expected).await {
                Err(ConnectError::Handshake(error)) if is_changed(&error) => {}
                done => return done,
            }
        }
        dial(node, address, expected).await
    };
    let dialled = node.executor().timeout(patience, attempts).await;
    let link = dialled.unwrap_or(Err(ConnectError::TimedOut(patience)))?;
    ready(node, link).await
}

/// Begins a session, or joins one, over a stream that somebody else has dialled.
pub(super) async fn connect_external(
    node: &Arc<Node>,
    stream: Box<dyn ClusterBidiStream>,
) -> Result<Arc<Link>, ConnectError> {
    node.tell(NodeEvent::Opened { label: stream.label() });
    let patience = node.handshake_timeout();
    let shaken = node.executor().timeout(patience, shake(node, stream, LaneSet::ALL, None)).await;
    let link = shaken.unwrap_or(Err(ConnectError::TimedOut(patience)))?;
    ready(node, link).await
}

/// Waits until a session is ready.
pub(super) async fn ready(node: &Arc<Node>, link: Arc<Link>) -> Result<Arc<Link>, ConnectError> {
    let patience = node.handshake_timeout();
    let mut states = link.state.subscribe();
    let settled = states.wait_for(|state| *state != LinkState::Opening);
    let settled = node.executor().timeout(patience, settled).await;
    let state = match settled {
        Err(_) => return Err(ConnectError::TimedOut(patience)),
        Ok(Err(_)) => return Err(ConnectError::ShuttingDown),
        Ok(Ok(state)) => state.clone(),
    };
    match state {
        LinkState::Ended(reason) => Err(ConnectError::Ended(reason)),
        LinkState::Opening | LinkState::Ready => Ok(link),
    }
}

async fn dial(
    node: &Arc<Node>,
    address: &Address,
    expected: Option<NodeId>,
) -> Result<Arc<Link>, ConnectError> {
    let transport = node.transport(address.scheme());
    let transport = transport.ok_or_else(|| ConnectError::NoTransport(address.scheme().to_owned()))?;
    let connection = transport.dial(address).await?;
    node.tell(NodeEvent::Opened { label: connection.label() });
    match open_streams(node, &*connection, transport.streams(), expected).await {
        Ok(link) => Ok(link),
        Err(error) => {
            connection.close(&CloseReason::from(CloseCode::Refused));
            Err(error)
        }
    }
}

/// Opens every stream that the transport wants, the most urgent first: the session
/// begins with that one, and the others join it.
async fn open_streams(
    node: &Arc<Node>,
    connection: &dyn Connection,
    streams: &[LaneSet],
    expected: Option<NodeId>,
) -> Result<Arc<Link>, ConnectError> {
    let mut link = None;
    for lanes in streams {
        let stream = connection.open(*lanes).await?;
        link = Some(shake(node, stream, *lanes, expected).await?);
    }
    link.ok_or_else(|| {
        ConnectError::Ended(CloseReason::new(CloseCode::Lost, "the transport opens no streams"))
    })
}

async fn shake(
    node: &Arc<Node>,
    mut stream: Box<dyn ClusterBidiStream>,
    lanes: LaneSet,
    expected: Option<NodeId>,
) -> Result<Arc<Link>, ConnectError> {
    let (peer, rest) = match handshaking::dial(node, &mut *stream, lanes, expected).await {
        Ok(shaken) => shaken,
        Err(Failure::Handshake(error)) => return Err(error.into()),
        Err(Failure::Stream(error)) => return Err(error.into()),
    };
    match node.admit(peer, stream, Bytes::new(), rest) {
        Ok(link) => Ok(link),
        Err((error, mut stream)) => {
            stream.close(&CloseReason::from(CloseCode::Refused));
            Err(error.into())
        }
    }
}

fn is_changed(error: &HandshakeError) -> bool {
    match error {
        HandshakeError::Changed => true,
        HandshakeError::Refused(theirs) => **theirs == HandshakeError::Changed,
        _ => false,
    }
}
