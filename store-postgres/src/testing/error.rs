//! Why there is no server, and what a test makes of it.

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
    let is_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false");
    assert!(matches!(error, ServerError::NotHere(_)) && !is_ci, "{error}");
    // Not by `eprintln!`, which the harness keeps for itself while a test passes.
    _ = io::stderr().write_all(format!("\nSKIPPED: {error}\n\n").as_bytes());
    None
}
