//! `cargo xtask sim`: random users on simulated clusters, as many seeds as are wanted. What runs is an example of actor-testkit,
//! built in the profile `sim`.

use crate::shell::{self, Outcome};

/// What to run, as the command line says.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// How many seeds.
    pub(crate) seeds: u64,
    /// The first of them.
    pub(crate) first: u64,
    /// How many nodes each has; by the seed unless said.
    pub(crate) nodes: Option<u64>,
    /// How many seeds at a time; as many as there are processors unless said.
    pub(crate) jobs: Option<u64>,
    /// Whether all are run, whatever fails.
    pub(crate) keeps_going: bool,
    /// Whether the page of evidence is written anew.
    pub(crate) writes_report: bool,
}

pub(crate) fn run(plan: &Plan) -> Outcome {
    let what = ["--package", "actor-testkit", "--features", "cluster", "--example", "sim"];
    let mut command = shell::cargo(["run", "--profile", "sim"]);
    command.args(what).arg("--").args(arguments(plan));
    if plan.keeps_going {
        command.arg("--keep-going");
    }
    if plan.writes_report {
        command.arg("--report").arg(shell::root().join(PAGE));
    }
    shell::run(&mut command)
}

fn arguments(plan: &Plan) -> Vec<String> {
    let all = [
        ("--seeds", Some(plan.seeds)),
        ("--first", Some(plan.first)),
        ("--nodes", plan.nodes),
        ("--jobs", plan.jobs),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some([name.to_owned(), value?.to_string()]))
        .flatten()
        .collect()
}

const PAGE: &str = "docs/evidence.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_passed_on() {
        let plan =
            Plan { seeds: 7, first: 0, nodes: None, jobs: Some(2), keeps_going: false, writes_report: true };
        assert_eq!(arguments(&plan), ["--seeds", "7", "--first", "0", "--jobs", "2"]);
    }
}
