//! The commands and their options: one list, which both `help` and the parser
//! follow. Nothing is carried out here.

use std::ffi::OsString;

use lexopt::prelude::*;

use crate::fuzz::{self, Found};
use crate::program::Program;
use crate::shell::Failure;
use crate::sim;

/// What the caller asked for, checked.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Print this text and be content.
    Help(String),
    /// Run a program; its own arguments are its own business.
    Run {
        /// Which one.
        program: Program,
        /// Passed on as they are.
        args: Vec<OsString>,
    },
    /// Run the tests.
    Test(TestPlan),
    /// Everything a change must pass.
    Ci,
    /// Everything a change must pass, but for the tests.
    Check,
    /// Run the models of what is lock-free.
    Models {
        /// How many schedules.
        length: Length,
    },
    /// Run the core's tests under sanitizers.
    Sanitize,
    /// Feed what eats a peer's bytes.
    Fuzz(fuzz::Plan),
    /// Run simulated clusters.
    Sim(sim::Plan),
    /// The checks of style and structure.
    Tidy,
    /// Build and try every Cargo feature, with and without.
    Features,
    /// Compare with others, or with ourselves.
    Bench {
        /// Which part of the project.
        suite: Suite,
        /// How long it may take.
        length: Length,
        /// What else the comparison is told; its own business.
        more: Vec<OsString>,
    },
    /// Make certificates to develop with.
    Certs {
        /// Passed on as they are.
        args: Vec<OsString>,
    },
}

/// Which tests to run, and in which form.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TestPlan {
    /// The form of those suites that have two.
    pub(crate) length: Length,
    /// Parts of test names; a test runs if it has any of them, or if there are none.
    pub(crate) filters: Vec<OsString>,
}

/// Suites that can go on for long have a short form too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Length {
    /// Minutes.
    #[default]
    Quick,
    /// As long as it takes.
    Full,
}

/// A part of the project that is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Suite {
    /// Messages inside one process.
    Core,
    /// Messages between two processes.
    Remote,
    /// Turns that reach a disk.
    Durable,
}

impl Suite {
    /// The word that names it on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Suite::Core => "core",
            Suite::Remote => "remote",
            Suite::Durable => "durable",
        }
    }

    fn named(name: &str) -> Option<Suite> {
        [Suite::Core, Suite::Remote, Suite::Durable].into_iter().find(|suite| suite.name() == name)
    }
}

/// Reads the command line. What cannot be understood is a [`Failure`] that says
/// why, shows the help and ends with code 2.
pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Command, Failure> {
    let name = match args.next().map_err(misuse)? {
        Some(Value(name)) => name,
        Some(Long("help") | Short('h')) => return Ok(Command::Help(help())),
        Some(other) => return Err(misuse(other.unexpected())),
        None => return Err(Failure::usage(help())),
    };
    match name.to_str().unwrap_or_default() {
        "help" => Ok(Command::Help(help())),
        "demo" => Ok(Command::Run { program: Program::Demo, args: all_that_follow(args)? }),
        "cluster" => Ok(Command::Run { program: Program::Cluster, args: all_that_follow(args)? }),
        "chaos" => Ok(Command::Run { program: Program::Chaos, args: all_that_follow(args)? }),
        "test" => parse_test(args),
        "ci" => parse_bare(args, "ci", Command::Ci),
        "check" => parse_bare(args, "check", Command::Check),
        "models" => parse_models(args),
        "sanitize" => parse_bare(args, "sanitize", Command::Sanitize),
        "fuzz" => parse_fuzz(args),
        "sim" => parse_sim(args),
        "tidy" => parse_bare(args, "tidy", Command::Tidy),
        "features" => parse_bare(args, "features", Command::Features),
        "bench" => parse_bench(args),
        "certs" => Ok(Command::Certs { args: all_that_follow(args)? }),
        _ => Err(misuse(format!("there is no command {name:?}"))),
    }
}

/// The text of `cargo xtask help`.
pub(crate) fn help() -> String {
    let mut text = String::from("cargo xtask: every command a developer runs.\n\n");
    for entry in ENTRIES {
        text.push_str(&entry.text());
    }
    text.push_str("  help\n      This text.\n");
    text
}

fn parse_test(mut args: lexopt::Parser) -> Result<Command, Failure> {
    let mut plan = TestPlan::default();
    while let Some(arg) = args.next().map_err(misuse)? {
        match arg {
            Long("full") => plan.length = Length::Full,
            Long("help") | Short('h') => return Ok(help_on("test")),
            Value(filter) => plan.filters.push(filter),
            other => return Err(misuse(other.unexpected())),
        }
    }
    Ok(Command::Test(plan))
}

