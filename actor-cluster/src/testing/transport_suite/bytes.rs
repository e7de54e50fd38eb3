//! Bytes on one stream: whole, in order, and not without bounds.

use std::cell::Cell;
use std::pin::pin;

use tokio::io::AsyncWriteExt;

use super::pair::{CHUNK_BYTES, Ends, Flow, Pair, both, drain, exchange, pattern, poll_once, receive, send};
use super::{Harness, UNREAD_BYTES_MAX, is_full};

/// What one end writes, the other reads, whole and in order, on every stream.
pub async fn bytes_flow_both_ways_in_order<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for ends in &mut pair.streams {
        for round in 1..=20 {
            let (near, far) = (pattern(round * 97, 1), pattern(round * 61, 2));
            both(send(&mut ends.near, &near), send(&mut ends.far, &far)).await;
            assert_eq!(receive(&mut ends.far, near.len()).await, near);
            assert_eq!(receive(&mut ends.near, far.len()).await, far);
        }
    }
}

/// Several MiB in both directions at once: each end reads while it writes.
pub async fn large_transfers_cross_without_deadlock<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let Ends { near, far, .. } = pair.streams.remove(0);
    both(exchange(near, 1, 2), exchange(far, 2, 1)).await;
}

/// Bytes that nobody reads are not buffered without end, and none is lost.
pub async fn a_writer_waits_for_its_reader<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let Ends { mut near, mut far, .. } = pair.streams.remove(0);
    let chunk = vec![7; 64 << 10];
    let mut sent = 0;
    while let Some(bytes) = poll_once(pin!(near.write(&chunk))) {
        sent += bytes.expect("an open stream takes bytes");
        assert!(sent < UNREAD_BYTES_MAX, "the transport buffers without end");
    }
    let (shutdown, received) = both(near.shutdown(), drain(&mut far)).await;
    shutdown.expect("shutdown");
    assert_eq!(received, sent);
}

/// Whoever reads a byte at a time, and later a few, gets all of them in order. However slow
/// it is, no more is kept for it than for nobody, and its writer goes on when there is room.
pub async fn a_slow_reader_loses_nothing<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let Ends { mut near, mut far, .. } = pair.streams.remove(0);
    let (flow, is_thirsty) = (Flow::default(), Cell::new(true));
    let writing = async {
        while is_thirsty.get() {
            flow.write_some(&mut near).await;
        }
        near.shutdown().await.expect("shutdown");
    };
    let reading = async {
        for _ in 0..SIPS {
            assert_eq!(flow.read_some(&mut far, 1).await, 1, "the end came too soon");
        }
        is_thirsty.set(false);
        // Sizes that fit no buffer.
        let mut sizes = [2, 3, 5, 7, 997, 4099].into_iter().cycle();
        while flow.read_some(&mut far, sizes.next().expect("a cycle has no end")).await > 0 {}
    };
    both(writing, reading).await;
    assert_eq!(flow.read.get(), flow.written.get());
}

/// A gibibyte, or 64 MiB in the short form, arrives byte for byte, and no more than usual is
/// under way at any time.
pub async fn a_gibibyte_crosses_whole<H: Harness>() {
    let total = if is_full() { GIBIBYTE } else { GIBIBYTE / 16 };
    let mut pair = Pair::connected::<H>().await;
    let Ends { mut near, mut far, .. } = pair.streams.remove(0);
    let flow = Flow::default();
    let writing = async {
        while flow.written.get() < total {
            flow.write_some(&mut near).await;
        }
        near.shutdown().await.expect("shutdown");
    };
    let reading = async { while flow.read_some(&mut far, CHUNK_BYTES).await > 0 {} };
    both(writing, reading).await;
    assert_eq!(flow.read.get(), flow.written.get());
}

const GIBIBYTE: usize = 1 << 30;

/// How many single bytes a slow reader takes.
const SIPS: usize = 32 << 10;
