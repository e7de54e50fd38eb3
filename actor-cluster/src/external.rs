//! Streams that somebody else has made, as the cluster wants them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::{ChannelBinding, CloseReason, ClusterBidiStream, PeerIdentity, TransportError};

/// Any ordered, reliable stream of bytes as a [`ClusterBidiStream`]: a socket of another kind, a pipe
/// in memory, a child process's standard input and output ([`tokio::io::join`] makes one stream of
/// two halves).
///
/// It proves nothing about its peer unless told so, so both nodes need the cluster's
/// [secret](crate::NodeBuilder::secret). Closing it drops the stream inside, and the peer sees its end;
/// the reason does not reach it.
///
/// ```
/// # use actor_cluster::{ExternalStream, NodeId, NodeServer};
/// # use actor_core::ActorSystem;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = |key: u8, system: &ActorSystem| {
///     let builder = NodeServer::builder(NodeId::from_bytes([key; 32]));
///     builder.system(system.clone()).secret("one secret for all").start()
/// };
/// let (here, there) = (ActorSystem::new(), ActorSystem::new());
/// let (a, b) = (node(1, &here).await?, node(2, &there).await?);
///
/// let (near, far) = tokio::io::duplex(64 * 1024);
/// let [near, far] = [near, far].map(|end| ExternalStream::new(end, "duplex"));
/// let both = tokio::join!(a.connect_external(Box::new(near)), b.attach_external_stream(Box::new(far)));
/// assert_eq!((both.0?.peer().node, both.1?.peer().node), (b.id(), a.id()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ExternalStream<S> {
    stream: Result<S, CloseReason>,
    identity: PeerIdentity,
    binding: Option<ChannelBinding>,
    label: String,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> ExternalStream<S> {
    /// Wraps a stream whose peer is unknown. The label is for logs and events.
    pub fn new(stream: S, label: impl Into<String>) -> Self {
        Self { stream: Ok(stream), identity: PeerIdentity::Anonymous, binding: None, label: label.into() }
    }

    /// Says who the peer is: to be called only where that is proven, as by TLS.
    #[must_use]
    pub fn with_identity(mut self, identity: PeerIdentity) -> Self {
        self.identity = identity;
        self
    }

    /// Says what binds proofs to this channel: both ends must say the same, and no other channel's
    /// ends may.
    #[must_use]
    pub fn with_binding(mut self, binding: ChannelBinding) -> Self {
        self.binding = Some(binding);
        self
    }

    fn open(self: Pin<&mut Self>) -> io::Result<Pin<&mut S>> {
        match &mut self.get_mut().stream {
            Ok(stream) => Ok(Pin::new(stream)),
            Err(reason) => Err(TransportError::Closed(reason.clone()).into()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> ClusterBidiStream for ExternalStream<S> {
    fn peer_identity(&self) -> PeerIdentity {
        self.identity
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.binding
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn close(&mut self, reason: &CloseReason) {
        if self.stream.is_ok() {
            self.stream = Err(reason.clone());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncRead for ExternalStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncWrite for ExternalStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_ok_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_shutdown(cx)
    }
}
