//! The contract of [`transport`](crate::transport), written once as tests that
//! every transport runs. Must not live here: anything only one transport keeps.
//!
//! A transport's tests implement [`Harness`] and mount the suite; each case
//! becomes a `#[tokio::test]` of its own:
//!
//! ```ignore
//! mod suite {
//!     actor_cluster::transport_suite!(super::MyHarness);
//! }
//! ```
//!
//! The crate that mounts it needs tokio's `macros` and `rt` features. Nothing
//! here sleeps: a case waits for the event it is about, and a guard turns a
//! wait that never ends into a failure.
#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

mod pair;

use std::any::Any;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::pair::{
    Ends, Pair, accept, assert_closed, assert_ended, assert_talk, both, drain, exchange, pattern, poll_once,
    receive, receive_all, send, while_refusing, yield_now,
};
use crate::transport::{Address, CloseCode, CloseReason, LaneSet, PeerIdentity, Transport, TransportError};

/// How long one case may take before it counts as hung. Generous, because a
/// loaded machine is not a defect.
pub const CASE_DEADLINE: Duration = Duration::from_secs(60);

/// More than any bounded transport takes from a writer while nobody reads.
const UNREAD_BYTES_MAX: usize = 64 << 20;

/// One world in which transports of one kind can meet. Each case makes its own.
pub trait Harness: Sized {
    /// Whether streams of this transport have a channel binding.
    const HAS_CHANNEL_BINDING: bool;

    /// What may stand behind the scheme of an address that this transport cannot
    /// read.
    const MALFORMED: &'static [&'static str];

    /// A fresh world: an authority, a network, whatever the nodes share.
    fn new() -> impl Future<Output = Self>;

    /// Another node. All nodes of one world trust each other, and each listens
    /// where the system likes once it is told to.
    fn node(&mut self) -> impl Future<Output = Node>;

    /// The same node after it went away: it has the identity it had, and
    /// listens on exactly the address it had.
    fn again(&mut self, node: Node, address: &Address) -> impl Future<Output = Node>;

    /// A well-formed address at which nobody listens.
    fn nobody(&mut self) -> impl Future<Output = Address>;

    /// Opens the transport's raw medium to the address and says nothing, for as
    /// long as the answer is held. `None` where there is no such thing.
    fn silent_peer(&mut self, _address: &Address) -> impl Future<Output = Option<Box<dyn Any>>> {
        async { None }
    }

    /// Tries to connect as somebody who must not get in, and does not come
    /// back before the listener had what it needs to see that. `false` where
    /// everybody gets in.
    fn bad_peer(&mut self, _address: &Address) -> impl Future<Output = bool> {
        async { false }
    }
}

/// A node of a [`Harness`].
pub struct Node {
    /// Its transport.
    pub transport: Box<dyn Transport>,
    /// What its peers must learn about who it is.
    pub identity: PeerIdentity,
}

/// Generates one `#[tokio::test]` for each case of the
/// [suite](mod@crate::testing::transport_suite), run against a
/// [`Harness`](crate::testing::transport_suite::Harness).
#[macro_export]
macro_rules! transport_suite {
    ($harness:ty) => {
        $crate::transport_suite! { @cases $harness:
            bytes_flow_both_ways_in_order,
            large_transfers_cross_without_deadlock,
            a_writer_waits_for_its_reader,
            identities_are_told_on_connections_and_streams,
            channel_bindings_match_at_both_ends_and_nowhere_else,
            half_close_lets_the_peer_answer,
            closing_a_stream_ends_it_for_both,
            closing_a_connection_ends_its_streams,
            dropping_a_stream_ends_both_directions,
            dropping_a_connection_keeps_its_streams,
            connections_are_independent,
            no_more_streams_open_than_are_announced,
            waiting_can_be_cancelled,
            dialling_nobody_is_unreachable,
            abandoned_dials_leave_the_listener_well,
            unusable_addresses_are_refused,
            every_address_of_a_listener_can_be_dialled,
            dropping_a_listener_frees_its_address,
            w13_a_silent_peer_delays_nobody,
            a_bad_peer_does_not_end_the_listener,
        }
    };
    (@cases $harness:ty: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                use $crate::testing::transport_suite as suite;
                suite::guarded(suite::$case::<$harness>()).await;
            }
        )*
    };
}

/// Runs a case and fails it when it hangs.
pub async fn guarded(case: impl Future<Output = ()>) {
    let started = Instant::now();
    let ended = tokio::time::timeout(CASE_DEADLINE, case).await;
    ended.expect("the case hangs");
    // The deadline wakes the case once more, and one that missed its own
    // wake-up would go on as if nothing had happened.
    assert!(started.elapsed() < CASE_DEADLINE, "the case missed a wake-up");
}

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

/// A dialler opens what [`Transport::streams`] announces; one more is refused.
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

