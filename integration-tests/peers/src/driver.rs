//! Runs measurements, each in a fresh process, and never anything beside one.
//!
//! Systems alternate (A B C, C B A, …), so that a slow minute of the machine is
//! everybody's, and neighbours in the order can be compared pair by pair.

use std::collections::BTreeSet;

use peers_common::flags::Length;
use peers_common::process::{Program, end_if_it_hangs};
use peers_common::readings::Readings;
use peers_common::report::Report;
use peers_common::stats;
use serde_json::{Value, json};

use crate::flags::{self, Command, Plan};
use crate::report::{self, Outcome};
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
    // A part of a comparison does not replace a whole one.
    let name = if plan.is_part() { "core-part" } else { "core" };
    let mut report = Report::new(report::directory(), name, plan.length);
    let rows = rows(plan);
    for (at, row) in rows.iter().enumerate() {
        for &workers in &workers(plan, row) {
            report.announce(format_args!("[{}/{}] {} at {workers}", at + 1, rows.len(), row.name));
            add(&mut report, &compare(plan, row, workers))?;
        }
    }
    report.finish(plan.format, report::text, report::markdown)
}

fn add(report: &mut Report, outcome: &Outcome) -> Result<(), String> {
    report.add([outcome.row()], [outcome.every_reading()], outcome.readings.failures())
}

/// All systems in one row, round after round.
fn compare(plan: &Plan, row: &'static Row, workers: usize) -> Outcome {
    let (mut readings, mut systems) = (Readings::default(), Vec::new());
    for system in NAMES.iter().filter(|name| plan.has_system(name)) {
        match why_left_out(system, row).or_else(|| why_not_quick(plan, system)) {
            None => systems.push(*system),
            Some(_) if matches!(row.form, Form::Airs(_) | Form::Alive) || *system == BARE_WAKES => {}
            Some(why) => readings.leave_out(system, why),
        }
    }
    let rounds = rounds(plan, row);
    readings.take(rounds, systems, |system| measure_apart(plan.length, system, row, workers));
    Outcome { row, workers, rounds, readings }
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
    row.workers().iter().copied().filter(|workers| plan.has_workers(*workers)).collect()
}

fn rounds(plan: &Plan, row: &Row) -> usize {
    if plan.rounds.is_none() && row.form == Form::Alive {
        return 1;
    }
    plan.rounds(row.is_counted() || row.is_for_few)
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
fn measure_apart(length: Length, system: &str, row: &Row, workers: usize) -> Result<Value, String> {
    let n = count(length, system, row, workers);
    if system == "erlang" {
        return erlang::measure(row.name, workers, n).map(|value| json!({ "value": value }));
    }
    let words = [system.to_owned(), row.name.to_owned(), workers.to_string(), n.to_string()];
    program(row).measure(&words)
}

/// This program, or its twin whose allocator counts.
fn program(row: &Row) -> Program {
    if row.is_counted() { Program::Counting("peers-counting") } else { Program::Itself }
}

fn measure_here(system: &'static str, row: &'static Row, workers: usize, n: u64) -> Result<Value, String> {
    if let Some(why) = why_left_out(system, row) {
        return Err(format!("{system} does not run {}: {why}", row.name));
    }
    if system == "erlang" {
        return erlang::measure(row.name, workers, n).map(|value| json!({ "value": value }));
    }
    end_if_it_hangs();
    Ok(as_json(&scenario::measure(system, row, workers, n)))
}

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
    let mut report = Report::new(report::directory(), "modes", Length::Full);
    for row in rows(&plan) {
        for &workers in &workers(&plan, row) {
            let outcome = compare(&plan, row, workers);
            print!("{}", report::modes(&outcome, stats::histogram));
            add(&mut report, &outcome)?;
        }
    }
    Ok(())
}
