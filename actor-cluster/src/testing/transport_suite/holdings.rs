//! What a node holds of the system's, so that it shows what a transport does not give back. Counted where it can be
//! counted: tasks of the test's own runtime always; open files and memory on Linux, where the test is alone in its
//! process, as it is under nextest and not under `cargo test`.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Handle;

use super::pair::poll_once;
use crate::transport::Listener;

/// How long it takes until somebody looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How long what was let go of may take to be gone, which a listener's deadlines and a transport's last words
/// decide.
const SETTLING_DEADLINE: Duration = Duration::from_secs(30);

/// What is held at one time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Holdings {
    tasks: usize,
    files: Option<usize>,
}

impl Holdings {
    /// What is held now.
    pub(super) fn now() -> Self {
        Self { tasks: Handle::current().metrics().num_alive_tasks(), files: open_files() }
    }

    /// Waits until there is no more than this, and lets the listener work meanwhile, which drops whoever still
    /// comes in.
    pub(super) async fn wait_until_restored(self, listener: &mut Box<dyn Listener>) {
        let settling = async {
            while !Self::now().is_within(self) {
                drop(poll_once(pin!(listener.accept())));
                // sleep: nothing tells when the system has taken back the last of it.
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let settled = tokio::time::timeout(SETTLING_DEADLINE, settling).await;
        assert!(settled.is_ok(), "there were {self}, and are {} still", Self::now());
    }

    fn is_within(self, others: Self) -> bool {
        self.tasks <= others.tasks && self.files <= others.files
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks", self.tasks)?;
        match self.files {
            Some(files) => write!(f, " and {files} open files"),
            None => Ok(()),
        }
    }
}

/// How much memory the process has in use, in bytes; `None` where it is others' as well, or nobody says.
pub(super) fn memory_bytes() -> Option<usize> {
    if !is_alone() {
        return None;
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// How many files the process has open, the one that is read for this included.
fn open_files() -> Option<usize> {
    if is_alone() { Some(std::fs::read_dir("/proc/self/fd").ok()?.count()) } else { None }
}

/// Whether the process runs one test and no others: nextest says so.
fn is_alone() -> bool {
    std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test")
}
