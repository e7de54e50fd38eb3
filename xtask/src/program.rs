//! Programs of integration-tests that a developer runs: they are built, and run where the caller
//! stands, with the caller's arguments; their exit codes become ours.

use std::ffi::OsString;

use crate::shell::{self, Outcome};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    /// The word count.
    Demo,
    /// A cluster of processes to play with.
    Cluster,
    /// The chaos run.
    Chaos,
}

impl Program {
    fn bin(self) -> &'static str {
        match self {
            Program::Demo => "word-count",
            Program::Cluster => "cluster",
            Program::Chaos => "chaos",
        }
    }

    /// What it says when it is asked for help, so that nobody waits for a build to read that. The demo's is its own.
    fn help(self) -> Option<&'static str> {
        match self {
            Program::Demo => None,
            Program::Cluster => Some(include_str!("../../integration-tests/src/help/cluster.txt")),
            Program::Chaos => Some(include_str!("../../integration-tests/src/help/chaos.txt")),
        }
    }

    /// As cargo calls it: what is to do much a second is built to.
    fn profile(self) -> &'static str {
        match self {
            Program::Demo | Program::Cluster => "dev",
            Program::Chaos => "release",
        }
    }
}

pub(crate) fn run(program: Program, args: &[OsString]) -> Outcome {
    if let Some(help) = help_on(program, args) {
        print!("{help}");
        return Ok(());
    }
    // Built first and aloud, since the first build takes minutes; then run
    // quietly, so that the program's own lines are the last ones.
    let (bin, profile) = (program.bin(), program.profile());
    let build = ["build", "--package", PACKAGE, "--profile", profile, "--bin", bin];
    shell::run(&mut shell::cargo(build))?;
    let mut words: Vec<OsString> = vec!["run".into(), "--quiet".into(), "--manifest-path".into()];
    words.push(shell::root().join("Cargo.toml").into());
    words.extend(["--package", PACKAGE, "--profile", profile, "--bin", bin, "--"].map(OsString::from));
    shell::run(shell::cargo_here(words).args(args))
}

fn help_on(program: Program, args: &[OsString]) -> Option<&'static str> {
    program.help().filter(|_| args.iter().any(|arg| arg == "--help" || arg == "-h"))
}

const PACKAGE: &str = "integration-tests";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_on_a_program_needs_no_build() {
        for (program, word) in [(Program::Cluster, "plug-in"), (Program::Chaos, "--per-second")] {
            for args in [vec!["--help"], vec!["up", "-h"]] {
                let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
                assert!(help_on(program, &args).is_some_and(|help| help.contains(word)), "{args:?}");
            }
            assert_eq!(help_on(program, &["up".into()]), None);
        }
        assert_eq!(help_on(Program::Demo, &["--help".into()]), None);
    }
}
