//! Reads the file of a store of durable actors: `inspect`, `verify`, `compact`.
//!
//! ```text
//!  flags ─► Task ─┬─ list, actor ─► RedbInspection (reads)        ─┐
//!                 ├─ verify ──────► RedbInspection (reads)        ─┼─► Output ─► exit code
//!                 └─ compact ─────► RedbStore, and only this one  ─┘
//! ```
//!
//! Nothing but `compact` opens the file for writing.

mod actor;
mod compact;
mod failure;
mod flags;
mod json;
mod list;
mod output;
mod payload;
mod verify;

use std::process::ExitCode;

use failure::{Failure, Found};
use flags::Task;
use output::Output;

fn main() -> ExitCode {
    let mut output = Output::stdout();
    let outcome = flags::parse(lexopt::Parser::from_env()).and_then(|task| run(task, &mut output));
    match outcome.and_then(|found| output.finish().map(|()| found).map_err(Failure::Output)) {
        Ok(found) => found.exit_code(),
        Err(failure) => {
            output.note(&failure);
            failure.exit_code()
        }
    }
}

fn run(task: Task, output: &mut Output) -> Result<Found, Failure> {
    match task {
        Task::Print(text) => output.block(text).map(|()| Found::Nothing).map_err(Failure::Output),
        Task::List(list) => list::run(&list, output),
        Task::Actor(actor) => actor::run(&actor, output),
        Task::Verify { path, format } => verify::run(&path, format, output),
        Task::Compact { path, format } => compact::run(&path, format, output),
    }
}
