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
//! The crate that mounts it needs tokio's `macros` and `rt` features. A case waits
//! for the event it is about, and a guard turns a wait that never ends into a
//! failure. What nothing tells, that all is given back, is looked for.
//!
//! Two cases have a long form, which runs where [`is_full`] says so: a gibibyte
//! instead of 64 MiB, 10 000 reconnects instead of 200.
//!
//! | file | what it is about |
//! |---|---|
//! | `bytes` | one stream's bytes: whole, in order, bounded; slow readers; a gibibyte |
//! | `streams` | the streams of a connection: identities, bindings, how many, none in another's way |
//! | `ends` | half-closes, and what is closed or reset |
//! | `drops` | what is dropped without a word: stream, connection, listener, transport |
//! | `dialling` | dials, also those that fail or are given up; listeners |
//! | `reconnects` | one connection after another; what must not be left of them |
#![allow(clippy::missing_panics_doc, reason = "a suite speaks by panicking")]

mod bytes;
mod dialling;
mod drops;
mod ends;
mod holdings;
mod pair;
mod reconnects;
mod streams;

use std::any::Any;
use std::time::{Duration, Instant};

pub use self::bytes::*;
pub use self::dialling::*;
pub use self::drops::*;
pub use self::ends::*;
pub use self::reconnects::*;
pub use self::streams::*;
use super::is_full;
use crate::transport::{Address, PeerIdentity, Transport};

/// How long one case may take before it counts as hung. Generous, because a
/// loaded machine is not a defect.
pub const CASE_DEADLINE: Duration = Duration::from_secs(60);

/// The same in the long form of the tests.
pub const FULL_CASE_DEADLINE: Duration = Duration::from_secs(25 * 60);

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

    /// Somebody who takes the transport's raw connections and never answers, for as long as
    /// the second value is held: the address at which `node` would dial it. `None` where there is no
    /// such thing.
    fn silent_host(&mut self, _node: &Node) -> impl Future<Output = Option<(Address, Box<dyn Any>)>> {
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
            a_slow_reader_loses_nothing,
            a_gibibyte_crosses_whole,
            identities_are_told_on_connections_and_streams,
            channel_bindings_match_at_both_ends_and_nowhere_else,
            no_carrier_is_of_two_connections,
            half_close_lets_the_peer_answer,
            a_half_close_ends_one_direction_alone,
            a_reset_stream_fabricates_nothing,
            closing_a_stream_ends_it_for_both,
            closing_a_connection_ends_its_streams,
            dropping_a_stream_ends_both_directions,
            dropping_a_connection_keeps_its_streams,
            dropping_a_transport_keeps_what_it_has_made,
            a_connection_that_is_dropped_unused_ends_for_the_peer,
            a_dropped_listener_ends_those_it_has_not_accepted,
            a_node_that_drops_everything_ends_for_its_peer,
            connections_are_independent,
            no_more_streams_open_than_are_announced,
            a_reader_that_stops_holds_back_its_own_bytes_alone,
            what_is_opened_later_passes_what_is_stuck,
            streams_are_read_in_any_order,
            waiting_can_be_cancelled,
            dialling_nobody_is_unreachable,
            abandoned_dials_leave_the_listener_well,
            abandoned_dials_leave_nothing_behind,
            a_dial_to_somebody_silent_can_be_given_up,
            unusable_addresses_are_refused,
            every_address_of_a_listener_can_be_dialled,
            dropping_a_listener_frees_its_address,
            w13_a_silent_peer_delays_nobody,
            a_bad_peer_does_not_end_the_listener,
            reconnecting_leaves_nothing_behind,
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
    let deadline = if is_full() { FULL_CASE_DEADLINE } else { CASE_DEADLINE };
    let started = Instant::now();
    let ended = tokio::time::timeout(deadline, case).await;
    ended.expect("the case hangs");
    // The deadline wakes the case once more, and one that missed its own
    // wake-up would go on as if nothing had happened.
    assert!(started.elapsed() < deadline, "the case missed a wake-up");
}
