//! One stream of a session: what is being written to it, what was read from it.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use actor_core::Instant;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::link::{Arrival, Link};
use super::read_buffer::ReadBuffer;
use super::statistics::StreamStatus;
use crate::limits::{
    PIECES_PER_WRITE, READ_BYTES_LEAST, READ_BYTES_PER_TURN, READS_PER_TURN, SEGMENT_BYTES, WRITES_PER_TURN,
};
use crate::session::streams::ConnectionId;
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream};

/// How a stream's turn ended.
pub(super) enum Turn {
    /// It waits for the peer.
    Idle,
    /// It could go on, and lets others first.
    Busy,
    /// It could go on, and lets those first for whom it has something.
    Sated,
    /// It has ended, and why.
    Over(CloseReason),
}

/// What a stream is told when it has its turn.
#[derive(Clone, Copy)]
pub(super) struct Round {
    pub(super) now: Instant,
    /// Whether to ask the session for something to write.
    pub(super) wants_write: bool,
    /// The session has ended: what is left is written, the write side shut, and the peer's end awaited.
    pub(super) is_closing: bool,
}

/// Wakes a session's task, and notes on behalf of which stream: the others need not be asked, which costs a lock of its
/// connection for each where one connection has many.
struct StreamWaker {
    link: Arc<Link>,
    is_woken: AtomicBool,
}

impl StreamWaker {
    /// Whether the stream has woken the task since this was last asked.
    fn take(&self) -> bool {
        // The load keeps the line shared: mostly there is nothing. Acquire: what the stream did before is seen.
        self.is_woken.load(Ordering::Relaxed) && self.is_woken.swap(false, Ordering::Acquire)
    }
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Noted first: the task that is woken looks for it, and one in the middle of its turn comes again.
        self.is_woken.store(true, Ordering::Release);
        self.link.waker.wake();
    }
}

/// A stream and its buffers.
pub(super) struct StreamIo {
    connection: ConnectionId,
    stream: Box<dyn ClusterBidiStream>,
    woken: Arc<StreamWaker>,
    /// Whether the stream had nothing to read when it was last asked, and has not woken anybody since.
    awaits_read: bool,
    /// The same of room to write.
    awaits_write: bool,
    /// What is being written, in pieces.
    writing: VecDeque<Bytes>,
    read: ReadBuffer,
    /// Whether bytes came with the stream that were not looked at yet.
    has_unparsed: bool,
    /// Written and not flushed.
    is_dirty: bool,
    /// Whether the write side is shut down.
    is_shut: bool,
}

