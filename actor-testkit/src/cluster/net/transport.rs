//! The transport of a simulated node: addresses `sim://node-3`.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actor_cluster::transport::{
    Address, CloseCode, CloseReason, ClusterBidiStream, LaneSet, Listener, PeerIdentity, Transport,
    TransportError,
};
use actor_core::{Executor, Instant};
use async_trait::async_trait;

use super::stream::SimStream;
use super::way::chance;
use super::{Connection, Door, Net, Side, Stream, other};
use crate::cluster::history::What;
use crate::limits::SIMULATED_BACKLOG_MAX;

/// The scheme of the network's addresses.
const SCHEME: &str = "sim";
/// How long a dialler waits before it knocks again, the first time: as TCP does.
const KNOCK_AGAIN: Duration = Duration::from_secs(1);

/// How a node in one of its lives reaches the network.
pub(in crate::cluster) struct SimTransport {
    net: Net,
    node: usize,
    identity: PeerIdentity,
    streams: Arc<[LaneSet]>,
    /// The node's own, so that a dial stands still with it.
    executor: Executor,
}

impl SimTransport {
    pub(in crate::cluster) fn new(
        net: &Net,
        node: usize,
        identity: PeerIdentity,
        streams: Arc<[LaneSet]>,
        executor: Executor,
    ) -> Self {
        Self { net: net.clone(), node, identity, streams, executor }
    }

    /// Which node an address is of.
    fn read(&self, address: &Address) -> Result<usize, TransportError> {
        let number = address.rest().strip_prefix("node-").filter(|_| address.scheme() == SCHEME);
        let number = number.and_then(|number| number.parse().ok());
        number.ok_or_else(|| address.unusable("this transport dials sim://node-3, for example"))
    }

