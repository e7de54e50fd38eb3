//! Durable actors beside plain actors, bare redb and bare PostgreSQL, in one run on one machine.
//!
//! ```text
//!  peers-durable durable ─► driver ── for each row, workers, round, system ──► a fresh process:
//!                            │  (systems side by side, order turned)           peers-durable measure …
//!                            │                                                   │ one line of JSON
//!                            ▼                                                   │
//!                 report: durable.json, a table, the bounds  ◄───────────────────┘
//! ```
//!
//! `rows` says what is compared and which ratio is to be reached; `measure` takes one reading. README.md says what the rows
//! mean.

use std::process::ExitCode;

mod actors;
mod bound;
mod driver;
mod flags;
mod instructions;
mod measure;
mod report;
mod rows;

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
