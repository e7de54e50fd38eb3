//! Panics of a user's code, stopped where they must not spread: in destructors and handlers
//! that run while somebody else's business is being done.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code and reports its panic, which goes no further. `what` says in the report
/// what panicked.
pub(crate) fn contained(what: &str, run: impl FnOnce()) {
    // Unwind safe: whatever the code broke was the user's, and nobody looks at it again.
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else { return };
    // A payload is the user's too; what its destructor throws is leaked, for there is no end
    // to it otherwise.
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
    // Whoever collects reports is a user as well.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| tracing::error!("{what} panicked"))) {
        std::mem::forget(payload);
    }
}
