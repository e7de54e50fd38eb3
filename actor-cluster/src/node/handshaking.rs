//! Runs the handshake machine over a stream.

use actor_core::Incarnation;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Node;
use crate::error::HandshakeError;
use crate::id::NodeId;
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::handshake::{Acceptor, Channel, Dialler, Peer, Progress, SessionId, Sessions};
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream, LaneSet, TransportError};
use crate::wire::frame::{Frame, read_frame};

/// A handshake came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The nodes could not agree.
    Handshake(HandshakeError),
    /// The stream failed.
    Stream(TransportError),
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Stream(error.into())
    }
}

/// The dialling side. Returns once the peer has accepted, with what it has said since.
pub(super) async fn dial(
    node: &Node,
    stream: &mut dyn ClusterBidiStream,
    lanes: LaneSet,
    expected: Option<NodeId>,
) -> Result<(Peer, BytesMut), Failure> {
    let channel = channel(stream);
    let session = SessionId::new(node.executor().random_u64());
    let (mut state, hello) = Dialler::start(node.myself(), channel, lanes, nonce(node), session, expected)?;
    stream.write_all(&hello).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::new();
    loop {
        let frame = next_frame(stream, &mut buffer).await?;
        match state.handle_frame(&frame, node) {
            Ok(Progress::Done { peer }) => return Ok((peer, buffer)),
            Ok(Progress::Continue { send, next }) => {
                stream.write_all(&send).await?;
                stream.flush().await?;
                state = next;
            }
            Err(error) => return Err(refused(stream, error).await),
        }
    }
}

/// The accepting side. Returns once the dialler has proven itself; the caller still
/// has to accept or refuse.
pub(super) async fn accept(node: &Node, stream: &mut dyn ClusterBidiStream) -> Result<Peer, Failure> {
    let mut state = Acceptor::start(node.myself(), channel(stream), nonce(node))?;
    let mut buffer = BytesMut::new();
    loop {
        let frame = next_frame(stream, &mut buffer).await?;
        match state.handle_frame(&frame, node) {
            Ok(Progress::Done { peer }) if buffer.is_empty() => return Ok(peer),
            Ok(Progress::Done { .. }) => {
                let error = HandshakeError::Violation("bytes before the stream was accepted".to_owned());
                return Err(refused(stream, error).await);
            }
            Ok(Progress::Continue { send, next }) => {
                stream.write_all(&send).await?;
                stream.flush().await?;
                state = next;
            }
            Err(error) => return Err(refused(stream, error).await),
        }
    }
}

/// Tells the peer why not, as far as that goes.
pub(super) async fn refused(stream: &mut dyn ClusterBidiStream, error: HandshakeError) -> Failure {
    // A peer that refused us knows.
    if !matches!(error, HandshakeError::Refused(_)) {
        let told = async {
            stream.write_all(&error.refusal()).await?;
            stream.flush().await?;
            stream.shutdown().await?;
            // Closing at once could overtake the refusal; the peer hangs up first.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await? > 0 {}
            std::io::Result::Ok(())
        };
        drop(told.await);
    }
    stream.close(&CloseReason::from(CloseCode::Refused));
    error.into()
}

impl Sessions for Node {
    fn live(&self, node: NodeId, incarnation: Incarnation) -> Option<SessionId> {
        self.live_session(node, incarnation)
    }
}

async fn next_frame(stream: &mut dyn ClusterBidiStream, buffer: &mut BytesMut) -> Result<Frame, Failure> {
    loop {
        match read_frame(buffer, HANDSHAKE_BODY_BYTES_MAX) {
            Ok(Some(frame)) => return Ok(frame),
            Ok(None) => {}
            Err(error) => return Err(refused(stream, HandshakeError::Violation(error.to_string())).await),
        }
        // Never more than one step of the handshake is under way, so what is read
        // in one go is at most that.
        if stream.read_buf(buffer).await? == 0 {
            let reason = CloseReason::new(CloseCode::Lost, "the peer hung up during the handshake");
            return Err(Failure::Stream(TransportError::Closed(reason)));
        }
    }
}

fn channel(stream: &dyn ClusterBidiStream) -> Channel {
    Channel { identity: stream.peer_identity(), binding: stream.channel_binding() }
}

fn nonce(node: &Node) -> [u8; 32] {
    let mut nonce = [0; 32];
    node.executor().fill_random(&mut nonce);
    nonce
}
