//! `peers-remote-counting`: the same program over an allocator that counts. `peers-remote`
//! starts it for the rows that are counts, at both ends.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    remote_comparison::main()
}
