//! `cargo xtask ci` and `check`: the steps a change must pass. All of them run
//! even if one fails, and the closing lines say how long each took, which
//! failed, and how to run it alone.

use std::time::{Duration, Instant};

use crate::flags::{Length, TestPlan};
use crate::shell::{self, Failure, Outcome};
use crate::{bench, features, models, test, tidy};

/// How much of it to run.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scope {
    /// All steps.
    Everything,
    /// All steps but those that run something: the benchmarks and their own tests, the
    /// models, the tests.
    AllButTests,
}

pub(crate) fn run(scope: Scope) -> Outcome {
    let results: Vec<StepResult> = steps(scope).iter().map(Step::run).collect();
    println!("\n{}", summary(&results));
    match results.iter().filter(|result| result.failed).count() {
        0 => Ok(()),
        count => Err(Failure::failed(format!("{count} of {} steps failed", results.len()))),
    }
}

struct Step {
    name: &'static str,
    /// What a person types to run this step and no other.
    alone: &'static str,
    action: fn() -> Outcome,
}

impl Step {
    fn run(&self) -> StepResult {
        println!("\n== {}: {}", self.name, self.alone);
        let start = Instant::now();
        let outcome = (self.action)();
        if let Err(Failure { words: Some(words), .. }) = &outcome {
            eprintln!("{words}");
        }
        StepResult { name: self.name, alone: self.alone, took: start.elapsed(), failed: outcome.is_err() }
    }
}

struct StepResult {
    name: &'static str,
    alone: &'static str,
    took: Duration,
    failed: bool,
}

fn steps(scope: Scope) -> &'static [Step] {
    match scope {
        Scope::Everything => STEPS,
        Scope::AllButTests => &STEPS[..STEPS.len() - 6],
    }
}

fn summary(results: &[StepResult]) -> String {
    let mut text = String::new();
    for result in results {
        let minutes = result.took.as_secs_f64() / 60.0;
        let verdict =
            if result.failed { format!("FAILED, alone: {}", result.alone) } else { "ok".to_owned() };
        text.push_str(&format!("{:<9}{minutes:>6.1} min  {verdict}\n", result.name));
    }
    text
}

fn fmt() -> Outcome {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Outcome {
    shell::run(&mut shell::cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn docs() -> Outcome {
    shell::run(shell::cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
}

fn models() -> Outcome {
    models::run(Length::Quick)
}

fn tests() -> Outcome {
    test::run(&TestPlan::default())
}

fn peers() -> Outcome {
    bench::test()
}

fn remote() -> Outcome {
    bench::test_remote()
}

fn durable() -> Outcome {
    bench::test_durable()
}

/// Quick ones first; those that run something last, because [`Scope::AllButTests`] cuts
/// them off.
const STEPS: &[Step] = &[
    Step { name: "fmt", alone: "cargo fmt --all --check", action: fmt },
    Step { name: "tidy", alone: "cargo xtask tidy", action: tidy::run },
    Step {
        name: "clippy",
        alone: "cargo clippy --workspace --all-targets -- --deny warnings",
        action: clippy,
    },
    Step {
        name: "docs",
        alone: "RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps",
        action: docs,
    },
    Step {
        name: "peers",
        alone: "cargo test --manifest-path integration-tests/peers/Cargo.toml",
        action: peers,
    },
    Step {
        name: "remote",
        alone: "cargo test --manifest-path integration-tests/peers-remote/Cargo.toml",
        action: remote,
    },
    Step {
        name: "durable",
        alone: "cargo test --manifest-path integration-tests/peers-durable/Cargo.toml",
        action: durable,
    },
    // After the benchmarks' tests, which build most of what it needs.
    Step { name: "features", alone: "cargo xtask features", action: features::run },
    Step { name: "models", alone: "cargo xtask models", action: models },
    Step { name: "test", alone: "cargo xtask test", action: tests },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_one_command_runs_all_and_check_runs_nothing() {
        let names = |scope| steps(scope).iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(
            names(Scope::Everything),
            ["fmt", "tidy", "clippy", "docs", "peers", "remote", "durable", "features", "models", "test"]
        );
        assert_eq!(names(Scope::AllButTests), ["fmt", "tidy", "clippy", "docs"]);
    }

    #[test]
    fn the_summary_says_which_failed_and_how_to_run_it_alone() {
        let took = Duration::from_secs(90);
        let good = StepResult { name: "fmt", alone: "cargo fmt", took, failed: false };
        let bad = StepResult { name: "clippy", alone: "cargo clippy", took, failed: true };
        let text = summary(&[good, bad]);
        assert_eq!(text, "fmt         1.5 min  ok\nclippy      1.5 min  FAILED, alone: cargo clippy\n");
    }
}
