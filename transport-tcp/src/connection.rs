//! An authenticated connection over a socket, and the one stream it carries.
//!
//! ```text
//!  SocketConnection ──┐            close() from either takes the socket out
//!                  ├─► Wire ─► of the wire and wakes whoever waits there
//!      SocketStream ──┘
//! ```

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use actor_cluster::transport::net::Place;
use actor_cluster::transport::{
    ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet, PeerIdentity,
    TransportError,
};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use transport_tls::{Disconnect, Fault, PeerRole, Registered};

use crate::error;
use crate::handshake::{Peer, Proof, Secured};

/// The bytes' way: a socket, or TLS over one.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Which side made the connection: the dialler opens the stream, the host
/// accepts it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Dialler,
    Host,
}

/// A connection. It carries one stream for all lanes, because on one socket a second
/// one would share the first one's fate and its losses.
pub(crate) struct SocketConnection {
    wire: Arc<Wire>,
    role: Role,
    /// Whether the one stream has been given out.
    given_out: AtomicBool,
}

impl SocketConnection {
    /// Wraps a connection whose handshake is done. Its place, if it has one, is given
    /// back when the socket is closed.
    ///
    /// # Errors
    ///
    /// If the peer is not believed any more.
    pub(crate) fn new(
        secured: Secured,
        role: Role,
        label: String,
        place: Option<Place>,
    ) -> Result<Self, TransportError> {
        let Secured { io, peer } = secured;
        let (identity, proof) = match peer {
            Peer::Anonymous => (PeerIdentity::Anonymous, None),
            Peer::Known(node) => (PeerIdentity::Node(node), None),
            Peer::Proven(proof) => {
                let node = proof.node().map_err(|fault| fault.about(&label))?;
                (PeerIdentity::Node(node), Some(proof))
            }
        };
        let binding = proof.as_ref().map(|proof| proof.binding);
        let open = Open { io, reader: None, writer: None, registered: None, _place: place };
        let wire = Arc::new(Wire { identity, binding, label, state: Mutex::new(State::Open(open)) });
        if let Some(proof) = proof {
            wire.register(proof, role)?;
        }
        Ok(Self { wire, role, given_out: AtomicBool::new(false) })
    }

    /// Gives the stream out once, to the side whose turn it is.
    fn stream(&self, asked_as: Role) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        if let State::Closed(reason) = &*self.wire.lock() {
            return Err(TransportError::Closed(reason.clone()));
        }
        // One flag guards nothing but itself.
        if self.role != asked_as || self.given_out.swap(true, Ordering::Relaxed) {
            let reason = CloseReason::new(CloseCode::Done, "a connection carries one stream");
            return Err(TransportError::Closed(reason));
        }
        Ok(Box::new(SocketStream { wire: self.wire.clone() }))
    }
}

#[async_trait]
impl Connection for SocketConnection {
    fn peer_identity(&self) -> PeerIdentity {
        self.wire.identity
    }

    fn label(&self) -> String {
        self.wire.label.clone()
    }

    async fn open(&self, _lanes: LaneSet) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        self.stream(Role::Dialler)
    }

    async fn accept(&self) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        self.stream(Role::Host)
    }

    fn close(&self, reason: &CloseReason) {
        self.wire.close(reason, Farewell::Said);
    }
}

/// The stream of a connection.
struct SocketStream {
    wire: Arc<Wire>,
}

impl ClusterBidiStream for SocketStream {
    fn peer_identity(&self) -> PeerIdentity {
        self.wire.identity
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.wire.binding
    }

    fn label(&self) -> String {
        self.wire.label.clone()
    }

    fn close(&mut self, reason: &CloseReason) {
        self.wire.close(reason, Farewell::Said);
    }
}

/// A stream that is dropped, and not closed, was abandoned: its peer shall see
/// a broken connection and not an orderly end.
impl Drop for SocketStream {
    fn drop(&mut self) {
        self.wire.close(&CloseReason::new(CloseCode::Lost, "the stream was dropped"), Farewell::Omitted);
    }
}

