//! `peers-durable`: measures durable actors beside what they are made of. `peers-durable --help` says how.

use std::process::ExitCode;

fn main() -> ExitCode {
    durable_comparison::main()
}
