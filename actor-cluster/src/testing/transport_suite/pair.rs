//! Two connected nodes, and the few words the suite's cases are written in.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Harness, Node, UNREAD_BYTES_MAX};
use crate::transport::{
    Address, CloseReason, ClusterBidiStream, Connection, LaneSet, Listener, TransportError,
};

/// What a large transfer carries in each direction, in bytes.
const TRANSFER_BYTES: usize = 4 << 20;

/// What is written, and mostly read, at a time.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// The length after which a [`pattern`] repeats itself.
const PERIOD: usize = 251;

/// Two nodes with one connection between them, every stream open.
pub(super) struct Pair {
    pub(super) near: Box<dyn Connection>,
    pub(super) far: Box<dyn Connection>,
    pub(super) streams: Vec<Ends>,
    pub(super) listener: Box<dyn Listener>,
    pub(super) dialler: Node,
    pub(super) host: Node,
}

/// Another connection between the nodes of a [`Pair`].
pub(super) struct Link {
    pub(super) near: Box<dyn Connection>,
    pub(super) far: Box<dyn Connection>,
    pub(super) streams: Vec<Ends>,
}

/// The two ends of one stream; the dialler's is the near one.
pub(super) struct Ends {
    pub(super) near: Box<dyn ClusterBidiStream>,
    pub(super) far: Box<dyn ClusterBidiStream>,
}

impl Pair {
    /// Two new nodes of a new world.
    pub(super) async fn connected<H: Harness>() -> Self {
        let mut world = H::new().await;
        let (dialler, host) = (world.node().await, world.node().await);
        let listener = host.transport.listen().await.expect("listen");
        Self::of(dialler, host, listener).await
    }

    /// Two nodes, one of which already listens.
    pub(super) async fn of(dialler: Node, host: Node, mut listener: Box<dyn Listener>) -> Self {
        let address = listener.addresses().remove(0);
        let Link { near, far, streams } = connect(&dialler, &mut listener, &address).await;
        Self { near, far, streams, listener, dialler, host }
    }

    /// One more connection.
    pub(super) async fn connect_again(&mut self) -> Link {
        let address = self.listener.addresses().remove(0);
        self.connect_to(&address).await
    }

    /// One more connection, by one of the listener's addresses.
    pub(super) async fn connect_to(&mut self, address: &Address) -> Link {
        connect(&self.dialler, &mut self.listener, address).await
    }
}

impl Ends {
    /// The same stream, seen from the other side.
    pub(super) fn turned(self) -> Self {
        Self { near: self.far, far: self.near }
    }
}

/// One direction of a stream: a [`pattern`] without end, what was written of it and what was
/// read. The difference is what the transport keeps, which is bounded.
pub(super) struct Flow {
    pattern: Vec<u8>,
    pub(super) written: Cell<usize>,
    pub(super) read: Cell<usize>,
}

impl Default for Flow {
    fn default() -> Self {
        Self { pattern: pattern(CHUNK_BYTES + PERIOD, 0), written: Cell::default(), read: Cell::default() }
    }
}

impl Flow {
    /// Writes what the transport takes of a chunk.
    pub(super) async fn write_some(&self, stream: &mut (impl AsyncWrite + Unpin)) {
        let next = &self.pattern[self.written.get() % PERIOD..][..CHUNK_BYTES];
        let taken = stream.write(next).await.expect("an open stream takes bytes");
        assert!(taken > 0, "a write of something takes something");
        self.written.set(self.written.get() + taken);
        let kept = self.written.get() - self.read.get();
        assert!(kept <= UNREAD_BYTES_MAX, "{kept} bytes that nobody has read are kept");
    }

    /// Writes for as long as it is polled.
    pub(super) async fn write_without_end(&self, stream: &mut (impl AsyncWrite + Unpin)) {
        loop {
            self.write_some(stream).await;
        }
    }

    /// Reads up to so many bytes, of a chunk at most, and holds them against what was written. Zero at the end.
    pub(super) async fn try_read_some(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        most: usize,
    ) -> io::Result<usize> {
        let mut buffer = vec![0; most];
        let bytes = stream.read(&mut buffer).await?;
        let expected = &self.pattern[self.read.get() % PERIOD..][..bytes];
        assert!(buffer[..bytes] == *expected, "bytes are lost, repeated, invented or out of order");
        self.read.set(self.read.get() + bytes);
        assert!(self.read.get() <= self.written.get(), "more is read than was written");
        Ok(bytes)
    }

