//! Bytes over messages: a stream that is read and written in whatever pieces, over a socket that knows binary
//! messages and one close for both directions.
//!
//! | on the socket | on the stream |
//! |---|---|
//! | a binary message | bytes, in order |
//! | an empty binary message | the end of this direction: a half-close, which WebSocket does not have |
//! | a close frame | the end of both, with a reason |
//! | the connection breaks | the end of both, `Lost`: whoever has not said its end has not reached it |

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use actor_cluster::transport::net::Place;
use actor_cluster::transport::{ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, PeerIdentity};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::connection::{Farewell, Wire, said_by_peer};
use super::{MESSAGE_BYTES_MAX, Socket, closed};

/// A socket that is open, and where its two directions are.
pub(super) struct Open {
    pub(super) socket: Socket,
    /// What is left of the last message.
    unread: Bytes,
    /// The peer has said its end.
    is_at_end: bool,
    /// We have said ours.
    is_finished: bool,
    /// Who waits. The socket knows them too, but one that is dropped wakes nobody.
    reader: Option<Waker>,
    writer: Option<Waker>,
    _place: Option<Place>,
}

impl Open {
    pub(super) fn new(socket: Socket, place: Option<Place>) -> Self {
        let (unread, is_at_end, is_finished) = (Bytes::new(), false, false);
        Self { socket, unread, is_at_end, is_finished, reader: None, writer: None, _place: place }
    }

    pub(super) fn take_waiting(&mut self) -> [Option<Waker>; 2] {
        [self.reader.take(), self.writer.take()]
    }

    /// Copies what is there, and asks for another message only if nothing is: a slow reader leaves its peer's
    /// messages to TCP, which lets the peer wait.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() && !self.is_at_end {
            let Poll::Ready(next) = Pin::new(&mut self.socket).poll_next(cx) else {
                self.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            match next {
                Some(Ok(Message::Binary(bytes))) if bytes.is_empty() => self.is_at_end = true,
                Some(Ok(Message::Binary(bytes))) => self.unread = bytes,
                Some(Ok(Message::Close(frame))) => return Poll::Ready(Err(closed(said_by_peer(frame)))),
                // The library answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    return Poll::Ready(Err(violation("a text")));
                }
                Some(Err(error)) => return Poll::Ready(Err(ended(&error))),
                None => return Poll::Ready(Err(closed(CloseCode::Lost.into()))),
            }
        }
        let taken = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(taken));
        Poll::Ready(Ok(()))
    }

    /// One message of what there is, once there is room for one.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // An empty message would be the end.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_room(cx))?;
        let taken = bytes.len().min(MESSAGE_BYTES_MAX);
        let message = Message::Binary(Bytes::copy_from_slice(&bytes[..taken]));
        Pin::new(&mut self.socket).start_send(message).map_err(|error| ended(&error))?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(cx);
        self.remember_writer(cx, polled)
    }

    /// Says the end of our direction, once, and sends it off.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_finished {
            ready!(self.poll_room(cx))?;
            let end = Message::Binary(Bytes::new());
            Pin::new(&mut self.socket).start_send(end).map_err(|error| ended(&error))?;
            self.is_finished = true;
        }
        self.poll_flush(cx)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_ready(cx);
        self.remember_writer(cx, polled)
    }

    fn remember_writer(&mut self, cx: &Context<'_>, polled: Poll<Result<(), Error>>) -> Poll<io::Result<()>> {
        if polled.is_pending() {
            self.writer = Some(cx.waker().clone());
        }
        polled.map_err(|error| ended(&error))
    }
}

/// Why a socket that fails has ended.
fn ended(error: &Error) -> io::Error {
    match error {
        Error::Capacity(_) | Error::Utf8(_) => violation(&error.to_string()),
        _ => closed(CloseReason::new(CloseCode::Lost, error.to_string())),
    }
}

fn violation(what: &str) -> io::Error {
    closed(CloseReason::new(CloseCode::Violation, format!("the peer sent what is none of ours: {what}")))
}

/// The one stream of a connection.
pub(super) struct WsStream {
    wire: Arc<Wire>,
}

impl WsStream {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        Self { wire }
    }
}

impl AsyncRead for WsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.wire.poll(|open| open.poll_read(cx, buffer))
    }
}

impl AsyncWrite for WsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.poll(|open| open.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll(|open| open.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll(|open| open.poll_finish(cx))
    }
}

impl ClusterBidiStream for WsStream {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Anonymous
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        None
    }

    fn label(&self) -> String {
        self.wire.label.clone()
    }

    fn close(&mut self, reason: &CloseReason) {
        self.wire.close(reason, Farewell::Said);
    }
}

/// A stream that is dropped was abandoned: its peer sees a connection that breaks, and no orderly end.
impl Drop for WsStream {
    fn drop(&mut self) {
        self.wire.close(&CloseReason::new(CloseCode::Lost, "the stream was dropped"), Farewell::Omitted);
    }
}
