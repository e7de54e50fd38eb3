//! Every command a developer runs, as `cargo xtask <command>`.
//!
//! [`flags`] turns words into a [`Command`], one module carries out each of
//! them, and [`shell`] is the only place that starts another program. Nothing
//! here is needed to build or use the crates, so it must stay small: one
//! dependency, and it compiles in seconds.

#![expect(clippy::print_stdout, reason = "printing is what a command line does")]

use std::process::ExitCode;

use crate::flags::Command;
use crate::shell::{Failure, Outcome};

mod bench;
mod certs;
mod ci;
mod features;
mod flags;
mod fuzz;
mod models;
mod program;
mod sanitize;
mod shell;
mod sim;
mod test;
mod tidy;

fn main() -> ExitCode {
    let outcome = flags::parse(lexopt::Parser::from_env()).and_then(carry_out);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn carry_out(command: Command) -> Outcome {
    match command {
        Command::Help(text) => {
            print!("{text}");
            Ok(())
        }
        Command::Run { program, args } => program::run(program, &args),
        Command::Test(plan) => test::run(&plan),
        Command::Ci => ci::run(ci::Scope::Everything),
        Command::Check => ci::run(ci::Scope::AllButTests),
        Command::Models { length } => models::run(length),
        Command::Sanitize => sanitize::run(),
        Command::Fuzz(plan) => fuzz::run(&plan),
        Command::Sim(plan) => sim::run(&plan),
        Command::Tidy => tidy::run(),
        Command::Features => features::run(),
        Command::Bench { suite, length, more } => bench::run(suite, length, &more),
        Command::Certs { args } => certs::run(&args),
    }
}

fn report(failure: &Failure) -> ExitCode {
    if let Some(words) = &failure.words {
        eprintln!("{words}");
    }
    ExitCode::from(failure.code)
}
