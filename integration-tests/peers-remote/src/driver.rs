//! Runs measurements, each by a fresh pair of processes, and never anything beside one.
//!
//! Systems alternate (A B C, C B A, …), so that a slow minute of the machine is everybody's.

use peers_common::flags::{self as common, Length};
use peers_common::process::Program;
use peers_common::readings::Readings;
use peers_common::report::Report;
use serde_json::json;

use crate::far;
use crate::flags::{self, Command, Plan, Task};
use crate::report::{self, Outcome};
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
    // A part of a comparison does not replace a whole one.
    let name = if plan.is_part() { "remote-part" } else { "remote" };
    let mut report = Report::new(report::directory(), name, plan.common.length);
    for (transport, form, workers) in sittings(plan) {
        report.announce(format_args!("{} over {} at {workers}", form.name, transport.name()));
        let outcome = compare(&plan.common, transport, form, workers);
        report.add(outcome.rows(), outcome.every_reading(), outcome.readings.failures())?;
    }
    report.finish(plan.common.format, report::text, report::markdown)
}

/// What is compared, in order.
fn sittings(plan: &Plan) -> Vec<(Transport, &'static Form, usize)> {
    let Plan { common: plan, transports } = plan;
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
        let is_left_out = !transports.is_empty() && !transports.contains(&transport);
        for form in FORMS.iter().filter(is_wanted).filter(|_| !is_left_out) {
            let is_for_long = transport != Transport::Tcp && !form.is_quick_on_quic();
            let is_chosen = !plan.rows.is_empty() || !transports.is_empty();
            if plan.length == Length::Quick && is_for_long && !is_chosen {
                continue;
            }
            sittings.extend(workers.iter().map(|workers| (transport, form, *workers)));
        }
    }
    sittings
}

/// All systems in one form, round after round.
fn compare(plan: &common::Plan<Form>, transport: Transport, form: &'static Form, workers: usize) -> Outcome {
    let (mut readings, mut systems) = (Readings::default(), Vec::new());
    for system in NAMES.iter().filter(|name| plan.has_system(name)) {
        match system::why_left_out(system, transport, form).or_else(|| why_not_quick(plan, system, form)) {
            None => systems.push(*system),
            Some(why) if *system == ERLANG && transport == Transport::Tcp => readings.leave_out(system, why),
            Some(_) => {}
        }
    }
    let rounds = plan.rounds(form.kind.is_steady());
    readings.take(rounds, systems, |system| {
        let task = Task { system, form, transport, workers, millis: millis(plan.length) };
        program(form).measure(&task.words())
    });
    Outcome { form, transport, workers, rounds, readings }
}

/// A quick run has no time for systems that start slowly, or that say little new, unless they
/// are named.
fn why_not_quick(plan: &common::Plan<Form>, system: &str, form: &Form) -> Option<&'static str> {
    let is_extra = system == ERLANG || (system == PLAIN && !form.kind.is_counted());
    let is_extra_in_quick = plan.length == Length::Quick && plan.systems.is_empty() && is_extra;
    is_extra_in_quick.then_some("not in a quick run unless named")
}

fn millis(length: Length) -> u64 {
    match length {
        Length::Full => 1000,
        Length::Quick => 500,
        Length::Smoke => 20,
    }
}

/// This program, which starts the other end itself, or its twin whose allocator counts.
fn program(form: &Form) -> Program {
    if form.kind.is_counted() { Program::Counting("peers-remote-counting") } else { Program::Itself }
}
