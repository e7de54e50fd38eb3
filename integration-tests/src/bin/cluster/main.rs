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

const HELP: &str = "\
cluster: a cluster of real processes to play with.

  up [-n N] [--in-namespaces]    start N nodes (5), and run until Ctrl-C or `down`; in network
                                 namespaces they can be parted, which takes root and iproute2
  status                         what each node does, and with whom it is connected
  greet A B                      have node A greet node B
  ask A WORDS                    ask node A: peers, names, refused, weigh NAME BYTES, ..
  add                            one more node
  crash A [silent]               by SIGKILL; silently, its wire is pulled before
  restart A | stop A             another life of one that has ended; by SIGTERM
  freeze A | thaw A              by SIGSTOP and SIGCONT
  partition A,B C,D              nothing passes between the groups; who is in none is alone
  block A B | unblock A B        nothing passes from A to B; it does again
  unplug A | plug-in A           pull the wire of a node
  heal                           everything passes again
  down                           stop all of them

  --name NAME                    which cluster, where there are several

All but `up` are for another terminal; where `up` runs they can be typed as they are.
";

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
            eprintln!("error: {error}\n\n{HELP}");
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
