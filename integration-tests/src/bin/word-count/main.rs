//! Counts the words of a directory on a cluster of processes, and loses one of them
//! on the way.
//!
//! ```text
//!  main ── options ── input ──► coordinator ──► crew: this node, and a process for
//!    │                              │            each worker, over TCP, Iroh, QUIC or WebSocket
//!    └── report ◄── outcome ────────┴── schedule: who counts which chunk
//! ```
//!
//! The same program is the worker, see `worker.rs`.

mod coordinator;
mod crew;
mod input;
mod options;
mod progress;
mod report;
mod schedule;
mod words;
mod worker;

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use actor_cluster::StartError;
use actor_cluster::transport::TransportError;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use crate::input::{Chunk, Input};
use crate::options::{Options, Role};
use crate::progress::Progress;
use crate::report::Report;
use crate::words::Tally;

/// Why there is no count, by the code that the program ends with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for cannot be done: 2.
    Unusable(String),
    /// It was tried, and went wrong: 1.
    Failed(String),
    /// Somebody asked us to stop: 130.
    Interrupted,
}

impl Failure {
    fn tell(&self) -> ExitCode {
        match self {
            Failure::Unusable(text) => {
                eprintln!("word-count: {text}");
                ExitCode::from(2)
            }
            Failure::Failed(text) => {
                eprintln!("word-count: {text}");
                ExitCode::FAILURE
            }
            Failure::Interrupted => ExitCode::from(130),
        }
    }
}

/// A node of ours did not start: its port is taken, or this machine has no loopback.
impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Failure::Unusable(error.to_string())
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Failure::Unusable(error.to_string())
    }
}

fn main() -> ExitCode {
    // For whoever wants to look inside: RUST_LOG=debug.
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(io::stderr).init();
    let done = match Role::parse() {
        Ok(Role::Help(text)) => print(text),
        Ok(Role::Worker) => work(),
        Ok(Role::Coordinator(options)) => count(&options),
        Err(failure) => Err(failure),
    };
    done.map_or_else(|failure| failure.tell(), |()| ExitCode::SUCCESS)
}

/// Lives as a worker.
fn work() -> Result<(), Failure> {
    run(async { worker::run().await.map_err(|error| Failure::Failed(error.to_string())) })
}

/// Counts, and tells what came of it.
fn count(options: &Options) -> Result<(), Failure> {
    let directory = &options.input;
    let input = Input::read(directory).map_err(|error| {
        Failure::Unusable(format!("cannot count the words under {}: {error}", directory.display()))
    })?;
    let chunks = chunks(&input, options)?;
    let mut progress = Progress::new(input.bytes());
    let workers = options.nodes - 1;
    let outcome = run(async {
        tokio::select! {
            outcome = coordinator::run(chunks, (workers, &options.ways), options.plan, &mut progress) => outcome,
            interrupted = interrupted() => Err(interrupted),
        }
    });
    progress.finish();
    let outcome = outcome?;

    let start = Instant::now();
    let expected = plain_count(&input);
    let report = Report {
        nodes: options.nodes,
        ways: &options.ways,
        plan: options.plan,
        files: input.texts.len(),
        bytes: input.bytes(),
        skipped: &input.skipped,
        outcome: &outcome,
        expected: &expected,
        plain_took: start.elapsed(),
    };
    print(&report.page())?;
    if options.json {
        print(&format!("{}\n", report.json()))?;
    }
    match &report.faults()[..] {
        [] => Ok(()),
        faults => Err(Failure::Failed(faults.join("\nword-count: "))),
    }
}

/// The chunks of the input: enough for every worker to have one.
fn chunks(input: &Input, options: &Options) -> Result<Vec<Chunk>, Failure> {
    let at_least = options.plan.chunks_min(options.nodes - 1);
    let chunks = input.cut(at_least);
    if chunks.len() >= at_least {
        return Ok(chunks);
    }
    let directory = options.input.display();
    let (files, skipped) = (input.texts.len(), input.skipped.len());
    Err(Failure::Unusable(match chunks.len() {
        0 => format!("there is no text under {directory} ({files} empty files, {skipped} skipped)"),
        parts => format!(
            "the text under {directory} has {parts} parts at most, and {} nodes need {at_least}",
            options.nodes
        ),
    }))
}

/// The count that all is held against: one thread, whole texts, no cluster.
fn plain_count(input: &Input) -> Tally {
    let mut tally = Tally::default();
    input.texts.iter().for_each(|text| tally.merge(Tally::of(text)));
    tally
}

/// Runs to the end of the future, and not to that of tasks it has left.
fn run<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Runtime::new().map_err(|error| Failure::Unusable(error.to_string()))?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}

/// Waits until the user or the system wants us to stop. The workers are killed when
/// what is dropped then is dropped.
async fn interrupted() -> Failure {
    match wait_for_signal().await {
        Ok(()) => Failure::Interrupted,
        Err(error) => Failure::Unusable(format!("cannot wait for signals: {error}")),
    }
}

#[cfg(unix)]
async fn wait_for_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Writes to standard output. Whoever reads it may have read enough.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(error.to_string())),
        _ => Ok(()),
    }
}