    /// As [`try_read_some`](Self::try_read_some), on a stream that nothing happens to.
    pub(super) async fn read_some(&self, stream: &mut (impl AsyncRead + Unpin), most: usize) -> usize {
        self.try_read_some(stream, most).await.expect("read")
    }

    /// Sends off all that was written by now, and reads it.
    pub(super) async fn catch_up(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        reader: &mut (impl AsyncRead + Unpin),
    ) {
        let reading = async {
            while self.read.get() < self.written.get() {
                assert!(self.read_some(reader, CHUNK_BYTES).await > 0, "the end came too soon");
            }
        };
        both(writer.flush(), reading).await.0.expect("flush");
    }
}

/// Dials, accepts, and opens every stream the transport announces.
async fn connect(dialler: &Node, listener: &mut Box<dyn Listener>, address: &Address) -> Link {
    let (near, far) = both(dialler.transport.dial(address), accept(listener)).await;
    let near = near.expect("dial");
    let mut streams = Vec::new();
    for lanes in dialler.transport.streams() {
        streams.push(open(&*near, &*far, *lanes).await);
    }
    Link { near, far, streams }
}

/// Opens a stream and accepts it. The dialler speaks first, because on some
/// transports the peer does not see a stream before that.
pub(super) async fn open(near: &dyn Connection, far: &dyn Connection, lanes: LaneSet) -> Ends {
    let opening = async {
        let mut stream = near.open(lanes).await.expect("open");
        send(&mut stream, &name_of(lanes)).await;
        stream
    };
    let accepting = async {
        let mut stream = far.accept().await.expect("accept");
        let name = name_of(lanes);
        assert_eq!(receive(&mut stream, name.len()).await, name, "not the stream that was opened");
        stream
    };
    let (near, far) = both(opening, accepting).await;
    Ends { near, far }
}

fn name_of(lanes: LaneSet) -> Vec<u8> {
    format!("{lanes:?}").into_bytes()
}

/// Waits for the next that gets in; whoever does not is not this case's matter.
pub(super) async fn accept(listener: &mut Box<dyn Listener>) -> Box<dyn Connection> {
    loop {
        match listener.accept().await {
            Ok(connection) => break connection,
            Err(TransportError::Closed(reason)) => panic!("the listener ended: {reason}"),
            Err(_) => {}
        }
    }
}

/// Lets the listener work until the activity ends. Nobody may get in, and the
/// listener may not end.
pub(super) async fn while_refusing<T>(
    listener: &mut Box<dyn Listener>,
    activity: impl Future<Output = T>,
) -> T {
    let mut activity = pin!(activity);
    loop {
        let mut accepting = listener.accept();
        let first = poll_fn(|cx| match activity.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => accepting.as_mut().poll(cx).map(Err),
        });
        match first.await {
            Ok(done) => break done,
            Err(Ok(connection)) => panic!("{} was let in", connection.label()),
            Err(Err(TransportError::Closed(reason))) => panic!("the listener ended: {reason}"),
            Err(Err(_)) => {}
        }
    }
}

/// Writes all of it and sends it off.
pub(super) async fn send(stream: &mut Box<dyn ClusterBidiStream>, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("write");
    stream.flush().await.expect("flush");
}

/// Reads exactly so many bytes.
pub(super) async fn receive(stream: &mut Box<dyn ClusterBidiStream>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.expect("read");
    bytes
}

/// Reads to the end.
pub(super) async fn receive_all(stream: &mut Box<dyn ClusterBidiStream>) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("read to the end");
    bytes
}

/// Reads to the end and counts.
pub(super) async fn drain(stream: &mut Box<dyn ClusterBidiStream>) -> usize {
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await.expect("read to the end") {
            0 => break total,
            bytes => total += bytes,
        }
    }
}

/// Sends a large pattern, shuts down, and expects a large pattern of the other
/// seed, all at once.
pub(super) async fn exchange(stream: Box<dyn ClusterBidiStream>, ours: usize, theirs: usize) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        writer.write_all(&pattern(TRANSFER_BYTES, ours)).await.expect("write");
        writer.shutdown().await.expect("shutdown");
    };
    let reading = async {
        let mut received = Vec::with_capacity(TRANSFER_BYTES);
        reader.read_to_end(&mut received).await.expect("read to the end");
        assert!(received == pattern(TRANSFER_BYTES, theirs), "bytes are lost, repeated or out of order");
    };
    both(writing, reading).await;
}

