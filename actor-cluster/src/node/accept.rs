//! The way in for other nodes: accept, shake hands, hand the streams to a session.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use tokio::sync::OwnedSemaphorePermit;

use super::Node;
use super::admit::{Admitted, Rejected};
use super::handshaking::{self, Failure};
use super::link::{Link, Origin};
use super::parting::{Held, Refusal};
use crate::error::{ConnectError, HandshakeError};
use crate::event::NodeEvent;
use crate::refusal::RefusalCause;
use crate::session::handshake;
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream, Connection, Listener, TransportError};

/// Accepts connections until the listener is closed. Each is served by a task of
/// its own, so that none waits for another.
pub(super) async fn listen(node: Arc<Node>, mut listener: Box<dyn Listener>) {
    loop {
        match listener.accept().await {
            Ok(connection) => welcome(&node, connection),
            Err(TransportError::Closed(reason)) => {
                tracing::warn!(%reason, "a listener has ended");
                return;
            }
            Err(error) => {
                node.tell_refused(String::new(), RefusalCause::of_transport(&error), error.to_string());
            }
        }
    }
}

/// Serves a connection if there is a place for it among those that have not proven
/// anything yet.
fn welcome(node: &Arc<Node>, connection: Box<dyn Connection>) {
    let label = connection.label();
    node.tell(NodeEvent::Opened { label: label.clone() });
    match node.handshakes.clone().try_acquire_owned() {
        Ok(place) => node.spawn_intake(serve(node.clone(), connection, place)),
        Err(_) => {
            connection.close(&CloseReason::new(CloseCode::Refused, "too many handshakes at once"));
            refused(node, label, &HandshakeError::Busy.into());
        }
    }
}

/// Takes the streams of one connection, one after the other, until its session is
/// over. One that fails closes the connection: its dialler does the same.
async fn serve(node: Arc<Node>, connection: Box<dyn Connection>, place: OwnedSemaphorePermit) {
    let label = connection.label();
    let first = node.executor().timeout(node.handshake_timeout(), connection.accept()).await;
    let accepted = match first {
        // In a box, so that the task of a session keeps no room for its handshake.
        Ok(Ok(stream)) => Box::pin(accept(&node, stream, Origin::Accepted)).await,
        Ok(Err(error)) => Err(Refusal::silent(error)),
        Err(_) => Err(Refusal::silent(ConnectError::TimedOut(node.handshake_timeout()))),
    };
    let mut link = match accepted {
        Ok(link) => link,
        Err(refusal) => {
            let held = Held::connection(connection).and_place(Some(place));
            return refused(&node, label, &node.part(refusal, held));
        }
    };
    drop(place);
    // A session that stays without the streams it needs ends by itself.
    while let Some(Ok(stream)) = unless_over(&link, connection.accept()).await {
        link = match Box::pin(accept(&node, stream, Origin::Accepted)).await {
            Ok(link) => link,
            Err(refusal) => {
                return refused(&node, label, &node.part(refusal, Held::connection(connection)));
            }
        };
    }
}

/// Shakes hands on a stream that a peer opened, and hands it to a session.
async fn accept(
    node: &Arc<Node>,
    mut stream: Box<dyn ClusterBidiStream>,
    origin: Origin,
) -> Result<Arc<Link>, Refusal> {
    let patience = node.handshake_timeout();
    let shaken = node.executor().timeout(patience, handshaking::accept(node, &mut *stream)).await;
    match shaken {
        Ok(Ok(peer)) => match node.admit(peer, origin, stream, handshake::accept(), BytesMut::new()) {
            Ok(Admitted { link, spare }) => {
                if let Some(stream) = spare {
                    node.say_last(stream, handshake::accept(), Held::default());
                }
                Ok(link)
            }
            Err(Rejected { error, stream }) => Err(Refusal::told(error, stream)),
        },
        Ok(Err(Failure::Handshake(error))) => Err(Refusal::told(error, stream)),
        Ok(Err(Failure::Stream(error))) => Err(Refusal::silent(error)),
        Err(_) => {
            stream.close(&CloseReason::from(CloseCode::Timeout));
            Err(Refusal::silent(ConnectError::TimedOut(patience)))
        }
    }
}

/// Takes the accepting side on a stream that somebody else made.
pub(super) async fn attach(
    node: &Arc<Node>,
    stream: Box<dyn ClusterBidiStream>,
) -> Result<Arc<Link>, ConnectError> {
    let label = stream.label();
    node.tell(NodeEvent::Opened { label: label.clone() });
    let place = node.handshakes.clone().try_acquire_owned().ok();
    let accepted = match place {
        Some(_) => accept(node, stream, Origin::External).await,
        None => Err(Refusal::told(HandshakeError::Busy, stream)),
    };
    match accepted {
        Ok(link) => {
            drop(place);
            super::dial::ready(node, link).await
        }
        Err(refusal) => {
            let error = node.part(refusal, Held::default().and_place(place));
            refused(node, label, &error);
            Err(error)
        }
    }
}

fn refused(node: &Node, label: String, error: &ConnectError) {
    node.tell_refused(label, RefusalCause::of(error), error.to_string());
}

/// Runs a future until it ends, or until the session is over.
async fn unless_over<F: Future>(link: &Link, future: F) -> Option<F::Output> {
    let (mut future, mut over) = (pin!(future), pin!(link.over()));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => over.as_mut().poll(cx).map(|_| None),
    })
    .await
}
