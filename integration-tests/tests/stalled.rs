//! One actor takes nothing, a hundred senders on three nodes go on sending to it: they wait,
//! nobody else does, and nothing grows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::testing::is_full;
use actor_core::{Actor, ActorError, ActorRef, SpawnOptions};
use integration_tests::echo::Say;
use integration_tests::flood::{GAUGES, Gauge, LOAD_BYTES, Report, STUCK, SWIFT, p99, resident_kib};
use integration_tests::{Authority, NodeProcess, Way};
use tokio::sync::Semaphore;

use crate::support::{Member, guarded_for};

const GUESTS: usize = 3;
const SENDERS: u32 = 34;
/// How many messages the mailbox of the one that takes nothing has room for.
const MAILBOX: usize = 256;
const HANG: Duration = Duration::from_secs(600);

/// How much any process may grow while the actor takes nothing.
const GROWTH_KIB_MAX: u64 = 1024;

/// How much slower the slowest call in a hundred may be while there is a stall.
const SLOWER_MAX: u32 = 2;

/// How often calls are measured with a stall and without, in turns, so that both see the same
/// machine.
const TURNS: u32 = 6;

/// How long the actor takes nothing, and how long calls are measured in all turns with a stall, and
/// without: a minute in the long form, or what `ACTOR_TEST_STALL_SECS` says.
fn watched_for() -> Duration {
    let said = std::env::var("ACTOR_TEST_STALL_SECS").ok().and_then(|secs| secs.parse().ok());
    let secs = said.unwrap_or(if is_full() { 60 } else { 2 });
    Duration::from_secs(secs)
}

/// Counts what it is sent, once it may.
struct Stuck {
    gate: Arc<Semaphore>,
}

