//! Panics of a user's code, stopped where they must not spread: in destructors
//! and listeners that run while somebody else's business is being done. Panics
//! of hooks are `runtime/boundary.rs`'s.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code and reports its panic, which goes no further. `what` says
/// in the report what panicked.
pub(crate) fn contained(what: &str, run: impl FnOnce()) {
    // Unwind safe: whatever the code broke was the user's, and nobody looks at it
    // again.
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        tracing::error!("{what} panicked");
    }
}
