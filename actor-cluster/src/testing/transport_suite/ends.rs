//! How streams and connections end: half, orderly, at once, or by being dropped.

use tokio::io::AsyncWriteExt;

use super::Harness;
use super::pair::{Ends, Pair, assert_closed, assert_ended, assert_talk, both, receive_all, send, yield_now};
use crate::transport::{CloseCode, CloseReason, LaneSet};

/// After a shutdown the peer reads to the end and can still answer.
pub async fn half_close_lets_the_peer_answer<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for Ends { mut near, mut far, .. } in pair.streams.drain(..) {
        send(&mut near, b"question").await;
        near.shutdown().await.expect("shutdown");
        assert_eq!(receive_all(&mut far).await, b"question");
        send(&mut far, b"answer").await;
        far.shutdown().await.expect("shutdown");
        assert_eq!(receive_all(&mut near).await, b"answer");
    }
}

/// Closing a stream ends it on both sides, and can be done twice.
pub async fn closing_a_stream_ends_it_for_both<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for Ends { mut near, mut far, .. } in pair.streams.drain(..) {
        let reason = CloseReason::new(CloseCode::Shutdown, "going home");
        near.close(&reason);
        near.close(&reason);
        assert_ended(&mut far).await;
        assert_ended(&mut near).await;
        assert!(near.write(b"more").await.is_err(), "a closed stream takes no bytes");
    }
}

/// Closing a connection ends every stream on it, on both sides, and wakes who
/// waits to read there; it can be done twice.
pub async fn closing_a_connection_ends_its_streams<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let reason = CloseReason::from(CloseCode::Refused);
    // Nobody but the closed connection itself can wake this reader.
    let closing = async {
        yield_now().await;
        pair.near.close(&reason);
        pair.near.close(&reason);
    };
    both(assert_ended(&mut pair.streams[0].near), closing).await;
    for Ends { near, far } in &mut pair.streams {
        both(assert_ended(near), assert_ended(far)).await;
    }
    assert_closed(pair.near.open(LaneSet::ALL).await);
    assert_closed(pair.far.accept().await);
    pair.far.close(&reason);
}

/// A dropped stream ends for the peer: it reads the end or an error, and
/// sooner or later cannot write.
pub async fn dropping_a_stream_ends_both_directions<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for Ends { near, mut far, .. } in pair.streams.drain(..) {
        drop(near);
        assert_ended(&mut far).await;
        // The first bytes may still fit into a buffer of the system.
        while far.write(&[0; 1024]).await.is_ok() && far.flush().await.is_ok() {
            yield_now().await;
        }
    }
}

/// Streams outlive the connection value they were opened on.
pub async fn dropping_a_connection_keeps_its_streams<H: Harness>() {
    let Pair { near, far, mut streams, listener, dialler, host } = Pair::connected::<H>().await;
    drop((near, far));
    for ends in &mut streams {
        assert_talk(ends).await;
    }
    drop((listener, dialler, host));
}
