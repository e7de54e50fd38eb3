//! `cargo xtask bench`: the comparisons with other actor systems, within a process and between
//! two. Each lives in a workspace of its own so that nobody else compiles them. `ci` runs their
//! tests, where every row runs in every system with next to nothing in it; it measures nothing.

use std::ffi::OsString;
use std::process::Command;

use crate::flags::{Length, Suite};
use crate::shell::{self, Failure, Outcome};

pub(crate) fn run(suite: Suite, length: Length, more: &[OsString]) -> Outcome {
    let Some(manifest) = manifest(suite) else {
        return Err(absent(suite, "only core and remote are compared so far"));
    };
    if !shell::root().join(manifest).exists() {
        return Err(absent(suite, &format!("{manifest} does not exist")));
    }
    // Both binaries: the one that counts is started by the one that measures.
    shell::run(&mut released("build", manifest))?;
    let mut command = released("run", manifest);
    command.args(["--", suite.name()]);
    if length == Length::Quick {
        command.arg("--quick");
    }
    shell::run(command.args(more))
}

/// Whether everything works that can be measured within a process.
pub(crate) fn test() -> Outcome {
    tested(PEERS)
}

/// The same between two processes.
pub(crate) fn test_remote() -> Outcome {
    tested(PEERS_REMOTE)
}

fn manifest(suite: Suite) -> Option<&'static str> {
    match suite {
        Suite::Core => Some(PEERS),
        Suite::Remote => Some(PEERS_REMOTE),
        Suite::Durable => None,
    }
}

fn tested(manifest: &str) -> Outcome {
    shell::run(&mut shell::cargo(["test", "--quiet", "--manifest-path", manifest]))
}

fn released(what: &str, manifest: &str) -> Command {
    shell::cargo([what, "--release", "--manifest-path", manifest])
}

fn absent(suite: Suite, why: &str) -> Failure {
    let name = suite.name();
    Failure::usage(format!("bench {name}: not part of this version ({why}); nothing was measured"))
}

const PEERS: &str = "integration-tests/peers/Cargo.toml";
const PEERS_REMOTE: &str = "integration-tests/peers-remote/Cargo.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_compared_yet_is_said_and_not_measured() {
        let failure = run(Suite::Durable, Length::Quick, &[]).unwrap_err();
        assert_eq!(failure.code, 2);
        assert!(failure.words.unwrap().contains("nothing was measured"));
    }
}
