//! What is dropped and not closed: nothing hangs, and the peer learns.

use std::pin::pin;

use super::pair::{
    Ends, Pair, accept, assert_closed, assert_ended, assert_talk, assert_unwritable, both, open, poll_once,
    yield_now,
};
use super::{Harness, Node};
use crate::transport::Connection;

/// A dropped stream ends for the peer: it reads the end or an error, and
/// sooner or later cannot write.
pub async fn dropping_a_stream_ends_both_directions<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for Ends { near, mut far, .. } in pair.streams.drain(..) {
        drop(near);
        assert_ended(&mut far).await;
        assert_unwritable(&mut far).await;
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

/// A transport may be dropped while others hold what it has made: its connections open streams, and its listener
/// lets people in.
pub async fn dropping_a_transport_keeps_what_it_has_made<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host, late) = (world.node().await, world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    let (near, far) = both(dialler.transport.dial(&address), accept(&mut listener)).await;
    let near = near.expect("dial");
    let lanes = dialler.transport.streams().to_vec();
    drop((dialler, host));
    for lanes in lanes {
        assert_talk(&mut open(&*near, &*far, lanes).await).await;
    }
    let (near, far) = both(late.transport.dial(&address), accept(&mut listener)).await;
    assert_talk(&mut open(&*near.expect("dial"), &*far, late.transport.streams()[0]).await).await;
}

/// A connection on which nobody has opened a stream is dropped: whoever waits for one on the other
/// side hears of it, or is given one that has ended.
pub async fn a_connection_that_is_dropped_unused_ends_for_the_peer<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let address = pair.listener.addresses().remove(0);
    let (near, far) = both(pair.dialler.transport.dial(&address), accept(&mut pair.listener)).await;
    let dropping = async {
        yield_now().await;
        drop(near.expect("dial"));
    };
    let waiting = async {
        match far.accept().await {
            Ok(mut stream) => assert_ended(&mut stream).await,
            ended => assert_closed(ended),
        }
    };
    both(dropping, waiting).await;
    // The other way round: what the dialler opens then ends, or cannot be opened.
    let (near, far) = both(pair.dialler.transport.dial(&address), accept(&mut pair.listener)).await;
    drop(far);
    assert_unusable(&*near.expect("dial"), &pair.dialler).await;
}

/// Whoever has dialled and was not accepted when the listener was dropped, however far that had come, does not wait
/// for ever: the dial fails, or what it gave has ended.
pub async fn a_dropped_listener_ends_those_it_has_not_accepted<H: Harness>() {
    // Each time the listener does one thing more, until it accepts; later a few at a time.
    let mut waits = 0;
    while assert_listener_ends_newcomer::<H>(waits).await == Newcomer::Ended {
        waits += 1 + waits / 16;
    }
}

/// What became of somebody who dialled a listener that was about to be dropped.
#[derive(PartialEq, Eq)]
enum Newcomer {
    Accepted,
    Ended,
}

/// The listener is waited at so many times, and dropped.
async fn assert_listener_ends_newcomer<H: Harness>(waits: usize) -> Newcomer {
    let Pair { mut listener, dialler, host, .. } = Pair::connected::<H>().await;
    let address = listener.addresses().remove(0);
    let mut dial = pin!(dialler.transport.dial(&address));
    let mut early = None;
    for turn in 0..NEWCOMER_TURNS.max(waits) {
        early = early.or_else(|| poll_once(dial.as_mut()));
        if turn < waits && poll_once(pin!(listener.accept())).is_some_and(|arrival| arrival.is_ok()) {
            return Newcomer::Accepted;
        }
        yield_now().await;
    }
    drop(listener);
    let dialled = match early {
        Some(dialled) => dialled,
        None => dial.await,
    };
    if let Ok(near) = dialled {
        assert_unusable(&*near, &dialler).await;
    }
    drop(host);
    Newcomer::Ended
}

/// A node that goes away with its listener, its connections, its streams and its transport, and says nothing,
/// has ended for its peer: whoever waits to read, to accept or to write there hears of it. It works from either side.
pub async fn a_node_that_drops_everything_ends_for_its_peer<H: Harness>() {
    let Pair { near, far, streams, listener, dialler, host } = Pair::connected::<H>().await;
    let (gone, mut left): (Vec<_>, Vec<_>) = streams.into_iter().map(|ends| (ends.near, ends.far)).unzip();
    let dropping = async {
        yield_now().await;
        drop((gone, near, dialler));
    };
    both(dropping, assert_ended(&mut left[0])).await;
    for stream in &mut left {
        assert_ended(stream).await;
        assert_unwritable(stream).await;
    }
    assert_closed(far.accept().await);
    drop((listener, host));

    let Pair { near, far, streams, listener, dialler, host } = Pair::connected::<H>().await;
    let address = listener.addresses().remove(0);
    let (mut left, gone): (Vec<_>, Vec<_>) = streams.into_iter().map(|ends| (ends.near, ends.far)).unzip();
    let dropping = async {
        yield_now().await;
        drop((gone, far, listener, host));
    };
    both(dropping, assert_ended(&mut left[0])).await;
    for stream in &mut left {
        assert_ended(stream).await;
        assert_unwritable(stream).await;
    }
    assert_closed(near.open(dialler.transport.streams()[0]).await);
    assert!(dialler.transport.dial(&address).await.is_err(), "nobody is there any more");
}

/// Streams cannot be opened on the connection, or end.
async fn assert_unusable(near: &dyn Connection, dialler: &Node) {
    match near.open(dialler.transport.streams()[0]).await {
        Ok(mut stream) => {
            assert_ended(&mut stream).await;
            assert_unwritable(&mut stream).await;
        }
        refused => assert_closed(refused),
    }
}

/// Polls after which a dial has come as far as it can without a listener that accepts.
const NEWCOMER_TURNS: usize = 500;
