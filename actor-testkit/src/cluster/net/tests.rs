//! The simulated network keeps the contract of transports, on a way that is rough, and in virtual time. Two cases count what a
//! runtime of tokio's holds, and are not for this one.

use std::cell::RefCell;
use std::time::Duration;

use actor_cluster::NodeId;
use actor_cluster::testing::transport_suite::{self as suite, Harness, Node};
use actor_cluster::transport::{Address, LaneSet, PeerIdentity};

use super::*;
use crate::simulation::Simulation;

/// As many as any case has.
const NODES: usize = 128;
const HANG: Duration = Duration::from_secs(24 * 60 * 60);

thread_local! {
    /// The network of the case that this thread runs, and how many nodes are on it.
    static NETWORK: RefCell<Option<(Net, usize)>> = const { RefCell::new(None) };
}

struct SimHarness {
    net: Net,
}

impl SimHarness {
    fn transport(&self, index: usize, identity: PeerIdentity) -> Node {
        self.net.begin_life(index);
        let executor = actor_core::Executor::custom(Arc::new(self.net.world.clone()));
        let streams = Arc::new([LaneSet::CONTROL, LaneSet::DATA]);
        Node {
            transport: Box::new(SimTransport::new(&self.net, index, identity, streams, executor)),
            identity,
        }
    }
}

impl Harness for SimHarness {
    const HAS_CHANNEL_BINDING: bool = false;
    const MALFORMED: &'static [&'static str] = &["node", "node-", "node-x", "3", "node-3.4", "node--1"];

    async fn new() -> Self {
        let network = NETWORK.with_borrow(Clone::clone);
        Self { net: network.expect("the case has a network").0 }
    }

    async fn node(&mut self) -> Node {
        let index = NETWORK.with_borrow_mut(|network| {
            let (_, nodes) = network.as_mut().expect("the case has a network");
            *nodes += 1;
            *nodes - 1
        });
        let key = u8::try_from(index).expect("there are fewer");
        self.transport(index, PeerIdentity::Node(NodeId::from_bytes([key; 32])))
    }

    async fn again(&mut self, node: Node, address: &Address) -> Node {
        let index = address.rest().strip_prefix("node-").and_then(|index| index.parse().ok());
        self.transport(index.expect("it is an address of this network"), node.identity)
    }

    async fn nobody(&mut self) -> Address {
        address_of(NODES - 1)
    }
}

/// With the conditions that a case is for.
fn run(conditions: Conditions, case: impl Future<Output = ()>) {
    let mut simulation = Simulation::seeded(1).steps_max(u64::MAX);
    let world = simulation.handle();
    let net = Net::new(1, NODES, conditions, world.clone(), Recorder::new(world));
    NETWORK.with_borrow_mut(|network| *network = Some((net, 0)));
    let guarded = simulation.executor().timeout(HANG, case);
    assert!(simulation.block_on(guarded).is_ok(), "the case hangs");
}

/// Nobody in these cases counts on a connection more than was dialled.
const ROUGH: Conditions = Conditions { duplicates: 0.0, ..Conditions::rough() };
/// For cases that wait for others to act and let no time pass, among others.
const INSTANT: Conditions = Conditions::lan().with_delay(Duration::ZERO, Duration::ZERO);

macro_rules! cases {
    ($conditions:expr; $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                run($conditions, suite::$case::<SimHarness>());
            }
        )*
    };
}

cases! {
    ROUGH;
    bytes_flow_both_ways_in_order,
    a_writer_waits_for_its_reader,
    a_slow_reader_loses_nothing,
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
    a_node_that_drops_everything_ends_for_its_peer,
    connections_are_independent,
    no_more_streams_open_than_are_announced,
    what_is_opened_later_passes_what_is_stuck,
    streams_are_read_in_any_order,
    dialling_nobody_is_unreachable,
    abandoned_dials_leave_the_listener_well,
    a_dial_to_somebody_silent_can_be_given_up,
    unusable_addresses_are_refused,
    every_address_of_a_listener_can_be_dialled,
    dropping_a_listener_frees_its_address,
    w13_a_silent_peer_delays_nobody,
    a_bad_peer_does_not_end_the_listener,
}

cases! {
    INSTANT;
    // So much that it takes long in small pieces.
    a_reader_that_stops_holds_back_its_own_bytes_alone,
    large_transfers_cross_without_deadlock,
    a_dropped_listener_ends_those_it_has_not_accepted,
    waiting_can_be_cancelled,
}
