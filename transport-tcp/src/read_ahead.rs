//! A socket that is read ahead of TLS, which asks for a few kilobytes at a time: each would be a system call. One on which little
//! comes is read without, and keeps no memory for it.
//!
//! ```text
//!           a read takes all that was asked for
//!  direct ──────────────────────────────────────► ahead
//!     ▲                                            │
//!     └── READ_AHEAD_RESTS reads that need it not ─┘
//! ```

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::{READ_AHEAD_LEAST, READ_AHEAD_RESTS, READ_BUFFER_BYTES};

/// See the module.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    socket: S,
    /// What was read ahead, and the room for more; without any while little comes.
    buffer: Box<[u8]>,
    /// Where in it the bytes are that nobody has taken yet.
    from: usize,
    to: usize,
    /// Whether the next read is to be one ahead.
    is_ahead: bool,
    /// How often in a row less came than is worth a buffer.
    rests: usize,
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, buffer: Box::default(), from: 0, to: 0, is_ahead: false, rests: 0 }
    }

    /// The socket. What was read ahead is lost.
    pub(crate) fn into_inner(self) -> S {
        self.socket
    }

    /// So much came of a read that had room for more or less.
    fn note_read(&mut self, bytes: usize, room: usize) {
        if bytes >= READ_AHEAD_LEAST || bytes == room {
            (self.is_ahead, self.rests) = (true, 0);
        } else if self.is_ahead {
            self.rests += 1;
            self.is_ahead = self.rests < READ_AHEAD_RESTS;
        }
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    fn poll_direct(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (into.filled().len(), into.remaining());
        ready!(Pin::new(&mut self.socket).poll_read(cx, into))?;
        self.note_read(into.filled().len() - before, room);
        Poll::Ready(Ok(()))
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; READ_BUFFER_BYTES].into();
        }
        let mut ahead = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut ahead))?;
        let bytes = ahead.filled().len();
        (self.from, self.to) = (0, bytes);
        self.note_read(bytes, READ_BUFFER_BYTES);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.from == this.to {
            if !this.is_ahead {
                this.buffer = Box::default();
                return this.poll_direct(cx, into);
            }
            ready!(this.poll_ahead(cx))?;
        }
        let bytes = into.remaining().min(this.to - this.from);
        into.put_slice(&this.buffer[this.from..this.from + bytes]);
        this.from += bytes;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
