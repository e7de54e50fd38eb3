//! The streams of a connection: who is at their ends, how many there are, what they share.

use tokio::io::split;

use super::Harness;
use super::pair::{
    Ends, Flow, Pair, accept, all, assert_closed, assert_talk, beside, both, exchange, open, pattern,
    receive, send, transfer,
};
use crate::transport::{CloseCode, LaneSet};

/// Both sides learn who the other is, on the connection and on each stream.
pub async fn identities_are_told_on_connections_and_streams<H: Harness>() {
    let pair = Pair::connected::<H>().await;
    let (dialler, listener) = (pair.dialler.identity, pair.host.identity);
    assert_eq!(pair.near.peer_identity(), listener);
    assert_eq!(pair.far.peer_identity(), dialler);
    assert!(!pair.near.label().is_empty() && !pair.far.label().is_empty());
    for ends in &pair.streams {
        assert_eq!(ends.near.peer_identity(), listener);
        assert_eq!(ends.far.peer_identity(), dialler);
        assert!(!ends.near.label().is_empty() && !ends.far.label().is_empty());
    }
}

/// Both ends of a stream compute the same channel binding, and no other
/// connection has it. Streams of one connection may share it.
pub async fn channel_bindings_match_at_both_ends_and_nowhere_else<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let other = pair.connect_again().await;
    let bindings_of = |streams: &[Ends]| -> Vec<_> {
        streams.iter().map(|ends| (ends.near.channel_binding(), ends.far.channel_binding())).collect()
    };
    let (first, second) = (bindings_of(&pair.streams), bindings_of(&other.streams));
    for (near, far) in first.iter().chain(&second) {
        assert_eq!(near, far);
        assert_eq!(near.is_some(), H::HAS_CHANNEL_BINDING);
    }
    if H::HAS_CHANNEL_BINDING {
        assert!(first.iter().all(|binding| !second.contains(binding)), "a binding is used twice");
    }
}

/// Streams of two connections have no carrier in common, at either end, and each keeps what it has.
pub async fn no_carrier_is_of_two_connections<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let mut other = pair.connect_again().await;
    let carriers_of = |streams: &[Ends]| -> Vec<_> {
        streams.iter().flat_map(|ends| [ends.near.carrier(), ends.far.carrier()]).flatten().collect()
    };
    let (first, second) = (carriers_of(&pair.streams), carriers_of(&other.streams));
    assert!(first.iter().all(|carrier| !second.contains(carrier)), "{first:?}, {second:?}");
    for ends in pair.streams.iter_mut().chain(&mut other.streams) {
        assert_talk(ends).await;
    }
    assert_eq!((carriers_of(&pair.streams), carriers_of(&other.streams)), (first, second));
}

/// Several connections between the same nodes live side by side, and one's end
/// is not another's.
pub async fn connections_are_independent<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let mut others = vec![pair.connect_again().await, pair.connect_again().await, pair.connect_again().await];
    for link in &mut others {
        for ends in &mut link.streams {
            assert_talk(ends).await;
        }
    }
    let first = others.remove(0);
    first.far.close(&CloseCode::Done.into());
    others.remove(0).streams.clear();
    for ends in others.iter_mut().flat_map(|link| &mut link.streams).chain(&mut pair.streams) {
        assert_talk(ends).await;
    }
}

/// A dialler opens what [`Transport::streams`](crate::transport::Transport::streams) announces; one more is refused.
/// Together the streams carry every lane.
pub async fn no_more_streams_open_than_are_announced<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let announced = pair.dialler.transport.streams();
    let lanes = announced.iter().fold(LaneSet::NONE, |all, lanes| all.union(*lanes));
    assert_eq!(lanes.union(LaneSet::URGENT).union(LaneSet::BULK), LaneSet::ALL, "some lane has no stream");
    assert_eq!(pair.streams.len(), announced.len());
    assert_closed(pair.near.open(LaneSet::ALL).await);
    // Being refused one more harms none of those that are open.
    for ends in &mut pair.streams {
        assert_talk(ends).await;
    }
}

/// Streams of one connection, where it has several, are independent: one that nobody reads
/// takes what fits, and holds back no other stream, not even when all but one are stuck. Nor does it
/// hold back its own other direction, or another connection.
pub async fn a_reader_that_stops_holds_back_its_own_bytes_alone<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    for free in 0..pair.streams.len() {
        let streams = pair.connect_again().await.streams;
        all_stuck_but(free, streams, &mut pair).await;
        let streams = pair.connect_again().await.streams;
        all_stuck_but(free, streams.into_iter().map(Ends::turned).collect(), &mut pair).await;
    }
}

/// With one stream alone nothing is left but its other direction.
async fn all_stuck_but(free: usize, mut streams: Vec<Ends>, pair: &mut Pair) {
    let free = if streams.len() > 1 { Some(streams.remove(free)) } else { None };
    let (mut ways, mut others) = (Vec::new(), Vec::new());
    for Ends { near, far } in streams {
        let ((near_reads, near_writes), (far_reads, far_writes)) = (split(near), split(far));
        ways.push((Flow::default(), near_writes, far_reads));
        others.push((far_writes, near_reads));
    }
    let work = async {
        for (writer, reader) in &mut others {
            transfer(writer, reader).await;
        }
        if let Some(Ends { near, far }) = free {
            both(exchange(near, 1, 2), exchange(far, 2, 1)).await;
        }
        assert_talk(&mut pair.connect_again().await.streams[0]).await;
    };
    let stuck = all(ways.iter_mut().map(|(flow, writer, _)| flow.write_without_end(writer)));
    beside(stuck, work).await;
    for (flow, writer, reader) in &mut ways {
        assert!(flow.written.get() > 0, "a stuck stream took nothing");
        flow.catch_up(writer, reader).await;
    }
}

/// Nothing waits for what was opened before it: a stream that is opened behind one that is stuck, and
/// a connection that is made then, have their bytes at once.
pub async fn what_is_opened_later_passes_what_is_stuck<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let address = pair.listener.addresses().remove(0);
    let dialling = both(pair.dialler.transport.dial(&address), accept(&mut pair.listener)).await;
    let (near, far) = (dialling.0.expect("dial"), dialling.1);
    let mut lanes = pair.dialler.transport.streams().to_vec().into_iter();
    let first = lanes.next().expect("a transport has streams");
    let Ends { near: mut writer, far: mut reader } = open(&*near, &*far, first).await;
    let flow = Flow::default();
    let work = async {
        for lanes in lanes {
            assert_talk(&mut open(&*near, &*far, lanes).await).await;
        }
        assert_talk(&mut pair.connect_again().await.streams[0]).await;
    };
    beside(flow.write_without_end(&mut writer), work).await;
    flow.catch_up(&mut writer, &mut reader).await;
}

/// Between streams there is no order: what was written first may be read last, whichever it is.
pub async fn streams_are_read_in_any_order<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let other = pair.connect_again().await;
    // Those of another connection count as well, so that there are two at least.
    let mut streams: Vec<Ends> = pair.streams.drain(..).chain(other.streams).collect();
    for first in 0..streams.len() {
        let order: Vec<usize> = (0..streams.len()).cycle().skip(first).take(streams.len()).collect();
        for &stream in &order {
            send(&mut streams[stream].near, &pattern(SMALL_BYTES, stream)).await;
        }
        for &stream in order.iter().rev() {
            assert_eq!(receive(&mut streams[stream].far, SMALL_BYTES).await, pattern(SMALL_BYTES, stream));
        }
    }
}

/// What every transport takes without a reader.
const SMALL_BYTES: usize = 1 << 10;
