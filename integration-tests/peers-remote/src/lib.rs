//! Ours beside other actor systems, between two processes, in one run on one machine.
//!
//! ```text
//!  peers-remote remote ─► driver ── for each form, transport, workers, round, system ──┐
//!                          │                                                           ▼
//!                          │                         near: a fresh process ◄═══► far: a fresh process
//!                          │   one line of JSON ◄──  measure: sends and times    serving: receives, checks
//!                          ▼                                │                            ▲
//!                  report: remote.json, a table             └─ pipes: keys, "allocations?" ┘
//! ```
//!
//! `measure` holds each form once, generic over `system::Client`; an adapter for each system is
//! in `system/`. What goes over the pipes between the two processes is the same for all systems
//! and is never measured. README.md says what the rows mean.

use std::process::ExitCode;

mod driver;
mod far;
mod flags;
mod load;
mod measure;
mod memory;
mod report;
mod rows;
mod system;

/// The whole program; the two binaries differ in their allocator only.
pub fn main() -> ExitCode {
    let outcome = flags::parse(lexopt::Parser::from_env()).and_then(driver::carry_out);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}
