//! Two processes, TLS between them, and a relay in the way that cuts every connection, again
//! and again: nothing is lost, repeated or overtaken, and nobody who calls hears of it.

use std::path::Path;
use std::time::Duration;

use actor_cluster::testing::is_full;
use actor_cluster::transport::TransportError;
use actor_cluster::{Mode, NodeServer, StartError};
use actor_core::ActorSystem;
use actor_testkit::process::Relay;
use integration_tests::{Authority, NodeKeys, NodeProcess, Way};

use crate::load::Load;
use crate::support::{Member, guarded_for};

/// So many cuts; the whole number in the long form of the tests.
fn cuts() -> usize {
    if is_full() { 1000 } else { 60 }
}

/// The long form takes a minute or two.
const HANG: Duration = Duration::from_secs(300);

const SENDERS: u32 = 8;

/// How many messages get through between two cuts, at least: some hundred more are under way
/// whenever there is a cut.
const MESSAGES_PER_CUT: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_a_connection_cut_again_and_again_under_load_loses_nothing() {
    guarded_for(HANG, async {
        let authority = Authority::new().unwrap();
        let host_keys = authority.keys("host", &[Way::Tcp]).unwrap();
        let guest = authority.keys("guest", &[Way::Tcp]).unwrap();
        let (mut host, relay) = behind_a_relay(&host_keys).await;
        let invitation = host.invitation(&guest, Way::Tcp);
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let _process = NodeProcess::start(program, [""; 0], &invitation).await.unwrap();
        host.ready(guest.node).await;
        let echo = host.echo_of(guest.node).unwrap();

        let load = Load::start(&echo, SENDERS);
        for cut in 1..=cuts() {
            load.passes(MESSAGES_PER_CUT).await;
            assert_eq!(relay.cut(), 1, "nothing goes another way, cut {cut}");
            host.resumed().await;
        }
        load.has_arrived().await;
        host.shutdown().await;
    })
    .await;
}

/// A node that others reach through a relay alone: it is all that it tells them of.
pub(crate) async fn behind_a_relay(keys: &NodeKeys) -> (Member, Relay) {
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let relay = Relay::to(free, 0).unwrap();
        let transport = keys.tcp().unwrap().listen(free).advertise(relay.address().to_string());
        let system = ActorSystem::new();
        let builder = NodeServer::builder(keys.node).system(system.clone()).mode(Mode::Isolated);
        match builder.transport(transport.build().unwrap()).start().await {
            Ok(server) => return (Member::of(server.into(), &system).await, relay),
            // Somebody else was faster.
            Err(StartError::Transport(TransportError::Bind { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
