//! Counts instructions: the same measurement twice under callgrind, with more and with fewer operations, so that what is done
//! once does not count.

use std::env;
use std::process::{Command, Stdio};

use crate::flags::Task;

pub(crate) const MISSING: &str = "NOT MEASURED: valgrind is not installed (apt-get install valgrind)";

pub(crate) fn is_installed() -> bool {
    let mut version = Command::new("valgrind");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// The instructions of one operation.
pub(crate) fn per_operation(task: &Task) -> Result<f64, String> {
    let few = task.n / 5;
    let (less, more) = (total(task, few)?, total(task, task.n)?);
    Ok((more - less) / (task.n - few) as f64)
}

fn total(task: &Task, n: u64) -> Result<f64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut program = Command::new("valgrind");
    program.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this).arg("measure");
    program.args(Task { n, ..task.clone() }.words()).stdin(Stdio::null());
    let output = program.output().map_err(|error| format!("valgrind does not start: {error}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, words.lines().last().unwrap_or("no words")));
    }
    collected(&words).ok_or_else(|| "callgrind did not say what it collected".to_owned())
}

/// The number in `==1234== Collected : 5678`.
fn collected(words: &str) -> Option<f64> {
    let line = words.lines().find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_collected_is_read() {
        let words = "==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(words), Some(123_456.0));
        assert_eq!(collected("==7== nothing"), None);
    }
}
