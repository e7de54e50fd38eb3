//! Streams that somebody else made.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actor_cluster::testing::pipe::pipe_between;
use actor_cluster::transport::{ChannelBinding, CloseCode, CloseReason, ClusterBidiStream, PeerIdentity};
use actor_cluster::{ConnectError, ExternalStream, HandshakeError, Mode, NodeBuilder, NodeServer};
use actor_core::{ActorSystem, CallFailure, Executor, Exit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};

use super::support::{
    Count, Exits, Start, TestNode, disconnected, disconnected_by, failure, guarded, id, pass, settle,
};

/// A user's own stream: tokio's duplex pipe, and what the trait asks for besides.
struct Duplex {
    io: DuplexStream,
    binding: Option<ChannelBinding>,
    /// Set, it panics when it is read.
    is_broken: Arc<AtomicBool>,
    /// The most bytes that it takes at once.
    write_bytes_max: usize,
}

impl Duplex {
    fn new(io: DuplexStream, binding: Option<ChannelBinding>) -> Self {
        Self { io, binding, is_broken: Arc::default(), write_bytes_max: usize::MAX }
    }

    fn pair(binding: [Option<ChannelBinding>; 2]) -> [Box<dyn ClusterBidiStream>; 2] {
        let (near, far) = tokio::io::duplex(100);
        let [ours, theirs] = binding;
        let [near, far] = [(near, ours), (far, theirs)].map(|(io, binding)| Self::new(io, binding));
        [Box::new(near), Box::new(far)]
    }
}

impl ClusterBidiStream for Duplex {
    fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity::Anonymous
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.binding
    }

    fn label(&self) -> String {
        "duplex".to_owned()
    }

    fn close(&mut self, _: &CloseReason) {
        self.io = tokio::io::duplex(1).0;
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.is_broken.load(Ordering::Relaxed), "as asked");
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let most = bytes.len().min(self.write_bytes_max);
        Pin::new(&mut self.io).poll_write(cx, &bytes[..most])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A node without any transport.
async fn bare(number: u8, settings: impl FnOnce(NodeBuilder) -> NodeBuilder) -> TestNode {
    let system = ActorSystem::on(Executor::tokio());
    let builder = NodeServer::builder(id(number)).system(system.clone()).mode(Mode::Transitive);
    TestNode { system, server: settings(builder).start().await.unwrap() }
}

