//! Ten thousand connections that come to nothing, at a node that has a session: its calls are answered as before, and
//! nothing is left of them afterwards. The node, the one that calls and the flood are processes of their own.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use actor_cluster::testing::is_full;
use actor_cluster::transport::Address;
use actor_cluster::{NodeEvent, NodeSession, RefusalCause};
use actor_core::ActorRef;
use futures_util::FutureExt;
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

/// How much more memory the process may have after a flood than after the one before. What a flood takes once, such as room of the
/// allocator's for as many handshakes as there ever were at a time, is there by then; what leaks does so each time.
const GROWTH_KIB_MAX: u64 = 2048;

/// How many floods there may be until one is like the one before it: at how many handshakes a flood is at a time is up to the
/// machine.
const FLOODS_MAX: u32 = 5;

/// How many connections there are a second.
const PER_SECOND: u32 = 250;

/// How long QUIC takes to forget the last handshake that nobody finishes: its deadline, and three times as long as an answer
/// may take.
const FORGOTTEN: Duration = Duration::from_secs(14);

/// How many there are in all, of all kinds, and how many in the flood before that.
fn connections() -> (u32, u32) {
    if is_full() { (10_000, 3_000) } else { (900, 900) }
}

/// How long who floods goes on with a connection that nobody ends: longer than a handshake may take in the long form.
fn patience() -> Duration {
    Duration::from_secs(if is_full() { 15 } else { 1 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_tcp_leaves_calls_and_memory_as_they_were() {
    guarded_for(HANG, async {
        let (made, before, after) = besieged(Way::Tcp, &Kind::TCP).await;
        let refused = |signs: &Signs| signs.refused_for(RefusalCause::Unfinished);
        assert_eq!(refused(&after) - refused(&before), u64::from(made), "each is counted once");
        assert_eq!(refused(&after), after.refused_in_all(), "and for no other cause");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_quic_leaves_calls_and_memory_as_they_were() {
    guarded_for(HANG, async {
        let (made, before, after) = besieged(Way::Quic, &Kind::QUIC).await;
        let refused = |cause| after.refused_for(cause) - before.refused_for(cause);
        let (strangers, unfinished) = (refused(RefusalCause::Untrusted), refused(RefusalCause::Unfinished));
        // Noise is nobody, and those who do not prove their address when places are scarce are not remembered.
        assert!(strangers > 0 && unfinished > 0, "{after:?}");
        assert!(strangers + unfinished >= u64::from(made / 3), "every stranger is counted: {after:?}");
    })
    .await;
}

/// Floods a node twice. How many connections the second flood made, and what there was of the node before it and after.
async fn besieged(way: Way, kinds: &[Kind]) -> (u32, Signs, Signs) {
    let mut siege = Siege::begin(way).await;
    siege.calls(Duration::from_secs(1)).await;
    let cold = siege.signs().await;
    let (count, count_first) = connections();
    let each = |count: u32| count / u32::try_from(kinds.len()).unwrap();
    for kind in kinds {
        siege.flood(*kind, each(count_first)).await;
    }
    let before = siege.quiet(&cold).await;
    let (mut undisturbed, mut disturbed, mut made) = (Vec::new(), Vec::new(), 0);
    for kind in kinds {
        // In turns, so that both see the same machine.
        let calm = siege.calls(Duration::from_secs(if is_full() { 4 } else { 1 })).await;
        let flood = siege.flood(*kind, each(count)).await;
        said(format_args!(
            "{way} {kind}: {} in {:?}; calls without: {}; with: {}",
            flood.made,
            flood.took,
            Spread(&calm),
            Spread(&flood.calls),
        ));
        undisturbed.extend(calm);
        disturbed.extend(flood.calls);
        made += flood.made;
    }
    let after = siege.quiet(&cold).await;
    let (resident, floods) =
        siege.settle(kinds, each(count), &cold, [&before, &after].map(|signs| signs.resident_kib)).await;
    undisturbed.sort_unstable();
    disturbed.sort_unstable();
    let causes = RefusalCause::ALL.map(|cause| (cause, after.refused_for(cause) - before.refused_for(cause)));
    said(format_args!(
        "{way}: {made} connections; calls without: {}; with: {}; refused: {:?}; \
         KiB {}, {} after a first flood, {} after the second, {resident} after {floods}",
        Spread(&undisturbed),
        Spread(&disturbed),
        causes.iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(),
        cold.resident_kib,
        before.resident_kib,
        after.resident_kib,
    ));
    assert_eq!(made, each(count) * u32::try_from(kinds.len()).unwrap(), "all could connect");
    siege.assert_undisturbed();
    // A second of a machine that does something else as well says nothing of the slowest.
    if is_full() {
        assert!(p99(&disturbed) <= p99(&undisturbed) * SLOWER_MAX, "calls were slower");
    }
    (made, before, after)
}

#[expect(clippy::print_stdout, reason = "the long form is run for these figures")]
fn said(figures: fmt::Arguments<'_>) {
    println!("{figures}");
}

/// How long calls took, the quickest first.
struct Spread<'a>(&'a [Duration]);

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(took) = self;
        let (p50, slowest) = (took[took.len() / 2], took[took.len() - 1]);
        write!(f, "{} of p50 {p50:?}, p99 {:?}, slowest {slowest:?}", took.len(), p99(took))
    }
}

/// What a flood did.
struct Flood {
    /// How many connections it has made.
    made: u32,
    took: Duration,
    /// How long calls took meanwhile, the quickest first.
    calls: Vec<Duration>,
}

/// A node that is flooded, and one that has a session with it.
struct Siege {
    way: Way,
    caller: Member,
    session: NodeSession,
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
        let session = caller.node().sessions().remove(0);
        Self { way, caller, session, target, echo, vitals, _besieged: process }
    }

    async fn signs(&self) -> Signs {
        self.vitals.call(Vitals::Now).await.unwrap()
    }

    /// Waits until nothing is left of those who came.
    async fn quiet(&self, before: &Signs) -> Signs {
        if self.way == Way::Quic {
            tokio::time::sleep(FORGOTTEN).await; // sleep: what is waited for takes real time
        }
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

    /// Floods the node while it is called. The flood stands back behind the node and us where there are not processors enough: it is
    /// on another machine otherwise.
    async fn flood(&mut self, kind: Kind, count: u32) -> Flood {
        let (millis, target) = (patience().as_millis().to_string(), self.target.to_string());
        let flooder = Command::new("nice")
            .args(["-n", "19", env!("CARGO_BIN_EXE_flooder"), &kind.to_string()])
            .args([count.to_string(), PER_SECOND.to_string(), target, millis])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let flooding = tokio::spawn(flooder.wait_with_output());
        let mut calls = Vec::new();
        while !flooding.is_finished() {
            calls.push(self.call().await);
        }
        calls.sort_unstable();
        let told = String::from_utf8(flooding.await.unwrap().unwrap().stdout).unwrap();
        let (made, millis) = told.trim().split_once(' ').expect("it says what it did");
        Flood { made: made.parse().unwrap(), took: Duration::from_millis(millis.parse().unwrap()), calls }
    }

    /// Floods on until a flood leaves the memory as the one before it did; `residents` are of the last two. How much it is, after how
    /// many.
    async fn settle(&mut self, kinds: &[Kind], each: u32, cold: &Signs, residents: [u64; 2]) -> (u64, u32) {
        let ([mut before, mut after], mut floods) = (residents, 2);
        while after > before + GROWTH_KIB_MAX {
            assert!(floods < FLOODS_MAX, "each flood takes memory: {before} KiB, and {after} after one more");
            for kind in kinds {
                self.flood(*kind, each).await;
            }
            (before, after) = (after, self.quiet(cold).await.resident_kib);
            floods += 1;
        }
        (after, floods)
    }

    /// The session is the one that was there, and has lost nothing.
    fn assert_undisturbed(&mut self) {
        assert!(self.session.is_ready() && !self.session.is_interrupted());
        while let Some(event) = self.caller.events.next().now_or_never().flatten() {
            let is_lost = matches!(event, NodeEvent::Interrupted { .. }) || event.session_end().is_some();
            assert!(!is_lost, "{event:?}");
        }
    }
}
