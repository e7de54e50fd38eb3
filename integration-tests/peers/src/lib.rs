//! Ours beside other actor systems, in one run on one machine.
//!
//! ```text
//!  peers core ─► driver ── for each row, workers, round, system ──► a fresh process:
//!                  │        (systems side by side, order turned)     peers measure …
//!                  ▼                                                     │ one line of JSON
//!               report: core.json, core-readings.json, a table  ◄────────┘
//! ```
//!
//! `scenario` holds each form once, generic over `system::System`; an adapter
//! for each system is in `system/`. README.md says what the rows mean.

use std::process::ExitCode;

mod airs;
mod driver;
mod flags;
mod memory;
mod paced;
mod report;
mod scenario;
mod system;

#[cfg(test)]
mod tests;

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
