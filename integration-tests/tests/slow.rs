//! A peer whose network takes little at a time: who sends to it waits, the session stays as it is, and nothing grows or is lost.

use std::path::Path;
use std::time::Duration;

use actor_cluster::NodeEvent;
use actor_testkit::process::{Conditions, Direction};
use futures_util::FutureExt;
use integration_tests::echo::Say;
use integration_tests::flood::resident_kib;
use integration_tests::{Authority, NodeProcess, Way};

use crate::cut::behind_a_relay;
use crate::load::Load;
use crate::support::guarded;

/// How many bytes a second it takes on each of its connections.
const BYTES_PER_SECOND: u64 = 50_000;

/// For how long.
const SPAN: Duration = Duration::from_secs(2);

/// How much the one who sends may grow meanwhile: its windows and buffers, and not what it would send.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w17_a_slow_reader_keeps_its_senders_waiting_and_loses_nothing() {
    guarded(async {
        let authority = Authority::new().unwrap();
        let [host_keys, guest] = ["host", "guest"].map(|name| authority.keys(name, &[Way::Tcp]).unwrap());
        let (mut host, relay) = behind_a_relay(&host_keys).await;
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let invitation = host.invitation(&guest, Way::Tcp);
        let _process = NodeProcess::start(program, [""; 0], &invitation).await.unwrap();
        host.ready(guest.node).await;
        let echo = host.echo_of(guest.node).unwrap();

        let slow = Conditions::default().with_bytes_per_second(BYTES_PER_SECOND);
        relay.set(Direction::Back, slow);
        let load = Load::start(&echo, 4);
        load.passes(100).await;
        let before = resident_kib();
        let sender = echo.clone();
        let flood = tokio::spawn(async move {
            let mut sent = 0_u64;
            // It would be gibibytes, if anybody took them.
            while sender.send(Say::Load(vec![7; 8192])).await.is_ok() {
                sent += 1;
            }
            sent
        });
        tokio::time::sleep(SPAN).await; // sleep: it is about what does not happen meanwhile
        let grown = resident_kib().saturating_sub(before);
        assert!(grown < GROWTH_KIB_MAX, "{grown} KiB more");
        flood.abort();
        relay.set(Direction::Back, Conditions::default());
        load.passes(2000).await;
        load.has_arrived().await;
        while let Some(event) = host.events.next().now_or_never().flatten() {
            let is_lost = matches!(event, NodeEvent::Interrupted { .. }) || event.session_end().is_some();
            assert!(!is_lost, "{event:?}");
        }
        host.shutdown().await;
    })
    .await;
}
