//! A stream of the simulated network, as the session has it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actor_cluster::transport::{
    ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, PeerIdentity, TransportError,
};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pipe::Readable;
use super::way::chance;
use super::{Net, State, Stream, other};

/// One end of a stream.
pub(super) struct SimStream {
    pub(super) net: Net,
    pub(super) stream: u64,
    pub(super) side: usize,
    pub(super) connection: u64,
    pub(super) peer: PeerIdentity,
    pub(super) label: Arc<str>,
}

fn lost() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// How many bytes of these one read or write takes.
fn part(state: &mut State, bytes: usize, way: usize) -> usize {
    if bytes > 1 && chance(state.ways[way].conditions.short, &mut state.random) {
        1 + usize::try_from(state.random.draw() % (bytes as u64 - 1)).unwrap_or(0)
    } else {
        bytes
    }
}

impl Net {
    fn read(&self, id: u64, side: usize, cx: &Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some([ours, theirs]) = nodes(state, id, side)? else { return Poll::Ready(Err(lost())) };
        let (there, back) = (state.way_index(theirs, ours), state.way_index(ours, theirs));
        let most = part(state, buffer.remaining(), there);
        let now = self.now();
        let mut read = 0;
        loop {
            let Some(stream) = state.streams.get_mut(id) else { return Poll::Ready(Err(lost())) };
            let pipe = &mut stream.pipes[other(side)];
            match pipe.read(now, &state.ways[there], most - read) {
                Readable::Bytes(bytes) => {
                    // What they are was noted when they were written.
                    let word = (id * 2 + side as u64) << 32 | bytes.len() as u64;
                    self.world.world().trace().note(word);
                    buffer.put_slice(&bytes);
                    read += bytes.len();
                    if let Some(writer) = pipe.note_read(bytes.len(), &state.ways[back]) {
                        writer.wake();
                    }
                    if read < most {
                        continue;
                    }
                    return Poll::Ready(Ok(()));
                }
                _ if read > 0 => return Poll::Ready(Ok(())),
                Readable::End => return Poll::Ready(Ok(())),
                Readable::Reset => return Poll::Ready(Err(lost())),
                Readable::Later => {
                    keep(&mut pipe.reader, cx.waker());
                    self.take_alarm_back(pipe);
                    if !state.ways[there].is_blocked() {
                        self.set_alarm(pipe);
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn write(&self, id: u64, side: usize, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some([ours, theirs]) = nodes(state, id, side)? else { return Poll::Ready(Err(lost())) };
        let (there, back) = (state.way_index(ours, theirs), state.way_index(theirs, ours));
        let now = self.now();
        let Some(stream) = state.streams.get_mut(id) else { return Poll::Ready(Err(lost())) };
        let pipe = &mut stream.pipes[side];
        if pipe.is_ended() || pipe.is_unread(now, &state.ways[back]) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = pipe.room().min(bytes.len());
        if room == 0 {
            keep(&mut pipe.writer, cx.waker());
            return Poll::Pending;
        }
        let written = part(state, room, there);
        let due = state.ways[there].arrival(now, written, &mut state.random);
        let Some(stream) = state.streams.get_mut(id) else { return Poll::Ready(Err(lost())) };
        let pipe = &mut stream.pipes[side];
        let mut world = self.world.world();
        world.trace().note_bytes(&bytes[..written]);
        world.note(|| format!("writes {written} bytes to node {theirs}"));
        drop(world);
        pipe.write(Bytes::copy_from_slice(&bytes[..written]), due);
        self.set_alarm(pipe);
        Poll::Ready(Ok(written))
    }

    fn end(&self, id: u64, side: usize) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some([ours, theirs]) = nodes(state, id, side)? else { return Ok(()) };
        let now = self.now();
        let due = state.arrival(now, ours, theirs);
        if let Some(stream) = state.streams.get_mut(id) {
            let pipe = &mut stream.pipes[side];
            pipe.end(due);
            self.set_alarm(pipe);
        }
        Ok(())
    }

    /// Ends both directions from one side. The other reads what was written, and then the end.
    pub(super) fn close_stream(&self, id: u64, side: usize, reason: &CloseReason) {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(stream) = state.streams.get_mut(id) else { return };
        let its = &mut stream.sides[side];
        if its.closed.is_some() || its.is_gone {
            return;
        }
        its.closed = Some(reason.clone());
        let [ours, theirs] = [stream.nodes[side], stream.nodes[other(side)]];
        let now = self.now();
        let due = state.arrival(now, ours, theirs);
        let Some(stream) = state.streams.get_mut(id) else { return };
        let [our_writer, their_writer] = {
            let [mine, yours] = &mut stream.pipes;
            let (mine, yours) = if side == 0 { (mine, yours) } else { (yours, mine) };
            mine.end(due);
            self.set_alarm(mine);
            yours.note_unread(due);
            // Whoever reads or writes on this side learns of it now.
            self.take_alarm_back(yours);
            yours.reader.take().into_iter().for_each(Waker::wake);
            [mine.writer.take(), yours.writer.take()]
        };
        our_writer.into_iter().for_each(Waker::wake);
        self.wake_at(due, their_writer);
    }

    pub(super) fn drop_stream(&self, id: u64, side: usize) {
        self.close_stream(id, side, &CloseCode::Lost.into());
        let mut state = self.state();
        if let Some(stream) = state.streams.get_mut(id) {
            stream.sides[side].is_gone = true;
        }
        state.forget_stream(id);
    }
}

/// This node and the other one, unless this side has closed the stream.
fn nodes(state: &State, id: u64, side: usize) -> io::Result<Option<[usize; 2]>> {
    let Some(Stream { nodes, sides, .. }) = state.streams.get(id) else { return Ok(None) };
    match &sides[side].closed {
        Some(reason) => Err(TransportError::Closed(reason.clone()).into()),
        None => Ok(Some([nodes[side], nodes[other(side)]])),
    }
}

fn keep(kept: &mut Option<Waker>, waker: &Waker) {
    match kept {
        Some(kept) => kept.clone_from(waker),
        None => *kept = Some(waker.clone()),
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.net.read(self.stream, self.side, cx, buffer)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.net.write(self.stream, self.side, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.net.end(self.stream, self.side))
    }
}

impl ClusterBidiStream for SimStream {
    fn peer_identity(&self) -> PeerIdentity {
        self.peer
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        None
    }

    fn label(&self) -> String {
        self.label.to_string()
    }

    /// Of every other connection: a transport may say so or not.
    fn carrier(&self) -> Option<u64> {
        self.connection.is_multiple_of(2).then_some(self.connection)
    }

    fn close(&mut self, reason: &CloseReason) {
        self.net.close_stream(self.stream, self.side, reason);
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.net.drop_stream(self.stream, self.side);
    }
}
