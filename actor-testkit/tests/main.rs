//! The kit as its users see it, each promise by a test.

mod bench;
mod probe;
#[cfg(all(unix, feature = "process"))]
mod process;
mod recorder;
mod simulation;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use actor_core::{ActorSystem, actor};

const SECOND: Duration = Duration::from_secs(1);

/// An actor to do things with.
struct Counter(u64);

#[actor]
impl Counter {
    fn add(&mut self, by: u64) -> u64 {
        assert_ne!(by, 13, "thirteen is too much");
        self.0 += by;
        self.0
    }
}

async fn counter(system: &ActorSystem) -> CounterRef {
    Counter(0).spawn().on(system).await.unwrap()
}

/// The text of the panic that a script ends with.
fn panic_of<R>(script: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(script)).err().expect("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("it says why")
}

/// Polls a future a single time.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Lets others run, once.
async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
