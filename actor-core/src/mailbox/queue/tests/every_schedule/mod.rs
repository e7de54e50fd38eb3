//! Small models: loom runs every schedule, and reports a wake-up that is lost as a
//! deadlock. A block has two slots here and a small one has one, so that a few
//! messages cross every kind of border.
//!
//! ```text
//!  messages  claims, blocks, the bound and the close
//!  waking    parks, errands, callers, and wakers that change
//!  policies  what others build on: rest, evict, lanes, tags, a close that is taken back
//! ```

mod messages;
mod policies;
mod waking;

use std::task::{Wake, Waker};

use loom::sync::Notify;
use loom::thread;

use super::*;

/// A task: it sleeps until it is woken.
struct Task {
    bell: Notify,
    wakes: AtomicUsize,
}

impl Task {
    fn new() -> (Arc<Self>, Waker) {
        let task = Arc::new(Self { bell: Notify::new(), wakes: AtomicUsize::new(0) });
        (task.clone(), Waker::from(task))
    }

    fn wait(&self) {
        self.bell.wait();
    }

    /// How often it was woken. Models do not see this count, and need not.
    fn wakes(&self) -> usize {
        self.wakes.load(O::SeqCst)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, O::SeqCst);
        self.bell.notify();
    }
}

/// The next message; sleeps only if it is parked. `None` when closed and empty.
fn receive<T>(inbox: &mut Inbox<T>, task: &Task, waker: &Waker) -> Option<T> {
    loop {
        match taken(inbox) {
            Taken::Message(message) => return Some(message),
            Taken::Closed => return None,
            Taken::Busy => thread::yield_now(),
            Taken::Empty => match inbox.park(waker) {
                Park::Parked => task.wait(),
                Park::Awake => {}
                Park::Busy => thread::yield_now(),
            },
        }
    }
}

/// Two preemptions unless the environment says otherwise: most mistakes need one.
fn model(run: impl Fn() + Sync + Send + 'static) {
    model_within(2, usize::MAX, run);
}

/// A model of three that loop: one preemption, whatever the environment says. With two
/// there are schedules in which two of them, waiting for the third, take turns for
/// longer than loom follows.
fn large_model(run: impl Fn() + Sync + Send + 'static) {
    model_within(1, 1, run);
}

fn model_within(preemptions: usize, most: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let asked = builder.preemption_bound.unwrap_or(preemptions);
    builder.preemption_bound = Some(asked.min(most));
    builder.max_branches = 20_000;
    builder.check(run);
}

/// A sender's thread that puts these in, and says how many were accepted.
fn pushes<T: Send + 'static, const N: usize>(
    queue: &Arc<Queue<T>>,
    messages: [T; N],
) -> thread::JoinHandle<usize> {
    let queue = queue.clone();
    thread::spawn(move || messages.into_iter().filter_map(|message| queue.push(message).ok()).count())
}
