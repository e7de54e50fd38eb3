//! A transport in memory: addresses `pipe://name`, pipes for streams. For tests
//! of sessions and nodes without a network. Must not live here: delay, loss and
//! cuts (a simulated network's business).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use crate::locked::locked;
use crate::transport::{
    Address, ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet, Listener,
    PeerIdentity, Transport, TransportError,
};

/// What a pipe holds in each direction before its writer waits, in bytes.
pub const PIPE_BYTES: usize = 64 << 10;

/// Connections that wait at a listener to be accepted. One more is refused as
/// unreachable.
pub const BACKLOG_MAX: usize = 128;

/// The scheme of pipes' addresses, unless they are to have another.
const SCHEME: &str = "pipe";

/// Two connected streams between anonymous peers.
pub fn pipe() -> (Box<dyn ClusterBidiStream>, Box<dyn ClusterBidiStream>) {
    pipe_between(PeerIdentity::Anonymous, PeerIdentity::Anonymous)
}

/// Two connected streams. The first is `near`'s: its peer is `far`; and the
/// other way round.
pub fn pipe_between(
    near: PeerIdentity,
    far: PeerIdentity,
) -> (Box<dyn ClusterBidiStream>, Box<dyn ClusterBidiStream>) {
    let (near_end, far_end) = tokio::io::duplex(PIPE_BYTES);
    let label: Arc<str> = Arc::from("pipe");
    (Box::new(PipeStream::new(near_end, far, label.clone())), Box::new(PipeStream::new(far_end, near, label)))
}

/// The network that pipe transports share: who listens under which name.
#[derive(Clone, Default)]
pub struct PipeNetwork {
    doors: Arc<Mutex<HashMap<String, Door>>>,
}

/// Where one listener is reached.
struct Door {
    identity: PeerIdentity,
    backlog: mpsc::Sender<PipeConnection>,
}

impl PipeNetwork {
    /// A network on which nobody listens.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transport that listens at `pipe://name` once it is told to. It is
    /// anonymous and carries every lane on one stream.
    pub fn transport(&self, name: impl Into<String>) -> PipeTransport {
        PipeTransport {
            network: self.clone(),
            name: name.into(),
            identity: PeerIdentity::Anonymous,
            streams: vec![LaneSet::ALL],
            scheme: SCHEME.into(),
        }
    }
}

impl fmt::Debug for PipeNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(locked(&self.doors).keys()).finish()
    }
}

/// A node's transport on a [`PipeNetwork`].
#[derive(Clone, Debug)]
pub struct PipeTransport {
    network: PipeNetwork,
    name: String,
    identity: PeerIdentity,
    streams: Vec<LaneSet>,
    scheme: Arc<str>,
}

impl PipeTransport {
    /// What the peers learn about who this node is. Nothing proves it: pipes
    /// stay in one process.
    pub fn with_identity(mut self, identity: PeerIdentity) -> Self {
        self.identity = identity;
        self
    }

    /// The streams that this node opens on each connection it dials.
    pub fn with_streams(mut self, streams: impl Into<Vec<LaneSet>>) -> Self {
        self.streams = streams.into();
        self
    }

    /// Has addresses `scheme://name`, so that a node can have several of these transports. All on one network have the same.
    pub fn with_scheme(mut self, scheme: impl Into<Arc<str>>) -> Self {
        self.scheme = scheme.into();
        self
    }

    /// The name in `pipe://name`.
    fn read<'a>(&self, address: &'a Address) -> Result<&'a str, TransportError> {
        if address.scheme() != &*self.scheme {
            return Err(address.unusable(format!("this transport dials {}://name", self.scheme)));
        }
        check_name(address.rest()).map_err(|detail| address.unusable(detail))?;
        Ok(address.rest())
    }
}

