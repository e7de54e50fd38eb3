//! How the program ends: what it has found, or why it failed and what can be done about that.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use actor_durable::store::{Refusal, StoreError};

/// The outcome of a task that was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing is wrong.
    Nothing,
    /// There are faults in the store, and they were printed.
    Faults,
    /// Something could not be read, and was named.
    Unreadable,
}

impl Found {
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Nothing => 0,
            Self::Faults => 1,
            Self::Unreadable => 2,
        })
    }
}

/// Why a task was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be understood.
    Usage(String),
    /// The store failed.
    Store { path: PathBuf, error: StoreError },
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn store(path: &Path, error: StoreError) -> Self {
        Self::Store { path: path.to_owned(), error }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(2)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Store { path, error } => {
                let why = match error {
                    StoreError::NotApplied(refusal) => refusal.to_string(),
                    error => error.to_string(),
                };
                write!(f, "{}: {why}", path.display())?;
                match advice(error) {
                    Some(advice) => write!(f, "\n  {advice}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What the user can do.
fn advice(error: &StoreError) -> Option<&'static str> {
    let StoreError::NotApplied(refusal) = error else { return None };
    match refusal {
        Refusal::InUse(_) => Some("Another process has it open. End that process first."),
        Refusal::Damaged { .. } => {
            Some("It was not changed. Restore a copy that was made while no process had it open.")
        }
        Refusal::FutureVersion { .. } => {
            Some("It was not changed. Use the tool of the release that wrote it, or a later one.")
        }
        Refusal::ReadOnly(_) => Some("It was not changed. Run this where it can be written."),
        Refusal::Denied(_) => Some("It was not changed. Run this as a user who has the permission."),
        Refusal::NoSpace(_) => Some("Its contents were not changed. Free some space and run this again."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actor_durable::store::ErrorCause;

    use super::*;

    #[test]
    fn what_can_be_done_about_a_disk_that_takes_nothing_is_said() {
        let cause = || ErrorCause::new("28");
        let said = |refusal: Refusal| Failure::store(Path::new("s"), refusal.into()).to_string();
        assert_eq!(
            said(Refusal::NoSpace(cause())),
            "s: there is no space left: 28\n  Its contents were not changed. Free some space and run this again."
        );
        assert_eq!(
            said(Refusal::ReadOnly(cause())),
            "s: the store is read-only: 28\n  It was not changed. Run this where it can be written."
        );
    }
}
