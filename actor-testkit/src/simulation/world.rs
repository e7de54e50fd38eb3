//! What a simulated world holds besides the futures, and the ways into it from any thread: the
//! executor's handle, tasks as wakers, timers. Who runs the futures is next door.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use actor_core::Instant;
use actor_core::executor::{BoxTask, LocalJob, LocalRuntime, Runtime, RuntimeTask};

use super::places::Place;
use super::random::Random;
use super::trace::Trace;
use super::witness::Witness;

/// The wall-clock time at which every simulation begins, since 1970.
const UNIX_BEGINNING: Duration = Duration::from_secs(1_700_000_000);

/// The queue, the clock, the timers, the random bytes. Nothing of a user's is called or dropped
/// while it is locked.
pub(crate) struct World {
    pub(crate) now: Instant,
    /// The same, for those who have no lock: written where this is.
    clock: Arc<AtomicU64>,
    pub(super) ready: VecDeque<Arc<Task>>,
    timers: BTreeMap<(Instant, u64), Waker>,
    numbers: u64,
    random: Random,
    pub(super) places: Vec<Place>,
    /// Places that have ended, and whose tasks the driver has not dropped yet.
    pub(super) ended: Vec<usize>,
    pub(super) trace: Trace,
    pub(super) witness: Option<Box<Witness>>,
    /// The driver is gone: nothing runs any more, and nothing is queued.
    pub(super) is_over: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            clock: Arc::default(),
            ready: VecDeque::new(),
            timers: BTreeMap::new(),
            numbers: 0,
            random: Random::seeded(seed),
            places: vec![Place::default()],
            ended: Vec::new(),
            trace: Trace::default(),
            witness: None,
            is_over: false,
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.random.draw()
    }

    /// Wakes somebody at a moment, unless that is [taken back](Self::take_back).
    pub(crate) fn wake_at(&mut self, at: Instant, waker: Waker) -> (Instant, u64) {
        let key = (at, self.number());
        self.timers.insert(key, waker);
        self.note_timer(at);
        key
    }

    /// Nobody is woken then. What comes back is dropped outside of the lock.
    #[must_use]
    pub(crate) fn take_back(&mut self, key: (Instant, u64)) -> Option<Waker> {
        self.timers.remove(&key)
    }

    /// Somebody waits for a moment.
    fn note_timer(&mut self, at: Instant) {
        self.trace.note_instant(at);
        self.note(|| format!("waits for {at:?}"));
    }

    /// Whose turn it is does something.
    pub(crate) fn note(&mut self, effect: impl FnOnce() -> String) {
        if let Some(witness) = &mut self.witness {
            witness.note(effect);
        }
    }

    /// The tasks have had their turns. What follows is nobody's.
    pub(super) fn end_turns(&mut self) {
        self.begin_step(None);
    }

    fn begin_step(&mut self, next: Option<(u64, usize)>) {
        if let Some(witness) = &mut self.witness {
            witness.begin_step(self.trace.value(), self.now, next);
        }
    }

    /// Takes whose turn it is out of the queue, and notes it in the trace.
    pub(super) fn take_ready(&mut self, index: usize) -> Option<Arc<Task>> {
        let task = self.ready.remove(index)?;
        self.begin_step(Some((task.number, task.place)));
        self.trace.note(task.number);
        let place = &mut self.places[task.place];
        if place.step_cost > Duration::ZERO {
            place.rests_until = self.now + place.step_cost;
            self.set_aside(task.place);
            self.wake_at_end_of_rest(&task);
        }
        Some(task)
    }

    /// When the next timer is due, if one is set.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Goes to the next timer, and gives whom to wake.
    pub(super) fn go_to_next_timer(&mut self) -> Option<Waker> {
        let ((due, number), waker) = self.timers.pop_first()?;
        self.begin_step(None);
        self.set_now(self.now.max(due));
        self.trace.note_instant(due);
        self.trace.note(number);
        Some(waker)
    }

    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
        let nanos = u64::try_from(now.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.clock.store(nanos, Ordering::Relaxed);
    }

    /// Whom else to wake at this moment.
    pub(super) fn next_timer_of_this_moment(&mut self) -> Option<Waker> {
        self.next_due().filter(|due| *due <= self.now)?;
        self.go_to_next_timer()
    }

    /// Ends it, and gives what was queued, and who was to be woken.
    pub(super) fn end(&mut self) -> (VecDeque<Arc<Task>>, Vec<Waker>) {
        self.is_over = true;
        let mut queued = std::mem::take(&mut self.ready);
        self.places.iter_mut().for_each(|place| queued.append(&mut place.waiting));
        (queued, std::mem::take(&mut self.timers).into_values().collect())
    }
}