#[tokio::test(start_paused = true)]
async fn b09_two_nodes_talk_over_a_duplex_with_no_socket_open() {
    guarded(async {
        let a = bare(1, |builder| builder.secret("one secret for all")).await;
        let b = bare(2, |builder| builder.secret("one secret for all")).await;
        assert_eq!((a.server.addresses(), a.server.tasks()), (&[][..], 0));
        b.publish("counter", Start::default()).await;
        let [near, far] = Duplex::pair([None, None]);
        let both = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
        assert_eq!((both.0.unwrap().peer().node, both.1.unwrap().peer().node), (id(2), id(1)));
        let remote = a.find("counter");
        remote.cast(Count::Add(2)).unwrap();
        assert_eq!(remote.call(|port| Count::AddAndGet(1, port)).await, Ok(3));
        // Far more than the pipe holds.
        assert_eq!(remote.call(|port| Count::Weigh(vec![7; 100_000], port)).await, Ok(100_000));
        let exits = Exits::default();
        exits.watch(&remote);
        let mut events = b.server.subscribe();
        a.shutdown().await;
        disconnected_by(&mut events, CloseCode::Shutdown).await;
        settle().await;
        assert_eq!(b.server.tasks(), 0);
        assert_eq!(exits.seen(), [Exit::Unreachable]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b09_a_stream_that_proves_who_is_there_needs_no_secret() {
    guarded(async {
        let (a, b) = (bare(1, |builder| builder).await, bare(2, |builder| builder).await);
        a.publish("counter", Start { count: 5, ..Start::default() }).await;
        let (near, far) = pipe_between(PeerIdentity::Node(id(1)), PeerIdentity::Node(id(2)));
        let both =
            tokio::join!(a.server.attach_external_stream(far_of(near)), b.server.connect_external(far));
        assert!(both.0.is_ok() && both.1.is_ok());
        assert_eq!(b.find("counter").call(Count::Get).await, Ok(5));
    })
    .await;
}

/// Only to say which end is whose.
fn far_of(stream: Box<dyn ClusterBidiStream>) -> Box<dyn ClusterBidiStream> {
    assert_eq!(stream.peer_identity(), PeerIdentity::Node(id(2)));
    stream
}

#[tokio::test(start_paused = true)]
async fn b09_a_stream_that_proves_nothing_needs_the_secret_of_its_own_channel() {
    guarded(async {
        let (a, b) = (bare(1, |builder| builder).await, bare(2, |builder| builder).await);
        let [near, far] = Duplex::pair([None, None]);
        let both = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
        for refused in [both.0, both.1] {
            let error = refused.unwrap_err();
            assert!(matches!(error, ConnectError::Handshake(HandshakeError::NoSecret)), "{error}");
        }
        // A proof is worth nothing on another channel.
        let (a, b) = (
            bare(1, |with| with.secret("the same for both")).await,
            bare(2, |with| with.secret("the same for both")).await,
        );
        let binding = |byte| Some(ChannelBinding::new([byte; 32]));
        let [near, far] = Duplex::pair([binding(1), binding(2)]);
        let both = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
        let error = both.0.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(HandshakeError::Secret)), "{error}");
        assert!(both.1.is_err());
        let [near, far] = Duplex::pair([binding(3), binding(3)]);
        let both = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
        assert!(both.0.is_ok() && both.1.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b09_an_attempt_that_is_dropped_or_gets_no_answer_ends_the_stream() {
    guarded(async {
        let a =
            bare(1, |with| with.secret("the same for both").handshake_timeout(Duration::from_secs(4))).await;
        for is_dropped in [true, false] {
            let [near, mut far] = Duplex::pair([None, None]);
            let attempt = a.server.attach_external_stream(near);
            if is_dropped {
                let attempt = tokio::time::timeout(Duration::from_secs(1), attempt);
                assert!(attempt.await.is_err());
            } else {
                let error = attempt.await.unwrap_err();
                assert!(matches!(error, ConnectError::TimedOut(time) if time == Duration::from_secs(4)));
            }
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
            let [near, mut far] = Duplex::pair([None, None]);
            let attempt = tokio::time::timeout(Duration::from_secs(1), a.server.connect_external(near));
            assert!(attempt.await.is_err());
            let mut said = Vec::new();
            far.read_to_end(&mut said).await.unwrap();
            assert_eq!(said[3], 1, "hello");
        }
        pass(Duration::from_secs(4)).await;
        assert_eq!((a.peers(), a.server.tasks()), (vec![], 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn b09_a_stream_that_takes_little_at_a_time_is_written_without_a_pause() {
    guarded(async {
        let a = bare(1, |builder| builder.secret("the same for both")).await;
        let b = bare(2, |builder| builder.secret("the same for both")).await;
        b.publish("counter", Start::default()).await;
        let (near, far) = tokio::io::duplex(1 << 20);
        let [near, far] =
            [near, far].map(|io| Box::new(Duplex { write_bytes_max: 9, ..Duplex::new(io, None) }));
        let both = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
        assert!(both.0.is_ok() && both.1.is_ok());
        let begun = tokio::time::Instant::now();
        let answer = a.find("counter").call(|port| Count::Weigh(vec![7; 100_000], port)).await;
        assert_eq!((answer, begun.elapsed()), (Ok(100_000), Duration::ZERO));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_panics_ends_its_session_and_leaves_nobody_waiting() {
    guarded(async {
        let a = bare(1, |builder| builder.secret("the same for both")).await;
        let b = bare(2, |builder| builder.secret("the same for both")).await;
        b.publish("counter", Start::default()).await;
        let (near, far) = tokio::io::duplex(1000);
        let near = Duplex::new(near, None);
        let is_broken = near.is_broken.clone();
        let far = Box::new(Duplex::new(far, None));
        let both =
            tokio::join!(a.server.connect_external(Box::new(near)), b.server.attach_external_stream(far));
        assert!(both.0.is_ok() && both.1.is_ok());
        let (remote, exits) = (a.find("counter"), Exits::default());
        exits.watch(&remote);
        let call = tokio::spawn(async move { remote.call(Count::Keep).await });
        settle().await;
        let mut events = [a.server.subscribe(), b.server.subscribe()];
        is_broken.store(true, Ordering::Relaxed);
        assert_eq!(failure(call.await.unwrap()), CallFailure::Unknown);
        for events in &mut events {
            disconnected(events).await;
        }
        assert_eq!(exits.seen(), [Exit::Unreachable]);
        settle().await;
        assert_eq!((a.peers(), a.server.tasks(), b.peers(), b.server.tasks()), (vec![], 0, vec![], 0));
    })
    .await;
}

/// A socket of another kind, and both halves of two pipes.
#[tokio::test]
async fn b09_any_stream_of_bytes_will_do() {
    guarded(async {
        let (near, far) = tokio::net::UnixStream::pair().unwrap();
        let sockets = [near, far].map(|end| external(end, "unix"));
        let (to_near, from_far) = tokio::io::simplex(512);
        let (to_far, from_near) = tokio::io::simplex(512);
        let pipes = [
            external(tokio::io::join(to_near, from_near), "pipes"),
            external(tokio::io::join(to_far, from_far), "pipes"),
        ];
        for [near, far] in [sockets, pipes] {
            let (a, b) = (
                bare(1, |with| with.secret("the same for both")).await,
                bare(2, |with| with.secret("the same for both")).await,
            );
            b.publish("counter", Start::default()).await;
            let mut events = b.server.subscribe();
            let both = tokio::join!(a.server.connect_external(near), b.server.attach_external_stream(far));
            assert!(both.0.is_ok() && both.1.is_ok());
            let remote = a.find("counter");
            assert_eq!(remote.call(|port| Count::Weigh(vec![7; 300_000], port)).await, Ok(300_000));
            a.shutdown().await;
            disconnected_by(&mut events, CloseCode::Shutdown).await;
        }
    })
    .await;
}

fn external<S>(stream: S, label: &str) -> Box<dyn ClusterBidiStream>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    Box::new(ExternalStream::new(stream, label))
}
