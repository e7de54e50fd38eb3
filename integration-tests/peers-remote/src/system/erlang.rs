//! Erlang's own distribution over plaintext TCP, where `erl` is installed. Its scenarios are in
//! `remote.erl`, after ours; both its nodes are processes of its own, and it times itself.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::far::PATIENCE;
use crate::flags::Task;
use crate::measure::Reading;
use crate::report;
use crate::rows::{Form, Kind, Load};

const SOURCE: &str = include_str!("remote.erl");

pub(crate) fn why_left_out(form: &Form) -> Option<&'static str> {
    match form.kind {
        Kind::Tell(Load::Owned(_), _) | Kind::AskOne | Kind::AskMany(_) => {
            compiled().as_ref().err().map(|_| "erl is not installed")
        }
        _ => Some("not written for it"),
    }
}

/// One reading, by two nodes.
pub(crate) fn measure(task: &Task) -> Result<Reading, String> {
    let directory = compiled().as_ref().map_err(Clone::clone)?;
    let port = free_port().map_err(|error| error.to_string())?.to_string();
    let node = |name: &str, more: &[&str]| {
        let mut erl = Command::new("erl");
        let schedulers = format!("{0}:{0}", task.workers);
        erl.args([
            "-noshell",
            "+S",
            &schedulers,
            "-setcookie",
            "cookie",
            "-sname",
            &format!("{name}@localhost"),
        ]);
        // Its name server would stay behind; the port of the far node is told instead.
        erl.args([
            "-start_epmd",
            "false",
            "-erl_epmd_port",
            &port,
            "-kernel",
            "inet_dist_use_interface",
            "{127,0,0,1}",
        ]);
        erl.arg("-pa").arg(directory).args(more);
        erl.stdin(Stdio::null()).stdout(Stdio::piped());
        erl
    };
    let kind = format!("{:?}", task.form.kind);
    let (what, size, tasks) = match task.form.kind {
        Kind::Tell(load, senders) => ("tell", load.bytes(), senders),
        Kind::AskOne => ("ask", 64, 1),
        Kind::AskMany(tasks) => ("ask_many", 64, tasks),
        _ => return Err(format!("{kind} is not written for it")),
    };
    let _far = Killed(node("far", &["-run", "remote", "far"]).spawn().map_err(|error| error.to_string())?);
    let numbers = [size as u64, tasks as u64, task.millis].map(|number| number.to_string());
    let near = node(
        "near",
        &["-dist_listen", "false", "-run", "remote", "near", what, &numbers[0], &numbers[1], &numbers[2]],
    )
    .spawn()
    .map_err(|error| error.to_string())?;
    let text = output(near)?;
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match (task.form.rows, &figures[..]) {
        ([row], [figure]) => Ok(Reading::from([(row.name, *figure)])),
        ([median, p99], [first, second]) => Ok(Reading::from([(median.name, *first), (p99.name, *second)])),
        _ => Err(format!("it printed {text:?}")),
    }
}

/// What a process prints until it ends, if it does in time.
fn output(child: Child) -> Result<String, String> {
    let mut child = Killed(child);
    let until = Instant::now() + PATIENCE;
    while child.0.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > until {
            return Err(format!("it did not end within {PATIENCE:?}"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    let mut text = String::new();
    if let Some(mut pipe) = child.0.stdout.take() {
        std::io::Read::read_to_string(&mut pipe, &mut text).map_err(|error| error.to_string())?;
    }
    Ok(text)
}

/// A process that does not outlive this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The directory of the compiled module.
fn compiled() -> &'static Result<PathBuf, String> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let directory = report::directory().join("erlang-remote");
        let source = directory.join("remote.erl");
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
