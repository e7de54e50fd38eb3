//! Panics of a user's code, stopped where it is called: hand-written wire forms,
//! destructors, listeners, the hook that authorizes. No session must pay for them.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

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

/// As [`contained`], for what takes time.
pub(crate) async fn contained_future<T>(what: &str, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match contained(what, || future.as_mut().poll(cx)) {
        Some(Poll::Pending) => Poll::Pending,
        Some(Poll::Ready(outcome)) => Poll::Ready(Some(outcome)),
        None => Poll::Ready(None),
    })
    .await
}

#[cold]
fn report(what: &str) {
    tracing::error!("{what} panicked");
}
