//! Actors that share one task: a message from one to another needs no scheduler.
//!
//! ```text
//!  any thread ── Work ──► inbox ─┐
//!                                ├─► the host task: polls members in turn
//!  a member wakes another ─► run queue of this thread ─┘
//! ```
//!
//! The host is an ordinary task of the executor, which may move it between threads;
//! whatever it polls stays together. That gives up three things: members never run at
//! the same time, one that blocks its thread stalls the others, and a message from
//! outside costs a little more.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::contain::contained;
use crate::executor::BoxTask;
use crate::limits::{MEMBERS_PER_LOOK, MEMBERS_PER_TURN};
use crate::mailbox::{Capacity, Inbox, Mailbox, Overflow, Owner, Park, Tags, Taken};
use crate::sync::{AtomicBool, Backoff, Ordering};
use crate::system::ActorSystem;

/// A place where actors run together: they take turns in one task, so a message
/// between two of them costs no turn of the executor's scheduler, a good part of what
/// it costs otherwise.
///
/// Put actors together that mostly talk to each other and do little else. They never
/// run at the same time, and one that blocks its thread stalls them all. A message
/// from another place or from outside costs a little more than between tasks. All else
/// holds as for any actor. An actor that is spawned into a place whose runtime is gone
/// ends as [`Cancelled`](crate::Exit::Cancelled). Cloning gives another handle to the
/// same place.
///
/// ```
/// # use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Colocation, SpawnOptions};
/// # struct Quiet;
/// # impl Actor for Quiet {
/// #     type Msg = ();
/// #     type State = ();
/// #     type Arguments = ();
/// #     async fn pre_start(&self, _: &ActorRef<()>, _: ()) -> Result<(), ActorError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = ActorSystem::new();
/// let together = Colocation::new(&system);
/// let one = system.spawn(Quiet, (), SpawnOptions::new().colocate(&together)).await?;
/// let other = system.spawn(Quiet, (), SpawnOptions::new().colocate(&together)).await?;
/// # drop((one, other));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Colocation {
    handle: Arc<Handle>,
}

/// Ends the host, once nobody can bring it another member and the last has ended.
struct Handle {
    host: Arc<Shared>,
}

impl Colocation {
    /// A place on the system's executor. Its task ends when every handle to it is
    /// dropped and every actor in it has ended.
    ///
    /// # Panics
    ///
    /// On [`Executor::tokio`](crate::executor::Executor::tokio), if no runtime is current.
    pub fn new(system: &ActorSystem) -> Self {
        let (place, host) = Self::with_host();
        system.executor().spawn(host).detach();
        place
    }

    fn with_host() -> (Self, Host) {
        let shared = Arc::new(Shared {
            mailbox: Mailbox::new(Capacity::Unbounded, Overflow::Block, Tags::None),
            is_abandoned: AtomicBool::new(false),
        });
        let host = Host {
            inbox: Inbox::new(shared.clone()),
            members: Vec::new(),
            vacant: Vec::new(),
            ready: Ready::default(),
        };
        (Self { handle: Arc::new(Handle { host: shared }) }, host)
    }

    /// Runs a task in this place. If the host is gone, because its runtime is, the
    /// task is dropped, as that runtime would have done.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let refused = self.handle.host.mailbox.try_send(Work::Join(Box::pin(task)));
        contained("the destructor of a task without a host", || drop(refused));
    }
}

impl fmt::Debug for Colocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Colocation")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.host.is_abandoned.store(true, Ordering::Release);
        self.host.mailbox.wake();
    }
}

/// What members and handles know of the host.
struct Shared {
    // Unbounded: what is in it is a spawn, or a member that is asleep until it is out.
    mailbox: Mailbox<Work>,
    /// Nobody brings another member.
    is_abandoned: AtomicBool,
}

impl Owner<Work> for Shared {
    fn mailbox(&self) -> &Mailbox<Work> {
        &self.mailbox
    }
}

/// What the host is told from outside its own run.
enum Work {
    Join(BoxTask),
    Call(usize),
}

/// The task.
struct Host {
    inbox: Inbox<Work, Shared>,
    members: Vec<Option<Member>>,
    /// Places in `members` that are free.
    vacant: Vec<usize>,
    /// Members to be polled, while the host is not running; see [`RUNNING`].
    ready: Ready,
}

/// Members to be polled, each once.
#[derive(Default)]
struct Ready {
    queue: VecDeque<usize>,
    /// By seat: whether it is in the queue.
    is_queued: Vec<bool>,
}

impl Ready {
    fn push(&mut self, index: usize) {
        if self.is_queued.len() <= index {
            self.is_queued.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.is_queued[index], true) {
            self.queue.push_back(index);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let index = self.queue.pop_front()?;
        self.is_queued[index] = false;
        Some(index)
    }
}

struct Member {
    task: BoxTask,
    seat: Arc<Seat>,
    waker: Waker,
}

/// What wakes a member.
struct Seat {
    index: usize,
    /// Whether the host has been told from outside and has not looked yet.
    is_called: AtomicBool,
    host: Arc<Shared>,
}

impl Wake for Seat {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // AcqRel: what the waker did before is seen by the poll that comes after the
        // clearing of the flag.
        if !Running::push(&self.host, self.index) && !self.is_called.swap(true, Ordering::AcqRel) {
            // If the host is gone, so is the member.
            drop(self.host.mailbox.try_send(Work::Call(self.index)));
        }
    }
}

