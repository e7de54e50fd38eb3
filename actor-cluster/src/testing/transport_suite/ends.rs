//! How streams and connections are ended: half, or all at once. Must not live here: what is
//! dropped without a word (`drops.rs`).

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Harness;
use super::pair::{
    CHUNK_BYTES, Ends, Flow, Pair, assert_closed, assert_ended, assert_says_why, assert_talk,
    assert_unwritable, both, receive, receive_all, send, transfer, yield_now,
};
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

/// Closing a stream ends it on both sides, and can be done twice. Whoever has closed it hears the first reason.
pub async fn closing_a_stream_ends_it_for_both<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for Ends { mut near, mut far, .. } in pair.streams.drain(..) {
        let reason = CloseReason::new(CloseCode::Shutdown, "going home");
        near.close(&reason);
        near.close(&CloseCode::Done.into());
        assert_ended(&mut far).await;
        assert_says_why(&mut near, &reason).await;
    }
}

/// Closing a connection ends every stream on it, on both sides, and wakes who
/// waits to read there; it can be done twice. Whoever has closed it hears the first reason.
pub async fn closing_a_connection_ends_its_streams<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let reason = CloseReason::from(CloseCode::Refused);
    // Nobody but the closed connection itself can wake this reader.
    let closing = async {
        yield_now().await;
        pair.near.close(&reason);
        pair.near.close(&CloseCode::Done.into());
    };
    both(assert_ended(&mut pair.streams[0].near), closing).await;
    for Ends { near, far } in &mut pair.streams {
        both(assert_says_why(near, &reason), assert_ended(far)).await;
    }
    assert_closed(pair.near.open(LaneSet::ALL).await);
    assert_closed(pair.far.accept().await);
    pair.far.close(&reason);
}

/// A half-close is the end of one direction and of nothing else, whichever side says it first: the other
/// direction goes on for as much as anybody likes. It can be said twice, and nothing can be
/// written behind it.
pub async fn a_half_close_ends_one_direction_alone<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let other = pair.connect_again().await;
    let turned = other.streams.into_iter().map(Ends::turned);
    for Ends { mut near, mut far } in pair.streams.drain(..).chain(turned) {
        near.shutdown().await.expect("shutdown");
        assert_eq!(receive_all(&mut far).await, b"");
        transfer(&mut far, &mut near).await;
        near.shutdown().await.expect("a second shutdown");
        assert!(near.write(b"late").await.is_err() || near.flush().await.is_err(), "there is no way back");
        assert_eq!(far.read(&mut [0; 4]).await.expect("the end stays the end"), 0);
        send(&mut far, b"still open").await;
        assert_eq!(receive(&mut near, 10).await, b"still open");
    }
}

/// A stream that one side aborts, by closing or by dropping it, ends for the other with a part of what was
/// written, from its beginning, then the end or an error. Nothing is made up, whoever waits to read
/// is woken, and the connection's other streams live on.
pub async fn a_reset_stream_fabricates_nothing<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for number in 0..pair.streams.len() {
        for abort in [Abort::Close, Abort::Drop] {
            for is_turned in [false, true] {
                let mut link = pair.connect_again().await;
                let ends = link.streams.remove(number);
                assert_reset(if is_turned { ends.turned() } else { ends }, abort).await;
                for others in &mut link.streams {
                    assert_talk(others).await;
                }
            }
        }
    }
}

/// How a stream is aborted.
#[derive(Clone, Copy)]
enum Abort {
    Close,
    Drop,
}

async fn assert_reset(ends: Ends, abort: Abort) {
    let Ends { mut near, mut far } = ends;
    let flow = Flow::default();
    let aborting = async {
        // More than any window, so that some is read, and some is not even sent.
        while flow.read.get() < RESET_AFTER_BYTES {
            flow.write_some(&mut near).await;
        }
        match abort {
            Abort::Close => near.close(&CloseCode::Refused.into()),
            Abort::Drop => drop(near),
        }
    };
    let reading =
        async { while flow.try_read_some(&mut far, CHUNK_BYTES).await.is_ok_and(|bytes| bytes > 0) {} };
    both(aborting, reading).await;
    assert_unwritable(&mut far).await;
}

/// Some of it has crossed, and more is on its way.
const RESET_AFTER_BYTES: usize = 1 << 20;
