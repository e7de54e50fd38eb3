//! One bidirectional QUIC stream as the cluster's stream of bytes. Must not live
//! here: what it shares with the other streams of its connection
//! (`connection.rs`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_cluster::transport::{
    ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, LaneSet, PeerIdentity, TransportError,
};
use quinn::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Shared, close_code};

/// Both halves of a stream. The connection lives as long as one of its streams.
pub(crate) struct QuicStream {
    send: SendStream,
    recv: RecvStream,
    binding: Option<ChannelBinding>,
    /// Whether we have said all that we had to say.
    is_shut: bool,
    /// Why we closed the stream, once we did.
    closed: Option<CloseReason>,
    /// Declared last, so that the halves are gone before the connection may be.
    shared: Arc<Shared>,
}

impl QuicStream {
    /// Takes a stream of the connection that carries these lanes.
    pub(crate) fn new(shared: Arc<Shared>, (send, recv): (SendStream, RecvStream), lanes: LaneSet) -> Self {
        // Fails where the stream is over already; then there is no order to keep.
        let _ = send.set_priority(lanes.priority());
        let binding = shared.channel_binding(send.id());
        Self { send, recv, binding, is_shut: false, closed: None, shared }
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
}

impl AsyncRead for QuicStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A stopped half would report the end, as if the peer had finished.
        this.check_open()?;
        this.recv.poll_read_buf(cx, buffer).map_err(|failure| this.shared.read_failed(failure).into())
    }
}

impl AsyncWrite for QuicStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_open()?;
        let written = Pin::new(&mut this.send).poll_write(cx, bytes);
        written.map_err(|failure| this.shared.write_failed(failure).into())
    }

    /// Written bytes belong to QUIC at once; there is nothing to push.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.is_shut = true;
        // Fails where the write side is over already, which is what was asked.
        let _ = this.send.finish();
        Poll::Ready(Ok(()))
    }
}

impl ClusterBidiStream for QuicStream {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Node(self.shared.peer())
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.binding
    }

    fn label(&self) -> String {
        self.shared.label().to_owned()
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
        self.shared.part(reason);
        self.closed = Some(reason.clone());
    }
}

impl Drop for QuicStream {
    /// What was written before the stream was shut down still goes out, for a while, although the connection may
    /// have no other use: it would be lost if the connection closed now. A stream that is dropped without that was
    /// abandoned: its peer shall see a broken connection and not an orderly end.
    fn drop(&mut self) {
        if self.closed.is_some() || !self.shared.is_open() {
            return;
        }
        if self.is_shut {
            self.shared.linger(self.send.stopped());
        } else {
            self.close(&CloseReason::new(CloseCode::Lost, "the stream was dropped"));
        }
    }
}
