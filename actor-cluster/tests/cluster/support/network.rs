//! A network of pipes whose cables the test can cut, silence and slow down.
//!
//! A cable is a connection, seen from its dialler: what the test does to it happens
//! at the dialler's end.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use actor_cluster::testing::pipe::{PipeNetwork, PipeTransport};
use actor_cluster::transport::{
    Address, ChannelBinding, CloseReason, ClusterBidiStream, Connection, LaneSet, Listener, PeerIdentity,
    Transport, TransportError,
};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::id;

/// Clones are the same network.
#[derive(Clone)]
pub(crate) struct Network {
    pipes: PipeNetwork,
    streams: Vec<LaneSet>,
    scheme: &'static str,
    cables: Arc<Mutex<Vec<Arc<Cable>>>>,
    /// Where nobody answers any more.
    shut: Arc<Mutex<Vec<String>>>,
    /// Whether dialling does not come to an end, as where packets are swallowed.
    is_swallowing: Arc<AtomicBool>,
    dials: Arc<AtomicU64>,
    /// Whether dials wait.
    are_dials_held: Arc<watch::Sender<bool>>,
    /// How many streams a connection opens before it opens none for ever.
    streams_until_stuck: Arc<AtomicUsize>,
    /// Where dials are not even refused.
    deaf: Arc<Mutex<Vec<String>>>,
    /// Who cannot dial.
    mute: Arc<Mutex<Vec<String>>>,
    /// Whether connections stay when there are no more streams to come.
    is_lasting: bool,
    /// Draws who goes on when, if anybody is to be slowed down.
    dice: Option<Arc<Dice>>,
}

impl Network {
    pub(crate) fn one_stream() -> Self {
        Self::of([LaneSet::ALL])
    }

    pub(crate) fn stream_per_lane() -> Self {
        Self::of([LaneSet::CONTROL, LaneSet::DATA])
    }

    pub(crate) fn three_streams() -> Self {
        Self::of([LaneSet::CONTROL, LaneSet::URGENT, LaneSet::DATA])
    }

    fn of(streams: impl Into<Vec<LaneSet>>) -> Self {
        Self {
            pipes: PipeNetwork::new(),
            streams: streams.into(),
            scheme: "pipe",
            cables: Arc::default(),
            shut: Arc::default(),
            is_swallowing: Arc::default(),
            dials: Arc::default(),
            are_dials_held: Arc::new(watch::Sender::new(false)),
            streams_until_stuck: Arc::new(AtomicUsize::new(usize::MAX)),
            deaf: Arc::default(),
            mute: Arc::default(),
            is_lasting: false,
            dice: None,
        }
    }

    /// Connections do not say that no more streams will come.
    pub(crate) fn lasting(mut self) -> Self {
        self.is_lasting = true;
        self
    }

    /// Another network beside this one, whose addresses have a scheme of their own.
    pub(crate) fn beside(&self, scheme: &'static str) -> Self {
        Self { scheme, ..Self::of(self.streams.clone()) }
    }

    /// Everything under way takes its time, as a seed says.
    pub(crate) fn shuffled(mut self, seed: u64) -> Self {
        self.dice = Some(Arc::new(Dice::new(seed)));
        self
    }

    /// Node `number`'s transport: its address is `pipe://node-<number>`.
    pub(crate) fn transport(&self, number: u8) -> CableTransport {
        self.transport_as(number, PeerIdentity::Node(id(number)))
    }

    pub(crate) fn transport_as(&self, number: u8, identity: PeerIdentity) -> CableTransport {
        self.transport_at(&format!("node-{number}"), identity)
    }

    pub(crate) fn transport_at(&self, name: &str, identity: PeerIdentity) -> CableTransport {
        let pipes = self
            .pipes
            .transport(name)
            .with_identity(identity)
            .with_streams(self.streams.clone())
            .with_scheme(self.scheme);
        CableTransport { name: name.to_owned(), pipes, network: self.clone(), advertised: None }
    }

    /// Every connection that was ever dialled breaks now.
    pub(crate) fn cut(&self) {
        self.cables.lock().unwrap().drain(..).for_each(|cable| cable.set(Fate::Cut));
    }

    /// Every connection that was ever dialled carries nothing any more, and says
    /// nothing about it.
    pub(crate) fn silence(&self) {
        self.cables.lock().unwrap().iter().for_each(|cable| cable.set(Fate::Silent));
    }

    /// Nobody can be dialled any more.
    pub(crate) fn close_doors(&self) {
        (1..=9).for_each(|number| self.close_door_of(number));
    }

    /// A node can be dialled no more.
    pub(crate) fn close_door_of(&self, number: u8) {
        self.shut.lock().unwrap().push(format!("node-{number}"));
    }

