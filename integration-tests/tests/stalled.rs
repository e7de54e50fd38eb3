//! One actor takes nothing, a hundred senders on three nodes go on sending to it: they wait,
//! nobody else does, and nothing grows.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, SpawnOptions};
use integration_tests::echo::Say;
use integration_tests::flood::{GAUGES, Gauge, LOAD_BYTES, Report, STUCK, SWIFT};
use integration_tests::{Authority, Invitation, NodeProcess, Way};
use tokio::sync::Semaphore;

use crate::support::{Member, guarded_for};

const GUESTS: usize = 3;
const SENDERS: u32 = 34;
/// How many messages the mailbox of the one that takes nothing has room for.
const MAILBOX: usize = 256;
const HANG: Duration = Duration::from_secs(300);

/// How long it goes on; a minute in the long form.
fn watched_for() -> Duration {
    Duration::from_secs(if std::env::var_os("ACTOR_TEST_FULL").is_some() { 60 } else { 2 })
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
            let address = host.running.address(Way::Tcp).unwrap().to_string();
            let invitation =
                Invitation { keys, peers: vec![host.node().id()], host: host.node().id(), address };
            let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
            guests.push(NodeProcess::start(program, [""; 0], &invitation).await.unwrap());
            host.ready(node).await;
        }
        let gauges = host.gauges().await;
        reports(&gauges).await;
        tokio::time::sleep(watched_for()).await; // sleep: what is measured takes real time
        let undisturbed = reports(&gauges).await;
        assert!(undisturbed.iter().all(|report| report.sent == 0 && report.calls > 0), "{undisturbed:?}");

        for gauge in &gauges {
            gauge.cast(Gauge::Begin(SENDERS)).unwrap();
        }
        let sent = settled(&gauges).await;
        let before = resident_kib();
        tokio::time::sleep(watched_for()).await; // sleep: nothing is to happen meanwhile
        let after = resident_kib();
        let disturbed = reports(&gauges).await;
        assert_eq!(disturbed.iter().map(|report| report.sent).sum::<u64>(), sent, "somebody got through");
        // The mailbox and, for each guest, a window under way when it was asked to hold, and a frame.
        let most = (MAILBOX + 1 + GUESTS * ((1 << 20) / LOAD_BYTES + 1)) as u64;
        assert!((MAILBOX as u64..=most).contains(&sent), "{sent} messages were taken");
        assert!(after <= before + 1024, "{before} KiB have become {after}");
        assert!(disturbed.iter().all(|report| report.calls > 0), "the other is called as before");
        tracing::info!(?undisturbed, ?disturbed, before, after, "stalled");

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
        let sent = reports(gauges).await.iter().map(|report| report.sent).sum();
        if last.replace(sent) == Some(sent) && sent > 0 {
            return sent;
        }
        tokio::time::sleep(Duration::from_millis(300)).await; // sleep: another process, which says nothing
    }
}

/// What this process takes of the machine's memory.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
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
