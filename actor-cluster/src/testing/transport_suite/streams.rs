//! The streams of a connection: who is at their ends, how many there are, what they share.

use super::Harness;
use super::pair::{Ends, Pair, assert_closed, assert_talk};
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
