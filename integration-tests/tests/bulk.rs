//! One message as long as a message can be, between two processes over TLS: meanwhile others are called, and the session's
//! own pings are answered, as if it were not there.

use std::path::Path;
use std::time::{Duration, Instant};

use actor_cluster::NodeBuilder;
use actor_cluster::limits::MESSAGE_BYTES_MAX_MOST;
use actor_cluster::testing::is_full;
use actor_core::ActorRef;
use integration_tests::echo::{BYSTANDERS, Say, TAKES_BULK};
use integration_tests::flood::p99;
use integration_tests::{Authority, NodeProcess, Way};

use crate::support::{Member, guarded_for};

const HANG: Duration = Duration::from_secs(300);

/// How long the message is: all but a gibibyte in the long form.
fn load_bytes() -> usize {
    // The fields have a length in front.
    if is_full() { MESSAGE_BYTES_MAX_MOST - 64 } else { 256 << 20 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b16_a_gibibyte_for_one_actor_leaves_calls_to_others_usable() {
    guarded_for(HANG, async {
        let authority = Authority::new().unwrap();
        let host_keys = authority.keys("host", &[Way::Tcp]).unwrap();
        let guest = authority.keys("guest", &[Way::Tcp]).unwrap();
        let settings =
            |builder: NodeBuilder| builder.message_bytes_max(MESSAGE_BYTES_MAX_MOST);
        let mut host = Member::start_with(&host_keys, &[guest.node], settings).await;
        let invitation = host.invitation(&guest, Way::Tcp);
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let _process = NodeProcess::start(program, [TAKES_BULK], &invitation).await.unwrap();
        host.ready(guest.node).await;
        let echo = host.echo_of(guest.node).unwrap();
        let bystander = host.node().group::<Say>(BYSTANDERS).remove(0);
        let undisturbed = calls(&bystander, Instant::now() + Duration::from_secs(1)).await;

        let load = vec![7; load_bytes()];
        let began = Instant::now();
        let sending = tokio::spawn(async move {
            echo.send(Say::Load(load)).await.unwrap();
            // Behind it, as it is for the same actor.
            echo.call(Say::Tally).await.unwrap();
        });
        let mut disturbed = Vec::new();
        while !sending.is_finished() {
            disturbed.extend(calls(&bystander, Instant::now()).await);
        }
        sending.await.unwrap();
        let took = began.elapsed();
        disturbed.sort_unstable();
        #[expect(clippy::print_stdout, reason = "the long form is run for these figures")]
        if is_full() {
            println!(
                "{} MiB in {took:?}; {} calls meanwhile: p50 {:?}, p99 {:?}, slowest {:?}; undisturbed: p99 {:?}",
                load_bytes() >> 20,
                disturbed.len(),
                disturbed[disturbed.len() / 2],
                p99(&disturbed),
                disturbed[disturbed.len() - 1],
                p99(&undisturbed),
            );
        }
        // It is copied once at each end, and who calls meanwhile waits for that, but not for the way.
        let slowest = disturbed[disturbed.len() - 1];
        assert!(slowest < took / 2, "a call took {slowest:?} of {took:?}");
        host.shutdown().await;
    })
    .await;
}

/// How long calls take, one by one until then and at least one; the quickest first.
async fn calls(bystander: &ActorRef<Say>, until: Instant) -> Vec<Duration> {
    let mut took = Vec::new();
    loop {
        let began = Instant::now();
        let answer = bystander.call(|port| Say::This("hello".to_owned(), port)).await;
        assert_eq!(answer.unwrap(), "hello");
        took.push(began.elapsed());
        if Instant::now() >= until {
            took.sort_unstable();
            return took;
        }
    }
}
