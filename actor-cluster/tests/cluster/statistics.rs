//! What a program can ask of a session's streams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actor_cluster::testing::pipe::pipe_between;
use actor_cluster::transport::{
    ChannelBinding, CloseReason, ClusterBidiStream, LaneSet, PathStatus, PeerIdentity, Route,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Network;
use super::support::{builder, guarded, id, node, node_with, on_every_shape, settle};

on_every_shape! {
    a_session_tells_of_its_streams_for_as_long_as_it_has_them
    whoever_gives_up_the_question_harms_nobody
}

async fn a_session_tells_of_its_streams_for_as_long_as_it_has_them(network: Network) {
    let patient = |number| node_with(&network, number, |node| node.resume_timeout(Duration::from_secs(60)));
    let (a, b) = (patient(1).await, patient(2).await);
    let session = a.connect(&b).await;
    settle().await;
    let streams = session.streams().await;
    let lanes = streams.iter().fold(LaneSet::NONE, |all, stream| all.union(stream.lanes));
    assert_eq!(lanes, LaneSet::ALL);
    assert!(streams.len() == 1 || streams[0].lanes == LaneSet::CONTROL, "{streams:?}");
    for stream in &streams {
        assert!(stream.label.starts_with("pipe://"), "{}", stream.label);
        assert_eq!(stream.path, None, "a pipe takes no way that it could tell of");
    }
    // The other end sees as many.
    assert_eq!(b.server.sessions()[0].streams().await.len(), streams.len());

    network.close_doors();
    network.cut();
    settle().await;
    assert!(session.is_interrupted());
    assert_eq!(session.streams().await, []);
    session.close("enough");
    session.closed().await;
    assert_eq!(session.streams().await, []);
    // Also of one whose task is gone for long.
    settle().await;
    assert_eq!(session.streams().await, []);
}

async fn whoever_gives_up_the_question_harms_nobody(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    let session = a.connect(&b).await;
    for _ in 0..10 {
        // Polled once, which asks, and dropped.
        tokio::select! {
            biased;
            _ = session.streams() => panic!("the task has had no turn"),
            () = std::future::ready(()) => {}
        }
    }
    let (one, other) = tokio::join!(session.streams(), session.streams());
    assert_eq!(one, other);
    assert!(!one.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_way_of_a_stream_is_what_its_transport_says() {
    guarded(async {
        let network = Network::one_stream();
        let systems = [1, 2].map(|_| actor_core::ActorSystem::on(actor_core::Executor::tokio()));
        let a = builder(&network, 1, &systems[0]).start().await.unwrap();
        let b = builder(&network, 2, &systems[1]).start().await.unwrap();
        let (near, far) = pipe_between(PeerIdentity::Node(id(1)), PeerIdentity::Node(id(2)));
        let near = Box::new(Travelling { inner: near, way: on_the_way(1) });
        let (session, _) = tokio::join!(a.connect_external(near), b.attach_external_stream(far));
        let told = session.unwrap().streams().await;
        assert_eq!(told.iter().map(|stream| stream.path.clone()).collect::<Vec<_>>(), [Some(on_the_way(1))]);
        assert_eq!(b.sessions()[0].streams().await[0].path, None);
    })
    .await;
}

fn on_the_way(bytes: u64) -> PathStatus {
    let mut path = PathStatus::new(Route::Relay("https://relay.example/".to_owned()));
    path.round_trip = Some(Duration::from_millis(7));
    path.bytes_sent = bytes;
    path
}

/// A stream that knows which way it takes.
struct Travelling {
    inner: Box<dyn ClusterBidiStream>,
    way: PathStatus,
}

impl ClusterBidiStream for Travelling {
    fn peer_identity(&self) -> PeerIdentity {
        self.inner.peer_identity()
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.inner.channel_binding()
    }

    fn label(&self) -> String {
        self.inner.label()
    }

    fn path(&self) -> Option<PathStatus> {
        Some(self.way.clone())
    }

    fn close(&mut self, reason: &CloseReason) {
        self.inner.close(reason);
    }
}

impl AsyncRead for Travelling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Travelling {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
