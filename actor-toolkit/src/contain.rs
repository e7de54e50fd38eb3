//! Panics of a user's code, stopped where they must not spread: in destructors and handlers
//! that run while somebody else's business is being done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code. A panic is reported and goes no further; `what` says in the report whose
/// it was.
pub(crate) fn contained<R>(what: &str, run: impl FnOnce() -> R) -> Option<R> {
    // Unwind safe: what the code broke is its own, and who is called again must live with it.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // The payload's destructor is the user's, and so is whoever collects reports.
            drop_quietly(payload);
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| tracing::error!("{what} panicked"))) {
                drop_quietly(payload);
            }
            None
        }
    }
}

fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // There is no end to it otherwise.
        std::mem::forget(another);
    }
}
