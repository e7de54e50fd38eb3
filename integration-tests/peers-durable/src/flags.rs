//! The command line: words in, a checked [`Command`] out.

use std::path::PathBuf;

use lexopt::prelude::*;
use peers_common::flags::{self, Names, option, words};

use crate::rows::{NAMES, ROWS, Row, named};

pub(crate) enum Command {
    Help,
    /// The rows, one line each.
    List,
    /// Compare.
    Durable(Plan),
    /// Print the last comparison as Markdown.
    Table,
    /// One measurement, in this process.
    Measure(Task),
    /// Makes the file that recoveries begin with.
    Prepare {
        file: PathBuf,
        events: u64,
    },
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) system: &'static str,
    pub(crate) row: &'static Row,
    pub(crate) workers: usize,
    pub(crate) n: u64,
    /// A directory to work in, the file to recover from, or the address of a server; as the row has it.
    pub(crate) place: String,
}

impl Task {
    /// The words that [`parse`] reads, behind `measure`.
    pub(crate) fn words(&self) -> [String; 5] {
        let Self { system, row, workers, n, place } = self;
        [(*system).to_owned(), row.name.to_owned(), workers.to_string(), n.to_string(), place.clone()]
    }
}

/// What a comparison runs.
pub(crate) type Plan = flags::Plan<Row>;

const KNOWN: Names<Row> = Names { row: named, systems: NAMES };

pub(crate) const HELP: &str = "\
peers-durable: measures durable actors beside what they are made of; see README.md.

  durable [--quick | --smoke] [--rows a,b] [--systems a,b] [--workers 1,2] [--rounds N] [--markdown]
      Compare, and write target/bench/durable.json and durable-readings.json of the checkout.
      --smoke runs everything once with tiny counts and writes nothing.
  table
      The last durable.json as a Markdown table.
  list
      The rows and what they are.
  measure SYSTEM ROW WORKERS N PLACE
      One reading in this process, as a line of JSON. PLACE is a directory to work in, the file that `prepare` made, or
      the address of a PostgreSQL server.
  prepare FILE EVENTS
      Make the file that recoveries begin with.
";

pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Command, String> {
    let name = match args.next().map_err(misuse)? {
        Some(Value(name)) => name,
        Some(Long("help") | Short('h')) => return Ok(Command::Help),
        _ => return Err(misuse("which suite?")),
    };
    match name.to_str().unwrap_or_default() {
        "durable" => Ok(Command::Durable(plan(args)?)),
        "table" => Ok(Command::Table),
        "list" => Ok(Command::List),
        "measure" => measure(args).map(Command::Measure),
        "prepare" => prepare(args),
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

fn measure(mut args: lexopt::Parser) -> Result<Task, String> {
    let words = words(&mut args).map_err(misuse)?;
    let [name, row, workers, n, place] = &words[..] else {
        return Err(misuse("measure wants a system, a row, workers, a count and a place"));
    };
    Ok(Task {
        system: KNOWN.system(name).ok_or_else(|| misuse("measure which system?"))?,
        row: named(row).ok_or_else(|| misuse("measure which row?"))?,
        workers: workers.parse().map_err(misuse)?,
        n: n.parse().map_err(misuse)?,
        place: place.clone(),
    })
}

fn prepare(mut args: lexopt::Parser) -> Result<Command, String> {
    let words = words(&mut args).map_err(misuse)?;
    let [file, events] = &words[..] else {
        return Err(misuse("prepare wants a file and a number of events"));
    };
    Ok(Command::Prepare { file: file.into(), events: events.parse().map_err(misuse)? })
}

fn misuse(what: impl std::fmt::Display) -> String {
    format!("error: {what}\n\n{HELP}")
}

/// The text of `list`.
pub(crate) fn list() -> String {
    ROWS.iter().map(|row| format!("{:<22} {:<13} {}\n", row.name, row.unit, row.about)).collect()
}
