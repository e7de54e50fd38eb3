//! `cargo xtask test`: every test of the workspace through nextest where it is
//! installed and through `cargo test` where it is not; doctests through
//! `cargo test` in both, since nextest has none.

use std::process::Command;

use crate::flags::{Length, TestPlan};
use crate::shell::{self, Outcome};

pub(crate) fn run(plan: &TestPlan) -> Outcome {
    // Both run whatever the first says, so that one run shows all that is wrong;
    // the tests last, so that their summary is what one sees.
    let doctests = shell::run(&mut doctests_command(plan));
    let tests = shell::run(&mut tests_command(Runner::installed(), plan));
    tests.and(doctests)
}

/// What runs the tests.
#[derive(Clone, Copy)]
enum Runner {
    Nextest,
    CargoTest,
}

impl Runner {
    fn installed() -> Runner {
        if shell::works(&mut shell::cargo(["nextest", "--version"])) {
            Runner::Nextest
        } else {
            Runner::CargoTest
        }
    }
}

fn tests_command(runner: Runner, plan: &TestPlan) -> Command {
    let mut command = match runner {
        Runner::Nextest => nextest_command(plan),
        Runner::CargoTest => cargo_test_command(&["--tests", "--examples"], plan),
    };
    set_length(&mut command, plan.length);
    command
}

fn doctests_command(plan: &TestPlan) -> Command {
    let mut command = cargo_test_command(&["--doc"], plan);
    set_length(&mut command, plan.length);
    command
}

fn nextest_command(plan: &TestPlan) -> Command {
    let mut command = shell::cargo(["nextest", "run", "--workspace"]);
    if plan.length == Length::Full {
        // The profile with the long hang guard; see .config/nextest.toml.
        command.args(["--profile", "full"]);
    }
    command.args(&plan.filters);
    command
}

fn cargo_test_command(targets: &[&str], plan: &TestPlan) -> Command {
    let mut command = shell::cargo(["test", "--workspace", "--no-fail-fast"]);
    command.args(targets).arg("--").args(&plan.filters);
    command
}

fn set_length(command: &mut Command, length: Length) {
    if length == Length::Full {
        command.env("ACTOR_TEST_FULL", "1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> String {
        command.get_args().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn plan(length: Length) -> TestPlan {
        TestPlan { length, filters: vec!["a01".into()] }
    }

    #[test]
    fn both_runners_see_the_workspace_and_the_filters() {
        let nextest = tests_command(Runner::Nextest, &plan(Length::Quick));
        assert_eq!(words(&nextest), "nextest run --workspace a01");
        let cargo_test = tests_command(Runner::CargoTest, &plan(Length::Quick));
        assert_eq!(words(&cargo_test), "test --workspace --no-fail-fast --tests --examples -- a01");
        assert_eq!(
            words(&doctests_command(&plan(Length::Quick))),
            "test --workspace --no-fail-fast --doc -- a01"
        );
    }

    #[test]
    fn only_the_full_form_says_so_to_the_suites() {
        let says_full = |command: &Command| command.get_envs().any(|(name, _)| name == "ACTOR_TEST_FULL");
        for runner in [Runner::Nextest, Runner::CargoTest] {
            assert!(says_full(&tests_command(runner, &plan(Length::Full))));
            assert!(!says_full(&tests_command(runner, &plan(Length::Quick))));
        }
        assert!(words(&tests_command(Runner::Nextest, &plan(Length::Full))).contains("--profile full"));
    }
}
