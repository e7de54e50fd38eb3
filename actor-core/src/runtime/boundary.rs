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

/// What is current goes to `place`, and what was there is current.
#[inline]
fn swap_current(place: &mut Option<ActorSystem>) {
    *place = replace_current(place.take());
}

/// The system of the actor that runs on this thread just now.
pub(crate) fn current_system() -> Option<ActorSystem> {
    let system = replace_current(None);
    drop(replace_current(system.clone()));
    system
}

/// Where a system is kept while it is not a thread's current one.
pub(super) trait Home {
    fn place(&mut self) -> &mut Option<ActorSystem>;
}

impl Home for Option<ActorSystem> {
    fn place(&mut self) -> &mut Option<ActorSystem> {
        self
    }
}

impl Home for &mut Option<ActorSystem> {
    fn place(&mut self) -> &mut Option<ActorSystem> {
        self
    }
}

pin_project_lite::pin_project! {
    /// Runs a future with a system as the current one, and drops it so too.
    ///
    /// The system is handed to the thread for each poll and taken back, so that an
    /// actor's life counts one reference to it: the count is every actor's.
    pub(super) struct Within<H: Home, F> {
        #[pin]
        future: F,
        // After the future, so that it ends after it what the destructor begins.
        home: Leaving<H>,
    }

    impl<H: Home, F> PinnedDrop for Within<H, F> {
        fn drop(this: Pin<&mut Self>) {
            swap_current(this.project().home.0.place());
        }
    }
}

impl<H: Home, F> Within<H, F> {
    /// `home` holds the system.
    pub(super) fn new(home: H, future: F) -> Self {
        Self { future, home: Leaving(home) }
    }
}

impl<H: Home, F: Future> Future for Within<H, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.home.0.place());
        this.future.poll(cx)
    }
}

/// The home of a system that is current when this is dropped.
struct Leaving<H: Home>(H);

impl<H: Home> Drop for Leaving<H> {
    fn drop(&mut self) {
        swap_current(self.0.place());
    }
}

pin_project_lite::pin_project! {
    /// Runs an `async` block. A panic becomes the error. Once such a block has ended,
    /// however it did, nothing is left in it; so this need not drop it.
    pub(super) struct Caught<F> {
        #[pin]
        block: F,
    }
}

impl<F> Caught<F> {
    pub(super) fn new(block: F) -> Self {
        Self { block }
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let block = self.project().block;
        match contain(|| block.poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

/// Runs a user's code; its panic becomes the error.
pub(super) fn contain<R>(run: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    // Unwind safe: whatever the code broke was the user's, and nobody looks at it
    // again.
    catch_unwind(AssertUnwindSafe(run))
}

/// Keeps a system current until it is dropped, then puts the former one back, which
/// is at the system's home meanwhile.
struct Entered<'a>(&'a mut Option<ActorSystem>);

impl<'a> Entered<'a> {
    #[inline]
    fn new(home: &'a mut Option<ActorSystem>) -> Self {
        swap_current(home);
        Self(home)
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        swap_current(self.0);
    }
}
