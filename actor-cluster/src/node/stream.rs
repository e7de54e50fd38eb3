//! One stream of a session: what is being written to it, what was read from it.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use actor_core::Instant;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::peer::{Arrival, Link};
use crate::limits::{READ_BYTES, READS_PER_TURN, WRITES_PER_TURN};
use crate::session::streams::ConnectionId;
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream};
use crate::wire::frame::read_frame;

/// How a stream's turn ended.
pub(super) enum Turn {
    /// It waits for the peer.
    Idle,
    /// It could go on, and lets others first.
    Busy,
    /// It has ended, and why.
    Over(CloseReason),
}

/// A stream and its buffers.
pub(super) struct StreamIo {
    connection: ConnectionId,
    stream: Box<dyn ClusterBidiStream>,
    body_bytes_max: usize,
    writing: Bytes,
    read: BytesMut,
    /// Whether bytes came with the stream that were not looked at yet.
    has_unparsed: bool,
    /// Written and not flushed.
    is_dirty: bool,
    /// Whether the write side is shut down.
    is_shut: bool,
}

impl StreamIo {
    pub(super) fn new(arrival: Arrival, body_bytes_max: usize) -> Self {
        let Arrival { connection, stream, preface, rest } = arrival;
        Self {
            connection,
            stream,
            body_bytes_max,
            writing: preface,
            has_unparsed: !rest.is_empty(),
            read: rest,
            is_dirty: false,
            is_shut: false,
        }
    }

    pub(super) fn connection(&self) -> ConnectionId {
        self.connection
    }

    pub(super) fn close(&mut self, reason: &CloseReason) {
        self.stream.close(reason);
    }

    /// Writes and reads as much as goes now. `is_closing`: the session has ended;
    /// what is left is written, the write side shut, and the peer's end awaited.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, link: &Link, now: Instant, is_closing: bool) -> Turn {
        let could_write_more = match self.poll_write(cx, link, is_closing) {
            Poll::Ready(Err(reason)) => return Turn::Over(reason),
            Poll::Ready(Ok(is_done)) => !is_done,
            // The stream wakes the task when it takes bytes again.
            Poll::Pending => false,
        };
        match self.read_some(cx, link, now, is_closing) {
            Turn::Idle if could_write_more => Turn::Busy,
            turn => turn,
        }
    }

    /// Ready with whether everything is written and flushed.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        is_closing: bool,
    ) -> Poll<Result<bool, CloseReason>> {
        // A session that has ended may still say something; it is too late for that here.
        if self.is_shut {
            return Poll::Ready(Ok(true));
        }
        // A peer that reads as fast as others here write must not keep the task here.
        for write in 0.. {
            if write == WRITES_PER_TURN {
                return Poll::Ready(Ok(false));
            }
            if self.writing.is_empty() {
                match link.run(|session| session.poll_transmit(self.connection)) {
                    Some(segment) => self.writing = segment,
                    None => break,
                }
            }
            match Pin::new(&mut *self.stream).poll_write(cx, &self.writing) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(CloseReason::new(CloseCode::Lost, "the stream takes no bytes")));
                }
                Poll::Ready(Ok(written)) => {
                    self.writing.advance(written);
                    self.is_dirty = true;
                }
            }
        }
        if self.is_dirty {
            match Pin::new(&mut *self.stream).poll_flush(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                Poll::Ready(Ok(())) => self.is_dirty = false,
            }
        }
        if is_closing && !self.is_shut {
            match Pin::new(&mut *self.stream).poll_shutdown(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                Poll::Ready(Ok(())) => self.is_shut = true,
            }
        }
        Poll::Ready(Ok(true))
    }

    fn read_some(&mut self, cx: &mut Context<'_>, link: &Link, now: Instant, is_closing: bool) -> Turn {
        let had_unparsed = std::mem::take(&mut self.has_unparsed);
        if had_unparsed && !is_closing {
            self.handle_frames(link, now);
        }
        for read in 0..READS_PER_TURN {
            match self.poll_read(cx) {
                // What was read may have left something to write.
                Poll::Pending if had_unparsed || read > 0 => return Turn::Busy,
                Poll::Pending => return Turn::Idle,
                Poll::Ready(Err(error)) => return Turn::Over(lost(&error)),
                Poll::Ready(Ok(0)) => {
                    // Properly ended: where there is a goodbye, it may be on another stream.
                    return Turn::Over(CloseReason::new(CloseCode::Done, "the peer closed the stream"));
                }
                Poll::Ready(Ok(_)) if is_closing => self.read.clear(),
                Poll::Ready(Ok(_)) => self.handle_frames(link, now),
            }
        }
        Turn::Busy
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read.reserve(READ_BYTES);
        // The future holds no state: dropping it while it is pending loses nothing.
        pin!(self.stream.read_buf(&mut self.read)).poll(cx)
    }

    fn handle_frames(&mut self, link: &Link, now: Instant) {
        link.run(|session| {
            session.handle_bytes(now, self.connection);
            loop {
                match read_frame(&mut self.read, self.body_bytes_max) {
                    Ok(None) => return,
                    Ok(Some(frame)) => session.handle_frame(now, self.connection, frame),
                    Err(error) => {
                        self.read.clear();
                        return session.violated(&error.to_string());
                    }
                }
            }
        });
        link.note_mutual();
    }
}

fn lost(error: &io::Error) -> CloseReason {
    match CloseReason::of(error) {
        Some(reason) => reason.clone(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            CloseReason::new(CloseCode::Lost, "the peer hung up")
        }
        None => CloseReason::new(CloseCode::Lost, error.to_string()),
    }
}
