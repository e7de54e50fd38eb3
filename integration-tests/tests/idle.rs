//! A thousand sessions with nothing to say, on one node that is a process of its own: what each takes of its memory, and
//! that what was said before takes none.

use std::fmt;
use std::time::Duration;

use actor_cluster::NodeBuilder;
use actor_cluster::limits::READ_REST;
use actor_cluster::testing::is_full;
use actor_cluster::transport::Address;
use actor_core::ActorRef;
use futures_util::{StreamExt, stream};
use integration_tests::echo::Say;
use integration_tests::vitals::{HEARTBEAT, Signs, TELLS_VITALS, VITALS, Vitals, heartbeat_every};
use integration_tests::{Authority, NodeKeys, NodeProcess, Way};
use tokio::process::Command;

use crate::support::{Member, guarded_for};

const HANG: Duration = Duration::from_secs(900);

/// How many sessions there are before any is counted: what the process needs once is there by then. With the one that the gauge
/// is asked over, and a thousand that are counted, they are as many as a node takes unless told otherwise.
const WARM_UP: usize = 23;

/// How much of the process's memory a session takes that says nothing.
const KIB_PER_SESSION_MAX: f64 = 64.0;

/// How many sessions talk before they are idle.
const TALKERS: usize = 60;

/// How many begin or say something at a time.
const AT_ONCE: usize = 8;

/// How much each says before it is quiet again: more than it has buffers for.
const LOAD_BYTES: usize = 400_000;

/// Has the allocator of glibc give long buffers back to the system as soon as they are free, so that what a process takes of memory
/// is what it has in use. Otherwise it keeps most of them for the next who want some, and nobody could tell whether they are free.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=32768");

fn sessions() -> usize {
    if is_full() { 1000 } else { 100 }
}

