//! A second runtime: one thread, virtual time, a chosen order. It shares nothing
//! with tokio's scheduler, so what runs on both needs only the seam.
//!
//! ```text
//!  any thread ── Handle ──► ready queue, timers, random bytes
//!                               │
//!  one thread ── Simulation ────┴─► polls the futures, which never leave it;
//!                                   when all wait, time jumps to the next timer
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use actor_core::executor::{BoxTask, LocalJob, LocalRuntime, Runtime, RuntimeTask};
use actor_core::{ActorSystem, Executor, Instant};

/// Which of the tasks that can run runs next.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// The one that was woken first.
    Fifo,
    /// Any, by the seed.
    Seeded(u64),
}

/// The driver. Dropping it drops every task.
pub struct Simulation {
    handle: Handle,
    order: Order,
    tasks: BTreeMap<u64, Pin<Box<dyn Future<Output = ()>>>>,
}

impl Simulation {
    /// A world at time zero with nobody in it.
    pub fn new(order: Order) -> Self {
        let seed = match order {
            Order::Fifo => 0,
            Order::Seeded(seed) => seed,
        };
        let world = World { random: seed, ..World::default() };
        Self { handle: Handle(Arc::new(Mutex::new(world))), order, tasks: BTreeMap::new() }
    }

    /// A system that lives in here.
    pub fn system(&self) -> ActorSystem {
        ActorSystem::on(self.executor())
    }

    /// What a system that lives in here runs on.
    pub fn executor(&self) -> Executor {
        Executor::custom(Arc::new(self.handle.clone()))
    }

    /// Runs a future and all tasks until the future ends.
    ///
    /// Panics if everybody waits and no timer is set.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let root = self.handle.admit(None);
        loop {
            let Some(task) = self.next() else {
                self.advance();
                continue;
            };
            if task.number != root.number {
                self.run(&task);
            } else if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&task.into())) {
                return output;
            }
        }
    }

    fn next(&self) -> Option<Arc<Task>> {
        let mut world = self.handle.world();
        let index = match self.order {
            Order::Fifo => 0,
            Order::Seeded(_) if world.ready.is_empty() => 0,
            Order::Seeded(_) => usize::try_from(world.draw() % world.ready.len() as u64).unwrap_or(0),
        };
        let task = world.ready.remove(index)?;
        task.state().is_queued = false;
        Some(task)
    }

    fn run(&mut self, task: &Arc<Task>) {
        let (origin, is_aborted) = {
            let mut state = task.state();
            (state.origin.take(), state.is_aborted)
        };
        match origin {
            Some(Origin::Task(future)) => drop(self.tasks.insert(task.number, future)),
            Some(Origin::Job(job)) => drop(self.tasks.insert(task.number, job())),
            None => {}
        }
        let Some(future) = self.tasks.get_mut(&task.number) else { return };
        let waker = Waker::from(task.clone());
        if is_aborted || future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            drop(self.tasks.remove(&task.number));
            let mut state = task.state();
            state.is_finished = true;
            if let Some(joiner) = state.joiner.take() {
                joiner.wake();
            }
        }
    }

    /// Nothing can happen now: goes to the moment when something can.
    fn advance(&self) {
        let mut world = self.handle.world();
        let ((deadline, _), waker) = world.timers.pop_first().expect("a dead lock: all wait, nothing is due");
        world.now = world.now.max(deadline);
        drop(world);
        waker.wake();
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // Tasks may wake others while they are dropped, until none is left.
        self.tasks.clear();
        let ready = std::mem::take(&mut self.handle.world().ready);
        drop(ready);
    }
}

/// What the simulated world holds besides the futures.
#[derive(Default)]
struct World {
    now: Instant,
    ready: VecDeque<Arc<Task>>,
    timers: BTreeMap<(Instant, u64), Waker>,
    numbers: u64,
    random: u64,
}

impl World {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[derive(Clone)]
struct Handle(Arc<Mutex<World>>);

impl Handle {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, origin: Option<Origin>) -> Arc<Task> {
        let number = self.world().number();
        let state = TaskState { origin, ..TaskState::default() };
        let task = Arc::new(Task { number, handle: self.clone(), state: Mutex::new(state) });
        task.wake_by_ref();
        task
    }
}

impl Runtime for Handle {
    fn spawn(&self, task: BoxTask) -> Box<dyn RuntimeTask> {
        Box::new(Joiner(self.admit(Some(Origin::Task(task)))))
    }

    fn local(&self, _: &str) -> io::Result<Arc<dyn LocalRuntime>> {
        Ok(Arc::new(self.clone()))
    }

    fn now(&self) -> Instant {
        self.world().now
    }

    fn sleep_until(&self, deadline: Instant) -> BoxTask {
        let key = (deadline, self.world().number());
        Box::pin(Timer { handle: self.clone(), key })
    }

    fn unix_time(&self) -> Duration {
        Duration::from_secs(1_700_000_000) + self.now().elapsed()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.world().draw().to_le_bytes()[..chunk.len()]);
        }
    }
}

impl LocalRuntime for Handle {
    fn spawn(&self, job: LocalJob) {
        self.admit(Some(Origin::Job(job)));
    }
}

/// A task's name in the ready queue; the driver holds its future.
struct Task {
    number: u64,
    handle: Handle,
    state: Mutex<TaskState>,
}

#[derive(Default)]
struct TaskState {
    /// Until the driver first runs the task.
    origin: Option<Origin>,
    is_queued: bool,
    is_aborted: bool,
    is_finished: bool,
    joiner: Option<Waker>,
}

enum Origin {
    Task(BoxTask),
    Job(LocalJob),
}

impl Task {
    fn state(&self) -> MutexGuard<'_, TaskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let was_queued = std::mem::replace(&mut self.state().is_queued, true);
        if !was_queued {
            let handle = self.handle.clone();
            handle.world().ready.push_back(self);
        }
    }
}

struct Joiner(Arc<Task>);

impl RuntimeTask for Joiner {
    fn abort(&self) {
        self.0.state().is_aborted = true;
        self.0.wake_by_ref();
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        if state.is_finished {
            return Poll::Ready(());
        }
        state.joiner = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct Timer {
    handle: Handle,
    key: (Instant, u64),
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut world = self.handle.world();
        if world.now >= self.key.0 {
            return Poll::Ready(());
        }
        world.timers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // A timer that nobody waits for must not move time.
        let timer = self.handle.world().timers.remove(&self.key);
        drop(timer);
    }
}
