//! Runs measurements, each in a fresh process, and never anything beside one.
//!
//! Systems alternate (A B C, C B A, …), so that a slow minute of the machine or of its disk is everybody's.

use std::env;
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peers_common::flags::{Format, Length};
use serde_json::{Value, json};
use store_postgres::testing::{Server, ServerError};
use tempfile::TempDir;

use crate::flags::{self, Command, Plan, Task};
use crate::instructions;
use crate::measure;
use crate::report::{self, Outcome, Report};
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
    let start = Instant::now();
    let is_part = !(plan.rows.is_empty() && plan.systems.is_empty() && plan.workers.is_empty());
    let mut report = Report::named(if is_part { "durable-part" } else { "durable" });
    let mut places = Places::new()?;
    for row in ROWS
        .iter()
        .filter(|row| plan.rows.is_empty() || plan.rows.iter().any(|wanted| wanted.name == row.name))
    {
        let place = places.of(plan, row)?;
        for &workers in row.workers.iter().filter(|of| plan.workers.is_empty() || plan.workers.contains(of)) {
            eprintln!("{} at {workers} ({:.0} s)", row.name, start.elapsed().as_secs_f64());
            report.add(compare(plan, row, workers, &place));
            if plan.length != Length::Smoke {
                report.write()?;
            }
        }
    }
    match plan.format {
        Format::Text => print!("{}", report::text(&report.rows())),
        Format::Markdown => print!("{}", report::markdown(&report.rows())),
    }
    eprintln!("took {:.0} s", start.elapsed().as_secs_f64());
    match report.failures() {
        0 => Ok(()),
        failures => Err(format!("{failures} measurements failed; see their notes")),
    }
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
        let status = Program::new(this).args(["prepare", &file, &events.to_string()]).status();
        match status {
            Ok(status) if status.success() => Ok(self.file.insert(file).clone()),
            Ok(status) => Err(format!("the histories were not made: {status}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// All systems in one row, round after round.
fn compare(plan: &Plan, row: &'static Row, workers: usize, place: &Result<String, String>) -> Outcome {
    let rounds = rounds(plan, row);
    let mut outcome = Outcome::new(row, workers, rounds);
    let place = match place {
        Ok(place) => place,
        Err(why) => {
            outcome.leave_out("ours", why);
            return outcome;
        }
    };
    let is_counted_here = plan.length != Length::Smoke && row.meter == Meter::Instructions;
    if is_counted_here && !instructions::is_installed() {
        outcome.leave_out("ours", instructions::MISSING);
        return outcome;
    }
    let wanted = |system: &&&str| plan.systems.is_empty() || plan.systems.contains(*system);
    let mut systems: Vec<&'static str> = row.systems.iter().filter(wanted).copied().collect();
    let n = count(plan.length, row);
    for _ in 0..rounds {
        for &system in &systems {
            let task = Task { system, row, workers, n, place: place.clone() };
            let reading = if is_counted_here {
                instructions::per_operation(&task).map(|value| json!({ "value": value }))
            } else {
                measure_apart(&task)
            };
            match reading {
                Ok(reading) => outcome.take(system, &reading),
                Err(why) => outcome.fail(system, &why),
            }
        }
        // What failed once fails again, and may take its time over it.
        systems.retain(|system| !outcome.has_failed(system));
        systems.reverse();
    }
    outcome
}

fn rounds(plan: &Plan, row: &Row) -> usize {
    match plan.length {
        _ if plan.rounds.is_some() => plan.rounds.unwrap_or(1),
        Length::Smoke => 1,
        Length::Quick if row.is_steady() => 1,
        Length::Quick => 3,
        Length::Full if row.is_steady() => 3,
        Length::Full => 5,
    }
}

fn count(length: Length, row: &Row) -> u64 {
    match length {
        Length::Full => row.full,
        Length::Quick => row.quick,
        Length::Smoke => row.smoke,
    }
}

/// In a process of its own.
fn measure_apart(task: &Task) -> Result<Value, String> {
    let mut program = Program::new(program(task.row)?);
    program.arg("measure").args(task.words()).stdin(Stdio::null());
    let output = program.output().map_err(|error| format!("does not start: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("no words");
        return Err(format!("{}: {first}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("printed no reading: {error}"))
}

/// This program, or its twin whose allocator counts.
fn program(row: &Row) -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    if row.meter != Meter::Requests {
        return Ok(this);
    }
    let twin = this.with_file_name("peers-durable-counting");
    if twin.exists() {
        return Ok(twin);
    }
    Err("peers-durable-counting is not built; `cargo build --release` builds it".to_owned())
}

fn measure_here(task: &Task) -> Result<Value, String> {
    let Task { system, row, .. } = task;
    if !row.systems.contains(system) {
        return Err(format!("{system} does not run {}", row.name));
    }
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("it did not end within {PATIENCE:?}");
        std::process::exit(3);
    });
    let reading = measure::measure(task);
    Ok(json!({ "value": reading.value, "note": reading.note }))
}

/// A measurement that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);
