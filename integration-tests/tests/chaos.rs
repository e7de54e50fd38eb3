//! The quick form of the chaos run: some seconds of kill, stop, cut and heal, every call accounted for. `cargo xtask chaos` is the
//! long one.

use std::time::Duration;

use actor_testkit::process::{Program, or_skip};
use integration_tests::chaos::Flaw;
use integration_tests::chaos::journal::Outcome;
use integration_tests::chaos::run::{Plan, run};

use crate::support::guarded_for;

const HANG: Duration = Duration::from_secs(110);

/// In this one each kind of fault comes at least once.
const SEED: u64 = 325;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_every_call_is_accounted_for_whatever_is_killed_stopped_and_cut() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan {
        program: Program::new(env!("CARGO_BIN_EXE_chaos")),
        nodes: 5,
        per_second: 1000,
        span: Duration::from_secs(6),
        seed: SEED,
        flaw: Flaw::None,
        directory: directory.path().to_owned(),
        in_namespaces: true,
    };
    let mut log = Vec::new();
    let run = run(&plan, |line| log.push(line.to_owned()));
    let Some(report) = or_skip(guarded_for(HANG, run).await) else { return };
    let shown = format!("{}\n{report}", log.join("\n"));
    assert!(report.verdict.is_clean(), "{shown}");
    assert_eq!(report.faults.len(), 6, "{shown}");
    let answered = report.verdict.outcomes.get(&Outcome::Ok).map_or(0, |(count, _)| *count);
    assert!(answered > 1000, "{shown}");
}
