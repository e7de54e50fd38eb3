//! `cargo xtask bench`: the comparisons with other actor systems, within a process and between
//! two, and of durable actors with what they are made of. Each lives in a workspace of its own so
//! that nobody else compiles them. `ci` runs their tests, where every row runs in every system
//! with next to nothing in it; it measures nothing.

use std::ffi::OsString;
use std::process::Command;

use crate::flags::{Length, Suite};
use crate::shell::{self, Outcome};

pub(crate) fn run(suite: Suite, length: Length, more: &[OsString]) -> Outcome {
    let manifest = manifest(suite);
    // Both binaries: the one that counts is started by the one that measures.
    shell::run(&mut released("build", manifest))?;
    let mut command = released("run", manifest);
    command.args(["--", suite.name()]);
    if length == Length::Quick {
        command.arg("--quick");
    }
    shell::run(command.args(more))
}

/// Whether everything works that can be measured within a process, and what all comparisons share.
pub(crate) fn test() -> Outcome {
    tested(PEERS)?;
    shell::run(
        shell::cargo(["test", "--quiet", "--manifest-path", PEERS]).args(["--package", "peers-common"]),
    )
}

/// The same between two processes.
pub(crate) fn test_remote() -> Outcome {
    tested(PEERS_REMOTE)
}

/// The same of durable actors.
pub(crate) fn test_durable() -> Outcome {
    tested(PEERS_DURABLE)
}

fn manifest(suite: Suite) -> &'static str {
    match suite {
        Suite::Core => PEERS,
        Suite::Remote => PEERS_REMOTE,
        Suite::Durable => PEERS_DURABLE,
    }
}

fn tested(manifest: &str) -> Outcome {
    shell::run(&mut shell::cargo(["test", "--quiet", "--manifest-path", manifest]))
}

fn released(what: &str, manifest: &str) -> Command {
    shell::cargo([what, "--release", "--manifest-path", manifest])
}

const PEERS: &str = "integration-tests/peers/Cargo.toml";
const PEERS_REMOTE: &str = "integration-tests/peers-remote/Cargo.toml";
const PEERS_DURABLE: &str = "integration-tests/peers-durable/Cargo.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_suite_is_a_workspace_that_is_there() {
        for suite in [Suite::Core, Suite::Remote, Suite::Durable] {
            let text = std::fs::read_to_string(shell::root().join(manifest(suite))).unwrap();
            assert!(text.contains("[workspace]"), "{}", suite.name());
        }
    }
}
