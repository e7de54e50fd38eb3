//! The way in for other nodes: accept, shake hands, hand the streams to a session.

use std::sync::Arc;

use bytes::BytesMut;

use super::Node;
use super::handshaking::{self, Failure};
use super::peer::Link;
use crate::error::{ConnectError, HandshakeError};
use crate::event::NodeEvent;
use crate::session::handshake;
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream, Connection, Listener, TransportError};

/// Accepts connections until the listener is closed. Each is served by a task of
/// its own, so that none waits for another.
pub(super) async fn listen(node: Arc<Node>, mut listener: Box<dyn Listener>) {
    loop {
        match listener.accept().await {
            Ok(connection) => node.spawn_intake(serve(node.clone(), connection)),
            Err(TransportError::Closed(reason)) => {
                tracing::warn!(%reason, "a listener has ended");
                return;
            }
            Err(error) => node.tell(NodeEvent::Refused { label: String::new(), error: error.to_string() }),
        }
    }
}

/// Takes the streams of one connection until it ends. One that opens none in time
/// is closed.
async fn serve(node: Arc<Node>, connection: Box<dyn Connection>) {
    let label = connection.label();
    node.tell(NodeEvent::Opened { label: label.clone() });
    let patience = node.handshake_timeout();
    let Ok(first) = node.executor().timeout(patience, connection.accept()).await else {
        connection.close(&CloseReason::from(CloseCode::Timeout));
        let error = ConnectError::TimedOut(patience).to_string();
        return node.tell(NodeEvent::Refused { label, error });
    };
    let mut accepted = first;
    while let Ok(stream) = accepted {
        let node_of_stream = node.clone();
        node.spawn_intake(async move {
            drop(accept(&node_of_stream, stream).await);
        });
        accepted = connection.accept().await;
    }
}

/// Shakes hands on a stream that a peer opened, and hands it to a session.
pub(super) async fn accept(
    node: &Arc<Node>,
    mut stream: Box<dyn ClusterBidiStream>,
) -> Result<Arc<Link>, ConnectError> {
    let label = stream.label();
    let patience = node.handshake_timeout();
    let shaken = node.executor().timeout(patience, shake(node, &mut stream)).await;
    let accepted = match shaken {
        Ok(Ok(peer)) => match node.admit(peer, stream, handshake::accept(), BytesMut::new()) {
            Ok(link) => Ok(link),
            Err((error, mut stream)) => {
                let refused = handshaking::refused(&mut *stream, error.clone());
                drop(node.executor().timeout(patience, refused).await);
                Err(error.into())
            }
        },
        Ok(Err(Failure::Handshake(error))) => Err(error.into()),
        Ok(Err(Failure::Stream(error))) => Err(error.into()),
        Err(_) => {
            stream.close(&CloseReason::from(CloseCode::Timeout));
            Err(ConnectError::TimedOut(patience))
        }
    };
    if let Err(error) = &accepted {
        node.tell(NodeEvent::Refused { label, error: error.to_string() });
    }
    accepted
}

async fn shake(node: &Node, stream: &mut Box<dyn ClusterBidiStream>) -> Result<handshake::Peer, Failure> {
    match node.handshakes().try_acquire() {
        Ok(_permit) => handshaking::accept(node, &mut **stream).await,
        Err(_) => Err(handshaking::refused(&mut **stream, HandshakeError::Busy).await),
    }
}

/// Takes the accepting side on a stream that somebody else made.
pub(super) async fn attach(
    node: &Arc<Node>,
    stream: Box<dyn ClusterBidiStream>,
) -> Result<Arc<Link>, ConnectError> {
    node.tell(NodeEvent::Opened { label: stream.label() });
    let link = accept(node, stream).await?;
    super::dial::ready(node, link).await
}