/// The run queue of the host that this thread is polling.
struct Running {
    /// Which host: where its shared part lies.
    host: usize,
    ready: Ready,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

impl Running {
    /// Queues a member here if its host is the one that runs here.
    fn push(host: &Arc<Shared>, index: usize) -> bool {
        let pushed = RUNNING.try_with(|running| match &mut *running.borrow_mut() {
            Some(running) if running.host == Arc::as_ptr(host).addr() => {
                running.ready.push(index);
                true
            }
            _ => false,
        });
        pushed.unwrap_or(false)
    }

    fn pop() -> Option<usize> {
        RUNNING.with_borrow_mut(|running| running.as_mut()?.ready.pop())
    }
}

/// Makes a host the one that runs on this thread, until it is dropped.
struct Entered<'a> {
    home: &'a mut Ready,
    former: Option<Running>,
}

impl<'a> Entered<'a> {
    fn new(host: usize, home: &'a mut Ready) -> Self {
        let former = RUNNING.replace(Some(Running { host, ready: std::mem::take(home) }));
        Self { home, former }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(running) = RUNNING.replace(self.former.take()) {
            *self.home = running.ready;
        }
    }
}

impl Future for Host {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Host { inbox, members, vacant, ready } = &mut *self;
        let _entered = Entered::new(Arc::as_ptr(inbox.owner()).addr(), ready);
        let mut backoff = Backoff::default();
        for polled in 0..MEMBERS_PER_TURN {
            // Now and then, so that members who talk without end keep nobody out.
            let ready = if polled % MEMBERS_PER_LOOK == 0 { None } else { Running::pop() };
            let index = match ready {
                Some(index) => index,
                None => match Self::look_outside(inbox, members, vacant, &mut backoff, cx) {
                    Outside::Ready(index) => index,
                    Outside::Asleep => return Poll::Pending,
                    Outside::Over => return Poll::Ready(()),
                    Outside::Nothing => continue,
                },
            };
            let Some(member) = members[index].as_mut() else { continue };
            // What panics is over, as a task of a runtime is, and the others go on.
            let mut is_over = true;
            contained("an actor's task", || {
                is_over = member.task.as_mut().poll(&mut Context::from_waker(&member.waker)).is_ready();
            });
            if is_over {
                let member = members[index].take();
                vacant.push(index);
                contained("the destructor of an actor's task", || drop(member));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Its runtime is gone, or the place is given up. A member's destructor that panics
/// does not keep the others from being dropped, nor does it meet a second one.
impl Drop for Host {
    fn drop(&mut self) {
        self.inbox.close();
        for member in &mut self.members {
            contained("the destructor of an actor's task", || drop(member.take()));
        }
    }
}

/// What the host found when its own queue was not asked or was empty.
enum Outside {
    /// A member to poll.
    Ready(usize),
    /// Nothing to do now: look again.
    Nothing,
    /// Nothing to do: the task sleeps.
    Asleep,
    /// Nothing to do ever again.
    Over,
}

impl Host {
    fn look_outside(
        inbox: &mut Inbox<Work, Shared>,
        members: &mut Vec<Option<Member>>,
        vacant: &mut Vec<usize>,
        backoff: &mut Backoff,
        cx: &mut Context<'_>,
    ) -> Outside {
        let work = match inbox.receive(false) {
            Taken::Message(delivery) => Some(delivery.take()),
            Taken::Busy if backoff.try_pause() => return Outside::Nothing,
            Taken::Busy | Taken::Empty | Taken::Closed => None,
        };
        match work {
            Some(Work::Call(index)) => {
                // Cleared before the poll: whoever calls during it calls again.
                if let Some(member) = &members[index] {
                    member.seat.is_called.swap(false, Ordering::AcqRel);
                }
                return Outside::Ready(index);
            }
            Some(Work::Join(task)) => {
                return Outside::Ready(Self::seat(inbox.owner(), members, vacant, task));
            }
            None => {}
        }
        if let Some(index) = Running::pop() {
            return Outside::Ready(index);
        }
        let parked = inbox.park(cx.waker());
        // The waker that this one replaces was dropped there, which may have called a
        // member.
        if let Some(index) = Running::pop() {
            return Outside::Ready(index);
        }
        match parked {
            Park::Parked if vacant.len() < members.len() => Outside::Asleep,
            // No member is left. Known after the park, so that whoever gives the place up
            // is either seen here or wakes the task.
            Park::Parked if !inbox.owner().is_abandoned.load(Ordering::Acquire) => Outside::Asleep,
            Park::Parked => Outside::Over,
            Park::Awake | Park::Busy => Outside::Nothing,
        }
    }

    /// Gives a task a seat, as one that is to be polled.
    fn seat(
        host: &Arc<Shared>,
        members: &mut Vec<Option<Member>>,
        vacant: &mut Vec<usize>,
        task: BoxTask,
    ) -> usize {
        let index = vacant.pop().unwrap_or_else(|| {
            members.push(None);
            members.len() - 1
        });
        let seat = Arc::new(Seat { index, is_called: AtomicBool::new(false), host: host.clone() });
        let waker = Waker::from(seat.clone());
        members[index] = Some(Member { task, seat, waker });
        index
    }
}
