//! Random traffic of real threads, watched by an oracle, through our mailbox and
//! through tokio's channel: what tokio's would fail is not ours to pass.
//!
//! ```text
//!  tasks ───┐ try, wait, give up                            ┌─ handle ─ move ─ sleep
//!  threads ─┴────────► Outbox ··· channel ··· Intake ───────┴─ close, drain or die
//!      └─ what was accepted ──► oracle ◄── what was handled, what was dropped ┘
//! ```
//!
//! No loss, no duplicate, no reorder for each sender; at a drain all that was accepted
//! was handled; every message is dropped once; the bound holds at every step; nobody
//! is left waiting. A minute for all of it; `ACTOR_TEST_FULL=1` takes ten. A failure
//! names its seed, which `ACTOR_STRESS_SEED` sets.

mod channels;
mod oracle;
mod traffic;

use std::time::{Duration, Instant};

use self::channels::{Channel, Ours, Tokios};
use self::oracle::Random;

/// Runs rounds until the time is over.
fn stress<C: Channel>(bound: Option<usize>, seconds: u64) {
    let is_full = std::env::var_os("ACTOR_TEST_FULL").is_some();
    let time = Duration::from_secs(if is_full { 20 * seconds } else { seconds });
    let named: Option<u64> = std::env::var("ACTOR_STRESS_SEED").ok().map(|seed| seed.parse().unwrap());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let mut random = named.map_or_else(Random::new, Random::from_seed);
    let started = Instant::now();
    let mut rounds = 0u32;
    let mut seen = traffic::Seen::default();
    while started.elapsed() < time {
        let seed = if named.is_some() && rounds == 0 { named.unwrap_or_default() } else { random.next() };
        let _named = Named(seed);
        seen.add(&runtime.block_on(traffic::round::<C>(bound, seed)));
        rounds += 1;
    }
    eprintln!("{rounds} rounds: {seen:?}");
    seen.assert_worth_the_time(bound);
}

/// Names the seed of a round that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("ACTOR_STRESS_SEED={}", self.0);
        }
    }
}

/// So that nine of them take about half a minute on two cores.
const OURS_SECONDS: u64 = 8;
const TOKIOS_SECONDS: u64 = 3;

#[test]
fn ours_unbounded() {
    stress::<Ours>(None, OURS_SECONDS);
}

#[test]
fn ours_of_one() {
    stress::<Ours>(Some(1), OURS_SECONDS);
}

#[test]
fn ours_of_four() {
    stress::<Ours>(Some(4), OURS_SECONDS);
}

#[test]
fn ours_of_64() {
    stress::<Ours>(Some(64), OURS_SECONDS);
}

#[test]
fn ours_of_1024() {
    stress::<Ours>(Some(1024), OURS_SECONDS);
}

#[test]
fn ours_by_default() {
    stress::<Ours>(Some(crate::limits::MAILBOX_CAPACITY_DEFAULT), OURS_SECONDS);
}

#[test]
fn tokios_unbounded() {
    stress::<Tokios>(None, TOKIOS_SECONDS);
}

#[test]
fn tokios_of_one() {
    stress::<Tokios>(Some(1), TOKIOS_SECONDS);
}

#[test]
fn tokios_of_64() {
    stress::<Tokios>(Some(64), TOKIOS_SECONDS);
}
