//! Erlang, where `erl` is installed. Its scenarios are in `peers.erl`, written
//! after ours and with the same counts; it times itself.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::report;

const SOURCE: &str = include_str!("peers.erl");

const ROWS: &[&str] = &[
    "tell_1_1",
    "tell_1_1_burst",
    "tell_4_1",
    "tell_8_1",
    "tell_8_1_yield",
    "fanout_1000",
    "ask_seq",
    "ask_actor",
    "ask_64",
    "ping_pong",
    "ring_1000",
    "spawn_cold",
    "spawn_warm",
    "spawn_ask",
    "first_message",
    "idle_heap_bytes",
    "used_heap_bytes",
];

pub(crate) fn knows(row: &str) -> bool {
    ROWS.contains(&row)
}

pub(crate) fn is_installed() -> bool {
    compiled().is_ok()
}

/// One reading.
pub(crate) fn measure(row: &str, workers: usize, n: u64) -> Result<f64, String> {
    let directory = compiled().as_ref().map_err(Clone::clone)?;
    let mut erl = Command::new("erl");
    erl.args(["-noshell", "+S", &format!("{workers}:{workers}"), "+P", "2000000", "-pa"]).arg(directory);
    erl.args(["-run", "peers", "main", row, &n.to_string()]).stdin(Stdio::null());
    let output = erl.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("printed {text:?}"))
}

/// The directory of the compiled module.
fn compiled() -> &'static Result<PathBuf, String> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let directory = report::directory().join("erlang");
        let source = directory.join("peers.erl");
        let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&source, SOURCE));
        written.map_err(|error| error.to_string())?;
        let mut erlc = Command::new("erlc");
        let done = erlc.arg("-o").arg(&directory).arg(&source).stdout(Stdio::null()).status();
        match done {
            Ok(status) if status.success() => Ok(directory),
            Ok(status) => Err(format!("erlc: {status}")),
            Err(error) => Err(format!("erlc: {error}")),
        }
    })
}
