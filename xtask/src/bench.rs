//! `cargo xtask bench`: the comparison with other actor systems, which lives in
//! a workspace of its own so that nobody else compiles them. `ci` runs its tests, where
//! every row runs in every system with next to nothing in it; it measures nothing.

use std::ffi::OsString;
use std::process::Command;

use crate::flags::{Length, Suite};
use crate::shell::{self, Failure, Outcome};

pub(crate) fn run(suite: Suite, length: Length, more: &[OsString]) -> Outcome {
    if suite != Suite::Core {
        return Err(absent(suite, "only core is compared so far"));
    }
    if !shell::root().join(PEERS).exists() {
        return Err(absent(suite, &format!("{PEERS} does not exist")));
    }
    // Both binaries: the one that counts is started by the one that measures.
    shell::run(&mut peers("build"))?;
    let mut command = peers("run");
    command.args(["--", suite.name()]);
    if length == Length::Quick {
        command.arg("--quick");
    }
    shell::run(command.args(more))
}

/// Whether everything that can be measured works.
pub(crate) fn test() -> Outcome {
    shell::run(&mut shell::cargo(["test", "--quiet", "--manifest-path", PEERS]))
}

fn peers(what: &str) -> Command {
    shell::cargo([what, "--release", "--manifest-path", PEERS])
}

fn absent(suite: Suite, why: &str) -> Failure {
    let name = suite.name();
    Failure::usage(format!("bench {name}: not part of this version ({why}); nothing was measured"))
}

const PEERS: &str = "integration-tests/peers/Cargo.toml";