impl StreamIo {
    pub(super) fn new(arrival: Arrival, link: &Arc<Link>) -> Self {
        let Arrival { connection, stream, preface, rest } = arrival;
        let woken = Arc::new(StreamWaker { link: link.clone(), is_woken: AtomicBool::new(false) });
        Self {
            connection,
            stream,
            woken,
            awaits_read: false,
            awaits_write: false,
            writing: Some(preface).filter(|preface| !preface.is_empty()).into_iter().collect(),
            has_unparsed: !rest.is_empty(),
            read: ReadBuffer::new(rest),
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

    pub(super) fn status(&self, link: &Link) -> StreamStatus {
        let lanes = link.run(|session| session.lanes_of(self.connection));
        StreamStatus { label: self.stream.label(), lanes, path: self.stream.path() }
    }

    /// Gives up what memory it has if nothing has come for long. Nothing needs to have woken the task for it: of streams that share a connection
    /// most carry no heartbeats.
    pub(super) fn rest(&mut self, now: Instant) {
        if self.awaits_read {
            self.read.rest(now);
        }
    }

    /// Writes and reads as much as goes now. Whoever calls is the session's task, which the link's waker wakes. What is spare is
    /// memory to read into, of all streams of a session.
    pub(super) fn poll(&mut self, link: &Link, round: Round, spare: &mut BytesMut) -> Turn {
        if self.woken.take() {
            (self.awaits_read, self.awaits_write) = (false, false);
        }
        if self.rests(round) {
            return Turn::Idle;
        }
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        let could_write_more = match self.poll_write(&mut cx, link, round) {
            Poll::Ready(Err(reason)) => return Turn::Over(reason),
            Poll::Ready(Ok(is_done)) => !is_done,
            // The stream wakes the task when it takes bytes again.
            Poll::Pending => {
                self.awaits_write = true;
                false
            }
        };
        self.read.borrow_from(spare);
        let turn = self.read_some(&mut cx, link, round);
        self.read.leave_to(spare);
        match turn {
            Turn::Idle if could_write_more => Turn::Busy,
            turn => turn,
        }
    }

    /// Whether there is nothing that could be done for it.
    fn rests(&self, round: Round) -> bool {
        let shuts = round.is_closing && !self.is_shut;
        let writes = round.wants_write || shuts || self.is_dirty || !self.writing.is_empty();
        let reads = self.has_unparsed || !self.awaits_read;
        !reads && (self.awaits_write || !writes)
    }

    /// Ready with whether everything is written and flushed.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        round: Round,
    ) -> Poll<Result<bool, CloseReason>> {
        // A session that has ended may still say something; it is too late for that here.
        if self.is_shut {
            return Poll::Ready(Ok(true));
        }
        if self.awaits_write {
            return Poll::Pending;
        }
        // A peer that reads as fast as others here write must not keep the task here.
        for write in 0.. {
            if write == WRITES_PER_TURN {
                return Poll::Ready(Ok(false));
            }
            if self.writing.is_empty() && round.wants_write {
                self.take_pieces(link);
            }
            if self.writing.is_empty() {
                break;
            }
            match self.write_pieces(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(CloseReason::new(CloseCode::Lost, "the stream takes no bytes")));
                }
                Poll::Ready(Ok(written)) => {
                    self.forget(written);
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
        if round.is_closing && !self.is_shut {
            match Pin::new(&mut *self.stream).poll_shutdown(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                Poll::Ready(Ok(())) => self.is_shut = true,
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Takes what the session has to write: a segment, in whatever pieces, so that what becomes
    /// urgent meanwhile waits for no more.
    fn take_pieces(&mut self, link: &Link) {
        let (writing, connection) = (&mut self.writing, self.connection);
        link.run(|session| {
            let mut bytes = 0;
            while bytes < SEGMENT_BYTES
                && writing.len() < PIECES_PER_WRITE
                && let Some(piece) = session.poll_transmit(connection)
            {
                bytes += piece.len();
                writing.push_back(piece);
            }
        });
    }

    fn write_pieces(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = Pin::new(&mut *self.stream);
        if self.writing.len() == 1 || !stream.is_write_vectored() {
            let first = self.writing.front().map_or(&[][..], |piece| piece);
            return stream.as_mut().poll_write(cx, first);
        }
        let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
        for (slice, piece) in slices.iter_mut().zip(&self.writing) {
            *slice = IoSlice::new(piece);
        }
        let pieces = self.writing.len().min(PIECES_PER_WRITE);
        stream.as_mut().poll_write_vectored(cx, &slices[..pieces])
    }

    /// These bytes are written.
    fn forget(&mut self, mut written: usize) {
        while let Some(piece) = self.writing.front_mut() {
            let bytes = piece.len().min(written);
            piece.advance(bytes);
            written -= bytes;
            if !piece.is_empty() {
                return;
            }
            self.writing.pop_front();
        }
    }

    fn read_some(&mut self, cx: &mut Context<'_>, link: &Link, round: Round) -> Turn {
        let Round { now, is_closing, .. } = round;
        if is_closing {
            // Nobody looks at it any more.
            self.read.unread().clear();
            self.has_unparsed = false;
        }
        let (mut has_read, mut bytes_read) = (self.has_unparsed, 0);
        for _ in 0..READS_PER_TURN {
            let is_done = !std::mem::take(&mut self.has_unparsed) || self.handle_frames(link, now);
            if !is_done {
                self.has_unparsed = true;
                return Turn::Sated;
            }
            if bytes_read >= READ_BYTES_PER_TURN {
                return Turn::Sated;
            }
            match self.poll_fill(cx, now) {
                // What was read may have left something to write.
                Poll::Pending if has_read => return Turn::Busy,
                Poll::Pending => return Turn::Idle,
                Poll::Ready(Err(error)) => return Turn::Over(lost(&error)),
                Poll::Ready(Ok(0)) => {
                    // Properly ended: where there is a goodbye, it may be on another stream.
                    return Turn::Over(CloseReason::new(CloseCode::Done, "the peer closed the stream"));
                }
                Poll::Ready(Ok(_)) if is_closing => self.read.unread().clear(),
                Poll::Ready(Ok(bytes)) => {
                    bytes_read += bytes;
                    (has_read, self.has_unparsed) = (true, true);
                }
            }
        }
        Turn::Busy
    }

    /// Reads as much as there is, and as fits into one buffer. Streams such as TLS's give little at
    /// a time.
    fn poll_fill(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<usize>> {
        if self.awaits_read {
            return Poll::Pending;
        }
        self.read.make_room();
        let mut filled = 0;
        while filled == 0 || (filled < READ_BYTES_PER_TURN && self.read.room() >= READ_BYTES_LEAST) {
            // The future holds no state: dropping it while it is pending loses nothing.
            match pin!(self.stream.read_buf(self.read.unread())).poll(cx) {
                Poll::Pending => {
                    self.awaits_read = true;
                    if filled == 0 {
                        self.read.rest(now);
                        return Poll::Pending;
                    }
                    break;
                }
                Poll::Ready(Err(error)) if filled == 0 => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(bytes)) if bytes > 0 => filled += bytes,
                // It is read again, and then says so again.
                Poll::Ready(_) => break,
            }
        }
        self.read.note_read(now, filled);
        if self.awaits_read {
            self.read.rest(now);
        }
        Poll::Ready(Ok(filled))
    }

    /// Whether all that was read is handled, but for half a frame. A session that answers many
    /// calls takes only a few at a time.
    fn handle_frames(&mut self, link: &Link, now: Instant) -> bool {
        let is_done = link.run(|session| session.handle_input(now, self.connection, self.read.unread()));
        link.note_mutual();
        is_done
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use actor_core::SpawnOptions;
    use bytes::BytesMut;
    use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::external::ExternalStream;
    use crate::limits::{HEARTBEAT_INTERVAL, READ_BYTES_IDLE, READ_REST};
    use crate::node::link::Origin;
    use crate::node::tests::{Answerer, Ask, node};
    use crate::testing::pipe::{PipeNetwork, pipe};
    use crate::transport::LaneSet;
    use crate::wire::frame::Kind;
    use crate::wire::lanes::{LaneId, LaneIds};

    #[tokio::test]
    async fn a_stream_of_a_session_that_is_over_rests_though_frames_were_left() {
        let network = PipeNetwork::new();
        let ((_h, a), (_t, b)) = (node(&network, 1).await, node(&network, 2).await);
        a.connect(&b.addresses()[0]).await.unwrap();
        let link = a.node.links().remove(0);
        let (stream, _peer) = pipe();
        let rest = BytesMut::from(&[0; 16][..]);
        let arrival = Arrival { connection: ConnectionId(99), stream, preface: Bytes::new(), rest };
        let mut io = StreamIo::new(arrival, &link);
        let round = Round { now: a.node.executor().now(), wants_write: true, is_closing: true };
        let turns: Vec<_> = (0..1000).map(|_| io.poll(&link, round, &mut BytesMut::new())).collect();
        let busy = turns.iter().filter(|turn| matches!(turn, Turn::Busy)).count();
        assert!(busy <= 1, "{busy} of 1000 turns want another at once");
    }

    /// Counts how often it is asked for bytes, or to take some.
    struct Counted {
        io: tokio::io::DuplexStream,
        asked: Arc<AtomicUsize>,
    }

    impl AsyncRead for Counted {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let this = self.get_mut();
            this.asked.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut this.io).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            this.asked.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut this.io).poll_write(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_stream_is_asked_again_once_it_has_woken_the_task() {
        let network = PipeNetwork::new();
        let ((_h, a), (_t, b)) = (node(&network, 1).await, node(&network, 2).await);
        a.connect(&b.addresses()[0]).await.unwrap();
        let link = a.node.links().remove(0);
        let ((near, mut far), asked) = (tokio::io::duplex(64), Arc::<AtomicUsize>::default());
        let stream = Box::new(ExternalStream::new(Counted { io: near, asked: asked.clone() }, "counted"));
        let preface = Bytes::from_static(&[0; 100]);
        let arrival = Arrival { connection: ConnectionId(99), stream, preface, rest: BytesMut::new() };
        let mut io = StreamIo::new(arrival, &link);
        let round = Round { now: a.node.executor().now(), wants_write: false, is_closing: false };
        let mut asked_in_turn = |bytes_left: usize| {
            let before = asked.load(Ordering::Relaxed);
            assert!(matches!(io.poll(&link, round, &mut BytesMut::new()), Turn::Idle | Turn::Busy));
            assert_eq!(io.writing.iter().map(Bytes::len).sum::<usize>(), bytes_left);
            asked.load(Ordering::Relaxed) - before
        };
        assert_eq!(
            [asked_in_turn(36), asked_in_turn(36), asked_in_turn(36)],
            [3, 0, 0],
            "64 bytes fit, and no more"
        );
        far.write_all(&[0]).await.unwrap();
        assert_eq!(
            [asked_in_turn(36), asked_in_turn(36)],
            [3, 0],
            "what is there, and that it is all; and whether there is room"
        );
        far.read_exact(&mut [0; 64]).await.unwrap();
        assert_eq!([asked_in_turn(0), asked_in_turn(0)], [2, 0], "it has room again");
        drop(far);
        assert!(matches!(io.poll(&link, round, &mut BytesMut::new()), Turn::Over(_)));
    }

    /// Nobody pings on it where several streams share a connection, and so nothing wakes it.
    #[tokio::test]
    async fn a_stream_gives_its_memory_back_without_being_woken() {
        let network = PipeNetwork::new();
        let ((_h, a), (_t, b)) = (node(&network, 1).await, node(&network, 2).await);
        a.connect(&b.addresses()[0]).await.unwrap();
        let link = a.node.links().remove(0);
        let (mut far, near) = pipe();
        let arrival = Arrival {
            connection: ConnectionId(99),
            stream: near,
            preface: Bytes::new(),
            rest: BytesMut::new(),
        };
        let mut io = StreamIo::new(arrival, &link);
        let [l0, l1, l2, ..] = (2 * READ_BYTES_IDLE).to_le_bytes();
        far.write_all(&[l0, l1, l2, Kind::Ping as u8, 0, 0, 0, LaneId::NONE.as_u8()]).await.unwrap();
        far.write_all(&[0; READ_BYTES_IDLE]).await.unwrap();
        let now = a.node.executor().now();
        let round = Round { now, wants_write: false, is_closing: false };
        while matches!(io.poll(&link, round, &mut BytesMut::new()), Turn::Busy) {}
        far.write_all(&[0; READ_BYTES_IDLE]).await.unwrap();
        while matches!(io.poll(&link, round, &mut BytesMut::new()), Turn::Busy) {}
        let room = |io: &mut StreamIo| io.read.unread().capacity();
        io.rest(now);
        assert!(room(&mut io) > READ_BYTES_IDLE, "it was used just now");
        io.rest(now + READ_REST);
        assert!(room(&mut io) <= 3 * READ_BYTES_IDLE, "{}", room(&mut io));
    }

    /// What messages own is used again while it is in the processor's cache.
    #[tokio::test]
    async fn others_have_their_turn_after_so_many_bytes() {
        let network = PipeNetwork::new();
        let ((_h, a), (_t, b)) = (node(&network, 1).await, node(&network, 2).await);
        a.connect(&b.addresses()[0]).await.unwrap();
        let link = a.node.links().remove(0);
        // A frame that does not end so soon: it is read and not looked at.
        let [l0, l1, l2, ..] = (2 * READ_BYTES_PER_TURN).to_le_bytes();
        let header = [l0, l1, l2, Kind::Ping as u8, 0, 0, 0, LaneId::NONE.as_u8()];
        let polled = async |bytes: usize| {
            let (mut far, near) = pipe();
            let rest = BytesMut::new();
            let arrival = Arrival { connection: ConnectionId(99), stream: near, preface: Bytes::new(), rest };
            let mut io = StreamIo::new(arrival, &link);
            far.write_all(&header).await.unwrap();
            far.write_all(&vec![0; bytes - header.len()]).await.unwrap();
            let round = Round { now: a.node.executor().now(), wants_write: false, is_closing: false };
            let is_sated = matches!(io.poll(&link, round, &mut BytesMut::new()), Turn::Sated);
            (is_sated, io.read.unread().len())
        };
        assert_eq!(polled(READ_BYTES_PER_TURN - 1).await, (false, READ_BYTES_PER_TURN - 1));
        assert_eq!(polled(READ_BYTES_PER_TURN).await, (true, READ_BYTES_PER_TURN));
    }

    /// A lane is taken to a younger stream, which is lost: it goes on with the older one, at once.
    #[tokio::test(start_paused = true)]
    async fn what_a_lost_stream_leaves_to_an_older_one_is_written_at_once() {
        let network = PipeNetwork::new();
        let ((_h, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
        let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
        b.publish("answerer", &actor).unwrap();
        a.connect(&b.addresses()[0]).await.unwrap();
        let remote = a.find::<Ask>("answerer").unwrap();
        let link = a.node.links().remove(0);
        // A second stream, whose other end is here: it says Take, of every lane.
        let (mut far, near) = pipe();
        let lanes = LaneIds::of_kinds(LaneSet::ALL, link.data_lanes);
        link.attach(lanes, Origin::External, near, Bytes::new(), BytesMut::new());
        let [b0, b1, b2, _] = lanes.bits().to_le_bytes();
        far.write_all(&[0, 0, 0, Kind::Take as u8, b0, b1, b2, LaneId::NONE.as_u8()]).await.unwrap();
        let all_idle = || sleep(Duration::from_millis(1)); // sleep: virtual time, which passes when all are idle
        all_idle().await;
        let call = tokio::spawn(async move { remote.call(Ask::Anything).await });
        all_idle().await;
        assert!(!call.is_finished(), "it is on its way on the second stream");
        let lost = Instant::now();
        drop(far);
        assert_eq!(call.await.unwrap().unwrap(), 7);
        assert!(lost.elapsed() < HEARTBEAT_INTERVAL / 100, "after {:?}", lost.elapsed());
    }
}
