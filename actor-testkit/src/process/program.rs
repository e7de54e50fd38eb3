//! What a node runs.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::invitation::Invitation;
use super::lines::GUEST;

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Program {
    /// A program of its own: `env!("CARGO_BIN_EXE_my-node")`, for example.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// This program once more, without arguments: its `main` begins with [`Guest::arrive`](super::Guest::arrive). Where the
    /// system does not say which it is, it will not start.
    pub fn this() -> Self {
        Self::new(env::current_exe().unwrap_or_default())
    }

    /// This test once more, by its name with the modules that it is in: the test begins with
    /// [`Guest::arrive`](super::Guest::arrive), and needs no program beside it. A test of a name that does not exist ends at
    /// once, and what it says is in [`ProcessError::Ended`](super::ProcessError::Ended).
    pub fn this_test(name: &str) -> Self {
        Self::this().arguments(["--exact", name, "--nocapture", "--test-threads=1", "--include-ignored"])
    }

    /// Tells it this, too, on its command line.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Tells it these, too, on its command line.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment; the others are ours.
    pub fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The same program, started by a line of shell, in which `"$@"` is the program with its arguments: for limits, for
    /// example, as in `ulimit -n 64; exec "$@"`.
    pub fn by_shell(self, line: &str) -> Self {
        let mut shell =
            Self::new("sh").arguments(["-c", line, "sh"]).argument(self.path).arguments(self.arguments);
        shell.environment = self.environment;
        shell
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It, as a command that something else may stand before.
    pub(super) fn command(&self, mut before: Command, errors: Option<File>) -> tokio::process::Command {
        before.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        before.env(GUEST, "1").stdout(Stdio::piped());
        if let Some(errors) = errors {
            before.stderr(errors);
        }
        before.into()
    }
}

/// What becomes one node, before it is started for the first time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodePlan {
    /// What it runs: the program of the cluster, unless it is replaced, so that builds can be mixed.
    pub program: Program,
    /// What it is told.
    pub invitation: Invitation,
}

impl NodePlan {
    pub(super) fn new(program: Program, invitation: Invitation) -> Self {
        Self { program, invitation }
    }
}
