//! Ten thousand connections that come to nothing, at a node that has a session: its calls are answered as before, and
//! nothing is left of them afterwards. The node, the one that calls and the flood are processes of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use actor_cluster::RefusalCause;
use actor_cluster::testing::is_full;
use actor_cluster::transport::Address;
use actor_core::ActorRef;
use integration_tests::echo::Say;
use integration_tests::flood::p99;
use integration_tests::siege::Kind;
use integration_tests::vitals::{Signs, TELLS_VITALS, VITALS, Vitals};
use integration_tests::{Authority, NodeProcess, Way};
use tokio::process::Command;

use crate::support::{Member, guarded_for};

const HANG: Duration = Duration::from_secs(900);

/// How much slower the slowest call in a hundred may be during a flood.
const SLOWER_MAX: u32 = 3;

/// How much more memory the process may have after a flood than after a first, smaller one: what a flood takes once, such as the
/// allocator's, is there by then.
const GROWTH_KIB_MAX: u64 = 2048;

/// How many connections there are a second.
const PER_SECOND: u32 = 250;

/// How many there are in all, of all kinds.
fn connections() -> u32 {
    if is_full() { 10_000 } else { 900 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_tcp_leaves_calls_and_memory_as_they_were() {
    guarded_for(HANG, besieged(Way::Tcp, &Kind::TCP)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_quic_leaves_calls_and_memory_as_they_were() {
    guarded_for(HANG, besieged(Way::Quic, &Kind::QUIC)).await;
}

async fn besieged(way: Way, kinds: &[Kind]) {
    let mut siege = Siege::begin(way).await;
    siege.calls(Duration::from_secs(1)).await;
    let cold = siege.signs().await;
    for kind in kinds {
        siege.flood(*kind, connections() / 10 / kinds.len() as u32).await;
    }
    let before = siege.quiet(&cold).await;
    let (mut undisturbed, mut disturbed, mut made) = (Vec::new(), Vec::new(), 0);
    for kind in kinds {
        let span = Duration::from_secs(if is_full() { 4 } else { 1 });
        let calm = siege.calls(span).await;
        let (flooded, count, took) = siege.flood(*kind, connections() / kinds.len() as u32).await;
        println!(
            "{way} {kind}: {count} in {took:?}; {} calls undisturbed, p50 {:?}, p99 {:?}; {} during it, p50 {:?}, p99 {:?}, slowest {:?}",
            calm.len(), calm[calm.len() / 2], p99(&calm), flooded.len(), flooded[flooded.len() / 2], p99(&flooded), flooded[flooded.len() - 1],
        );
        undisturbed.extend(calm);
        disturbed.extend(flooded);
        made += count;
    }
    let after = siege.quiet(&cold).await;
    undisturbed.sort_unstable();
    disturbed.sort_unstable();
    let refused: Vec<_> = RefusalCause::ALL.into_iter().map(|cause| (cause, after.refused_for(cause) - before.refused_for(cause))).filter(|(_, n)| *n > 0).collect();
    println!(
        "{way}: {made} connections; p99 {:?} undisturbed, {:?} during it; KiB {}, then {} after a first flood, {} in the end; {refused:?}",
        p99(&undisturbed), p99(&disturbed), cold.resident_kib, before.resident_kib, after.resident_kib,
    );
    assert!(after.resident_kib <= before.resident_kib + GROWTH_KIB_MAX);
    assert!(p99(&disturbed) <= p99(&undisturbed) * SLOWER_MAX);
}

/// A node that is flooded, and one that has a session with it.
struct Siege {
    caller: Member,
    target: SocketAddr,
    echo: ActorRef<Say>,
    vitals: ActorRef<Vitals>,
    _besieged: NodeProcess,
}

impl Siege {
    async fn begin(way: Way) -> Self {
        let authority = Authority::new().unwrap();
        let caller = authority.keys("caller", &[way]).unwrap();
        let besieged = authority.keys("besieged", &[way]).unwrap();
        let mut caller = Member::start(&caller, &[besieged.node]).await;
        let invitation = caller.invitation(&besieged, way);
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let process = NodeProcess::start(program, [TELLS_VITALS], &invitation).await.unwrap();
        caller.ready(besieged.node).await;
        let echo = caller.echo_of(besieged.node).unwrap();
        let vitals = caller.node().group::<Vitals>(VITALS).remove(0);
        let signs = vitals.call(Vitals::Now).await.unwrap();
        let address: Address = signs.addresses[0].parse().unwrap();
        let target = address.rest().parse().unwrap();
        Self { caller, target, echo, vitals, _besieged: process }
    }

    async fn signs(&self) -> Signs {
        self.vitals.call(Vitals::Now).await.unwrap()
    }

    /// Waits until nothing is left of those who came.
    async fn quiet(&self, before: &Signs) -> Signs {
        loop {
            let now = self.signs().await;
            assert_eq!(now.sessions, before.sessions);
            if (now.tasks, now.descriptors) == (before.tasks, before.descriptors) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await; // sleep: another process, which says nothing
        }
    }

    /// How long calls take, one after the other, for so long; the quickest first.
    async fn calls(&self, span: Duration) -> Vec<Duration> {
        let until = Instant::now() + span;
        let mut took = Vec::new();
        while Instant::now() < until {
            took.push(self.call().await);
        }
        took.sort_unstable();
        took
    }

    async fn call(&self) -> Duration {
        let text = "x".repeat(64);
        let began = Instant::now();
        assert_eq!(self.echo.call(|port| Say::This(text.clone(), port)).await.unwrap(), text);
        began.elapsed()
    }

    /// How long calls take while there is a flood, how many connections it has made, and how long it took.
    async fn flood(&mut self, kind: Kind, count: u32) -> (Vec<Duration>, u32, Duration) {
        let flooder = Command::new("nice")
            .args(["-n", "19", env!("CARGO_BIN_EXE_flooder")])
            .args([kind.to_string(), count.to_string(), PER_SECOND.to_string(), self.target.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let flooding = tokio::spawn(flooder.wait_with_output());
        let mut took = Vec::new();
        while !flooding.is_finished() {
            took.push(self.call().await);
        }
        took.sort_unstable();
        let output = flooding.await.unwrap().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let (made, millis) = told.trim().split_once(' ').expect("it says what it did");
        (took, made.parse().unwrap(), Duration::from_millis(millis.parse().unwrap()))
    }
}