    /// Waits until something has passed from one node to another, however often it must be sent.
    async fn cross(&self, from: usize, to: usize) {
        let mut pause = KNOCK_AGAIN;
        loop {
            let (due, is_through) = self.net.knock(from, to);
            if is_through {
                self.executor.sleep_until(due).await;
                if self.net.is_open(from, to) {
                    return;
                }
            }
            self.executor.sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The address of a node.
pub(in crate::cluster) fn address_of(node: usize) -> Address {
    format!("{SCHEME}://node-{node}").parse().expect("it is an address")
}

impl Net {
    /// When something arrives that is sent now, and whether it does.
    fn knock(&self, from: usize, to: usize) -> (Instant, bool) {
        let now = self.now();
        let mut state = self.state();
        let due = state.arrival(now, from, to);
        let is_lost = state.way(from, to).is_blocked() || state.machines[to].is_dark;
        (due, !is_lost)
    }

    fn is_open(&self, from: usize, to: usize) -> bool {
        let state = self.state();
        !state.way(from, to).is_blocked() && !state.machines[to].is_dark
    }

    /// A connection to whoever listens there. The dialler's side of it, and who the other is.
    fn connect(
        &self,
        from: usize,
        to: usize,
        identity: PeerIdentity,
        streams: usize,
    ) -> Option<(u64, PeerIdentity)> {
        let mut guard = self.state();
        let state = &mut *guard;
        let door = state.machines[to].door.as_mut()?;
        if door.backlog.len() >= SIMULATED_BACKLOG_MAX {
            return None;
        }
        let theirs = door.identity;
        let connection = Connection {
            nodes: [from, to],
            identities: [identity, theirs],
            sides: [Side::default(), Side::default()],
            streams_left: streams,
            opened: VecDeque::new(),
            streams: Vec::new(),
            taker: None,
            no_more: None,
        };
        let id = state.connections.insert(connection);
        door.backlog.push_back(id);
        door.listener.take().into_iter().for_each(Waker::wake);
        drop(guard);
        self.record_opened(id, [from, to]);
        Some((id, theirs))
    }

    /// Whether an attempt to connect arrives twice.
    fn is_doubled(&self, from: usize, to: usize) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        let likelihood = state.way(from, to).conditions.duplicates;
        chance(likelihood, &mut state.random)
    }

    fn poll_accept(&self, node: usize, cx: &Context<'_>) -> Poll<Option<u64>> {
        let mut state = self.state();
        let Some(door) = &mut state.machines[node].door else { return Poll::Ready(None) };
        match door.backlog.pop_front() {
            Some(connection) => Poll::Ready(Some(connection)),
            None => {
                door.listener = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn open_stream(&self, connection: u64) -> Option<u64> {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let its = state.connections.get_mut(connection)?;
        if its.streams_left == 0 || its.sides[0].closed.is_some() {
            return None;
        }
        its.streams_left -= 1;
        let nodes = its.nodes;
        let due = state.arrival(now, nodes[0], nodes[1]);
        let stream = Stream { connection, nodes, sides: Default::default(), pipes: Default::default() };
        let number = state.streams.insert(stream);
        let its = state.connections.get_mut(connection)?;
        // One after the other, and when none is left the other side need not wait for more.
        let due = its.opened.back().map_or(due, |(last, _)| due.max(*last));
        its.opened.push_back((due, number));
        its.streams.push(number);
        if its.streams_left == 0 {
            its.no_more = Some(due);
        }
        let taker = its.taker.take();
        self.wake_at(due, taker);
        Some(number)
    }

    fn poll_take(&self, connection: u64, cx: &Context<'_>) -> Poll<Option<u64>> {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(its) = state.connections.get_mut(connection) else { return Poll::Ready(None) };
        if its.sides[1].closed.is_some() {
            return Poll::Ready(None);
        }
        let [from, to] = its.nodes;
        let way = &state.ways[from * state.machines.len() + to];
        let next = its.opened.front().copied();
        if let Some((_, stream)) = next.filter(|(due, _)| way.has_let_pass(*due, now)) {
            its.opened.pop_front();
            return Poll::Ready(Some(stream));
        }
        if its.opened.is_empty() && its.no_more.is_some_and(|due| way.has_let_pass(due, now)) {
            return Poll::Ready(None);
        }
        let next = next.map(|(due, _)| due).or(its.no_more);
        match next.filter(|due| *due > now) {
            Some(due) => self.wake_at(due, Some(cx.waker().clone())),
            // Somebody wakes it who opens one, or the way.
            None => its.taker = Some(cx.waker().clone()),
        }
        if its.taker.is_none() {
            its.taker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn close_connection(&self, connection: u64, side: usize, reason: &CloseReason) {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(its) = state.connections.get_mut(connection) else { return };
        if its.sides[side].closed.is_some() || its.sides[side].is_gone {
            return;
        }
        its.sides[side].closed = Some(reason.clone());
        its.streams_left = 0;
        let (nodes, streams, taker) = (its.nodes, its.streams.clone(), its.taker.take());
        let due = state.arrival(now, nodes[side], nodes[other(side)]);
        if side == 0
            && let Some(its) = state.connections.get_mut(connection)
        {
            its.no_more = Some(its.no_more.map_or(due, |former| former.min(due)));
            self.wake_at(due, taker);
        } else {
            taker.into_iter().for_each(Waker::wake);
        }
        drop(guard);
        streams.into_iter().for_each(|stream| self.close_stream(stream, side, reason));
    }

    /// Its owner has dropped a connection. Streams that were taken live on.
    fn drop_connection(&self, connection: u64, side: usize) {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(its) = state.connections.get_mut(connection) else { return };
        if its.sides[side].is_gone {
            return;
        }
        its.sides[side].is_gone = true;
        its.streams_left = 0;
        let nodes = its.nodes;
        let untaken: Vec<u64> =
            if side == 1 { its.opened.drain(..).map(|(_, stream)| stream).collect() } else { Vec::new() };
        let due = state.arrival(now, nodes[side], nodes[other(side)]);
        if side == 0
            && let Some(its) = state.connections.get_mut(connection)
        {
            its.no_more.get_or_insert(due);
            let taker = its.taker.take();
            self.wake_at(due, taker);
        }
        state.forget_connection(connection);
        drop(guard);
        untaken.into_iter().for_each(|stream| self.drop_stream(stream, 1));
        self.recorder.record(nodes[side], What::ConnectionClosed { connection });
    }

    fn closed_reason(&self, connection: u64, side: usize) -> TransportError {
        let state = self.state();
        let closed = state.connections.get(connection).and_then(|its| its.sides[side].closed.clone());
        let no_more = || CloseReason::new(CloseCode::Done, "this connection carries no more streams");
        TransportError::Closed(closed.unwrap_or_else(no_more))
    }
}

#[async_trait]
impl Transport for SimTransport {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn streams(&self) -> &[LaneSet] {
        &self.streams
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        let mut state = self.net.state();
        let machine = &mut state.machines[self.node];
        let address = address_of(self.node);
        if machine.door.is_some() {
            let source = io::ErrorKind::AddrInUse.into();
            return Err(TransportError::Bind { address: address.to_string(), source });
        }
        machine.door = Some(Door { identity: self.identity, backlog: VecDeque::new(), listener: None });
        let life = machine.life;
        drop(state);
        Ok(Box::new(SimListener { net: self.net.clone(), node: self.node, life }))
    }

    async fn dial(
        &self,
        address: &Address,
    ) -> Result<Box<dyn actor_cluster::transport::Connection>, TransportError> {
        let to = self.read(address)?;
        let unreachable = || {
            let source = io::ErrorKind::ConnectionRefused.into();
            TransportError::Unreachable { address: address.to_string(), source }
        };
        if to >= self.net.state().machines.len() {
            return Err(unreachable());
        }
        let from = self.node;
        if from != to {
            self.cross(from, to).await;
        }
        let connected = self.net.connect(from, to, self.identity, self.streams.len());
        let dialled = connected.map(|(connection, peer)| SimConnection {
            net: self.net.clone(),
            connection,
            side: 0,
            peer,
            label: address.as_str().into(),
        });
        if from != to {
            if self.net.is_doubled(from, to)
                && let Some((connection, _)) = self.net.connect(from, to, self.identity, self.streams.len())
            {
                self.net.drop_connection(connection, 0);
            }
            self.cross(to, from).await;
        }
        Ok(Box::new(dialled.ok_or_else(unreachable)?))
    }
}

/// Accepts what is dialled at a node, in one of its lives.
struct SimListener {
    net: Net,
    node: usize,
    life: u64,
}

#[async_trait]
impl Listener for SimListener {
    fn addresses(&self) -> Vec<Address> {
        vec![address_of(self.node)]
    }

    async fn accept(&mut self) -> Result<Box<dyn actor_cluster::transport::Connection>, TransportError> {
        let accepted = poll_fn(|cx| self.net.poll_accept(self.node, cx)).await;
        let state = self.net.state();
        let found = accepted.and_then(|id| Some((id, state.connections.get(id)?)));
        let (connection, its) = found.ok_or_else(|| TransportError::Closed(CloseCode::Lost.into()))?;
        let label = address_of(its.nodes[0]).as_str().into();
        let peer = its.identities[0];
        drop(state);
        Ok(Box::new(SimConnection { net: self.net.clone(), connection, side: 1, peer, label }))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut state = self.net.state();
        let machine = &mut state.machines[self.node];
        let door = if machine.life == self.life { machine.door.take() } else { None };
        drop(state);
        for connection in door.into_iter().flat_map(|door| door.backlog) {
            self.net.close_connection(connection, 1, &CloseCode::Lost.into());
            self.net.drop_connection(connection, 1);
        }
    }
}

/// One end of a connection.
struct SimConnection {
    net: Net,
    connection: u64,
    side: usize,
    peer: PeerIdentity,
    label: Arc<str>,
}

impl SimConnection {
    fn stream(&self, stream: Option<u64>) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        let stream = stream.ok_or_else(|| self.net.closed_reason(self.connection, self.side))?;
        let (net, side, peer, label) = (self.net.clone(), self.side, self.peer, self.label.clone());
        Ok(Box::new(SimStream { net, stream, side, connection: self.connection, peer, label }))
    }
}

#[async_trait]
impl actor_cluster::transport::Connection for SimConnection {
    fn peer_identity(&self) -> PeerIdentity {
        self.peer
    }

    fn label(&self) -> String {
        self.label.to_string()
    }

    async fn open(&self, _: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        let opened = if self.side == 0 { self.net.open_stream(self.connection) } else { None };
        self.stream(opened)
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        if self.side == 0 {
            return self.stream(None);
        }
        let taken = poll_fn(|cx| self.net.poll_take(self.connection, cx)).await;
        self.stream(taken)
    }

    fn close(&self, reason: &CloseReason) {
        self.net.close_connection(self.connection, self.side, reason);
    }
}

impl Drop for SimConnection {
    fn drop(&mut self) {
        self.net.drop_connection(self.connection, self.side);
    }
}
