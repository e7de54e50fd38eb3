//! Measurements in processes of their own: this program again, or its twin whose allocator counts.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A measurement that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Which program takes a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Program {
    /// This one.
    Itself,
    /// Its twin whose allocator counts, by its name, for requests for memory.
    Counting(&'static str),
}

impl Program {
    fn path(self) -> Result<PathBuf, String> {
        let this = env::current_exe().map_err(|error| error.to_string())?;
        let Self::Counting(name) = self else { return Ok(this) };
        let twin = this.with_file_name(name);
        if twin.exists() { Ok(twin) } else { Err(format!("{name} is not built; `cargo build --release` builds it")) }
    }

    /// Runs one measurement, and reads the line of JSON that it prints.
    ///
    /// # Errors
    ///
    /// It does not start, fails, or prints something else.
    pub fn measure(self, words: &[String]) -> Result<Value, String> {
        let mut program = Command::new(self.path()?);
        program.arg("measure").args(words).stdin(Stdio::null());
        let output = program.output().map_err(|error| format!("does not start: {error}"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("no words");
            return Err(format!("{}: {first}", output.status));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("printed no reading: {error}"))
    }
}

/// Ends this process with a failure if it is still there after five minutes, so that what hangs does not hold up the rest.
pub fn end_if_it_hangs() {
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("it did not end within {PATIENCE:?}");
        std::process::exit(3);
    });
}
