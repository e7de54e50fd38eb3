//! A cluster of real processes to play with. The same program is the nodes, see [`playground`], and what speaks with a
//! cluster from another terminal.
//!
//! ```text
//!  cluster up ── starts ─► node-0, node-1, …        cluster status, crash, freeze, block, .., down
//!      └── stage.rs: one command after the other ◄── a Unix socket: remote.rs ──┘
//! ```

#[cfg(unix)]
mod remote;
#[cfg(unix)]
mod stage;

use std::process::ExitCode;

use integration_tests::playground;
use integration_tests::process::Guest;

/// `cargo xtask cluster --help` prints it without building this.
const HELP: &str = include_str!("../../help/cluster.txt");

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Guest::arrive() {
        Ok(Some(guest)) => playground::run(guest).await.map(|()| ExitCode::SUCCESS),
        Ok(None) => return command().await,
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("a node of the cluster: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(not(unix))]
async fn command() -> ExitCode {
    eprintln!("the command line speaks with a cluster over a Unix socket, and there are none here");
    ExitCode::FAILURE
}

#[cfg(unix)]
async fn command() -> ExitCode {
    let options = match stage::Options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n`cluster --help` says what there is");
            return ExitCode::from(2);
        }
    };
    let done = match options.words.first().map(String::as_str) {
        Some("up") => {
            let ended = stage::up(options).await;
            if let Err(error) = &ended {
                eprintln!("error: {error}");
            }
            // A read of the terminal that the runtime began would hold it up.
            std::process::exit(i32::from(ended.is_err()));
        }
        _ => remote::say(&options.name, &options.words.join(" ")).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(text: &str) {
    use std::io::Write;

    print!("{text}");
    // Whoever does not look any more misses it.
    _ = std::io::stdout().flush();
}
