//! What a cluster does not cost: tasks, system calls, words about what concerns nobody.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actor_cluster::{ExternalStream, NodeServer};
use actor_core::{ActorSystem, Executor};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::support::{Count, Start, TestNode, guarded, id, settle};

/// How often bytes moved through the near end of a pipe, and how many were written.
#[derive(Default)]
struct Moves {
    reads: AtomicUsize,
    writes: AtomicUsize,
    written: AtomicUsize,
}

impl Moves {
    fn take(&self) -> [usize; 3] {
        [&self.reads, &self.writes, &self.written].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

struct Counting(DuplexStream, Arc<Moves>);

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0).poll_read(cx, buffer);
        self.1.reads.fetch_add(usize::from(polled.is_ready()), Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.0).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.1.writes.fetch_add(1, Ordering::Relaxed);
            self.1.written.fetch_add(written, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Two nodes, and what moves at the first one's end.
async fn counted() -> (TestNode, TestNode, Arc<Moves>) {
    let node = async |number| {
        let system = ActorSystem::on(Executor::tokio());
        let builder = NodeServer::builder(id(number)).system(system.clone()).secret("one secret for all");
        TestNode { system, server: builder.start().await.unwrap() }
    };
    let (a, b, moves) = (node(1).await, node(2).await, Arc::new(Moves::default()));
    b.publish("counter", Start::default()).await;
    let (near, far) = tokio::io::duplex(1 << 20);
    let near = ExternalStream::new(Counting(near, moves.clone()), "counted");
    let far = ExternalStream::new(far, "counted");
    let both = tokio::join!(
        a.server.connect_external(Box::new(near)),
        b.server.attach_external_stream(Box::new(far))
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    settle().await;
    moves.take();
    (a, b, moves)
}

#[tokio::test(start_paused = true)]
async fn w20_w21_many_small_messages_are_few_reads_and_writes() {
    guarded(async {
        let (a, _b, moves) = counted().await;
        let remote = a.find("counter");
        for _ in 0..10_000 {
            remote.cast(Count::Add(1)).unwrap();
        }
        assert_eq!(remote.call(Count::Get).await, Ok(10_000));
        let [reads, writes, written] = moves.take();
        assert!(written > 200_000 && written < 400_000, "{written} bytes");
        // A segment of 64 KiB each, an acknowledgement each second one.
        assert!(writes < 20 && reads < 20, "{writes} writes, {reads} reads");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn w23_calls_are_no_tasks() {
    guarded(async {
        let (a, b, _) = counted().await;
        let remote = a.find("counter");
        settle().await;
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let calls: Vec<_> = (0..1000).map(|_| Box::pin(remote.call(Count::Keep))).collect();
        let mut all = futures_util::future::join_all(calls);
        assert!((&mut all).now_or_never().is_none());
        settle().await;
        assert_eq!(tasks(), before, "a thousand calls wait at both ends");
        remote.cast(Count::AnswerAll).unwrap();
        assert_eq!(all.await.len(), 1000);
        assert_eq!((tasks(), b.server.tasks()), (before, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn w25_actors_that_nobody_publishes_are_not_spoken_of() {
    guarded(async {
        let (a, _b, moves) = counted().await;
        for _ in 0..1000 {
            a.counter(1).await.stop(None);
        }
        settle().await;
        assert_eq!(moves.take(), [0, 0, 0]);
    })
    .await;
}
