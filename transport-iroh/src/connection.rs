//! One QUIC connection to a peer: what its streams share, and the handle that
//! opens and accepts them. Must not live here: how a connection comes about
//! (`door.rs`, `dialer.rs`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actor_cluster::id::NodeId;
use actor_cluster::transport::net::{GaugeGuard, Place};
use actor_cluster::transport::{
    ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet, PathStatus, PeerIdentity,
    Route, TransportError,
};
use async_trait::async_trait;
use iroh::TransportAddr;
use iroh::endpoint::{ConnectionError, Path, PathList, RecvStream, SendStream, StreamId, VarInt};
use tokio::time::timeout;

use crate::error;
use crate::host::Host;
use crate::identity;
use crate::limits::{LINGER, STREAMS_MAX};
use crate::stream::IrohStream;

/// The streams of a connection, in the order in which a dialler opens them.
pub(crate) const STREAMS: [LaneSet; STREAMS_MAX as usize] =
    [LaneSet::CONTROL, LaneSet::URGENT, LaneSet::DATA, LaneSet::BULK];

/// What keeps a connection alive: its handle and each of its streams have a
/// share. The last one to go closes it.
pub(crate) struct Shared {
    quic: iroh::endpoint::Connection,
    /// Where the peer was at first, for when there is no path to it any more.
    place: String,
    /// Why we end it, from the first who said.
    reason: OnceLock<CloseReason>,
    /// What the registry knows it by.
    key: u64,
    host: Arc<Host>,
    _seat: Option<Place>,
    /// Declared last, so that whoever waits for it finds everything else gone.
    _held: GaugeGuard,
}

impl Shared {
    /// Takes a connection whose handshake is done and registers it. `seat` is its
    /// place among the accepted ones.
    pub(crate) fn new(
        quic: iroh::endpoint::Connection,
        host: Arc<Host>,
        seat: Option<Place>,
        held: GaugeGuard,
    ) -> Arc<Self> {
        Arc::new_cyclic(|shared| Self {
            place: place_of(&quic).unwrap_or_else(|| "an unknown place".to_owned()),
            quic,
            reason: OnceLock::new(),
            key: host.registry.add(shared.clone()),
            host,
            _seat: seat,
            _held: held,
        })
    }

    /// The QUIC connection itself.
    pub(crate) fn quic(&self) -> &iroh::endpoint::Connection {
        &self.quic
    }

    /// The node at the other end.
    pub(crate) fn peer(&self) -> NodeId {
        identity::node_id(self.quic.remote_id())
    }

    /// The path that is in use; `None` while there is none.
    pub(crate) fn path(&self) -> Option<PathStatus> {
        let paths = self.quic.paths();
        let path = path_in_use(&paths)?;
        let stats = path.stats();
        let route = match path.remote_addr() {
            TransportAddr::Relay(url) => Route::Relay(url.to_string()),
            TransportAddr::Ip(socket) => Route::Direct(socket.to_string()),
            other => Route::Direct(other.to_string()),
        };
        let mut status = PathStatus::new(route);
        status.round_trip = Some(stats.rtt);
        status.bytes_sent = stats.sent_bytes;
        status.bytes_lost = stats.lost_bytes;
        Some(status)
    }

    /// Who is at the other end, and where.
    pub(crate) fn label(&self) -> String {
        let place = place_of(&self.quic);
        let place = place.as_ref().unwrap_or(&self.place);
        format!("iroh {} at {place}", self.quic.remote_id().fmt_short())
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
    pub(crate) fn remember(&self, reason: &CloseReason) {
        self.reason.get_or_init(|| reason.clone());
    }

    /// Why the connection ended, as its streams say it.
    pub(crate) fn ended(&self, end: &ConnectionError) -> TransportError {
        TransportError::Closed(error::end_of_connection(end, self.reason.get()))
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
        let shared = self.clone();
        let lingering = self.host.registry.lingering.enter();
        self.host.spawn(async move {
            // Delivered, refused or too late: nothing more can be done.
            let _ = timeout(LINGER, delivered).await;
            drop(shared);
            drop(lingering);
        });
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let done = CloseReason::from(CloseCode::Done);
        let reason = self.reason.get().unwrap_or(&done);
        self.quic.close(close_code(reason), reason.detail().as_bytes());
        self.host.registry.remove(self.key);
    }
}

/// The handle on which streams are opened and accepted.
pub(crate) struct IrohConnection {
    opened: AtomicUsize,
    accepted: AtomicUsize,
    shared: Arc<Shared>,
}

impl IrohConnection {
    /// A handle on a connection that has no streams yet.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { opened: AtomicUsize::new(0), accepted: AtomicUsize::new(0), shared }
    }

