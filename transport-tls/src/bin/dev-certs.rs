//! Makes a development authority and certificates for the nodes of a cluster on
//! one desk. The authority's key is not kept: to add a node, make all anew.
#![allow(clippy::print_stdout, reason = "what was made is this program's output")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use transport_tls::dev_ca::{DevCa, Existing, NodeCredentials};

const USAGE: &str = "\
Usage: dev-certs --out DIR [--nodes NAME,NAME,…] [--force]

Writes ca.pem and, for each node, NAME.pem and NAME.key into DIR, and prints
each node's identity. For development only.

  --out DIR       where to; made if it is missing
  --nodes NAMES   the nodes, separated by commas [node-1,node-2,node-3]
  --force         replace files that exist";

fn main() -> ExitCode {
    match Task::parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev-certs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
enum Task {
    Help,
    Make { out: PathBuf, nodes: Vec<String>, existing: Existing },
}

impl Task {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut out = None;
        let mut nodes: Vec<String> = ["node-1", "node-2", "node-3"].map(String::from).into();
        let mut existing = Existing::Refuse;
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("out") => out = Some(PathBuf::from(arguments.value()?)),
                Long("nodes") => nodes = arguments.value()?.string()?.split(',').map(String::from).collect(),
                Long("force") => existing = Existing::Replace,
                Long("help") | Short('h') => return Ok(Task::Help),
                other => return Err(other.unexpected().into()),
            }
        }
        let out = out.ok_or("--out DIR is missing; --help tells more")?;
        Ok(Task::Make { out, nodes, existing })
    }
}

fn run(task: Task) -> Result<(), Box<dyn Error>> {
    match task {
        Task::Help => println!("{USAGE}"),
        Task::Make { out, nodes, existing } => make(&out, &nodes, existing)?,
    }
    Ok(())
}

/// Makes everything first, so that a bad name leaves nothing half written.
fn make(out: &Path, names: &[String], existing: Existing) -> Result<(), Box<dyn Error>> {
    let ca = DevCa::new()?;
    let nodes = names.iter().map(|name| ca.node(name)).collect::<Result<Vec<_>, _>>()?;
    check_free(out, &nodes, existing)?;
    fs::create_dir_all(out)?;
    ca.write_to(out, existing)?;
    for node in &nodes {
        node.write_to(out, existing)?;
        println!("{} {}", node.name, node.node_id);
    }
    Ok(())
}

/// Looks before the first file is written: half a set of certificates, signed by
/// two authorities, is worse than none.
fn check_free(out: &Path, nodes: &[NodeCredentials], existing: Existing) -> Result<(), Box<dyn Error>> {
    let of_nodes = nodes.iter().flat_map(|node| NodeCredentials::files(out, &node.name));
    let mut files = of_nodes.chain([out.join("ca.pem")]);
    match files.find(|file| file.exists()) {
        Some(file) if existing == Existing::Refuse => {
            Err(format!("{} exists; --force replaces it", file.display()).into())
        }
        _ => Ok(()),
    }
}