impl Actor for Stuck {
    type Msg = Say;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Say>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Say>, say: Say, loads: &mut u64) -> Result<(), ActorError> {
        self.gate.acquire().await?.forget();
        match say {
            Say::Load(_) => *loads += 1,
            Say::HowMany(port) => _ = port.send(*loads),
            other => return Err(format!("{other:?} is no load").into()),
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w17_an_actor_that_takes_nothing_stalls_its_own_senders_and_nobody_else() {
    guarded_for(HANG, async {
        let authority = Authority::new().unwrap();
        let host_keys = authority.keys("host", &[Way::Tcp]).unwrap();
        let keys: Vec<_> =
            (0..GUESTS).map(|n| authority.keys(&format!("guest-{n}"), &[Way::Tcp]).unwrap()).collect();
        let peers: Vec<_> = keys.iter().map(|keys| keys.node).collect();
        let mut host = Member::start(&host_keys, &peers).await;
        let gate = Arc::new(Semaphore::new(0));
        let options = SpawnOptions::new().mailbox(MAILBOX.try_into().unwrap());
        let system = host.node().system().clone();
        let stuck = system.spawn(Stuck { gate: gate.clone() }, (), options).await.unwrap();
        host.node().publish(STUCK, &stuck).unwrap();
        let echo = host.echo.clone();
        host.node().publish(SWIFT, &echo).unwrap();

        let mut guests = Vec::new();
        for keys in keys {
            let node = keys.node;
            let invitation = host.invitation(&keys, Way::Tcp);
            let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
            guests.push(NodeProcess::start(program, [""; 0], &invitation).await.unwrap());
            host.ready(node).await;
        }
        let gauges = host.gauges().await;
        let mut stall = Stall { gauges, gate: gate.clone(), taken: 0 };
        // Everybody has called everybody, and has the memory for it.
        stall.measure(watched_for() / 2).await;
        let mut took = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            took[0].extend(stall.measure(watched_for() / TURNS).await);
            stall.begin().await;
            took[1].extend(stall.measure(watched_for() / TURNS).await);
            stall.end().await;
        }
        let [undisturbed, disturbed] = took.map(|mut took| {
            took.sort_unstable();
            p99(&took)
        });

        let sent = stall.begin().await;
        let before = stall.resident_kib().await;
        // In the spans of before, so that as many calls are written down at a time.
        for _ in 0..TURNS {
            stall.measure(watched_for() / TURNS).await;
        }
        let after = stall.resident_kib().await;
        let reports = reports(&stall.gauges).await;
        assert_eq!(sent_in(&reports), sent, "somebody got through");
        // The mailbox and, for each guest, a window under way when it was asked to hold, and a frame.
        let most = (MAILBOX + 1 + GUESTS * ((1 << 20) / LOAD_BYTES + 1)) as u64;
        let waiting = sent - stall.taken;
        assert!((MAILBOX as u64..=most).contains(&waiting), "{waiting} messages were taken");
        #[expect(clippy::print_stdout, reason = "the long form is run for these figures")]
        if is_full() {
            println!(
                "p99 {undisturbed:?} without a stall, {disturbed:?} with one; KiB {before:?}, then {after:?}"
            );
        }
        for (before, after) in before.iter().zip(&after) {
            assert!(*after <= before + GROWTH_KIB_MAX, "{before} KiB have become {after}");
        }
        // Two seconds of a machine that does something else as well say nothing of the slowest.
        if is_full() {
            assert!(disturbed <= undisturbed * SLOWER_MAX, "{undisturbed:?} have become {disturbed:?}");
        }

        drop(stall);
        // Nothing was dropped: all that was taken comes once it may, though those who sent it are
        // gone.
        drop(guests);
        gate.add_permits(Semaphore::MAX_PERMITS / 2);
        let mut loads = 0;
        while loads < sent {
            loads = stuck.call(Say::HowMany).await.unwrap();
        }
        assert_eq!(loads, sent);
        host.shutdown().await;
    })
    .await;
}

/// The guests, and what they do to the actor that takes nothing.
struct Stall {
    gauges: Vec<ActorRef<Gauge>>,
    gate: Arc<Semaphore>,
    /// How many messages the actor has taken all the same, between two stalls.
    taken: u64,
}

impl Stall {
    /// Sends until nobody gets through; how much has.
    async fn begin(&self) -> u64 {
        for gauge in &self.gauges {
            gauge.cast(Gauge::Begin(SENDERS)).unwrap();
        }
        settled(&self.gauges).await
    }

    /// The senders go away, and the actor takes what they have sent.
    async fn end(&mut self) {
        for gauge in &self.gauges {
            gauge.cast(Gauge::End).unwrap();
        }
        let sent = sent_in(&reports(&self.gauges).await);
        self.gate.add_permits(usize::try_from(sent - self.taken).unwrap());
        self.taken = sent;
        while self.gate.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await; // sleep: a semaphore says nothing
        }
    }

    /// How long calls to the other take, for so long; everybody is answered meanwhile.
    async fn measure(&self, span: Duration) -> Vec<Duration> {
        reports(&self.gauges).await;
        tokio::time::sleep(span).await; // sleep: what is measured takes real time
        let reports = reports(&self.gauges).await;
        assert!(reports.iter().all(|report| report.calls > 0), "{reports:?}");
        reports.into_iter().flat_map(|report| report.took).collect()
    }

    /// What each process takes of the machine's memory: the host's, then the guests'.
    async fn resident_kib(&self) -> Vec<u64> {
        // Before it has the guests' reports in memory.
        let host = resident_kib();
        let guests = reports(&self.gauges).await.into_iter().map(|report| report.resident_kib);
        std::iter::once(host).chain(guests).collect()
    }
}

fn sent_in(reports: &[Report]) -> u64 {
    reports.iter().map(|report| report.sent).sum()
}

async fn reports(gauges: &[ActorRef<Gauge>]) -> Vec<Report> {
    let mut reports = Vec::new();
    for gauge in gauges {
        reports.push(gauge.call(Gauge::Report).await.unwrap());
    }
    reports
}

/// Waits until no sender gets through any more, and says how much has.
async fn settled(gauges: &[ActorRef<Gauge>]) -> u64 {
    let mut last = None;
    loop {
        let sent = sent_in(&reports(gauges).await);
        if last.replace(sent) == Some(sent) && sent > 0 {
            return sent;
        }
        tokio::time::sleep(Duration::from_millis(300)).await; // sleep: another process, which says nothing
    }
}

impl Member {
    /// The gauges of all guests, when they are there.
    async fn gauges(&mut self) -> Vec<ActorRef<Gauge>> {
        loop {
            let gauges = self.node().group::<Gauge>(GAUGES);
            if gauges.len() == GUESTS {
                return gauges;
            }
            self.events.next().await.expect("the node lives");
        }
    }
}
