//! Random users on simulated clusters, seed after seed: `cargo xtask sim` builds and runs this, and `cargo xtask sim --help` says
//! what it can be told.

#![expect(clippy::print_stdout, reason = "printing is what a command line does")]

mod options;
mod page;
mod progress;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use actor_testkit::cluster::scenario::{Faults, Run, Scenario, Tally, random_users};

use self::options::Options;
use self::progress::Progress;

/// Of so many seeds one is run twice, and must come to the same.
const TWICE_EACH: u64 = 20;

/// One of so many is long, and its faults are far between: what happens then without one has no excuse.
const SPARSE_EACH: u64 = 4;

/// After so many failures no more seeds are begun: they are all the same one, mostly.
const FAILURES_MAX: usize = 3;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let outcome = run_all(&options);
    println!("{}", outcome.tally);
    for (kind, times) in &outcome.tally.faults {
        println!("  {times:>10} {kind}");
    }
    for (invariant, times) in &outcome.tally.checked {
        println!("  {times:>10} checks: {invariant}");
    }
    println!("{} seeds were run twice, and came to the same", outcome.twice);
    if let Some(path) = &options.report {
        let written = std::fs::write(path, page::page(&options, &outcome));
        if let Err(error) = written {
            eprintln!("error: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("written: {}", path.display());
    }
    let Some((seed, _)) = outcome.tally.failures.first() else { return ExitCode::SUCCESS };
    for (invariant, seeds) in by_invariant(&outcome.tally) {
        println!("{} seeds failed: {invariant}", seeds.len());
    }
    println!("the first is run again by:");
    let nodes = options.nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
    println!("  cargo xtask sim --seeds 1 --first {seed}{nodes}");
    ExitCode::FAILURE
}

/// The seeds that each invariant has failed in.
fn by_invariant(tally: &Tally) -> BTreeMap<&str, Vec<u64>> {
    let mut seeds = BTreeMap::<_, Vec<u64>>::new();
    for (seed, invariant) in &tally.failures {
        seeds.entry(invariant.as_str()).or_default().push(*seed);
    }
    seeds
}

/// What all seeds came to.
struct Outcome {
    tally: Tally,
    /// How many were run twice.
    twice: u64,
}

/// A run, and what the same seed came to the second time if there was one.
type Ran = (Run, Option<u64>);

fn run_all(options: &Options) -> Outcome {
    let next = AtomicU64::new(0);
    let (done, ran) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            let done = done.clone();
            scope.spawn(|| work(options, &next, done));
        }
        drop(done);
        gather(options, &next, &ran)
    })
}

/// Runs one seed after another until there are no more.
fn work(options: &Options, next: &AtomicU64, done: Sender<Ran>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.seeds {
            return;
        }
        let seed = options.first.wrapping_add(number);
        let scenario = scenario_of(options, seed);
        let run = if options.keeps_going { scenario.run(seed) } else { scenario.run_and_shrink(seed) };
        let again = (run.failure.is_none() && number.is_multiple_of(TWICE_EACH))
            .then(|| scenario.run(seed).event_hash);
        if done.send((run, again)).is_err() {
            return;
        }
    }
}

fn scenario_of(options: &Options, seed: u64) -> Scenario {
    let users = random_users(options.nodes_of(seed));
    if seed % SPARSE_EACH == SPARSE_EACH - 1 {
        users.lasting(Duration::from_secs(120)).faults(Faults::all().every(Duration::from_secs(40)))
    } else {
        users
    }
}

/// Takes what comes, in whichever order, and counts it in the order of the seeds.
fn gather(options: &Options, next: &AtomicU64, ran: &Receiver<Ran>) -> Outcome {
    let mut progress = Progress::new(options.seeds);
    let mut runs = BTreeMap::new();
    let (mut failures, mut twice) = (0, 0);
    for (mut run, again) in ran {
        twice += u64::from(again.is_some());
        if let Some(hash) = again.filter(|hash| *hash != run.event_hash) {
            println!("seed {} comes to {:016x}, and then to {hash:016x}", run.seed, run.event_hash);
            run.fail("the same seed gives the same run");
        }
        if run.failure.is_some() {
            failures += 1;
            if failures == 1 || !options.keeps_going {
                println!("{run}\n");
            }
            if failures >= FAILURES_MAX && !options.keeps_going {
                next.store(options.seeds, Ordering::Relaxed);
            }
        }
        progress.count(&run);
        runs.insert(run.seed, run);
    }
    progress.end();
    let mut tally = Tally::default();
    runs.values().for_each(|run| tally.add(run));
    Outcome { tally, twice }
}
