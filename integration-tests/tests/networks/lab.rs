//! Processes that play a part of a test, here or in a space of a lab.
//!
//! ```text
//!  a test ── starts itself in a space, with a part to play ─► Player ── lines, both ways ─► the test
//! ```

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

pub(crate) use actor_testkit::process::{Lab, or_skip};

/// Which part the test plays in this process; none in the process that the test began in.
const PART: &str = "ACTOR_TEST_PART";

/// What marks the lines that a player means for the test: the harness writes its own.
const MARK: &str = "::";

/// The part to play in this process, if the test is not to begin here.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Says something to the test.
pub(crate) fn tell(line: &str) {
    let mut stdout = io::stdout().lock();
    // Fails where the test is gone; then this process soon is, too.
    let _ = writeln!(stdout, "\n{MARK}{line}").and_then(|()| stdout.flush());
}

/// A process that plays a part. It ends with this value.
pub(crate) struct Player {
    part: String,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Player {
    /// Starts this test once more, on this machine's own network, to play a part.
    pub(crate) fn here(test: &str, part: &str, told: &[(&str, &str)]) -> Self {
        Self::of(Command::new(env::current_exe().unwrap()), test, part, told)
    }

    /// Starts this test once more, in a space, to play a part.
    pub(crate) fn start(lab: &Lab, space: &str, test: &str, part: &str, told: &[(&str, &str)]) -> Self {
        Self::of(lab.command_again(space).unwrap(), test, part, told)
    }

    fn of(mut command: Command, test: &str, part: &str, told: &[(&str, &str)]) -> Self {
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.env(PART, part).envs(told.iter().copied());
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let lines = BufReader::new(stdout).lines();
        Self { part: part.to_owned(), stdin, lines, _child: child }
    }

    /// The next that it says.
    pub(crate) async fn says(&mut self) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the {} has ended", self.part));
            if let Some(said) = line.strip_prefix(MARK) {
                return said.to_owned();
            }
        }
    }

    /// Waits until it says something that begins like this, and gives the rest.
    pub(crate) async fn says_sometime(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.says().await.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Lets it know that it is enough.
    pub(crate) async fn tell(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}
