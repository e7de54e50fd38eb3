//! What goes wrong with processes and their networks, and whose turn it is to mend it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a cluster of processes does not do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// This machine does not let us; [`or_skip`] makes a skipped test of it.
    #[error("{what} needs {needs}, and here: {found}")]
    NotHere {
        /// What was asked for.
        what: &'static str,
        /// What it takes.
        needs: &'static str,
        /// What there is instead, in the system's words.
        found: String,
    },
    /// It is done to networks, and the nodes have none of their own: see
    /// [`in_namespaces`](super::ProcessClusterBuilder::in_namespaces).
    #[error("the nodes are on loopback, where nothing can be blocked; start them in namespaces")]
    OnLoopback,
    /// It is done to relays, and the nodes have none before them: see
    /// [`behind_relays`](super::ProcessClusterBuilder::behind_relays).
    #[error("the nodes are not behind relays; start them so")]
    NoRelays,
    /// The program of a node does not start.
    #[error("{} does not start: {source}", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A node's process has ended when something was asked of it.
    #[error("{node} has ended ({status}); it said last: {said:?}")]
    Ended {
        /// The node's name.
        node: String,
        /// How, as far as it is known.
        status: Ending,
        /// The last lines of its standard output that were not for the cluster.
        said: Vec<String>,
    },
    /// A node did not do in time what it should.
    #[error("{node} {what} not within {patience:?}; it said last: {said:?}")]
    Late {
        /// The node's name.
        node: String,
        /// What it should have done.
        what: String,
        /// How long it had.
        patience: Duration,
        /// The last lines of its standard output that were not for the cluster.
        said: Vec<String>,
    },
    /// A node does not answer this question, as it says.
    #[error("{node} refuses {question:?}: {words}")]
    Refused {
        /// The node's name.
        node: String,
        /// What it was asked.
        question: String,
        /// Its words.
        words: String,
    },
    /// A node's answer is not what it should be.
    #[error("{node} answers {question:?} with {answer:?}: {why}")]
    Garbled {
        /// The node's name.
        node: String,
        /// What it was asked.
        question: String,
        /// What it said.
        answer: String,
        /// What is wrong with that.
        why: String,
    },
    /// There is no node of this number.
    #[error("there is no node {0}")]
    NoSuchNode(usize),
    /// The node runs already, or has the state already that was asked for.
    #[error("{0} runs already")]
    Running(String),
    /// A bound of [`limits`](crate::limits) is met.
    #[error("{what} is at most {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        max: usize,
    },
    /// What comes on the standard input is no invitation; or there is none, because this process was not started by a
    /// cluster.
    #[error("this is no invitation: {0}")]
    NotInvited(String),
    /// A command about networks fails, though others did not.
    #[error("ip {arguments}: {words}")]
    Network {
        /// What `ip` was told.
        arguments: String,
        /// What it said.
        words: String,
    },
    /// The system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How a process has ended, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The system's word.
    Seen(ExitStatus),
    /// Its output has ended; the process itself may follow.
    Unseen,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seen(status) => status.fmt(f),
            Self::Unseen => f.write_str("its output is closed"),
        }
    }
}

impl ProcessError {
    /// Whether this machine does not let us, whatever the test does.
    pub fn is_not_here(&self) -> bool {
        matches!(self, Self::NotHere { .. })
    }
}

/// What was asked for; `None` where this machine does not let us, which is said loudly on the standard error.
///
/// ```no_run
/// # use actor_testkit::process::{ProcessCluster, Program, or_skip};
/// # async fn test() {
/// let cluster = ProcessCluster::builder(Program::this_test("partitions_heal")).in_namespaces().start().await;
/// let Some(cluster) = or_skip(cluster) else { return };
/// # }
/// ```
///
/// # Panics
///
/// Where this machine does not let us and the environment's `CI` is set to anything but `false`: there nobody reads what is
/// skipped. And for every other error.
pub fn or_skip<T>(made: Result<T, ProcessError>) -> Option<T> {
    let error = match made {
        Ok(made) => return Some(made),
        Err(error) => error,
    };
    let is_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false");
    assert!(error.is_not_here() && !is_ci, "{error}");
    // Not by `eprintln!`, which the harness keeps for itself while a test passes.
    _ = io::Write::write_all(&mut io::stderr(), format!("\nSKIPPED: {error}\n\n").as_bytes());
    None
}
