//! Runs measurements, each in a fresh process, and never anything beside one.
//!
//! Systems alternate (A B C, C B A, …), so that a slow minute of the machine or of its disk is everybody's.

use std::env;
use std::process::Command as Process;

use peers_common::flags::Length;
use peers_common::process::{Program, end_if_it_hangs};
use peers_common::readings::Readings;
use peers_common::report::Report;
use serde_json::{Value, json};
use store_postgres::testing::{Server, ServerError};
use tempfile::TempDir;

use crate::flags::{self, Command, Plan, Task};
use crate::instructions;
use crate::measure;
use crate::report::{self, Outcome};
use crate::rows::{Form, Meter, ROWS, Row};

pub(crate) fn carry_out(command: Command) -> Result<(), String> {
    match command {
        Command::Help => print!("{}", flags::HELP),
        Command::List => print!("{}", flags::list()),
        Command::Table => print!("{}", report::markdown(&report::read()?)),
        Command::Measure(task) => println!("{}", measure_here(&task)?),
        Command::Prepare { file, events } => measure::prepare(&file, events)?,
        Command::Durable(plan) => durable(&plan)?,
    }
    Ok(())
}

fn durable(plan: &Plan) -> Result<(), String> {
    // A part of a comparison does not replace a whole one.
    let name = if plan.is_part() { "durable-part" } else { "durable" };
    let mut report = Report::new(report::directory(), name, plan.length);
    let mut places = Places::new()?;
    for row in ROWS
        .iter()
        .filter(|row| plan.rows.is_empty() || plan.rows.iter().any(|wanted| wanted.name == row.name))
    {
        let place = places.of(plan, row)?;
        for &workers in row.workers.iter().filter(|workers| plan.has_workers(**workers)) {
            report.announce(format_args!("{} at {workers}", row.name));
            let rounds = plan.rounds(row.is_steady());
            let readings = compare(plan, row, workers, rounds, &place);
            let outcome = Outcome { row, workers, rounds, readings };
            report.add([outcome.row()], [outcome.every_reading()], outcome.readings.failures())?;
        }
    }
    report.finish(plan.format, report::text, report::markdown)
}

/// Where readings are taken: all on the disk of the checkout.
struct Places {
    directory: TempDir,
    /// Started when it is first needed.
    server: Option<Server>,
    file: Option<String>,
}

impl Places {
    fn new() -> Result<Self, String> {
        let bench = report::directory();
        let made = std::fs::create_dir_all(&bench).and_then(|()| tempfile::tempdir_in(bench));
        let directory = made.map_err(|error| error.to_string())?;
        Ok(Self { directory, server: None, file: None })
    }

    /// The place of a row; `Err` within if it has none here, and why.
    fn of(&mut self, plan: &Plan, row: &Row) -> Result<Result<String, String>, String> {
        if let Form::Recover(_) = row.form {
            return self.prepared(count(plan.length, row)).map(Ok);
        }
        if !row.is_on_postgres() {
            return Ok(Ok(self.directory.path().display().to_string()));
        }
        if self.server.is_none() {
            // Where skips are failures this one is.
            match Server::private() {
                Err(error @ ServerError::NotHere(_)) if env::var_os("CI").is_none() => {
                    return Ok(Err(format!("NOT MEASURED: {error}")));
                }
                server => self.server = Some(server.map_err(|error| error.to_string())?),
            }
        }
        Ok(Ok(self.server.as_ref().map(Server::address).unwrap_or_default()))
    }

    /// A file with histories of so many events, by a process of its own: what it has in memory is nobody's.
    fn prepared(&mut self, events: u64) -> Result<String, String> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let file = self.directory.path().join("histories.redb").display().to_string();
        let this = env::current_exe().map_err(|error| error.to_string())?;
        let status = Process::new(this).args(["prepare", &file, &events.to_string()]).status();
        match status {
            Ok(status) if status.success() => Ok(self.file.insert(file).clone()),
            Ok(status) => Err(format!("the histories were not made: {status}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// All systems in one row, round after round.
fn compare(
    plan: &Plan,
    row: &'static Row,
    workers: usize,
    rounds: usize,
    place: &Result<String, String>,
) -> Readings {
    let mut readings = Readings::default();
    let is_counted_here = plan.length != Length::Smoke && row.meter == Meter::Instructions;
    let place = match place {
        Ok(_) if is_counted_here && !instructions::is_installed() => Err(instructions::MISSING),
        Ok(place) => Ok(place),
        Err(why) => Err(why.as_str()),
    };
    match place {
        Err(why) => {
            eprintln!("  {why}");
            readings.leave_out("ours", why);
        }
        Ok(place) => {
            let systems = row.systems.iter().copied().filter(|system| plan.has_system(system)).collect();
            let n = count(plan.length, row);
            readings.take(rounds, systems, |system| {
                let task = Task { system, row, workers, n, place: place.clone() };
                if is_counted_here {
                    return instructions::per_operation(&task).map(|value| json!({ "value": value }));
                }
                program(row).measure(&task.words())
            });
        }
    }
    readings
}

fn count(length: Length, row: &Row) -> u64 {
    match length {
        Length::Full => row.full,
        Length::Quick => row.quick,
        Length::Smoke => row.smoke,
    }
}

/// This program, or its twin whose allocator counts.
fn program(row: &Row) -> Program {
    match row.meter {
        Meter::Requests => Program::Counting("peers-durable-counting"),
        Meter::Time | Meter::Instructions => Program::Itself,
    }
}

fn measure_here(task: &Task) -> Result<Value, String> {
    let Task { system, row, .. } = task;
    if !row.systems.contains(system) {
        return Err(format!("{system} does not run {}", row.name));
    }
    end_if_it_hangs();
    let reading = measure::measure(task);
    Ok(json!({ "value": reading.value, "note": reading.note }))
}
