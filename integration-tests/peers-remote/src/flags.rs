//! The command line: words in, a checked [`Command`] out.

use lexopt::prelude::*;
use peers_common::flags::{self, Names, each, option, words};

use crate::rows::{FORMS, Form, named, of_row};
use crate::system::{NAMES, Transport};

pub(crate) enum Command {
    Help,
    /// The rows, one line each.
    List,
    /// Compare.
    Remote(Plan),
    /// Print the last comparison as Markdown.
    Table,
    /// One measurement: this process is the near end, and starts the far one.
    Measure(Task),
    /// This process is the far end; the near one speaks to it through its standard input.
    Serve(Task),
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) system: &'static str,
    pub(crate) form: &'static Form,
    pub(crate) transport: Transport,
    pub(crate) workers: usize,
    /// How long it takes, without its warm-up.
    pub(crate) millis: u64,
}

impl Task {
    /// The words that [`parse`] reads, behind `measure` or `serve`.
    pub(crate) fn words(&self) -> [String; 5] {
        let Task { system, form, transport, workers, millis } = self;
        [
            (*system).to_owned(),
            form.name.to_owned(),
            transport.name().to_owned(),
            workers.to_string(),
            millis.to_string(),
        ]
    }
}

/// What a comparison runs.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) common: flags::Plan<Form>,
    /// Empty for all.
    pub(crate) transports: Vec<Transport>,
}

impl Plan {
    /// Whether something is left out that a run of this length has.
    pub(crate) fn is_part(&self) -> bool {
        self.common.is_part() || !self.transports.is_empty()
    }
}

const KNOWN: Names<Form> = Names { row: |name| of_row(name).or_else(|| named(name)), systems: NAMES };

pub(crate) const HELP: &str = "\
peers-remote: measures ours beside other actor systems, between two processes; see README.md.

  remote [--quick | --smoke] [--rows a,b] [--systems a,b] [--transports tcp,iroh,quic] [--workers 1,2]
         [--rounds N] [--markdown]
      Compare, and write target/bench/remote.json and remote-readings.json of the checkout.
      --smoke runs everything once, briefly, and writes nothing.
  table
      The last remote.json as a Markdown table.
  list
      The rows and what they are.
  measure SYSTEM FORM TRANSPORT WORKERS [MILLIS]
      One reading by a pair of processes, as a line of JSON.
";

pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Command, String> {
    let name = match args.next().map_err(misuse)? {
        Some(Value(name)) => name,
        Some(Long("help") | Short('h')) => return Ok(Command::Help),
        _ => return Err(misuse("which command?")),
    };
    match name.to_str().unwrap_or_default() {
        "remote" => Ok(Command::Remote(plan(args)?)),
        "table" => Ok(Command::Table),
        "list" => Ok(Command::List),
        "measure" => Ok(Command::Measure(task(args)?)),
        "serve" => Ok(Command::Serve(task(args)?)),
        _ => Err(misuse(format!("there is no command {name:?}"))),
    }
}

fn plan(mut args: lexopt::Parser) -> Result<Plan, String> {
    let mut plan = Plan::default();
    while let Some(name) = option(&mut args).map_err(misuse)? {
        match name.as_str() {
            "transports" => {
                plan.transports = each(&mut args, "transport", Transport::named).map_err(misuse)?
            }
            name => plan.common.set(name, &KNOWN, &mut args).map_err(misuse)?,
        }
    }
    Ok(plan)
}

fn task(mut args: lexopt::Parser) -> Result<Task, String> {
    let words = words(&mut args).map_err(misuse)?;
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    Ok(Task {
        system: KNOWN.system(word(0)).ok_or_else(|| misuse("measure which system?"))?,
        form: named(word(1)).ok_or_else(|| misuse("measure which form?"))?,
        transport: Transport::named(word(2)).ok_or_else(|| misuse("over which transport?"))?,
        workers: word(3).parse().map_err(|_| misuse("with how many workers?"))?,
        millis: if word(4).is_empty() { 1000 } else { word(4).parse().map_err(misuse)? },
    })
}

fn misuse(what: impl std::fmt::Display) -> String {
    format!("error: {what}\n\n{HELP}")
}

/// The text of `list`.
pub(crate) fn list() -> String {
    let rows = FORMS.iter().flat_map(|form| form.rows);
    rows.map(|row| format!("{:<24} {:<11} {}\n", row.name, row.unit, row.about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_task_are_read_as_they_were() {
        let task =
            Task { system: "ours", form: &FORMS[0], transport: Transport::Iroh, workers: 2, millis: 7 };
        let words = [vec!["measure".to_owned()], task.words().to_vec()].concat();
        let Ok(Command::Measure(read)) = parse(lexopt::Parser::from_args(words)) else { panic!("not read") };
        assert_eq!(read.words(), task.words());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for args in [
            &["dance"][..],
            &[],
            &["remote", "--rows", "no_such_row"],
            &["measure", "ours"],
            &["remote", "more"],
        ] {
            let words = parse(lexopt::Parser::from_args(args)).err().unwrap();
            assert!(words.starts_with("error: ") && words.contains("peers-remote:"), "{words}");
        }
    }
}
