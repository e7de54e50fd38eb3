//! Ten minutes of kill, stop, cut and heal among processes that call each other, and the proof that every call got what its
//! outcome says. The same program is the nodes.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use integration_tests::chaos::demand::Demand;
use integration_tests::chaos::run::{Plan, run};
use integration_tests::chaos::{Flaw, node};
use integration_tests::process::{Guest, Program};
use lexopt::prelude::*;

/// `cargo xtask chaos --help` prints it without building this.
const HELP: &str = include_str!("../help/chaos.txt");

struct Options {
    plan: Plan,
    keeps: bool,
    is_quiet: bool,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    let seed = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs());
    let mut plan = Plan {
        program: Program::this(),
        nodes: 5,
        per_second: 10_000,
        span: Duration::from_secs(600),
        seed,
        flaw: Flaw::None,
        directory: std::env::temp_dir().join(format!("actor-chaos-{}", std::process::id())),
        in_namespaces: true,
    };
    let (mut keeps, mut is_quiet) = (false, false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("minutes") => {
                plan.span = Duration::from_secs(args.value()?.parse::<u64>()?.saturating_mul(60));
            }
            Long("seconds") => plan.span = Duration::from_secs(args.value()?.parse()?),
            Long("nodes") => plan.nodes = args.value()?.parse()?,
            Long("per-second") => plan.per_second = args.value()?.parse()?,
            Long("seed") => plan.seed = args.value()?.parse()?,
            Long("out") => (plan.directory, keeps) = (PathBuf::from(args.value()?), true),
            Long("on-loopback") => plan.in_namespaces = false,
            Long("break") => {
                let word = args.value()?.string()?;
                plan.flaw = Flaw::named(&word).ok_or_else(|| format!("there is no flaw {word:?}"))?;
            }
            Long("quiet") => is_quiet = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if !(2..=50).contains(&plan.nodes) {
        return Err("there are 2 to 50 nodes".into());
    }
    if plan.per_second < plan.nodes as u64 {
        return Err(format!("{} processes make {} calls a second at least", plan.nodes, plan.nodes).into());
    }
    if std::fs::read_dir(&plan.directory).is_ok_and(|mut files| files.next().is_some()) {
        return Err(format!("there is something in {}", plan.directory.display()).into());
    }
    Ok(Some(Options { plan, keeps, is_quiet }))
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Guest::arrive() {
        Ok(Some(guest)) => node::run(guest).await.map(|()| ExitCode::SUCCESS),
        Ok(None) => match options() {
            Ok(Some(options)) => chaos(options).await,
            Ok(None) => {
                print(HELP);
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                eprintln!("error: {error}\n\n`chaos --help` says what there is");
                return ExitCode::from(2);
            }
        },
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("chaos: {error}");
        ExitCode::FAILURE
    })
}

async fn chaos(Options { plan, keeps, is_quiet }: Options) -> Result<ExitCode, Box<dyn Error>> {
    print(&format!(
        "seed {}: {} processes, {} calls a second, {:?}\n",
        plan.seed, plan.nodes, plan.per_second, plan.span
    ));
    let report = run(&plan, |line| {
        if !is_quiet {
            print(&format!("{line}\n"));
        }
    })
    .await;
    if !keeps {
        // Somebody else may have been faster; what is left harms nobody.
        _ = std::fs::remove_dir_all(&plan.directory);
    }
    let report = report?;
    print(&format!("\n{report}\n"));
    let shortfalls = report.shortfalls(Demand::of(plan.span));
    for shortfall in &shortfalls {
        print(&format!("TOO LITTLE: {shortfall}\n"));
    }
    let is_good = report.verdict.is_clean() && shortfalls.is_empty();
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(text: &str) {
    print!("{text}");
}
