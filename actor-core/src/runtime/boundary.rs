//! The boundary between this crate and a user's hooks: panics stop here, and
//! while a hook runs its thread knows whose system it is.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::contain::{caught, contained, discard};
use crate::exit::Exit;
use crate::sync::own;
use crate::system::ActorSystem;

own! {
    /// Whoever sets it puts back what was there before, so that nothing is left in it
    /// when the thread ends. Without a destructor it is found faster, at each poll.
    static CURRENT: Cell<ManuallyDrop<Option<ActorSystem>>> = Cell::new(ManuallyDrop::new(None))
}

fn replace_current(system: Option<ActorSystem>) -> Option<ActorSystem> {
    ManuallyDrop::into_inner(CURRENT.with(|current| current.replace(ManuallyDrop::new(system))))
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

impl ActorSystem {
    /// Runs a future as this system's hooks are run: while it is polled or dropped, this is the
    /// [current](Self::current) system. For what runs in no hook and is not to name its system
    /// each time, such as a test.
    ///
    /// ```
    /// # use actor_core::{ActorSystem, actor};
    /// # struct Counter(u64);
    /// # #[actor]
    /// # impl Counter {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let system = ActorSystem::new();
    /// let counter = system.scope(async { Counter(0).spawn().name("counter").await }).await.unwrap();
    /// assert_eq!(system.where_is("counter"), Some(counter.cell()));
    /// # }
    /// ```
    ///
    /// Nothing runs unless it is awaited, and what the future spawns as a task of its own is no
    /// part of it.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Within::new(Some(self.clone()), future)
    }
}

/// Where a system is kept while it is not a thread's current one.
pub(crate) trait Home {
    fn system(&mut self) -> &mut Option<ActorSystem>;
}

impl Home for Option<ActorSystem> {
    fn system(&mut self) -> &mut Option<ActorSystem> {
        self
    }
}

impl Home for &mut Option<ActorSystem> {
    fn system(&mut self) -> &mut Option<ActorSystem> {
        self
    }
}

pin_project_lite::pin_project! {
    /// Runs a future with a system as the current one, and drops it so too.
    ///
    /// The system is handed to the thread for each poll and taken back, so that an
    /// actor holds one reference to it: all actors share that count, and each further
    /// reference is contention.
    pub(crate) struct Within<H: Home, F> {
        #[pin]
        future: F,
        // Declared after the future, so dropped after it. The destructor makes the system
        // current; this puts the former one back.
        home: Leaving<H>,
    }

    impl<H: Home, F> PinnedDrop for Within<H, F> {
        fn drop(this: Pin<&mut Self>) {
            swap_current(this.project().home.0.system());
        }
    }
}

impl<H: Home, F> Within<H, F> {
    /// `home` holds the system.
    pub(crate) fn new(home: H, future: F) -> Self {
        Self { future, home: Leaving(home) }
    }
}

impl<H: Home, F: Future> Future for Within<H, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.home.0.system());
        this.future.poll(cx)
    }
}

/// Runs something with a system as the current one.
pub(super) fn within<R>(home: &mut Option<ActorSystem>, run: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(home);
    run()
}

/// Swaps the system home again when it is dropped.
struct Leaving<H: Home>(H);

impl<H: Home> Drop for Leaving<H> {
    fn drop(&mut self) {
        swap_current(self.0.system());
    }
}

pin_project_lite::pin_project! {
    /// Runs an `async` block. A panic becomes the error. Only for `async` blocks: when
    /// one has ended, by return or panic, it owns nothing. Any other future might, and
    /// this does not drop it within the boundary.
    pub(crate) struct Caught<F> {
        #[pin]
        block: F,
    }
}

impl<F> Caught<F> {
    pub(crate) fn new(block: F) -> Self {
        Self { block }
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let block = self.project().block;
        match caught(|| block.poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

pin_project_lite::pin_project! {
    /// Runs a future that may be dropped where it waits. If a destructor panics then, that
    /// is reported and goes no further.
    pub(crate) struct Droppable<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Droppable<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut future = this.project().future;
            contained("the destructor of a task", || future.set(None));
        }
    }
}

impl<F> Droppable<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future: Some(future) }
    }
}

impl<F: Future> Future for Droppable<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future.as_pin_mut().expect("it is taken when this is dropped");
        future.poll(cx)
    }
}

/// The exit of an actor whose hook panicked, or whose destructors did.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Exit {
    let exit = Exit::panicked(&*payload);
    discard(payload);
    exit
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