/// The pace of heartbeats. A thousand sessions over QUIC, in an unoptimised build, take much of a small machine at the usual one.
fn heartbeat(way: Way) -> Duration {
    let seconds = match way {
        Way::Quic if is_full() => 10,
        _ => 1,
    };
    Duration::from_secs(seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_over_tcp_takes_little_memory() {
    guarded_for(HANG, new(Way::Tcp)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_over_quic_takes_little_memory() {
    guarded_for(HANG, new(Way::Quic)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_tcp_gives_memory_back_when_it_is_idle() {
    guarded_for(HANG, talked(Way::Tcp)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_quic_gives_memory_back_when_it_is_idle() {
    guarded_for(HANG, talked(Way::Quic)).await;
}

/// Sessions that have said nothing yet but what every session says first.
async fn new(way: Way) {
    let mut crowd = Crowd::begin(way, None).await;
    crowd.grow(WARM_UP).await;
    let before = crowd.rested().await;
    crowd.grow(sessions()).await;
    let after = crowd.rested().await;
    let each = each(&before, &after);
    said(format_args!("{way}: {} new sessions, {each:.1} KiB each: {before:?}, then {after:?}", sessions()));
    assert!(each <= KIB_PER_SESSION_MAX, "{each} KiB");
    crowd.assert_there();
}

/// Sessions that have said much, and do no more.
async fn talked(way: Way) {
    let mut crowd = Crowd::begin(way, Some(ALLOCATOR)).await;
    crowd.grow(WARM_UP).await;
    crowd.talk().await;
    let before = crowd.rested().await;
    crowd.grow(TALKERS).await;
    crowd.talk().await;
    let busy = crowd.signs().await;
    let after = crowd.rested().await;
    let (busy, each) = (each(&before, &busy), each(&before, &after));
    said(format_args!(
        "{way}: {TALKERS} sessions, {busy:.1} KiB each when they have just talked, {each:.1} KiB later"
    ));
    assert!(busy > KIB_PER_SESSION_MAX, "it shows: {busy} KiB");
    assert!(each <= kib_rested_max(way), "{each} KiB");
    crowd.assert_there();
}

/// The same as [`KIB_PER_SESSION_MAX`] where the connection is ours. What QUIC's keeps that has carried much is not.
fn kib_rested_max(way: Way) -> f64 {
    if way == Way::Quic { 3.0 * KIB_PER_SESSION_MAX } else { KIB_PER_SESSION_MAX }
}

/// How many KiB each session takes that has come since.
fn each(before: &Signs, after: &Signs) -> f64 {
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    grown as f64 / (after.sessions - before.sessions) as f64
}

#[expect(clippy::print_stdout, reason = "the long form is run for these figures")]
fn said(figures: fmt::Arguments<'_>) {
    println!("{figures}");
}

/// A node that is measured, and those who have sessions with it.
struct Crowd {
    way: Way,
    host: Address,
    /// Keys of those who are still to come.
    keys: std::vec::IntoIter<NodeKeys>,
    members: Vec<Member>,
    vitals: ActorRef<Vitals>,
    _process: NodeProcess,
}

impl Crowd {
    async fn begin(way: Way, environment: Option<(&str, &str)>) -> Self {
        let authority = Authority::new().unwrap();
        let host = authority.keys("host", &[way]).unwrap();
        let guest = |n| authority.keys(&format!("guest-{n}"), &[way]).unwrap();
        let keys: Vec<_> = (0..=WARM_UP + sessions()).map(guest).collect();
        let (peers, mut keys) = (keys.iter().map(|keys| keys.node).collect(), keys.into_iter());
        let mut first = Self::start(way, keys.next().unwrap(), &host).await;
        let mut invitation = first.invitation(&host, way);
        invitation.peers = peers;
        let mut program = Command::new(env!("CARGO_BIN_EXE_echo-node"));
        program.args([TELLS_VITALS, &format!("{HEARTBEAT}{}", heartbeat(way).as_secs())]).envs(environment);
        let process = NodeProcess::start_command(program, &invitation).await.unwrap();
        first.ready(host.node).await;
        let vitals = first.node().group::<Vitals>(VITALS).remove(0);
        let signs = vitals.call(Vitals::Now).await.unwrap();
        let host = signs.addresses[0].parse().unwrap();
        Self { way, host, keys, members: vec![first], vitals, _process: process }
    }

    async fn start(way: Way, keys: NodeKeys, host: &NodeKeys) -> Member {
        let pace = |builder: NodeBuilder| heartbeat_every(builder, heartbeat(way));
        Member::start_with(&keys, &[host.node], pace).await
    }

    async fn signs(&self) -> Signs {
        self.vitals.call(Vitals::Now).await.unwrap()
    }

    /// So many more join.
    async fn grow(&mut self, count: usize) {
        let (host, way) = (&self.host, self.way);
        let node = self.members[0].node().sessions()[0].peer().node;
        let join = |keys: NodeKeys| async move {
            let pace = |builder: NodeBuilder| heartbeat_every(builder, heartbeat(way));
            let member = Member::start_with(&keys, &[node], pace).await;
            member.node().connect_to(node, host).await.unwrap();
            member
        };
        let newcomers: Vec<_> = self.keys.by_ref().take(count).collect();
        let mut joined: Vec<_> = stream::iter(newcomers).map(join).buffer_unordered(AT_ONCE).collect().await;
        self.members.append(&mut joined);
    }

    /// Each says something long, and is answered as long.
    async fn talk(&self) {
        let node = self.members[0].node().sessions()[0].peer().node;
        let talk = |member: &Member| {
            let echo = member.echo_of(node).unwrap();
            async move {
                let text = "x".repeat(LOAD_BYTES);
                assert_eq!(echo.call(|port| Say::This(text.clone(), port)).await.unwrap(), text);
            }
        };
        stream::iter(self.members.iter().map(talk)).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// What there is when nothing but heartbeats was said for long enough.
    async fn rested(&self) -> Signs {
        tokio::time::sleep(READ_REST + 3 * heartbeat(self.way)).await; // sleep: what is measured takes real time
        self.signs().await
    }

    /// No session was lost meanwhile.
    fn assert_there(&mut self) {
        for member in &mut self.members {
            let sessions = member.node().sessions();
            assert!(sessions.len() == 1 && sessions[0].is_ready() && !sessions[0].is_interrupted());
        }
    }
}