    /// The QUIC connection itself.
    pub(crate) fn quic(&self) -> &iroh::endpoint::Connection {
        self.shared.quic()
    }

    async fn open_stream(&self, lanes: LaneSet) -> Result<IrohStream, TransportError> {
        self.check_room(&self.opened)?;
        let halves = self.shared.quic.open_bi().await.map_err(|end| self.shared.ended(&end))?;
        Ok(self.stream(&self.opened, halves, lanes))
    }

    async fn accept_stream(&self) -> Result<IrohStream, TransportError> {
        self.check_room(&self.accepted)?;
        let halves = self.shared.quic.accept_bi().await.map_err(|end| self.shared.ended(&end))?;
        // The dialler opens streams in the order of `STREAMS`, so a stream's
        // number tells how urgent its answers are. Nothing but scheduling hangs
        // on it: which lanes a stream carries, the session reads from it.
        let number = usize::try_from(halves.1.id().index()).ok();
        let lanes = number.and_then(|number| STREAMS.get(number)).copied().unwrap_or(LaneSet::DATA);
        Ok(self.stream(&self.accepted, halves, lanes))
    }

    fn stream(&self, count: &AtomicUsize, halves: (SendStream, RecvStream), lanes: LaneSet) -> IrohStream {
        count.fetch_add(1, Ordering::Relaxed);
        IrohStream::new(self.shared.clone(), halves, lanes)
    }

    /// Two callers at once may both find room for one stream. QUIC's own limit
    /// then lets the second wait for the end of the connection.
    ///
    /// That the connection is over is not asked here: streams that came before
    /// its end can still be accepted.
    fn check_room(&self, count: &AtomicUsize) -> Result<(), TransportError> {
        if count.load(Ordering::Relaxed) < STREAMS.len() {
            return Ok(());
        }
        Err(self.shared.quic.close_reason().map_or_else(
            || TransportError::Closed(CloseReason::new(CloseCode::Done, "it carries no more streams")),
            |end| self.shared.ended(&end),
        ))
    }
}

#[async_trait]
impl Connection for IrohConnection {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Node(self.shared.peer())
    }

    fn label(&self) -> String {
        self.shared.label()
    }

    async fn open(&self, lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        Ok(Box::new(self.open_stream(lanes).await?))
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        Ok(Box::new(self.accept_stream().await?))
    }

    fn close(&self, reason: &CloseReason) {
        self.shared.close(reason);
    }
}

/// Where packets to the peer go; `None` while there is no path to it.
fn place_of(quic: &iroh::endpoint::Connection) -> Option<String> {
    let paths = quic.paths();
    Some(match path_in_use(&paths)?.remote_addr() {
        TransportAddr::Ip(socket) => socket.to_string(),
        other => other.to_string(),
    })
}

/// The path that Iroh has selected, or any while it has not.
fn path_in_use<'a>(paths: &'a PathList<'_>) -> Option<Path<'a>> {
    paths.iter().find(Path::is_selected).or_else(|| paths.iter().next())
}

/// A reason's code as QUIC carries it.
pub(crate) fn close_code(reason: &CloseReason) -> VarInt {
    VarInt::from_u32(reason.code.as_u32())
}

#[cfg(test)]
mod tests;