impl AsyncRead for SocketStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &self.wire;
        let polled = wire.poll(Direction::Read, cx, |io, cx| io.poll_read(cx, buffer));
        polled.map_err(|error| error::on_stream(&wire.label, error))
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.poll(Direction::Write, cx, |io, cx| io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire.poll(Direction::Write, cx, |io, cx| io.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll(Direction::Write, cx, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll(Direction::Write, cx, |io, cx| io.poll_shutdown(cx))
    }
}

/// What a connection and its stream share. Either can close it while the other
/// is in use by another task, hence the lock; a poll holds it for the length of
/// one system call that does not block.
struct Wire {
    identity: PeerIdentity,
    binding: Option<ChannelBinding>,
    label: String,
    state: Mutex<State>,
}

enum State {
    Open(Open),
    Closed(CloseReason),
}

struct Open {
    io: Box<dyn Io>,
    /// Who waits to read. The socket knows it too, but a closed socket wakes
    /// nobody.
    reader: Option<Waker>,
    /// Who waits to write.
    writer: Option<Waker>,
    /// The place among those who are judged again when the authorities are replaced.
    registered: Option<Registered>,
    /// The place among the accepted connections.
    _place: Option<Place>,
}

/// Which half of the socket is used.
#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

/// Whether the peer is told that the end is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    Said,
    Omitted,
}

impl Wire {
    /// Has the peer judged again when the authorities are replaced.
    fn register(self: &Arc<Self>, proof: Proof, role: Role) -> Result<(), TransportError> {
        let Proof { chain, context, .. } = proof;
        let peer = match role {
            Role::Dialler => PeerRole::Host,
            Role::Host => PeerRole::Dialler,
        };
        let wire: Arc<dyn Disconnect> = self.clone();
        let registered = context.register(chain, peer, Arc::downgrade(&wire));
        let registered = registered.map_err(|fault| fault.about(&self.label))?;
        // One that was disconnected meanwhile is closed, and what it holds is dropped here.
        if let State::Open(open) = &mut *self.lock() {
            open.registered = Some(registered);
        }
        Ok(())
    }

    /// Polls the socket, unless it is closed.
    fn poll<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut dyn Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.lock() {
            State::Open(open) => {
                let polled = poll(Pin::new(&mut *open.io), cx);
                if polled.is_pending() {
                    open.remember(direction, cx.waker());
                }
                polled
            }
            State::Closed(reason) => Poll::Ready(Err(TransportError::Closed(reason.clone()).into())),
        }
    }

    /// Closes the socket, wakes who waits there, and remembers the first reason.
    fn close(&self, reason: &CloseReason, farewell: Farewell) {
        let mut state = self.lock();
        if let State::Closed(_) = *state {
            return;
        }
        let before = mem::replace(&mut *state, State::Closed(reason.clone()));
        drop(state);
        if let State::Open(open) = before {
            open.close(farewell);
        }
    }

    /// No code panics under this lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disconnect for Wire {
    fn disconnect(&self, fault: &Fault) {
        let (Fault::Trust(detail) | Fault::Protocol(detail)) = fault;
        tracing::warn!(peer = %self.label, %detail, "not believed any more");
        // Lost, not refused: a peer with a certificate that is believed may go on over another connection.
        self.close(&CloseReason::new(CloseCode::Lost, detail.clone()), Farewell::Said);
    }
}

impl Open {
    /// Keeps the waker of a task that has to wait.
    fn remember(&mut self, direction: Direction, waker: &Waker) {
        let place = match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        };
        if !place.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *place = Some(waker.clone());
        }
    }

    fn close(mut self, farewell: Farewell) {
        if farewell == Farewell::Said {
            // One try: a peer that does not read is not waited for.
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut *self.io).poll_shutdown(&mut cx);
        }
        let waiting = [self.reader.take(), self.writer.take()];
        drop(self);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}
