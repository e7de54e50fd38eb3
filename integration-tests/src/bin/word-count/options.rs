//! The command line: what may be asked for, and what is meant where nothing is.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::Way;
use lexopt::prelude::*;

use crate::Failure;
use crate::crew::WORKER_ROLE;
use crate::schedule::Plan;

const HELP: &str = "\
Counts the words of every text under a directory on a cluster of processes: a
coordinator, and workers that join it over the transports by turns.
Midway one worker is killed with a chunk in hand, which then goes to another. The
result is held against a plain count by one thread.

  --input DIR   what to count [the sources and docs of this workspace]
  --nodes N     how many processes, the coordinator among them, 3 to 32 [5]
  --transports  which, as tcp,iroh,quic,ws: TCP with TLS, Iroh, QUIC, and WebSocket
                without TLS on this machine [tcp,iroh]
  --no-kill     kill nobody
  --json        end with one line of JSON
  --help        this text

Hidden directories, links and cargo's output are left out; what is not UTF-8 or
cannot be read is skipped and named. Ends with 0 if the counts are equal, if a
chunk was retried (unless nobody is killed) and if workers of all transports
counted; with 1 if not; with 2 if it cannot be tried. RUST_LOG=debug shows more.
";

/// The coordinator and two workers; at least one on each transport.
const NODES_MIN: usize = 3;

/// Each is a process.
const NODES_MAX: usize = 32;

const NODES: usize = 5;

const WAYS: [Way; 2] = [Way::Tcp, Way::Iroh];

/// What this process is to be.
#[derive(Debug)]
pub(crate) enum Role {
    /// Says what can be asked for.
    Help(&'static str),
    /// Counts what it is sent.
    Worker,
    /// Has others count.
    Coordinator(Options),
}

/// What is to be counted, and by whom.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) input: PathBuf,
    pub(crate) nodes: usize,
    /// What workers join over, each once.
    pub(crate) ways: Vec<Way>,
    pub(crate) plan: Plan,
    pub(crate) json: bool,
}

impl Role {
    /// Reads the command line.
    pub(crate) fn parse() -> Result<Self, Failure> {
        Self::parse_from(env::args_os().skip(1).collect())
    }

    fn parse_from(arguments: Vec<OsString>) -> Result<Self, Failure> {
        if arguments == [WORKER_ROLE] {
            return Ok(Role::Worker);
        }
        parse(lexopt::Parser::from_args(arguments))
            .map_err(|error| Failure::Unusable(format!("{error}\n\n{HELP}")))
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Role, lexopt::Error> {
    let (mut input, mut nodes, mut ways) = (None, NODES, WAYS.to_vec());
    let (mut plan, mut json) = (Plan::Kill, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("input") => input = Some(PathBuf::from(arguments.value()?)),
            Long("nodes") => nodes = arguments.value()?.parse_with(parse_nodes)?,
            Long("transports") => ways = arguments.value()?.parse_with(parse_ways)?,
            Long("no-kill") => plan = Plan::Spare,
            Long("json") => json = true,
            Long("help") | Short('h') => return Ok(Role::Help(HELP)),
            other => return Err(other.unexpected()),
        }
    }
    let input = input.or_else(workspace).ok_or("this is no workspace: say with --input what to count")?;
    if nodes <= ways.len() {
        return Err(
            format!("{nodes} nodes are too few for a worker on each of {} transports", ways.len()).into()
        );
    }
    Ok(Role::Coordinator(Options { input, nodes, ways, plan, json }))
}

fn parse_ways(text: &str) -> Result<Vec<Way>, String> {
    let mut ways = Vec::new();
    for name in text.split(',') {
        let way = match name {
            "tcp" => Way::Tcp,
            "iroh" => Way::Iroh,
            "quic" => Way::Quic,
            "ws" => Way::Ws,
            _ => return Err("transports are named as in tcp,iroh,quic,ws".to_owned()),
        };
        if ways.contains(&way) {
            return Err(format!("{name} is named twice"));
        }
        ways.push(way);
    }
    Ok(ways)
}

fn parse_nodes(text: &str) -> Result<usize, String> {
    let nodes = text.parse().ok().filter(|nodes| (NODES_MIN..=NODES_MAX).contains(nodes));
    nodes.ok_or_else(|| format!("there can be {NODES_MIN} to {NODES_MAX} nodes, the coordinator among them"))
}

/// The workspace that cargo runs us from, or that we stand in.
fn workspace() -> Option<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).or_else(|| env::current_dir().ok())?;
    package.ancestors().find(|directory| is_workspace(directory)).map(Path::to_path_buf)
}

fn is_workspace(directory: &Path) -> bool {
    fs::read_to_string(directory.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Role, Failure> {
        Role::parse_from(arguments.iter().map(OsString::from).collect())
    }

    #[test]
    fn all_that_the_help_names_is_understood() {
        let Ok(Role::Coordinator(options)) =
            parsed(&["--input", "dir", "--nodes=3", "--transports=quic,tcp", "--no-kill", "--json"])
        else {
            panic!("not understood")
        };
        let ways = vec![Way::Quic, Way::Tcp];
        let expected = Options { input: "dir".into(), nodes: 3, ways, plan: Plan::Spare, json: true };
        assert_eq!(options, expected);
        assert!(matches!(parsed(&["-h"]), Ok(Role::Help(_))));
        assert!(matches!(parsed(&[WORKER_ROLE]), Ok(Role::Worker)));
    }

    #[test]
    fn without_options_it_is_five_nodes_on_this_workspace() {
        let Ok(Role::Coordinator(options)) = parsed(&[]) else { panic!("not understood") };
        assert!(options.input.join("integration-tests/Cargo.toml").is_file());
        assert_eq!((options.nodes, options.plan, options.json), (5, Plan::Kill, false));
        assert_eq!(options.ways, WAYS);
    }

    #[test]
    fn what_makes_no_sense_is_unusable_and_shows_the_help() {
        for arguments in [
            &["--nodes", "2"][..],
            &["--nodes", "33"],
            &["--nodes", "many"],
            &["--nodes"],
            &["--kill"],
            &["directory"],
            &["--input"],
            &["--json=yes"],
            &["--transports", "udp"],
            &["--transports", "tcp,"],
            &["--transports", "quic,quic"],
            &["--transports", "tcp,iroh,quic", "--nodes", "3"],
        ] {
            let Err(Failure::Unusable(text)) = parsed(arguments) else { panic!("{arguments:?}") };
            assert!(text.ends_with(HELP), "{text}");
        }
    }
}