fn parse_models(mut args: lexopt::Parser) -> Result<Command, Failure> {
    let mut length = Length::Quick;
    while let Some(arg) = args.next().map_err(misuse)? {
        match arg {
            Long("quick") => length = Length::Quick,
            Long("full") => length = Length::Full,
            Long("help") | Short('h') => return Ok(help_on("models")),
            other => return Err(misuse(other.unexpected())),
        }
    }
    Ok(Command::Models { length })
}

fn parse_fuzz(mut args: lexopt::Parser) -> Result<Command, Failure> {
    let mut plan = fuzz::Plan { minutes: FUZZ_MINUTES, found: Found::Left, targets: Vec::new() };
    while let Some(arg) = args.next().map_err(misuse)? {
        match arg {
            Long("minutes") => plan.minutes = args.value().and_then(|value| value.parse()).map_err(misuse)?,
            Long("keep") => plan.found = Found::Kept,
            Long("help") | Short('h') => return Ok(help_on("fuzz")),
            Value(target) => plan.targets.push(target),
            other => return Err(misuse(other.unexpected())),
        }
    }
    Ok(Command::Fuzz(plan))
}

fn parse_sim(mut args: lexopt::Parser) -> Result<Command, Failure> {
    let mut plan = sim::Plan {
        seeds: SIM_SEEDS,
        first: 0,
        nodes: None,
        jobs: None,
        keeps_going: false,
        writes_report: false,
    };
    while let Some(arg) = args.next().map_err(misuse)? {
        match arg {
            Long("seeds") => plan.seeds = number(&mut args)?,
            Long("first") => plan.first = number(&mut args)?,
            Long("nodes") => plan.nodes = Some(number(&mut args)?),
            Long("jobs") => plan.jobs = Some(number(&mut args)?),
            Long("keep-going") => plan.keeps_going = true,
            Long("report") => plan.writes_report = true,
            Long("help") | Short('h') => return Ok(help_on("sim")),
            other => return Err(misuse(other.unexpected())),
        }
    }
    Ok(Command::Sim(plan))
}

fn number(args: &mut lexopt::Parser) -> Result<u64, Failure> {
    args.value().and_then(|value| value.parse()).map_err(misuse)
}

/// How many seeds are run, unless said.
const SIM_SEEDS: u64 = 100;

/// For each target, unless said.
const FUZZ_MINUTES: u64 = 10;

fn parse_bench(mut args: lexopt::Parser) -> Result<Command, Failure> {
    let mut length = Length::Full;
    let suite = loop {
        match args.next().map_err(misuse)? {
            Some(Long("quick")) => length = Length::Quick,
            Some(Long("help") | Short('h')) => return Ok(help_on("bench")),
            Some(Value(name)) => break parse_suite(&name)?,
            Some(other) => return Err(misuse(other.unexpected())),
            None => return Err(misuse("bench wants to know what: core, remote or durable")),
        }
    };
    let mut more = all_that_follow(args)?;
    if more.iter().any(|arg| arg == "--help" || arg == "-h") {
        return Ok(help_on("bench"));
    }
    if more.iter().any(|arg| arg == "--quick") {
        length = Length::Quick;
        more.retain(|arg| arg != "--quick");
    }
    Ok(Command::Bench { suite, length, more })
}

fn parse_suite(name: &OsString) -> Result<Suite, Failure> {
    name.to_str()
        .and_then(Suite::named)
        .ok_or_else(|| misuse(format!("there is no suite {name:?}: it is core, remote or durable")))
}

/// A command that takes no arguments.
fn parse_bare(mut args: lexopt::Parser, name: &str, command: Command) -> Result<Command, Failure> {
    match args.next().map_err(misuse)? {
        None => Ok(command),
        Some(Long("help") | Short('h')) => Ok(help_on(name)),
        Some(other) => Err(misuse(other.unexpected())),
    }
}

fn all_that_follow(mut args: lexopt::Parser) -> Result<Vec<OsString>, Failure> {
    Ok(args.raw_args().map_err(misuse)?.collect())
}

fn help_on(name: &str) -> Command {
    let text = ENTRIES.iter().find(|entry| entry.name == name).map(Entry::text);
    Command::Help(text.unwrap_or_else(help))
}

fn misuse(what: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("error: {what}\n\n{}", help()))
}