    /// Everybody can be dialled again.
    pub(crate) fn open_doors(&self) {
        self.shut.lock().unwrap().clear();
        self.deaf.lock().unwrap().clear();
        self.mute.lock().unwrap().clear();
        self.is_swallowing.store(false, Ordering::Relaxed);
    }

    /// Whoever dials waits for ever.
    pub(crate) fn swallow_dials(&self) {
        self.is_swallowing.store(true, Ordering::Relaxed);
    }

    /// Whoever dials waits until [`let_dials_go`](Self::let_dials_go).
    pub(crate) fn hold_dials(&self) {
        self.are_dials_held.send_replace(true);
    }

    pub(crate) fn let_dials_go(&self) {
        self.are_dials_held.send_replace(false);
    }

    /// Connections that are dialled from now on get stuck behind so many streams.
    pub(crate) fn get_stuck_after(&self, streams: usize) {
        self.streams_until_stuck.store(streams, Ordering::Relaxed);
    }

    /// How often anybody has dialled.
    pub(crate) fn dials(&self) -> u64 {
        self.dials.load(Ordering::Relaxed)
    }

    /// Everything to a node is lost: connections to it are silent, and dials hear nothing.
    pub(crate) fn lose(&self, number: u8) {
        let name = format!("node-{number}");
        let cables = self.cables.lock().unwrap();
        cables.iter().filter(|cable| cable.to == name).for_each(|cable| cable.set(Fate::Silent));
        self.deaf.lock().unwrap().push(name);
    }

    /// The same, and everything from it, as where its machine has gone.
    pub(crate) fn lose_all_of(&self, number: u8) {
        self.lose(number);
        let name = format!("node-{number}");
        let cables = self.cables.lock().unwrap();
        cables.iter().filter(|cable| cable.from == name).for_each(|cable| cable.set(Fate::Silent));
        drop(cables);
        self.mute.lock().unwrap().push(name);
    }

    /// What is written is not read until [`resume`](Self::resume).
    pub(crate) fn hold(&self) {
        self.cables.lock().unwrap().iter().for_each(|cable| cable.set(Fate::Held));
    }

    pub(crate) fn resume(&self) {
        self.cables.lock().unwrap().iter().for_each(|cable| cable.set(Fate::Whole));
    }
}

/// A small generator, the same everywhere.
pub(crate) struct Dice(Mutex<u64>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    fn byte(&self) -> u8 {
        self.below(256).to_le_bytes()[0]
    }

    /// A number below `limit`.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 33) % limit
    }
}

/// What becomes of what is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    Held,
    Silent,
    Cut,
}

struct Cable {
    /// The name of the node that has dialled.
    from: String,
    /// The name of the node that was dialled.
    to: String,
    state: Mutex<(Fate, Vec<Waker>)>,
    dice: Option<Arc<Dice>>,
}

impl Cable {
    fn set(&self, fate: Fate) {
        let mut state = self.state.lock().unwrap();
        state.0 = fate;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The cable's fate; whoever polls is woken when it changes.
    fn fate(&self, cx: &Context<'_>) -> Fate {
        let mut state = self.state.lock().unwrap();
        if !state.1.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.1.push(cx.waker().clone());
        }
        state.0
    }

    /// Whether somebody else goes first this time.
    fn dawdles(&self, cx: &Context<'_>) -> bool {
        let dawdles = self.dice.as_ref().is_some_and(|dice| dice.below(2) == 0);
        if dawdles {
            cx.waker().wake_by_ref();
        }
        dawdles
    }
}

pub(crate) struct CableTransport {
    name: String,
    pipes: PipeTransport,
    network: Network,
    /// Where it says that it listens, if not where it does.
    advertised: Option<Address>,
}

impl CableTransport {
    /// Lies about its address.
    pub(crate) fn advertising(mut self, address: Address) -> Self {
        self.advertised = Some(address);
        self
    }
}

#[async_trait]
impl Transport for CableTransport {
    fn scheme(&self) -> &str {
        self.pipes.scheme()
    }

