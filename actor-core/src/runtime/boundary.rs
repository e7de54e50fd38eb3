//! The boundary between this crate and a user's hooks: panics stop here, and
//! while a hook runs its thread knows whose system it is.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::system::ActorSystem;

thread_local! {
    // Whoever sets it puts back what was there before, so that nothing is left in it
    // when the thread ends. Without a destructor it is found faster, at each poll.
    static CURRENT: Cell<ManuallyDrop<Option<ActorSystem>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

fn replace_current(system: Option<ActorSystem>) -> Option<ActorSystem> {
    ManuallyDrop::into_inner(CURRENT.replace(ManuallyDrop::new(system)))
}

/// The system of the actor that runs on this thread just now.
pub(crate) fn current_system() -> Option<ActorSystem> {
    let system = replace_current(None);
    drop(replace_current(system.clone()));
    system
}

pin_project_lite::pin_project! {
    /// Runs a future with a system as the current one. A panic becomes the error;
    /// by then everything the future owned has been dropped.
    pub(super) struct Boundary<F> {
        #[pin]
        future: Option<F>,
        // Handed to the thread while the future is polled, and taken back.
        system: Option<ActorSystem>,
    }
}

impl<F> Boundary<F> {
    pub(super) fn new(system: ActorSystem, future: F) -> Self {
        Self { future: Some(future), system: Some(system) }
    }
}

impl<F: Future> Future for Boundary<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.system);
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            unreachable!("polled again after it was ready");
        };
        // Unwind safe: a future that panicked is dropped and never looked at again.
        let polled = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        // A destructor may panic too.
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        Poll::Ready(dropped.and(polled))
    }
}

/// Runs a user's code that is no future; its panic becomes the error.
pub(super) fn contain<R>(run: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    // Unwind safe: whatever the code broke was the user's, and nobody looks at it
    // again.
    catch_unwind(AssertUnwindSafe(run))
}

/// Makes a system the current one until the guard is dropped.
pub(super) fn enter(system: &ActorSystem) -> Current {
    Current { former: replace_current(Some(system.clone())) }
}

/// See [`enter`].
pub(super) struct Current {
    former: Option<ActorSystem>,
}

impl Drop for Current {
    fn drop(&mut self) {
        drop(replace_current(self.former.take()));
    }
}

/// Keeps a system current until it is dropped, then puts the former one back.
struct Entered<'a> {
    home: &'a mut Option<ActorSystem>,
    former: Option<ActorSystem>,
}

impl<'a> Entered<'a> {
    #[inline]
    fn new(home: &'a mut Option<ActorSystem>) -> Self {
        let former = replace_current(home.take());
        Self { home, former }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.home = replace_current(self.former.take());
    }
}