#[async_trait]
impl Transport for PipeTransport {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn streams(&self) -> &[LaneSet] {
        &self.streams
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        check_name(&self.name)
            .map_err(|detail| TransportError::Config(format!("{:?}: {detail}", self.name)))?;
        let address = Address::new(&self.scheme, &self.name)?;
        let (backlog, incoming) = mpsc::channel(BACKLOG_MAX);
        match locked(&self.network.doors).entry(self.name.clone()) {
            Entry::Occupied(_) => {
                let source = io::ErrorKind::AddrInUse.into();
                return Err(TransportError::Bind { address: address.to_string(), source });
            }
            Entry::Vacant(place) => place.insert(Door { identity: self.identity, backlog }),
        };
        Ok(Box::new(PipeListener { network: self.network.clone(), address, incoming }))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let name = self.read(address)?;
        let unreachable = || {
            let source = io::ErrorKind::ConnectionRefused.into();
            TransportError::Unreachable { address: address.to_string(), source }
        };
        let doors = locked(&self.network.doors);
        let door = doors.get(name).ok_or_else(unreachable)?;
        let (near, far) = PipeConnection::pair(self, name, door.identity);
        door.backlog.try_send(far).map_err(|_| unreachable())?;
        Ok(Box::new(near))
    }
}

/// Accepts what is dialled under one name.
struct PipeListener {
    network: PipeNetwork,
    address: Address,
    incoming: mpsc::Receiver<PipeConnection>,
}

#[async_trait]
impl Listener for PipeListener {
    fn addresses(&self) -> Vec<Address> {
        vec![self.address.clone()]
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        match self.incoming.recv().await {
            Some(connection) => Ok(Box::new(connection)),
            None => Err(TransportError::Closed(CloseCode::Lost.into())),
        }
    }
}

impl Drop for PipeListener {
    fn drop(&mut self) {
        locked(&self.network.doors).remove(self.address.rest());
    }
}

/// One end of a connection.
struct PipeConnection {
    peer: PeerIdentity,
    label: Arc<str>,
    link: Arc<Mutex<Link>>,
    side: Side,
}

/// Streams are opened by the dialler alone, as the trait has it.
enum Side {
    Dialler { ours: PeerIdentity },
    Host { incoming: AsyncMutex<mpsc::UnboundedReceiver<PipeStream>> },
}

/// What both ends of a connection share.
struct Link {
    /// How many streams the dialler may still open.
    streams_left: usize,
    /// Hands the far ends over. Gone once no more will come.
    opened: Option<mpsc::UnboundedSender<PipeStream>>,
    /// Every stream's ends, so that closing the connection ends them all.
    ends: Vec<Weak<End>>,
    /// Why the connection is closed, once it is.
    closed: Option<CloseReason>,
}

impl PipeConnection {
    /// The dialler's end and the host's.
    fn pair(dialler: &PipeTransport, host: &str, host_identity: PeerIdentity) -> (Self, Self) {
        let (opened, incoming) = mpsc::unbounded_channel();
        let streams_left = dialler.streams.len();
        let link = Link { streams_left, opened: Some(opened), ends: Vec::new(), closed: None };
        let link = Arc::new(Mutex::new(link));
        let near = Self {
            peer: host_identity,
            label: format!("{}://{host}", dialler.scheme).into(),
            link: link.clone(),
            side: Side::Dialler { ours: dialler.identity },
        };
        let far = Self {
            peer: dialler.identity,
            label: format!("{}://{}", dialler.scheme, dialler.name).into(),
            link,
            side: Side::Host { incoming: AsyncMutex::new(incoming) },
        };
        (near, far)
    }

    fn no_stream(&self) -> TransportError {
        let no_more = || CloseReason::new(CloseCode::Done, "this connection carries no more streams");
        TransportError::Closed(locked(&self.link).closed.clone().unwrap_or_else(no_more))
    }
}

#[async_trait]
impl Connection for PipeConnection {
    fn peer_identity(&self) -> PeerIdentity {
        self.peer
    }

    fn label(&self) -> String {
        self.label.to_string()
    }

