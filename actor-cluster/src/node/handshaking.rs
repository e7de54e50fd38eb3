//! Runs the handshake machine over a stream. Who is told of a failure, and how, is
//! `parting.rs`'s.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Node;
use crate::error::HandshakeError;
use crate::id::NodeId;
use crate::limits::HANDSHAKE_BODY_BYTES_MAX;
use crate::session::handshake::{Acceptor, Carried, Channel, Dialler, Peer, Progress, Proposals, SessionId};
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream, TransportError};
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
    proposals: &mut impl Proposals,
    stream: &mut dyn ClusterBidiStream,
    carried: Carried,
    expected: Option<NodeId>,
) -> Result<(Peer, BytesMut), Failure> {
    let channel = channel(stream);
    let session = SessionId::new(node.executor().random_u64());
    let (mut state, hello) = Dialler::start(node.myself(), channel, carried, nonce(node), session, expected)?;
    write(stream, &hello).await?;
    let mut buffer = BytesMut::new();
    loop {
        let frame = next_frame(stream, &mut buffer).await?;
        match state.handle_frame(&frame, proposals)? {
            Progress::Done { peer } => return Ok((peer, buffer)),
            Progress::Continue { send, next } => {
                write(stream, &send).await?;
                state = next;
            }
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
        match state.handle_frame(&frame, node)? {
            Progress::Done { peer } if buffer.is_empty() => return Ok(peer),
            Progress::Done { .. } => {
                let detail = "bytes before the stream was accepted".to_owned();
                return Err(HandshakeError::Violation(detail).into());
            }
            Progress::Continue { send, next } => {
                write(stream, &send).await?;
                state = next;
            }
        }
    }
}

async fn write(stream: &mut dyn ClusterBidiStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn next_frame(stream: &mut dyn ClusterBidiStream, buffer: &mut BytesMut) -> Result<Frame, Failure> {
    loop {
        let frame = read_frame(buffer, HANDSHAKE_BODY_BYTES_MAX);
        if let Some(frame) = frame.map_err(|error| HandshakeError::Violation(error.to_string()))? {
            return Ok(frame);
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
