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

    /// As cargo calls it: what is to do much a second is built to.
    fn profile(self) -> &'static str {
        match self {
            Program::Demo | Program::Cluster => "dev",
            Program::Chaos => "release",
        }
    }
}

pub(crate) fn run(program: Program, args: &[OsString]) -> Outcome {
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

const PACKAGE: &str = "integration-tests";