/// Sends a large pattern in one direction of a stream that stays open.
pub(super) async fn transfer(writer: &mut (impl AsyncWrite + Unpin), reader: &mut (impl AsyncRead + Unpin)) {
    let flow = Flow::default();
    let writing = async {
        while flow.written.get() < TRANSFER_BYTES {
            flow.write_some(writer).await;
        }
        writer.flush().await.expect("flush");
    };
    let reading = async {
        while flow.read.get() < TRANSFER_BYTES {
            assert!(flow.read_some(reader, CHUNK_BYTES).await > 0, "the end came too soon");
        }
    };
    both(writing, reading).await;
    flow.catch_up(writer, reader).await;
}

/// Bytes in which every lost, repeated or moved stretch shows: the period of
/// 251 is prime to any size of a buffer.
pub(super) fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..=250u8).cycle().skip(seed).take(length).collect()
}

/// The stream works in both directions.
pub(super) async fn assert_talk(ends: &mut Ends) {
    send(&mut ends.near, b"ping").await;
    assert_eq!(receive(&mut ends.far, 4).await, b"ping");
    send(&mut ends.far, b"pong").await;
    assert_eq!(receive(&mut ends.near, 4).await, b"pong");
}

/// Reading comes to the end, or to an error in the seam's words.
pub(super) async fn assert_ended(stream: &mut Box<dyn ClusterBidiStream>) {
    if let Some(error) = error_at_the_end(stream).await {
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
        let kind = match inside {
            Some(TransportError::Closed(_)) => io::ErrorKind::NotConnected,
            Some(TransportError::Untrusted { .. }) => io::ErrorKind::PermissionDenied,
            _ => return,
        };
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// Reading and writing fail, and say for what reason this side has closed the stream or its connection.
pub(super) async fn assert_says_why(stream: &mut Box<dyn ClusterBidiStream>, reason: &CloseReason) {
    let read = error_at_the_end(stream).await.expect("what we have closed has not come to its end");
    let written = stream.write(b"more").await.expect_err("a closed stream takes no bytes");
    for error in [read, written] {
        assert_eq!((error.kind(), CloseReason::of(&error)), (io::ErrorKind::NotConnected, Some(reason)));
    }
}

/// What reading to the end fails with, if it does.
async fn error_at_the_end(stream: &mut Box<dyn ClusterBidiStream>) -> Option<io::Error> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
}

/// Writing fails, sooner or later: the first bytes may still fit into a buffer of the system.
pub(super) async fn assert_unwritable(stream: &mut Box<dyn ClusterBidiStream>) {
    while stream.write(&[0; 1024]).await.is_ok() && stream.flush().await.is_ok() {
        yield_now().await;
    }
}

/// There is no stream to be had.
pub(super) fn assert_closed(outcome: Result<Box<dyn ClusterBidiStream>, TransportError>) {
    let error = outcome.err().expect("no stream is to be had");
    assert!(matches!(error, TransportError::Closed(_)), "{error}");
}

/// Runs both to their ends in one task.
pub(super) async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_done, mut b_done) = (None, None);
    poll_fn(|cx| {
        if a_done.is_none() {
            a_done = ready(a.as_mut().poll(cx));
        }
        if b_done.is_none() {
            b_done = ready(b.as_mut().poll(cx));
        }
        match (a_done.take(), b_done.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (a_done, b_done) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Runs the work to its end, and what goes on beside it only until then.
pub(super) async fn beside<T>(endless: impl Future, work: impl Future<Output = T>) -> T {
    let (mut endless, mut work) = (pin!(endless), pin!(work));
    let mut has_ended = false;
    poll_fn(|cx| {
        has_ended = has_ended || endless.as_mut().poll(cx).is_ready();
        work.as_mut().poll(cx)
    })
    .await
}

/// Runs all of them to their ends in one task.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|cx| {
        running.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Polls once, as somebody would who gives up at once.
pub(super) fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    ready(std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())))
}

/// Lets every other task and the input and output of the runtime go ahead.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
