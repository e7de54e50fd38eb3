//! Runs measurements, each by a fresh pair of processes, and never anything beside one.
//!
//! Systems alternate (A B C, C B A, …), so that a slow minute of the machine is everybody's.

use std::env;
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};
use std::time::Instant;

use peers_common::flags::{Format, Length};
use serde_json::{Value, json};

use crate::far;
use crate::flags::{self, Command, Plan, Task};
use crate::report::{self, Outcome, Report};
use crate::rows::{FORMS, Form};
use crate::system::{self, ERLANG, NAMES, PLAIN, Transport};

pub(crate) fn carry_out(command: Command) -> Result<(), String> {
    match command {
        Command::Help => print!("{}", flags::HELP),
        Command::List => print!("{}", flags::list()),
        Command::Table => print!("{}", report::markdown(&report::read()?)),
        Command::Measure(task) => {
            let reading = system::measure(&task)?;
            println!("{}", json!({ "values": reading.values, "note": reading.note }));
        }
        Command::Serve(task) => far::serve(&task)?,
        Command::Remote(plan) => remote(&plan)?,
    }
    Ok(())
}

fn remote(plan: &Plan) -> Result<(), String> {
    let start = Instant::now();
    let mut report = Report::named(if plan.is_part() { "remote-part" } else { "remote" });
    for (transport, form, workers) in sittings(plan) {
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{} over {} at {workers} ({seconds:.0} s)", form.name, transport.name());
        report.add(compare(plan, transport, form, workers));
        if plan.length != Length::Smoke {
            report.write()?;
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

/// What is compared, in order.
fn sittings(plan: &Plan) -> Vec<(Transport, &'static Form, usize)> {
    let is_wanted = |form: &&'static Form| {
        plan.rows.is_empty() || plan.rows.iter().any(|wanted| wanted.name == form.name)
    };
    let workers: &[usize] = match plan.length {
        _ if !plan.workers.is_empty() => &plan.workers,
        Length::Full => &[1, 2],
        Length::Quick | Length::Smoke => &[1],
    };
    let mut sittings = Vec::new();
    for transport in Transport::ALL {
        let is_left_out = !plan.transports.is_empty() && !plan.transports.contains(&transport);
        for form in FORMS.iter().filter(is_wanted).filter(|_| !is_left_out) {
            let is_for_long = transport != Transport::Tcp && !form.is_quick_on_quic();
            let is_chosen = !plan.rows.is_empty() || !plan.transports.is_empty();
            if plan.length == Length::Quick && is_for_long && !is_chosen {
                continue;
            }
            sittings.extend(workers.iter().map(|workers| (transport, form, *workers)));
        }
    }
    sittings
}

/// All systems in one form, round after round.
fn compare(plan: &Plan, transport: Transport, form: &'static Form, workers: usize) -> Outcome {
    let rounds = rounds(plan, form);
    let mut outcome = Outcome::new(form, transport, workers, rounds);
    let mut systems = Vec::new();
    for system in NAMES.iter().filter(|name| plan.systems.is_empty() || plan.systems.contains(name)) {
        match system::why_left_out(system, transport, form).or_else(|| why_not_quick(plan, system, form)) {
            None => systems.push(*system),
            Some(why) if *system == ERLANG && transport == Transport::Tcp => outcome.leave_out(system, why),
            Some(_) => {}
        }
    }
    for _ in 0..rounds {
        for &system in &systems {
            let task = Task { system, form, transport, workers, millis: millis(plan) };
            match measure_apart(&task) {
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

/// A quick run has no time for systems that start slowly, or that say little new, unless they
/// are named.
fn why_not_quick(plan: &Plan, system: &str, form: &Form) -> Option<&'static str> {
    let is_extra = system == ERLANG || (system == PLAIN && !form.kind.is_counted());
    let is_extra_in_quick = plan.length == Length::Quick && plan.systems.is_empty() && is_extra;
    is_extra_in_quick.then_some("not in a quick run unless named")
}

fn rounds(plan: &Plan, form: &Form) -> usize {
    match plan.length {
        _ if plan.rounds.is_some() => plan.rounds.unwrap_or(1),
        Length::Smoke => 1,
        Length::Quick if form.kind.is_steady() => 1,
        Length::Quick => 3,
        Length::Full if form.kind.is_steady() => 3,
        Length::Full => 5,
    }
}

fn millis(plan: &Plan) -> u64 {
    match plan.length {
        Length::Full => 1000,
        Length::Quick => 500,
        Length::Smoke => 20,
    }
}

/// By a pair of processes of its own.
fn measure_apart(task: &Task) -> Result<Value, String> {
    let mut near = Program::new(program(task)?);
    near.arg("measure").args(task.words()).stdin(Stdio::null());
    let output = near.output().map_err(|error| format!("does not start: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("no words");
        return Err(format!("{}: {last}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("printed no reading: {error}"))
}

/// This program, or its twin whose allocator counts.
fn program(task: &Task) -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    if !task.form.kind.is_counted() {
        return Ok(this);
    }
    let twin = this.with_file_name("peers-remote-counting");
    if twin.exists() {
        return Ok(twin);
    }
    Err("peers-remote-counting is not built; `cargo build --release` builds it".to_owned())
}
