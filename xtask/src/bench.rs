//! `cargo xtask bench`: the comparison with other actor systems, which lives in
//! a workspace of its own so that nobody else compiles them.

use crate::flags::{Length, Suite};
use crate::shell::{self, Failure, Outcome};

pub(crate) fn run(suite: Suite, length: Length) -> Outcome {
    let manifest = shell::root().join(PEERS);
    if !manifest.exists() {
        return Err(Failure::usage(format!(
            "bench {}: the comparison is not part of this version ({PEERS} does not exist); nothing was measured",
            suite.name(),
        )));
    }
    let mut command = shell::cargo(["run", "--release", "--manifest-path", PEERS, "--", suite.name()]);
    if length == Length::Quick {
        command.arg("--quick");
    }
    shell::run(&mut command)
}

const PEERS: &str = "integration-tests/peers/Cargo.toml";
