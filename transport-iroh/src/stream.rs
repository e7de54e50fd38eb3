//! One bidirectional QUIC stream as the cluster's stream of bytes. Must not live
//! here: what it shares with the other streams of its connection
//! (`connection.rs`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_cluster::transport::{
    ChannelBinding, CloseReason, ClusterBidiStream, LaneSet, PathStatus, PeerIdentity, TransportError,
};
use iroh::endpoint::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Shared, close_code};

/// Both halves of a stream. The connection lives as long as one of its streams.
pub(crate) struct IrohStream {
    send: SendStream,
    recv: RecvStream,
    binding: Option<ChannelBinding>,
    /// Why we closed the stream, once we did.
    closed: Option<CloseReason>,
    /// Declared last, so that the halves are gone before the connection may be.
    shared: Arc<Shared>,
}

impl IrohStream {
    /// Takes a stream of the connection that will carry these lanes.
    pub(crate) fn new(shared: Arc<Shared>, (send, recv): (SendStream, RecvStream), lanes: LaneSet) -> Self {
        // Fails where the stream is over already; then there is no order to keep.
        let _ = send.set_priority(lanes.priority());
        let binding = shared.channel_binding(send.id());
        Self { send, recv, binding, closed: None, shared }
    }

    /// How urgent what is written here is to QUIC; `None` once the stream is
    /// over.
    #[cfg(test)]
    pub(crate) fn priority(&self) -> Option<i32> {
        self.send.priority().ok()
    }

    fn check_open(&self) -> io::Result<()> {
        let closed = |reason: &CloseReason| Err(TransportError::Closed(reason.clone()).into());
        self.closed.as_ref().map_or(Ok(()), closed)
    }

    /// A failed read in the seam's words.
    fn read_failed(&self, failure: io::Error) -> io::Error {
        let cause = failure.get_ref().and_then(|cause| cause.downcast_ref());
        match cause {
            Some(ReadError::Reset(code)) => closed_by_peer(*code),
            Some(ReadError::ConnectionLost(end)) => self.shared.ended(end).into(),
            _ => failure,
        }
    }

    /// A failed write in the seam's words.
    fn write_failed(&self, failure: WriteError) -> io::Error {
        match failure {
            WriteError::Stopped(code) => closed_by_peer(code),
            WriteError::ConnectionLost(end) => self.shared.ended(&end).into(),
            WriteError::ClosedStream => io::Error::new(io::ErrorKind::BrokenPipe, failure),
            other => other.into(),
        }
    }
}

/// The peer has closed the stream, which carries the code alone.
fn closed_by_peer(code: VarInt) -> io::Error {
    TransportError::Closed(CloseReason::received(code.into_inner(), b"")).into()
}

impl AsyncRead for IrohStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A stopped half would report the end, as if the peer had finished.
        this.check_open()?;
        AsyncRead::poll_read(Pin::new(&mut this.recv), cx, buffer)
            .map_err(|failure| this.read_failed(failure))
    }
}

impl AsyncWrite for IrohStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_open()?;
        Pin::new(&mut this.send).poll_write(cx, bytes).map_err(|failure| this.write_failed(failure))
    }

    /// Written bytes belong to QUIC at once; there is nothing to push.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Fails where the write side is over already, which is what was asked.
        let _ = self.get_mut().send.finish();
        Poll::Ready(Ok(()))
    }
}

impl ClusterBidiStream for IrohStream {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Node(self.shared.peer())
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.binding
    }

    fn label(&self) -> String {
        self.shared.label()
    }

    fn path(&self) -> Option<PathStatus> {
        self.shared.path()
    }

    fn carrier(&self) -> Option<u64> {
        Some(self.shared.quic().stable_id() as u64)
    }

    /// The peer sees the code; the detail reaches it where this was the last use
    /// of the connection.
    fn close(&mut self, reason: &CloseReason) {
        if self.closed.is_some() {
            return;
        }
        let code = close_code(reason);
        // Each fails where its half is over already, which is what was asked.
        let _ = self.send.reset(code);
        let _ = self.recv.stop(code);
        self.shared.remember(reason);
        self.closed = Some(reason.clone());
    }
}

impl Drop for IrohStream {
    /// What was written still goes out, for a while, although the connection may
    /// have no other use: it would be lost if the connection closed now.
    fn drop(&mut self) {
        if self.closed.is_none() && self.shared.is_open() {
            let _ = self.send.finish();
            self.shared.linger(self.send.stopped());
        }
    }
}
