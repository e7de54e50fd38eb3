//! Panics of a user's code, stopped where they must not spread: in hooks, and in
//! destructors, wakers and listeners that run while somebody else's business is being
//! done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code; its panic becomes the error.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    // Unwind safe: whatever the code broke was the user's, and nobody looks at it
    // again.
    catch_unwind(AssertUnwindSafe(run))
}

/// Runs a user's code and reports its panic, which goes no further. `what` says
/// in the report what panicked.
pub(crate) fn contained(what: &str, run: impl FnOnce()) {
    if caught(run).is_err() {
        tracing::error!("{what} panicked");
    }
}
