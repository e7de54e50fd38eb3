//! `peers-counting`: the same program over an allocator that counts. `peers`
//! starts it for the rows that are counts; two atomics for every allocation
//! would favour whoever allocates least, so no time is taken in it.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    comparison::main()
}