/// One command, as `help` shows it.
struct Entry {
    name: &'static str,
    options: &'static str,
    /// Lines of at most 90 characters.
    about: &'static [&'static str],
}

impl Entry {
    fn text(&self) -> String {
        let mut text = format!("  {} {}", self.name, self.options).trim_end().to_owned();
        for line in self.about {
            text.push_str("\n      ");
            text.push_str(line);
        }
        text.push('\n');
        text
    }
}

const ENTRIES: &[Entry] = &[
    Entry {
        name: "demo",
        options: "[--input DIR] [--nodes N] [--transports T,..] [--no-kill] [--json]",
        about: &[
            "Count the words of a directory on a cluster of processes, and lose one of them",
            "on the way. `demo --help` says more.",
        ],
    },
    Entry {
        name: "cluster",
        options: "up|status|ask|crash|freeze|block|..|down",
        about: &[
            "A cluster of real processes to play with. `cluster up -n 5` starts one; from another",
            "terminal the other words ask it, hurt it, and end it. `cluster --help` says more.",
        ],
    },
    Entry {
        name: "chaos",
        options: "[--minutes N] [--seed N] [OPTION...]",
        about: &[
            "Ten minutes of kill, stop, cut and heal among five processes under 10000 calls a second,",
            "and the proof that every call got what its outcome says. `chaos --help` says more.",
        ],
    },
    Entry {
        name: "test",
        options: "[--full] [FILTER...]",
        about: &[
            "Run every test and doctest of the workspace, with nextest where it is installed.",
            "FILTER is a part of a test's name. --full sets ACTOR_TEST_FULL=1, for the long form",
            "of the suites that have one.",
        ],
    },
    Entry {
        name: "ci",
        options: "",
        about: &[
            "Everything a change must pass: `check`, `features`, `models`, then `test`. Writes nothing",
            "but build output.",
        ],
    },
    Entry {
        name: "check",
        options: "",
        about: &["Formatting, clippy, tidy and documentation: what of `ci` runs none of ours."],
    },
    Entry {
        name: "models",
        options: "[--quick|--full]",
        about: &[
            "The core's lock-free parts under every schedule of small models (loom), then under",
            "many of larger ones (shuttle). --quick, which is what `ci` runs, takes a minute once",
            "it is built; --full has more preemptions and schedules, and takes an hour.",
        ],
    },
    Entry {
        name: "sanitize",
        options: "",
        about: &[
            "The core's unit tests under the address sanitizer, which finds leaks too; once as they",
            "are, once without the pool of reply slots. It needs a nightly toolchain.",
        ],
    },
    Entry {
        name: "fuzz",
        options: "[--minutes N] [--keep] [TARGET...]",
        about: &[
            "Feed frames, handshakes, sessions, payloads and texts to what reads them, for ten minutes",
            "each unless said. --keep writes what it found worth keeping to fuzz/corpus/TARGET.hex,",
            "which the tests replay. It needs a nightly toolchain and cargo-fuzz.",
        ],
    },
    Entry {
        name: "sim",
        options: "[--seeds N] [--first S] [--nodes N] [--jobs N] [--keep-going] [--report]",
        about: &[
            "Random users on simulated clusters in virtual time, under faults: a hundred seeds from 0,",
            "three to five nodes each and one for each processor at a time, unless said. What fails is",
            "run again with fewer faults, and printed; three that fail are enough, unless --keep-going,",
            "which counts them instead. --report writes docs/evidence.md anew.",
        ],
    },
    Entry {
        name: "tidy",
        options: "",
        about: &[
            "The order of the crates, the unsafe fence, module docs, pure machines, the executor",
            "seam, and which promises of docs/missions.md have a test.",
        ],
    },
    Entry {
        name: "features",
        options: "",
        about: &[
            "Build and try every crate that has Cargo features without them, with each, and with",
            "all; and see that each brings the crates it says, and nothing else does.",
        ],
    },
    Entry {
        name: "bench",
        options: "core|remote|durable [--quick] [OPTION...]",
        about: &[
            "Measure ours beside others, in one run on this machine. --quick takes two minutes.",
            "core: [--rows a,b] [--systems a,b] [--workers 1,2] [--rounds N] [--markdown], or",
            "--smoke to see that every row still works; integration-tests/peers/README.md.",
            "remote: those, and [--transports tcp,iroh,quic]; integration-tests/peers-remote/README.md.",
            "durable: as core, with the bounds it is held to; integration-tests/peers-durable/README.md.",
        ],
    },
    Entry {
        name: "certs",
        options: "--out DIR [--nodes a,b,c] [--force]",
        about: &[
            "Make a cluster's certificate authority and a certificate for each node, to develop",
            "with. Existing files are kept unless --force is given.",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, Failure> {
        parse(lexopt::Parser::from_args(args))
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        for entry in ENTRIES {
            let args = if entry.name == "bench" { vec!["bench", "core"] } else { vec![entry.name] };
            assert!(parsed(&args).is_ok(), "{}", entry.name);
        }
    }

    #[test]
    fn an_unknown_command_shows_the_help_and_ends_with_two() {
        for args in [&["dance"][..], &[], &["--dance"], &["tidy", "more"], &["bench"], &["bench", "all"]] {
            let failure = parsed(args).unwrap_err();
            assert_eq!(failure.code, 2, "{args:?}");
            assert!(failure.words.unwrap().contains("cargo xtask: every command"), "{args:?}");
        }
    }

    #[test]
    fn help_is_not_a_failure() {
        for args in [&["help"][..], &["--help"], &["-h"]] {
            assert_eq!(parsed(args).unwrap(), Command::Help(help()));
        }
        let Command::Help(text) = parsed(&["test", "--help"]).unwrap() else { panic!("not help") };
        assert!(text.contains("--full") && !text.contains("certs"), "{text}");
    }

    #[test]
    fn the_demo_gets_its_arguments_as_they_are() {
        let args = vec!["--json".into(), "--help".into(), "--".into(), "x".into()];
        assert_eq!(
            parsed(&["demo", "--json", "--help", "--", "x"]).unwrap(),
            Command::Run { program: Program::Demo, args }
        );
    }

    #[test]
    fn tests_take_filters_in_any_place() {
        let plan = TestPlan { length: Length::Full, filters: vec!["a01".into(), "b09".into()] };
        assert_eq!(parsed(&["test", "a01", "--full", "b09"]).unwrap(), Command::Test(plan));
        assert_eq!(parsed(&["test"]).unwrap(), Command::Test(TestPlan::default()));
    }

    #[test]
    fn models_are_quick_unless_said() {
        assert_eq!(parsed(&["models"]).unwrap(), Command::Models { length: Length::Quick });
        assert_eq!(parsed(&["models", "--quick"]).unwrap(), Command::Models { length: Length::Quick });
        assert_eq!(parsed(&["models", "--full"]).unwrap(), Command::Models { length: Length::Full });
        assert_eq!(parsed(&["models", "loom"]).unwrap_err().code, 2);
        assert_eq!(parsed(&["sanitize"]).unwrap(), Command::Sanitize);
        assert_eq!(parsed(&["sanitize", "--full"]).unwrap_err().code, 2);
    }

    #[test]
    fn fuzzing_takes_minutes_and_targets_in_any_order() {
        let plan = |minutes, found, targets: &[&str]| {
            Command::Fuzz(fuzz::Plan { minutes, found, targets: targets.iter().map(Into::into).collect() })
        };
        assert_eq!(parsed(&["fuzz"]).unwrap(), plan(FUZZ_MINUTES, Found::Left, &[]));
        assert_eq!(
            parsed(&["fuzz", "frames", "--minutes", "2", "names"]).unwrap(),
            plan(2, Found::Left, &["frames", "names"])
        );
        assert_eq!(
            parsed(&["fuzz", "--keep", "parts"]).unwrap(),
            plan(FUZZ_MINUTES, Found::Kept, &["parts"])
        );
        assert_eq!(parsed(&["fuzz", "--minutes", "many"]).unwrap_err().code, 2);
    }

    #[test]
    fn a_suite_is_full_unless_said() {
        let quick = Command::Bench { suite: Suite::Remote, length: Length::Quick, more: vec![] };
        assert_eq!(parsed(&["bench", "remote", "--quick"]).unwrap(), quick);
        assert_eq!(parsed(&["bench", "--quick", "remote"]).unwrap(), quick);
        let full = Command::Bench { suite: Suite::Core, length: Length::Full, more: vec![] };
        assert_eq!(parsed(&["bench", "core"]).unwrap(), full);
    }

    #[test]
    fn the_comparison_gets_the_rest_of_its_arguments() {
        let more = vec!["--rows".into(), "ask_seq".into()];
        let plan = Command::Bench { suite: Suite::Core, length: Length::Quick, more };
        assert_eq!(parsed(&["bench", "core", "--rows", "--quick", "ask_seq"]).unwrap(), plan);
    }
}
