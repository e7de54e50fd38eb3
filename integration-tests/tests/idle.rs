//! A thousand sessions with nothing to say, on one node that is a process of its own: what each takes of its memory, and
//! that what was said before takes none.

use std::path::Path;
use std::time::Duration;

use actor_cluster::testing::is_full;
use actor_core::ActorRef;
use futures_util::StreamExt;
use futures_util::stream;
use integration_tests::echo::{ECHOES, Say};
use integration_tests::vitals::{Signs, TELLS_VITALS, VITALS, Vitals};
use integration_tests::{Authority, NodeProcess, Way};

use crate::support::{Member, guarded_for};

const HANG: Duration = Duration::from_secs(900);

/// How many sessions there are before any is counted: what the process needs once is there by then. With the one that the gauge
/// is asked over, and those that are counted, they are as many as a node takes unless told otherwise.
const WARM_UP: usize = 23;

/// How much of the process's memory a session takes that says nothing.
const KIB_PER_SESSION_MAX: u64 = 64;

fn sessions() -> usize {
    if let Ok(said) = std::env::var("IDLE_N") {
        return said.parse().unwrap();
    }
    if is_full() { 1000 } else { 120 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_idle_over_tcp() {
    guarded_for(HANG, idle(Way::Tcp)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_idle_over_quic() {
    guarded_for(HANG, idle(Way::Quic)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_idle_over_iroh() {
    guarded_for(HANG, idle(Way::Iroh)).await;
}

async fn idle(way: Way) {
    let authority = Authority::new().unwrap();
    let subject = authority.keys("subject", &[way]).unwrap();
    let count = WARM_UP + sessions();
    let keys: Vec<_> = (0..=count).map(|n| authority.keys(&format!("member-{n}"), &[way]).unwrap()).collect();
    let warden = Member::start(&keys[0], &[subject.node]).await;
    let mut invitation = warden.invitation(&subject, way);
    invitation.peers = keys.iter().map(|keys| keys.node).collect();
    let program = std::env::var("WRAP").unwrap_or(env!("CARGO_BIN_EXE_echo-node").to_owned());
    let program = Path::new(&program);
    let process = NodeProcess::start(program, [TELLS_VITALS], &invitation).await.unwrap();
    eprintln!("pid {:?}", process.id());
    let mut warden = warden;
    warden.ready(subject.node).await;
    let vitals = loop {
        match warden.node().group::<Vitals>(VITALS).pop() {
            Some(v) => break v,
            None => tokio::task::yield_now().await,
        }
    };
    let signs = vitals.call(Vitals::Now).await.unwrap();
    let address: actor_cluster::transport::Address = signs.addresses[0].parse().unwrap();
    let join = |keys: integration_tests::NodeKeys| {
        let address = address.clone();
        let node = subject.node;
        async move {
            let member = Member::start(&keys, &[node]).await;
            member.node().connect_to(node, &address).await.unwrap();
            member
        }
    };
    let mut members = Vec::new();
    let began = std::time::Instant::now();
    let mut more = stream::iter(keys[1..=WARM_UP].to_vec()).map(join).buffer_unordered(8);
    while let Some(m) = more.next().await {
        members.push(m)
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = vitals.call(Vitals::Now).await.unwrap();
    let mut more = stream::iter(keys[WARM_UP + 1..].to_vec()).map(join).buffer_unordered(8);
    while let Some(m) = more.next().await {
        members.push(m)
    }
    eprintln!("{} in {:?}", members.len(), began.elapsed());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = vitals.call(Vitals::Now).await.unwrap();
    report("fresh", &before, &after);
    // Each says something long, is answered as long, and is quiet again.
    for chunk in members.chunks(8) {
        let calls = chunk.iter().map(|member| async move {
            let text = "x".repeat(std::env::var("LONG").map_or(200_000, |l| l.parse().unwrap()));
            let echo: ActorRef<Say> =
                member.node().group::<Say>(ECHOES).into_iter().find(|echo| !echo.is_local()).unwrap();
            assert_eq!(echo.call(|port| Say::This(text.clone(), port)).await.unwrap(), text);
        });
        futures_util::future::join_all(calls).await;
    }
    for secs in [2, 10, std::env::var("LAST").map_or(40, |l| l.parse().unwrap())] {
        tokio::time::sleep(Duration::from_secs(secs)).await;
        let after = vitals.call(Vitals::Now).await.unwrap();
        report(&format!("after {secs}"), &before, &after);
    }
    assert_eq!(after.sessions, before.sessions + sessions() as u64);
    let took = (after.resident_kib - before.resident_kib) / sessions() as u64;
    assert!(took <= KIB_PER_SESSION_MAX, "{took}");
}

fn report(what: &str, before: &Signs, after: &Signs) {
    let n = after.sessions - before.sessions;
    eprintln!(
        "{what}: {} KiB -> {} KiB, {} sessions, {:.1} KiB each; {after:?}",
        before.resident_kib,
        after.resident_kib,
        n,
        (after.resident_kib - before.resident_kib) as f64 / n as f64
    );
}
