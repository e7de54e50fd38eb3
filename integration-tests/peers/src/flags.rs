//! The command line: words in, a checked [`Command`] out.

use lexopt::prelude::*;
use peers_common::flags::{self, Names, option, words};

use crate::scenario::rows::{ROWS, Row, named};
use crate::system::NAMES;

pub(crate) enum Command {
    Help,
    /// The rows, one line each.
    List,
    /// Compare.
    Core(Plan),
    /// The contended rows, ours and the floor, many times.
    Modes(Plan),
    /// Print the last comparison as Markdown.
    Table,
    /// One measurement, in this process.
    Measure {
        system: &'static str,
        row: &'static Row,
        workers: usize,
        n: u64,
    },
}

/// What a comparison runs.
pub(crate) type Plan = flags::Plan<Row>;

const KNOWN: Names<Row> = Names { row: named, systems: NAMES };

pub(crate) const HELP: &str = "\
peers: measures ours beside other actor systems; see README.md.

  core [--quick | --smoke] [--rows a,b] [--systems a,b] [--workers 1,2] [--rounds N] [--markdown]
      Compare, and write target/bench/core.json and core-readings.json of the checkout.
      --smoke runs everything once with tiny counts and writes nothing.
  modes [--rounds N] [--rows a,b] [--workers 1,2]
      The contended rows, ours and tokio only, many times: a histogram of each.
  table
      The last core.json as a Markdown table.
  list
      The rows and what they are.
  measure SYSTEM ROW WORKERS [N]
      One reading in this process, as a line of JSON.
";

pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Command, String> {
    let name = match args.next().map_err(misuse)? {
        Some(Value(name)) => name,
        Some(Long("help") | Short('h')) => return Ok(Command::Help),
        _ => return Err(misuse("which suite?")),
    };
    match name.to_str().unwrap_or_default() {
        "core" => Ok(Command::Core(plan(args)?)),
        "modes" => Ok(Command::Modes(plan(args)?)),
        "table" => Ok(Command::Table),
        "list" => Ok(Command::List),
        "measure" => measure(args),
        "remote" | "durable" => {
            Err(format!("bench {name:?}: not part of this version; nothing was measured"))
        }
        _ => Err(misuse(format!("there is no suite {name:?}"))),
    }
}

fn plan(mut args: lexopt::Parser) -> Result<Plan, String> {
    let mut plan = Plan::default();
    while let Some(name) = option(&mut args).map_err(misuse)? {
        plan.set(&name, &KNOWN, &mut args).map_err(misuse)?;
    }
    Ok(plan)
}

fn measure(mut args: lexopt::Parser) -> Result<Command, String> {
    let words = words(&mut args).map_err(misuse)?;
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let system =
        words.first().and_then(|word| KNOWN.system(word)).ok_or_else(|| misuse("measure which system?"))?;
    let row = words.get(1).and_then(|word| named(word)).ok_or_else(|| misuse("measure which row?"))?;
    let workers = usize::try_from(number(2).unwrap_or(1)).map_err(misuse)?;
    Ok(Command::Measure { system, row, workers, n: number(3).unwrap_or(row.n) })
}

fn misuse(what: impl std::fmt::Display) -> String {
    format!("error: {what}\n\n{HELP}")
}

/// The text of `list`.
pub(crate) fn list() -> String {
    ROWS.iter().map(|row| format!("{:<38} {:<11} {}\n", row.name, row.unit(), row.about)).collect()
}
