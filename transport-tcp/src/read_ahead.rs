//! A socket that is read ahead of TLS, which asks for a few kilobytes at a time: each would be a system call. One on which little
//! comes is read without, and keeps no memory for it.
//!
//! ```text
//!           a read takes all that was asked for
//!  direct ──────────────────────────────────────► ahead
//!     ▲                                             │
//!     └── READ_AHEAD_REST without one that did so ──┘
//! ```

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::limits::{READ_AHEAD_LEAST, READ_AHEAD_REST, READ_BUFFER_BYTES};

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
    /// When so much came last that it is worth a buffer.
    used_at: Instant,
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, buffer: Box::default(), from: 0, to: 0, is_ahead: false, used_at: Instant::now() }
    }

    /// The socket. What was read ahead is lost.
    pub(crate) fn into_inner(self) -> S {
        self.socket
    }

    /// So much came of a read that had room for more or less.
    fn note_read(&mut self, bytes: usize, room: usize) {
        if bytes >= READ_AHEAD_LEAST || bytes == room {
            (self.is_ahead, self.used_at) = (true, Instant::now());
        } else if self.is_ahead {
            self.is_ahead = self.used_at.elapsed() < READ_AHEAD_REST;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_a_buffer_while_much_comes() {
        let (mut far, near) = duplex(4 * READ_BUFFER_BYTES);
        let mut near = ReadAhead::new(near);
        let mut room = [0; READ_AHEAD_LEAST];
        far.write_all(&[1; 100]).await.unwrap();
        assert_eq!(near.read(&mut room).await.unwrap(), 100);
        assert!(near.buffer.is_empty() && !near.is_ahead, "a little is read as it is");

        far.write_all(&[2; READ_BUFFER_BYTES]).await.unwrap();
        assert_eq!(near.read(&mut room).await.unwrap(), READ_AHEAD_LEAST);
        assert!(near.buffer.is_empty() && near.is_ahead);
        assert_eq!(near.read(&mut room).await.unwrap(), READ_AHEAD_LEAST);
        assert_eq!((near.from, near.to), (READ_AHEAD_LEAST, READ_BUFFER_BYTES - READ_AHEAD_LEAST));
        let mut rest = vec![0; READ_BUFFER_BYTES - 2 * READ_AHEAD_LEAST];
        near.read_exact(&mut rest).await.unwrap();
        assert!(room.iter().chain(&rest).all(|byte| *byte == 2), "nothing is lost or twice there");

        advance(READ_AHEAD_REST - Duration::from_millis(1)).await;
        for (beat, is_kept) in [(3, true), (4, false)] {
            far.write_all(&[beat]).await.unwrap();
            assert_eq!((near.read(&mut room).await.unwrap(), room[0]), (1, beat));
            assert_eq!((near.is_ahead, near.buffer.len()), (is_kept, READ_BUFFER_BYTES));
            advance(Duration::from_millis(1)).await;
        }
        far.write_all(&[5]).await.unwrap();
        assert_eq!((near.read(&mut room).await.unwrap(), room[0]), (1, 5));
        assert!(near.buffer.is_empty(), "it was given up");
        drop(far);
        assert_eq!(near.read(&mut room).await.unwrap(), 0);
    }
}
