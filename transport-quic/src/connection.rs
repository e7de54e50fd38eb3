//! Connections to a peer: what the streams of one share, and the handle that opens and accepts them. Must not live here: how
//! a connection comes about (`handshake.rs`, `dialer.rs`, `listener.rs`).
//!
//! ```text
//!  QuicConnection (dialled) ─┬─► Shared ─► quinn    control, urgent, bulk, data 0, n, ..
//!                            └─► Shared ─► quinn    data 1, n + 1, ..
//!  QuicConnection (accepted) ──► Shared ─► quinn    whatever the dialler opens on it
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actor_cluster::id::NodeId;
use actor_cluster::transport::net::{Gauge, Place};
use actor_cluster::transport::{
    ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet, PeerIdentity,
    TransportError,
};
use async_trait::async_trait;
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, StreamId, VarInt, WriteError};
use rustls_pki_types::CertificateDer;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;
use transport_tls::{Disconnect, Fault, PeerRole, Registered, TlsContext, node_of};

use crate::error::{self, dropped};
use crate::limits::{LINGER, STREAMS_MAX};
use crate::protocol;
use crate::stream::QuicStream;

/// What keeps one QUIC connection alive: its handle and each of its streams have a share. The last one to go closes it.
pub(crate) struct Shared {
    quic: quinn::Connection,
    peer: NodeId,
    label: String,
    /// Why we have ended it, from the first who said.
    reason: OnceLock<CloseReason>,
    /// Why it ends with its last use, from the first stream that said.
    parting: OnceLock<CloseReason>,
    /// The place among those who are judged again when the authorities are replaced.
    registered: OnceLock<Registered>,
    lingering: Gauge,
    runtime: Handle,
    /// The place among the accepted connections.
    _place: Option<Place>,
}

