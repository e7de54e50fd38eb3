//! `peers-remote`: measures actor systems between two processes. `peers-remote --help` says how.

use std::process::ExitCode;

fn main() -> ExitCode {
    remote_comparison::main()
}