/// A world, and its time for those who need nothing else of it.
pub(super) struct Shared {
    world: Mutex<World>,
    clock: Arc<AtomicU64>,
}

/// The way into a world, for those of one place.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) place: usize,
}

impl Handle {
    pub(super) fn new(world: World) -> Self {
        let clock = world.clock.clone();
        Self { shared: Arc::new(Shared { world: Mutex::new(world), clock }), place: 0 }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, without a lock.
    pub(crate) fn time(&self) -> Instant {
        Instant::from_elapsed(Duration::from_nanos(self.shared.clock.load(Ordering::Relaxed)))
    }

    /// Queues a new task. Without an origin it is somebody's who polls a future of his own.
    pub(super) fn admit(&self, origin: Option<Origin>) -> Arc<Task> {
        let number = self.world().number();
        let state = TaskState { origin, ..TaskState::default() };
        let handle = self.clone();
        let (place, slot) = (self.place, AtomicUsize::new(usize::MAX));
        let task = Arc::new(Task { number, place, handle, slot, state: Mutex::new(state) });
        task.wake_by_ref();
        if !self.world().is_alive(self.place) {
            // As on a runtime that has shut down.
            task.give_up();
        }
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
        self.time()
    }

    fn sleep_until(&self, deadline: Instant) -> BoxTask {
        let key = (deadline, self.world().number());
        Box::pin(Timer { handle: self.clone(), key, set_for: None })
    }

    fn unix_time(&self) -> Duration {
        let world = self.world();
        let right = UNIX_BEGINNING + world.now.elapsed();
        world.places[self.place].clock.shows(right, world.now)
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        let mut world = self.world();
        world.trace.note(buffer.len() as u64);
        world.note(|| format!("draws {} random bytes", buffer.len()));
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&world.draw().to_le_bytes()[..chunk.len()]);
        }
    }
}

impl LocalRuntime for Handle {
    fn spawn(&self, job: LocalJob) {
        self.admit(Some(Origin::Job(job)));
    }
}

/// A task's name in the ready queue; the driver holds its future.
pub(crate) struct Task {
    pub(super) number: u64,
    pub(super) place: usize,
    handle: Handle,
    /// Where the driver has its future, once it has begun. The driver alone looks at it.
    slot: AtomicUsize,
    state: Mutex<TaskState>,
}

#[derive(Default)]
pub(super) struct TaskState {
    /// Until the driver first runs the task.
    pub(super) origin: Option<Origin>,
    pub(super) is_queued: bool,
    pub(super) is_aborted: bool,
    is_finished: bool,
    joiner: Option<Waker>,
}

/// What a task is made of when it first runs.
pub(super) enum Origin {
    Task(BoxTask),
    Job(LocalJob),
}

impl Task {
    pub(super) fn slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed)
    }

    pub(super) fn set_slot(&self, slot: usize) {
        self.slot.store(slot, Ordering::Relaxed);
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, TaskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops it, if it has not begun, and tells who waits for that.
    pub(super) fn give_up(&self) {
        let origin = self.state().origin.take();
        if let Some(origin) = origin {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(origin)));
            self.finish();
            dropped.unwrap_or_else(|panic| resume_unwind(panic));
        }
    }

    /// Its future is no more: tells who waits for that.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.is_finished = true;
        let joiner = state.joiner.take();
        drop(state);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let was_queued = std::mem::replace(&mut self.state().is_queued, true);
        if was_queued {
            return;
        }
        // What is not queued is dropped after the lock.
        let handle = self.handle.clone();
        let mut world = handle.world();
        if !world.is_alive(self.place) {
            return;
        }
        world.trace.note(self.number);
        if let Some(witness) = &mut world.witness {
            witness.note_wake(self.number, self.place);
        }
        if world.may_run(self.place) {
            world.ready.push_back(self);
        } else {
            let place = self.place;
            world.places[place].waiting.push_back(self);
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
        let former = state.joiner.replace(cx.waker().clone());
        drop(state);
        drop(former);
        Poll::Pending
    }
}

pub(crate) struct Timer {
    handle: Handle,
    key: (Instant, u64),
    /// Who is woken then, if that is arranged.
    set_for: Option<Waker>,
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.handle.time() >= this.key.0 {
            return Poll::Ready(());
        }
        if this.set_for.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let is_first = this.set_for.replace(cx.waker().clone()).is_none();
        let mut world = this.handle.world();
        let former = world.timers.insert(this.key, cx.waker().clone());
        if is_first {
            world.note_timer(this.key.0);
        }
        drop(world);
        drop(former);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // A timer that nobody waits for must not move time. One of the past has gone off.
        if self.set_for.is_some() && self.handle.time() <= self.key.0 {
            let timer = self.handle.world().timers.remove(&self.key);
            drop(timer);
        }
    }
}
