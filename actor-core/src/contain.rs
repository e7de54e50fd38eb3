//! Panics of a user's code, stopped where they must not spread: in hooks, and in
//! destructors, wakers and listeners that run while somebody else's business is being
//! done.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Runs a user's code; its panic becomes the error. A payload is the user's too: see
/// [`discard`].
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> thread::Result<R> {
    // Unwind safe: whatever the code broke was the user's, and nobody looks at it
    // again.
    catch_unwind(AssertUnwindSafe(run))
}

/// Runs a user's code and reports its panic, which goes no further. `what` says
/// in the report what panicked.
#[inline]
pub(crate) fn contained(what: &str, run: impl FnOnce()) {
    if let Err(payload) = caught(run) {
        report(what, payload);
    }
}

#[cold]
fn report(what: &str, payload: Box<dyn Any + Send>) {
    discard(payload);
    // Whoever collects reports is a user as well.
    if let Err(payload) = caught(|| tracing::error!("{what} panicked")) {
        discard(payload);
    }
}

/// Drops the payload of a panic, whose destructor may panic too. What that one throws
/// is leaked: there is no end to it otherwise.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = caught(|| drop(payload)) {
        mem::forget(another);
    }
}

/// The second outcome, or the first panic.
pub(crate) fn first_panic<R>(first: thread::Result<()>, second: thread::Result<R>) -> thread::Result<R> {
    let Err(payload) = first else { return second };
    if let Err(another) = second {
        discard(another);
    }
    Err(payload)
}
