//! Panics of a user's code, stopped where they must not spread: in hooks, and in
//! destructors, wakers and listeners that run while somebody else's business is being
//! done.

use std::any::Any;
use std::mem;
use std::ops::{Deref, DerefMut};
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

/// A value of a user's. If its destructor panics, that is reported and goes no further.
pub(crate) struct Contained<T> {
    /// Taken at the end.
    value: Option<T>,
}

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Some(value) }
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.value.take().expect("it is taken once")
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is taken when this is dropped")
    }
}

impl<T> DerefMut for Contained<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is taken when this is dropped")
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        contained("a destructor", || drop(self.value.take()));
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
