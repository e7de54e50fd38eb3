//! Why there is no server, and what a test makes of it.

use std::ffi::OsStr;
use std::io::{self, Write};

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// This machine has not what it takes; [`or_skip`] makes a skipped test of it.
    #[error("a PostgreSQL server of the tests' own cannot be started here: {0}")]
    NotHere(String),
    /// It was started, and has failed.
    #[error("a PostgreSQL server of the tests' own has failed: {0}")]
    Failed(String),
}

impl From<io::Error> for ServerError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Whether a test can go on. Where this machine has not what it takes the test is skipped, and says so.
///
/// # Panics
///
/// Where this machine has not what it takes and the environment's `CI` is set to anything but `false`: there nobody reads what is
/// skipped. And for every other error.
pub fn or_skip<T>(made: Result<T, ServerError>) -> Option<T> {
    let error = match made {
        Ok(made) => return Some(made),
        Err(error) => error,
    };
    assert!(may_skip(&error, std::env::var_os("CI").as_deref()), "{error}");
    // Not by `eprintln!`, which the harness keeps for itself while a test passes.
    _ = io::stderr().write_all(format!("\nSKIPPED: {error}\n\n").as_bytes());
    None
}

fn may_skip(error: &ServerError, ci: Option<&OsStr>) -> bool {
    let is_ci = ci.is_some_and(|ci| !ci.is_empty() && ci != "false");
    matches!(error, ServerError::NotHere(_)) && !is_ci
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_skipped_only_where_there_is_no_server_and_somebody_reads_it() {
        let (missing, failed) = (ServerError::NotHere("x".into()), ServerError::Failed("x".into()));
        for no_ci in [None, Some(OsStr::new("")), Some(OsStr::new("false"))] {
            assert!(may_skip(&missing, no_ci));
            assert!(!may_skip(&failed, no_ci));
        }
        assert!(!may_skip(&missing, Some(OsStr::new("true"))));
        assert!(!may_skip(&failed, Some(OsStr::new("true"))));
    }
}
