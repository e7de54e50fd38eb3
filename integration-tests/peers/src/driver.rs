//! Runs measurements, each in a fresh process, and never anything beside one.
//!
//! Systems alternate (A B C, C B A, …), so that a slow minute of the machine is
//! everybody's, and neighbours in the order can be compared pair by pair.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peers_common::flags::{Format, Length};
use peers_common::stats;
use serde_json::{Value, json};

use crate::flags::{self, Command, Plan};
use crate::report::{self, Outcome, Report};
use crate::scenario::rows::{ROWS, Row};
use crate::scenario::{self, Form, Reading};
use crate::system::{BARE_WAKES, NAMES, erlang};

pub(crate) fn carry_out(command: Command) -> Result<(), String> {
    match command {
        Command::Help => print!("{}", flags::HELP),
        Command::List => print!("{}", flags::list()),
        Command::Table => print!("{}", report::markdown(&report::read()?)),
        Command::Measure { system, row, workers, n } => {
            println!("{}", measure_here(system, row, workers, n)?)
        }
        Command::Core(plan) => core(&plan)?,
        Command::Modes(plan) => modes(&plan)?,
    }
    Ok(())
}

fn core(plan: &Plan) -> Result<(), String> {
    let start = Instant::now();
    let is_part = !(plan.rows.is_empty() && plan.systems.is_empty() && plan.workers.is_empty());
    let mut report = Report::named(if is_part { "core-part" } else { "core" });
    let rows = rows(plan);
    for (at, row) in rows.iter().enumerate() {
        for &workers in &workers(plan, row) {
            eprintln!(
                "[{}/{}] {} at {workers} ({:.0} s)",
                at + 1,
                rows.len(),
                row.name,
                start.elapsed().as_secs_f64()
            );
            report.add(compare(plan, row, workers));
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

/// All systems in one row, round after round.
fn compare(plan: &Plan, row: &'static Row, workers: usize) -> Outcome {
    let rounds = rounds(plan, row);
    let mut outcome = Outcome::new(row, workers, rounds);
    let mut systems = Vec::new();
    for system in NAMES.iter().filter(|name| plan.systems.is_empty() || plan.systems.contains(name)) {
        match why_left_out(system, row).or_else(|| why_not_quick(plan, system)) {
            None => systems.push(*system),
            Some(_) if matches!(row.form, Form::Airs(_) | Form::Alive) || *system == BARE_WAKES => {}
            Some(why) => outcome.leave_out(system, why),
        }
    }
    for _ in 0..rounds {
        for &system in &systems {
            match measure_apart(plan, system, row, workers) {
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

fn why_left_out(system: &str, row: &Row) -> Option<&'static str> {
    if system == "erlang" && !erlang::is_installed() {
        return Some("erl is not installed");
    }
    scenario::why_left_out(system, row)
}

/// A quick run has no time for systems that start slowly, or that nobody uses,
/// unless they are named.
fn why_not_quick(plan: &Plan, system: &str) -> Option<&'static str> {
    let is_extra = ["bastion", "riker", "erlang"].contains(&system);
    let is_extra_in_quick = plan.length == Length::Quick && plan.systems.is_empty() && is_extra;
    is_extra_in_quick.then_some("not in a quick run unless named")
}

fn rows(plan: &Plan) -> Vec<&'static Row> {
    let all: Vec<&'static Row> = if plan.rows.is_empty() { ROWS.iter().collect() } else { plan.rows.clone() };
    let is_in = |row: &&Row| plan.length != Length::Quick || row.quick > 0 || !plan.rows.is_empty();
    all.into_iter().filter(is_in).collect()
}

fn workers(plan: &Plan, row: &Row) -> Vec<usize> {
    let wanted = |workers: &&usize| plan.workers.is_empty() || plan.workers.contains(workers);
    row.workers().iter().filter(wanted).copied().collect()
}

fn rounds(plan: &Plan, row: &Row) -> usize {
    let exact_or_long = row.is_counted() || row.form == Form::Alive || row.is_for_few;
    match plan.length {
        _ if plan.rounds.is_some() => plan.rounds.unwrap_or(1),
        Length::Smoke => 1,
        Length::Quick if exact_or_long => 1,
        Length::Quick => 3,
        Length::Full if row.form == Form::Alive => 1,
        Length::Full if exact_or_long => 3,
        Length::Full => 5,
    }
}

/// How often, for this system: an answer from another thread takes actix a
/// thousand times longer than one from its own, and riker starts an actor more
/// slowly the more there are.
fn count(length: Length, system: &str, row: &Row, workers: usize) -> u64 {
    let n = match length {
        Length::Full => row.n,
        Length::Quick if row.quick > 0 => row.quick,
        Length::Quick => row.n / 10,
        Length::Smoke => return row.n.clamp(2, SMOKE),
    };
    let waits = matches!(
        row.form,
        Form::Ask | Form::AskWithin | Form::AskMany(_) | Form::FirstMessage | Form::SpawnAsk
    );
    let starts = matches!(row.form, Form::Spawn | Form::Resident);
    let is_slow = (system == "actix" && workers > 1 && waits) || (system == "riker" && starts);
    if is_slow { n / 20 } else { n }
}

/// Enough to show that messages get through.
const SMOKE: u64 = 640;

/// In a process of its own.
fn measure_apart(plan: &Plan, system: &str, row: &Row, workers: usize) -> Result<Value, String> {
    let n = count(plan.length, system, row, workers);
    if system == "erlang" {
        return erlang::measure(row.name, workers, n).map(|value| json!({ "value": value }));
    }
    let mut program = Program::new(program(row)?);
    program.args(["measure", system, row.name, &workers.to_string(), &n.to_string()]);
    let output = program.stdin(Stdio::null()).output().map_err(|error| format!("does not start: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("no words");
        return Err(format!("{}: {last}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("printed no reading: {error}"))
}

/// This program, or its twin whose allocator counts.
fn program(row: &Row) -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    if !row.is_counted() {
        return Ok(this);
    }
    let twin = this.with_file_name("peers-counting");
    if twin.exists() {
        return Ok(twin);
    }
    Err("peers-counting is not built; `cargo build --release` builds it".to_owned())
}

fn measure_here(system: &'static str, row: &'static Row, workers: usize, n: u64) -> Result<Value, String> {
    if let Some(why) = why_left_out(system, row) {
        return Err(format!("{system} does not run {}: {why}", row.name));
    }
    if system == "erlang" {
        return erlang::measure(row.name, workers, n).map(|value| json!({ "value": value }));
    }
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("it did not end within {PATIENCE:?}");
        std::process::exit(3);
    });
    Ok(as_json(&scenario::measure(system, row, workers, n)))
}

/// A measurement that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

fn as_json(reading: &Reading) -> Value {
    let mut value = json!({ "value": reading.value });
    if let Some(note) = &reading.note {
        value["note"] = json!(note);
    }
    if let Some(bounce_ns) = reading.bounce_ns {
        value["bounce_ns"] = json!(bounce_ns);
    }
    value
}

fn modes(plan: &Plan) -> Result<(), String> {
    let wanted: BTreeSet<&str> = plan.rows.iter().map(|row| row.name).collect();
    let is_in = |row: &&Row| row.is_contended && (wanted.is_empty() || wanted.contains(row.name));
    let plan = Plan {
        length: plan.length,
        rows: ROWS.iter().filter(is_in).collect(),
        systems: vec!["ours", "tokio"],
        workers: plan.workers.clone(),
        rounds: Some(plan.rounds.unwrap_or(40)),
        format: plan.format,
    };
    let mut report = Report::named("modes");
    for row in rows(&plan) {
        for &workers in &workers(&plan, row) {
            let outcome = compare(&plan, row, workers);
            print!("{}", report::modes(&outcome, stats::histogram));
            report.add(outcome);
            report.write()?;
        }
    }
    Ok(())
}
