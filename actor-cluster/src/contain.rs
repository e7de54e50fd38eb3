//! Panics of a user's code, stopped where it is called: hand-written wire forms,
//! destructors, listeners, the hook that authorizes. No session must pay for them.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code. Its panic is reported, goes no further, and becomes `None`.
/// `what` says in the report what panicked.
#[inline]
pub(crate) fn contained<T>(what: &str, run: impl FnOnce() -> T) -> Option<T> {
    // Unwind safe: whatever the code broke was the user's, or is dropped unseen.
    let outcome = catch_unwind(AssertUnwindSafe(run));
    if outcome.is_err() {
        report(what);
    }
    outcome.ok()
}

#[cold]
fn report(what: &str) {
    tracing::error!("{what} panicked");
}