impl Shared {
    /// Takes a connection whose peer has proven that it has the key of this chain's first certificate, and has the
    /// chain judged again whenever the authorities are replaced.
    ///
    /// # Errors
    ///
    /// If the peer is not believed any more; it is told that it is refused.
    pub(crate) fn new(
        quic: quinn::Connection,
        context: &TlsContext,
        (chain, role): (Arc<[CertificateDer<'static>]>, PeerRole),
        label: String,
        (place, lingering): (Option<Place>, Gauge),
    ) -> Result<Arc<Self>, TransportError> {
        let peer = node_of(&chain).map_err(|fault| fault.about(&label))?;
        let shared = Arc::new(Self {
            quic,
            peer,
            label,
            reason: OnceLock::new(),
            parting: OnceLock::new(),
            registered: OnceLock::new(),
            lingering,
            runtime: Handle::current(),
            _place: place,
        });
        let connection: Arc<dyn Disconnect> = shared.clone();
        match context.register(chain, role, Arc::downgrade(&connection)) {
            Ok(registered) => shared.registered.get_or_init(|| registered),
            Err(fault) => {
                shared.close(&CloseReason::new(CloseCode::Refused, NOT_BELIEVED));
                return Err(fault.about(&shared.label));
            }
        };
        Ok(shared)
    }

    /// Tells a dialler that it is let in.
    ///
    /// # Errors
    ///
    /// If it has left, or was disconnected meanwhile.
    pub(crate) async fn admit(&self) -> Result<(), TransportError> {
        if protocol::say_admitted(&self.quic).await {
            return Ok(());
        }
        Err(dropped(&self.label, "it left before it was let in"))
    }

    /// The QUIC connection itself.
    pub(crate) fn quic(&self) -> &quinn::Connection {
        &self.quic
    }

    /// The node at the other end.
    pub(crate) fn peer(&self) -> NodeId {
        self.peer
    }

    /// Where the peer is.
    pub(crate) fn place(&self) -> SocketAddr {
        self.quic.remote_address()
    }

    /// The transport, and where the peer is.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether neither side has ended the connection.
    pub(crate) fn is_open(&self) -> bool {
        self.quic.close_reason().is_none()
    }

    /// Ends the connection and all its streams.
    pub(crate) fn close(&self, reason: &CloseReason) {
        self.remember(reason);
        self.quic.close(close_code(reason), reason.detail().as_bytes());
    }

    /// Keeps a reason for the end of the connection, unless there is one.
    fn remember(&self, reason: &CloseReason) {
        self.reason.get_or_init(|| reason.clone());
    }

    /// Keeps a reason for the end of the connection that comes with the end of its last use.
    pub(crate) fn part(&self, reason: &CloseReason) {
        self.parting.get_or_init(|| reason.clone());
    }

    /// Why the connection ended, as its streams say it.
    pub(crate) fn ended(&self, end: &ConnectionError) -> TransportError {
        error::end_of_connection(&self.label, end, self.reason.get())
    }

    /// Why a stream cannot be read any more.
    pub(crate) fn read_failed(&self, failure: ReadError) -> TransportError {
        match failure {
            ReadError::Reset(code) => closed_by_peer(code),
            ReadError::ConnectionLost(end) => self.ended(&end),
            other => TransportError::Io(other.into()),
        }
    }

    /// Why a stream cannot be written any more.
    pub(crate) fn write_failed(&self, failure: WriteError) -> TransportError {
        match failure {
            WriteError::Stopped(code) => closed_by_peer(code),
            WriteError::ConnectionLost(end) => self.ended(&end),
            other => TransportError::Io(io::Error::new(io::ErrorKind::BrokenPipe, other)),
        }
    }

    /// A binding of one stream.
    ///
    /// Keying material belongs to the connection. The stream's id as context
    /// makes one value for each stream, so that a proof made for one stream is
    /// none on another.
    pub(crate) fn channel_binding(&self, stream: StreamId) -> Option<ChannelBinding> {
        let mut key = [0; ChannelBinding::BYTES];
        let context = u64::from(stream).to_be_bytes();
        self.quic.export_keying_material(&mut key, ChannelBinding::EXPORTER_LABEL, &context).ok()?;
        Some(ChannelBinding::new(key))
    }

    /// Keeps the connection until the peer's QUIC has what a stream still has to
    /// deliver, or until that takes too long.
    pub(crate) fn linger(self: &Arc<Self>, delivered: impl Future<Output: Send> + Send + 'static) {
        let (shared, lingering) = (self.clone(), self.lingering.enter());
        self.runtime.spawn(async move {
            // Delivered, refused or too late: nothing more can be done.
            let _ = timeout(LINGER, delivered).await;
            drop((shared, lingering));
        });
    }
}

/// What a peer is told that is not let in any more. Why, it learns when it comes again.
const NOT_BELIEVED: &str = "your certificate is not believed any more";

impl Disconnect for Shared {
    fn disconnect(&self, fault: &Fault) {
        let (Fault::Trust(detail) | Fault::Protocol(detail)) = fault;
        tracing::warn!(peer = %self.label, %detail, "not believed any more");
        // Lost, not refused: a peer with a certificate that is believed may go on over another connection.
        self.remember(&CloseReason::new(CloseCode::Lost, detail.clone()));
        self.close(&CloseReason::new(CloseCode::Lost, NOT_BELIEVED));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let done = CloseReason::from(CloseCode::Done);
        let reason = self.parting.get().unwrap_or(&done);
        // Does nothing where it is closed.
        self.quic.close(close_code(reason), reason.detail().as_bytes());
    }
}

/// The handle on which streams are opened and accepted.
pub(crate) struct QuicConnection {
    /// Never empty; several where the dialler wants several.
    shared: Vec<Arc<Shared>>,
    /// Which of them carries the streams for data, one after the other. Others are on the first.
    data: AtomicUsize,
    opened: AtomicUsize,
    /// How many may be: what the transport announces, if we have dialled.
    opened_max: usize,
    accepted: AtomicUsize,
    /// A stream of the peer's that has not said yet what it is for.
    unnamed: Mutex<Option<(SendStream, RecvStream)>>,
}

impl QuicConnection {
    /// A handle on connections that we have made to one node.
    pub(crate) fn dialled(shared: Vec<Arc<Shared>>, streams: &[LaneSet]) -> Self {
        Self::new(shared, streams.len())
    }

    /// A handle on a connection that a peer has made.
    pub(crate) fn accepted(shared: Arc<Shared>) -> Self {
        Self::new(vec![shared], 0)
    }

    fn new(shared: Vec<Arc<Shared>>, opened_max: usize) -> Self {
        let [data, opened, accepted] = [0; 3].map(AtomicUsize::new);
        Self { shared, data, opened, opened_max, accepted, unnamed: Mutex::new(None) }
    }

    async fn open_stream(&self, lanes: LaneSet) -> Result<QuicStream, TransportError> {
        // Two callers at once may both find room for one stream; QUIC has room for it.
        self.check_room(self.first(), &self.opened, self.opened_max)?;
        let shared = self.carrier(lanes);
        let (mut send, recv) = shared.quic.open_bi().await.map_err(|end| shared.ended(&end))?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        let named = send.write_all(&[protocol::byte_of(lanes)]).await;
        named.map_err(|failure| shared.write_failed(failure))?;
        Ok(QuicStream::new(shared.clone(), (send, recv), lanes))
    }

    async fn accept_stream(&self) -> Result<QuicStream, TransportError> {
        let shared = self.first();
        // Kept here until it is named, so that whoever gives up the wait loses no stream.
        let mut unnamed = self.unnamed.lock().await;
        loop {
            self.check_room(shared, &self.accepted, STREAMS_MAX as usize)?;
            let (_, recv) = match &mut *unnamed {
                Some(halves) => halves,
                none => none.insert(shared.quic.accept_bi().await.map_err(|end| shared.ended(&end))?),
            };
            let mut name = [0];
            let named = recv.read(&mut name).await;
            let Some(halves) = unnamed.take() else { continue };
            self.accepted.fetch_add(1, Ordering::Relaxed);
            match named {
                Ok(Some(_)) => {
                    return Ok(QuicStream::new(shared.clone(), halves, protocol::lanes_of(name[0])));
                }
                // It was given up before it was for anything; so it is here.
                Ok(None) | Err(ReadError::Reset(_) | ReadError::ClosedStream) => {}
                Err(failure) => return Err(shared.read_failed(failure)),
            }
        }
    }

    /// The QUIC connection for the next stream: the first, unless it is for data.
    fn carrier(&self, lanes: LaneSet) -> &Arc<Shared> {
        if lanes != LaneSet::DATA {
            return self.first();
        }
        let turn = self.data.fetch_add(1, Ordering::Relaxed);
        &self.shared[turn % self.shared.len()]
    }

    fn first(&self) -> &Arc<Shared> {
        &self.shared[0]
    }

    /// That the connection is over is not asked here: streams that came before
    /// its end can still be accepted.
    fn check_room(&self, shared: &Shared, count: &AtomicUsize, most: usize) -> Result<(), TransportError> {
        if count.load(Ordering::Relaxed) < most {
            return Ok(());
        }
        Err(shared.quic.close_reason().map_or_else(
            || TransportError::Closed(CloseReason::new(CloseCode::Done, "it carries no more streams")),
            |end| shared.ended(&end),
        ))
    }
}

#[async_trait]
impl Connection for QuicConnection {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Node(self.first().peer)
    }

    fn label(&self) -> String {
        self.first().label.clone()
    }

    async fn open(&self, lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        Ok(Box::new(self.open_stream(lanes).await?))
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        Ok(Box::new(self.accept_stream().await?))
    }

    fn close(&self, reason: &CloseReason) {
        self.shared.iter().for_each(|shared| shared.close(reason));
    }
}

/// What a stream says that the peer has closed. It carries the code alone.
fn closed_by_peer(code: VarInt) -> TransportError {
    TransportError::Closed(CloseReason::received(code.into_inner(), b""))
}

/// A reason's code as QUIC carries it.
pub(crate) fn close_code(reason: &CloseReason) -> VarInt {
    VarInt::from_u32(reason.code.as_u32())
}

#[cfg(test)]
mod tests;
