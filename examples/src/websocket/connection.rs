//! A connection, and what it shares with its one stream: either may close the socket while another task uses it.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use actor_cluster::transport::net::Place;
use actor_cluster::transport::{
    CloseCode, CloseReason, ClusterBidiStream, Connection, LaneSet, PeerIdentity, TransportError, printable,
};
use async_trait::async_trait;
use futures_util::Sink;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WsCloseCode;

use super::stream::{Open, WsStream};
use super::{Socket, closed};

/// Where the codes begin that WebSocket leaves to applications. A [`CloseCode`] is carried as this plus its number.
const CLOSE_CODES: u16 = 4000;

/// The longest text of a close frame, in bytes: a control frame has 125, two of them for the code.
const CLOSE_TEXT_BYTES_MAX: usize = 123;

/// Which side made the connection: the dialler opens the stream, the host accepts it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialler,
    Host,
}

/// A connection after its handshake. It has one stream for every lane: on one socket a second one would
/// share the first one's fate.
pub(super) struct WsConnection {
    wire: Arc<Wire>,
    role: Role,
    /// Whether the stream has been given out.
    is_given: AtomicBool,
}

impl WsConnection {
    /// The place among the accepted connections, if it has one, is given back with the socket.
    pub(super) fn new(socket: Socket, role: Role, label: String, place: Option<Place>) -> Self {
        let wire = Wire { label, state: Mutex::new(State::Open(Box::new(Open::new(socket, place)))) };
        Self { wire: Arc::new(wire), role, is_given: AtomicBool::new(false) }
    }

    /// Gives the stream out once, to the side whose turn it is.
    fn stream(&self, asked_as: Role) -> Result<Box<dyn ClusterBidiStream>, TransportError> {
        if let State::Closed(reason) = &*self.wire.lock() {
            return Err(TransportError::Closed(reason.clone()));
        }
        if self.role != asked_as || self.is_given.swap(true, Ordering::Relaxed) {
            let reason = CloseReason::new(CloseCode::Done, "a connection carries one stream");
            return Err(TransportError::Closed(reason));
        }
        Ok(Box::new(WsStream::new(self.wire.clone())))
    }
}

#[async_trait]
impl Connection for WsConnection {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Anonymous
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

/// The socket, until it is closed. The lock is held for one poll, which never blocks.
pub(super) struct Wire {
    pub(super) label: String,
    state: Mutex<State>,
}

enum State {
    Open(Box<Open>),
    Closed(CloseReason),
}

/// Whether the peer is told why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    Said,
    Omitted,
}

impl Wire {
    /// Polls the socket, unless it is closed. Whatever it says of its end closes it.
    pub(super) fn poll<T>(&self, poll: impl FnOnce(&mut Open) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let polled = match &mut *self.lock() {
            State::Open(open) => poll(open),
            State::Closed(reason) => Poll::Ready(Err(closed(reason.clone()))),
        };
        if let Poll::Ready(Err(error)) = &polled
            && let Some(reason) = CloseReason::of(error)
        {
            self.close(reason, Farewell::Omitted);
        }
        polled
    }

    /// Drops the socket, wakes whoever waits at it, and remembers the first reason.
    pub(super) fn close(&self, reason: &CloseReason, farewell: Farewell) {
        let mut state = self.lock();
        if let State::Closed(_) = *state {
            return;
        }
        let before = mem::replace(&mut *state, State::Closed(reason.clone()));
        // Wakers are somebody else's code.
        drop(state);
        let State::Open(mut open) = before else { return };
        if farewell == Farewell::Said {
            say_goodbye(&mut open.socket, reason);
        }
        let waiting = open.take_waiting();
        drop(open);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// No code panics under this lock, so what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries once to get a close frame out. A peer that does not read is not waited for, and sees the connection break.
fn say_goodbye(socket: &mut Socket, reason: &CloseReason) {
    let code = u16::try_from(reason.code.as_u32()).map_or(CLOSE_CODES, |code| CLOSE_CODES + code);
    let mut text = reason.detail();
    while text.len() > CLOSE_TEXT_BYTES_MAX {
        let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
        text = &text[..last];
    }
    let frame = CloseFrame { code: WsCloseCode::Library(code), reason: text.into() };
    let mut cx = Context::from_waker(Waker::noop());
    let mut socket = Pin::new(socket);
    if socket.as_mut().poll_ready(&mut cx).is_ready()
        && socket.as_mut().start_send(Message::Close(Some(frame))).is_ok()
    {
        let _ = socket.poll_flush(&mut cx);
    }
}

/// Why the peer has closed the connection, as far as its close frame says.
pub(super) fn said_by_peer(frame: Option<CloseFrame>) -> CloseReason {
    let Some(frame) = frame else { return CloseCode::Lost.into() };
    let Some(code) = u16::from(frame.code).checked_sub(CLOSE_CODES) else {
        return CloseReason::new(CloseCode::Lost, printable(&frame.to_string()));
    };
    CloseReason::received(code.into(), frame.reason.as_bytes())
}
