//! `cargo xtask demo`: builds the word count and runs it where the caller
//! stands, with the caller's arguments; its exit code becomes ours.

use std::ffi::OsString;

use crate::shell::{self, Outcome};

pub(crate) fn run(args: &[OsString]) -> Outcome {
    // Built first and aloud, since the first build takes minutes; then run
    // quietly, so that the demo's own lines are the last ones.
    shell::run(&mut shell::cargo(["build", "--package", PACKAGE, "--bin", BIN]))?;
    shell::run(shell::cargo_here(run_quietly()).args(args))
}

fn run_quietly() -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["run".into(), "--quiet".into(), "--manifest-path".into()];
    words.push(shell::root().join("Cargo.toml").into());
    words.extend(["--package", PACKAGE, "--bin", BIN, "--"].map(OsString::from));
    words
}

const PACKAGE: &str = "integration-tests";
const BIN: &str = "word-count";
