//! `peers-durable-counting`: the same program over an allocator that counts. `peers-durable` starts it for the rows that are
//! counts; no time is taken in it.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    durable_comparison::main()
}
