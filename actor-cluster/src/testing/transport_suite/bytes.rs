//! Bytes on one stream: whole, in order, and not without bounds.

use std::pin::pin;

use tokio::io::AsyncWriteExt;

use super::pair::{Ends, Pair, both, drain, exchange, pattern, poll_once, receive, send};
use super::{Harness, UNREAD_BYTES_MAX};

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