    fn streams(&self) -> &[LaneSet] {
        self.pipes.streams()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        let listener = self.pipes.listen().await?;
        let advertised = self.advertised.clone();
        let is_lasting = self.network.is_lasting;
        Ok(Box::new(CableListener { listener, advertised, is_lasting }))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        self.network.dials.fetch_add(1, Ordering::Relaxed);
        let is_mute = self.network.mute.lock().unwrap().contains(&self.name);
        if is_mute || self.network.is_swallowing.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.network.shut.lock().unwrap().iter().any(|name| name == address.rest()) {
            let source = io::Error::from(io::ErrorKind::ConnectionRefused);
            return Err(TransportError::Unreachable { address: address.to_string(), source });
        }
        if self.network.deaf.lock().unwrap().iter().any(|name| name == address.rest()) {
            std::future::pending::<()>().await;
        }
        let mut held = self.network.are_dials_held.subscribe();
        held.wait_for(|is_held| !is_held).await.expect("the network is there");
        let connection = self.pipes.dial(address).await?;
        let state = Mutex::new((Fate::Whole, Vec::new()));
        let cable = Arc::new(Cable {
            from: self.name.clone(),
            to: address.rest().to_owned(),
            state,
            dice: self.network.dice.clone(),
        });
        self.network.cables.lock().unwrap().push(cable.clone());
        let streams_left = AtomicUsize::new(self.network.streams_until_stuck.load(Ordering::Relaxed));
        Ok(Box::new(CableConnection { connection, cable, streams_left }))
    }
}

struct CableListener {
    listener: Box<dyn Listener>,
    advertised: Option<Address>,
    is_lasting: bool,
}

#[async_trait]
impl Listener for CableListener {
    fn addresses(&self) -> Vec<Address> {
        self.advertised.clone().map_or_else(|| self.listener.addresses(), |address| vec![address])
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        let connection = self.listener.accept().await?;
        if self.is_lasting { Ok(Box::new(Lasting(connection))) } else { Ok(connection) }
    }
}

/// A connection that more streams may always come on, as on QUIC.
struct Lasting(Box<dyn Connection>);

#[async_trait]
impl Connection for Lasting {
    fn peer_identity(&self) -> PeerIdentity {
        self.0.peer_identity()
    }

    fn label(&self) -> String {
        self.0.label()
    }

    async fn open(&self, lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        self.0.open(lanes).await
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        match self.0.accept().await {
            Ok(stream) => Ok(stream),
            Err(_) => std::future::pending().await,
        }
    }

    fn close(&self, reason: &CloseReason) {
        self.0.close(reason);
    }
}

struct CableConnection {
    connection: Box<dyn Connection>,
    cable: Arc<Cable>,
    streams_left: AtomicUsize,
}

#[async_trait]
impl Connection for CableConnection {
    fn peer_identity(&self) -> PeerIdentity {
        self.connection.peer_identity()
    }

    fn label(&self) -> String {
        self.connection.label()
    }

    async fn open(&self, lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        if self.streams_left.fetch_sub(1, Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        let stream = self.connection.open(lanes).await?;
        Ok(Box::new(CableStream { stream, cable: self.cable.clone() }))
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        self.connection.accept().await
    }

    fn close(&self, reason: &CloseReason) {
        self.connection.close(reason);
    }
}

struct CableStream {
    stream: Box<dyn ClusterBidiStream>,
    cable: Arc<Cable>,
}

impl CableStream {
    fn broken(&mut self) -> io::Error {
        self.stream.close(&CloseReason::from(actor_cluster::transport::CloseCode::Lost));
        io::Error::new(io::ErrorKind::ConnectionReset, "the cable is cut")
    }
}

impl ClusterBidiStream for CableStream {
    fn peer_identity(&self) -> PeerIdentity {
        self.stream.peer_identity()
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.stream.channel_binding()
    }

    fn label(&self) -> String {
        self.stream.label()
    }

    fn close(&mut self, reason: &CloseReason) {
        self.stream.close(reason);
    }
}

impl AsyncRead for CableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.cable.fate(cx) {
            Fate::Cut => Poll::Ready(Err(self.broken())),
            Fate::Held | Fate::Silent => Poll::Pending,
            Fate::Whole if self.cable.dawdles(cx) => Poll::Pending,
            Fate::Whole => Pin::new(&mut *self.stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for CableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.cable.fate(cx) {
            Fate::Cut => Poll::Ready(Err(self.broken())),
            Fate::Held => Poll::Pending,
            Fate::Silent => Poll::Ready(Ok(bytes.len())),
            Fate::Whole if self.cable.dawdles(cx) => Poll::Pending,
            Fate::Whole => {
                // Now and then a write is cut short, so that frames come in pieces.
                let dice = self.cable.dice.clone().filter(|dice| dice.below(3) == 0);
                let most = dice.map_or(bytes.len(), |dice| 1 + usize::from(dice.byte()) % bytes.len().max(1));
                Pin::new(&mut *self.stream).poll_write(cx, &bytes[..most.min(bytes.len())])
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.cable.fate(cx) {
            Fate::Cut => Poll::Ready(Err(self.broken())),
            _ => Pin::new(&mut *self.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.cable.fate(cx) {
            Fate::Cut => Poll::Ready(Err(self.broken())),
            Fate::Held | Fate::Silent => Poll::Pending,
            Fate::Whole => Pin::new(&mut *self.stream).poll_shutdown(cx),
        }
    }
}