    async fn open(&self, _lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        let Side::Dialler { ours } = self.side else { return Err(self.no_stream()) };
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let near = PipeStream::new(near, self.peer, self.label.clone());
        let far = PipeStream::new(far, ours, self.label.clone());
        let ends = [Arc::downgrade(&near.end), Arc::downgrade(&far.end)];
        let handed_over = locked(&self.link).hand_over(far, ends);
        if handed_over { Ok(Box::new(near)) } else { Err(self.no_stream()) }
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        let Side::Host { incoming } = &self.side else { return Err(self.no_stream()) };
        let stream = incoming.lock().await.recv().await.ok_or_else(|| self.no_stream())?;
        // One that was opened before the connection was closed ended with it.
        if locked(&self.link).closed.is_some() { Err(self.no_stream()) } else { Ok(Box::new(stream)) }
    }

    fn close(&self, reason: &CloseReason) {
        let ends = locked(&self.link).close(reason);
        ends.iter().filter_map(Weak::upgrade).for_each(|end| end.close(reason));
    }
}

/// The host need not wait for streams that nobody can open any more.
impl Drop for PipeConnection {
    fn drop(&mut self) {
        if matches!(self.side, Side::Dialler { .. }) {
            locked(&self.link).opened = None;
        }
    }
}

impl Link {
    /// Gives the host its end of a new stream; whether it may have one.
    fn hand_over(&mut self, far: PipeStream, ends: [Weak<End>; 2]) -> bool {
        let Some(opened) = &self.opened else { return false };
        if self.streams_left == 0 || opened.send(far).is_err() {
            return false;
        }
        self.ends.extend(ends);
        self.streams_left -= 1;
        if self.streams_left == 0 {
            self.opened = None;
        }
        true
    }

    /// Remembers the first reason and gives out what is to be ended.
    fn close(&mut self, reason: &CloseReason) -> Vec<Weak<End>> {
        self.closed.get_or_insert_with(|| reason.clone());
        self.opened = None;
        std::mem::take(&mut self.ends)
    }
}

/// One end of a stream.
struct PipeStream {
    end: Arc<End>,
    peer: PeerIdentity,
    label: Arc<str>,
}

/// The pipe's end, until it is closed, and then why. A connection that is closed reaches in
/// from another task, hence the lock.
struct End(Mutex<Result<DuplexStream, CloseReason>>);

impl End {
    /// Dropping the pipe's end is what wakes the peer; closing both wakes both. The first reason counts.
    fn close(&self, reason: &CloseReason) {
        let mut end = locked(&self.0);
        if end.is_ok() {
            let io = std::mem::replace(&mut *end, Err(reason.clone()));
            drop(end);
            // Wakes, so not under the lock.
            drop(io);
        }
    }
}

impl PipeStream {
    fn new(io: DuplexStream, peer: PeerIdentity, label: Arc<str>) -> Self {
        Self { end: Arc::new(End(Mutex::new(Ok(io)))), peer, label }
    }

    /// Polls the pipe, unless it is closed.
    fn poll_end<T>(
        &self,
        poll: impl FnOnce(Pin<&mut DuplexStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *locked(&self.end.0) {
            Ok(io) => poll(Pin::new(io)),
            Err(reason) => Poll::Ready(Err(TransportError::Closed(reason.clone()).into())),
        }
    }
}

impl ClusterBidiStream for PipeStream {
    fn peer_identity(&self) -> PeerIdentity {
        self.peer
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        None
    }

    fn label(&self) -> String {
        self.label.to_string()
    }

    fn close(&mut self, reason: &CloseReason) {
        self.end.close(reason);
    }
}

impl Drop for PipeStream {
    fn drop(&mut self) {
        self.end.close(&CloseCode::Lost.into());
    }
}

impl AsyncRead for PipeStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(|io| io.poll_read(cx, buffer))
    }
}

impl AsyncWrite for PipeStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_end(|io| io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(|io| io.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(|io| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(|io| io.poll_shutdown(cx))
    }
}

/// A name is one word, so that an address has no second reading.
fn check_name(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(allowed) {
        Ok(())
    } else {
        Err("a name on the network is letters, digits, '-', '_' and '.'")
    }
}

#[cfg(test)]
mod tests;