/// `Listener::accept` and `Connection::accept` may be dropped and called again
/// and miss nothing.
pub async fn waiting_can_be_cancelled<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    let impatient = async {
        loop {
            // Each poll is a wait that somebody gave up.
            if let Some(connection) = poll_once(pin!(listener.accept())) {
                break connection.expect("accept");
            }
            yield_now().await;
        }
    };
    let (near, far) = both(dialler.transport.dial(&address), impatient).await;
    let near = near.expect("dial");
    for lanes in dialler.transport.streams() {
        let opened = async {
            let mut stream = near.open(*lanes).await.expect("open");
            send(&mut stream, b"first").await;
            stream
        };
        let impatient = async {
            loop {
                if let Some(stream) = poll_once(pin!(far.accept())) {
                    break stream.expect("accept");
                }
                yield_now().await;
            }
        };
        let (_opened, mut accepted) = both(opened, impatient).await;
        assert_eq!(receive(&mut accepted, 5).await, b"first");
    }
}

/// Nobody there: the dial says so.
pub async fn dialling_nobody_is_unreachable<H: Harness>() {
    let mut world = H::new().await;
    let (node, nobody) = (world.node().await, world.nobody().await);
    let error = node.transport.dial(&nobody).await.err().expect("nobody is there");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(nobody.as_str()), "{error} does not say who was dialled");
}

/// A dial may be dropped at any point; the next one gets through.
pub async fn abandoned_dials_leave_the_listener_well<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    for polls in 0..12 {
        let mut dial = pin!(dialler.transport.dial(&address));
        for _ in 0..polls {
            // A finished dial is dropped as a connection nobody uses.
            if poll_once(dial.as_mut()).is_some() {
                break;
            }
            // The listener makes progress too; whom it lets in is gone by then.
            drop(poll_once(pin!(listener.accept())));
            yield_now().await;
        }
    }
    let dialling = async {
        let connection = dialler.transport.dial(&address).await.expect("dial");
        let mut stream = connection.open(dialler.transport.streams()[0]).await.expect("open");
        send(&mut stream, b"here").await;
        (connection, stream)
    };
    let accepting = async {
        loop {
            // The abandoned may still turn up; none of them says anything.
            let connection = accept(&mut listener).await;
            let Ok(mut stream) = connection.accept().await else { continue };
            let mut greeting = [0; 4];
            if stream.read_exact(&mut greeting).await.is_ok() {
                break (connection, stream, greeting);
            }
        }
    };
    let (_dialled, (_connection, _stream, greeting)) = both(dialling, accepting).await;
    assert_eq!(&greeting, b"here");
}

/// Addresses of another scheme, and such as nobody can read, are refused by
/// name and before anything is sent.
pub async fn unusable_addresses_are_refused<H: Harness>() {
    let mut world = H::new().await;
    let node = world.node().await;
    let scheme = node.transport.scheme().to_owned();
    let foreign = Address::new(&format!("{scheme}+other"), "127.0.0.1:1").expect("an address");
    let malformed = H::MALFORMED.iter().map(|rest| Address::new(&scheme, rest).expect("an address"));
    for address in malformed.chain([foreign]) {
        let error = node.transport.dial(&address).await.err().expect("unusable");
        assert!(matches!(error, TransportError::Address { .. }), "{address}: {error}");
        assert!(error.to_string().contains(address.as_str()), "{error} does not name {address}");
    }
}

/// A listener says where it really listens: each address can be dialled.
pub async fn every_address_of_a_listener_can_be_dialled<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let addresses = pair.listener.addresses();
    assert!(!addresses.is_empty(), "a listener nobody can find");
    for address in addresses {
        assert_eq!(address.scheme(), pair.host.transport.scheme());
        let mut link = pair.connect_to(&address).await;
        assert_talk(&mut link.streams[0]).await;
    }
}

/// A dropped listener is gone: dials fail, and its address can be had again.
pub async fn dropping_a_listener_frees_its_address<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    drop(listener);
    let error = dialler.transport.dial(&address).await.err().expect("nobody listens any more");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    let host = world.again(host, &address).await;
    let listener = host.transport.listen().await.expect("the address is free");
    assert!(listener.addresses().contains(&address), "{:?}", listener.addresses());
    let mut pair = Pair::of(dialler, host, listener).await;
    assert_talk(&mut pair.streams[0]).await;
}

/// Somebody who connects and says nothing does not keep others out.
pub async fn w13_a_silent_peer_delays_nobody<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(world.silent_peer(&address).await);
    }
    let mut pair = Pair::of(dialler, host, listener).await;
    assert_talk(&mut pair.streams[0]).await;
    drop(silent);
}

/// Somebody who must not get in is reported, or not even heard, and the next
/// one gets in.
pub async fn a_bad_peer_does_not_end_the_listener<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    for _ in 0..3 {
        if !while_refusing(&mut listener, world.bad_peer(&address)).await {
            break;
        }
    }
    let mut pair = Pair::of(dialler, host, listener).await;
    assert_talk(&mut pair.streams[0]).await;
}
