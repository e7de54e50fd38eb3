//! A runtime for tests: one thread, virtual time, an order that a seed chooses. It shares
//! nothing with tokio's scheduler, so what runs on both needs only the executor's seam.
//!
//! ```text
//!  any thread ── Handle ──► ready queue, timers, random bytes        (world)
//!                               │
//!  one thread ── Simulation ────┴─► polls the futures, which never leave it;
//!                                   when all wait, time jumps to the next timer
//! ```

mod living;
mod places;
mod random;
mod trace;
pub(crate) mod witness;
pub(crate) mod world;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use actor_core::{ActorSystem, Executor, Instant, SystemBuilder};

use self::living::{Living, drop_tasks, in_order};
#[cfg(feature = "cluster")]
pub(crate) use self::places::WallClock;
#[cfg(any(feature = "cluster", feature = "process"))]
pub(crate) use self::random::Random;
use self::world::{Handle, Origin, Task, World};
use crate::limits::SIMULATION_STEPS_MAX_DEFAULT;
use crate::recorder::EventRecorder;

/// Which of the tasks that can run runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The one that was woken first. Timers that are due at one moment go off one after another,
    /// in the order in which they were set.
    Fifo,
    /// Any, by the seed. Timers that are due at one moment go off together.
    Seeded(u64),
}

/// A world in which a test's actors live: tasks of one thread, a clock that stands still while
/// anybody can run, and random bytes from a seed.
///
/// ```
/// use std::time::Duration;
///
/// use actor_core::actor;
/// use actor_testkit::Simulation;
///
/// struct Counter(u64);
///
/// #[actor]
/// impl Counter {
///     fn add(&mut self, by: u64) -> u64 {
///         self.0 += by;
///         self.0
///     }
/// }
///
/// let mut simulation = Simulation::seeded(7);
/// let system = simulation.system();
/// simulation.block_on(async {
///     let counter = Counter(40).spawn().on(&system).await.unwrap();
///     // An hour takes no time.
///     system.executor().sleep(Duration::from_secs(3600)).await;
///     assert_eq!(counter.add(2).await.unwrap(), 42);
/// });
/// assert_eq!(simulation.now().elapsed(), Duration::from_secs(3600));
/// ```
///
/// # What is the same each time
///
/// All that happens in here, with one [`Order`] and as long as nothing else is waited for: which task
/// runs when, the time on the clock, what [`Executor::fill_random`] gives, and so the ids of
/// actors and which child a supervisor's jitter delays. `Order::Fifo` is one order of very many,
/// and a friendly one; a test that is to find races runs with many seeds.
///
/// Not the same: what a test takes from elsewhere, as other threads, tokio's timers and input,
/// `std::time::Instant::now`, addresses in memory, the order in which a `HashMap` of the standard
/// library gives its entries, and which branch `tokio::select!` looks at first, unless it is told
/// to be `biased`. A task is never interrupted between two await points, so
/// what goes wrong only there, as with atomics, no simulation finds.
///
/// # Panics
///
/// A task that panics, and is no actor's, ends the call that ran it with that panic: the test
/// fails. An actor's panic is its own affair, as everywhere.
///
/// A task that loops without an await point hangs the test, as it would hang a thread of tokio's.
///
/// Use it outside of tokio's tasks, so in a plain `#[test]`. In one, as in a `#[tokio::test]`, tokio
/// keeps the wakers of what yields to it until the task itself waits, which it does not: of its
/// `yield_now`, and of its channels and locks after a hundred uses or so. That is taken for a dead
/// lock.
///
/// If the test panics while a simulation with a seed is there, that says its seed to the error
/// output when it is dropped.
///
/// # End
///
/// Dropping it drops all its tasks: actors end as [`Exit::Cancelled`](actor_core::Exit::Cancelled).
/// What is spawned on its executor afterwards is dropped at once. If a task's destructor panics,
/// that is the test's panic when all tasks are gone, unless it panics already.
#[must_use = "nothing runs in a simulation by itself"]
pub struct Simulation {
    handle: Handle,
    order: Order,
    steps_max: u64,
    /// The same, without time going on.
    steps_at_once_max: u64,
    /// How many there were since it last did.
    steps_at_once: (Instant, u64),
    /// Where each is is known to its task; one that runs is not here.
    tasks: Vec<Option<Living>>,
    free: Vec<usize>,
    /// Told after each step in which place it was.
    after_step: Option<Box<AfterStep>>,
}

type AfterStep = dyn FnMut(usize) + Send;

impl Simulation {
    /// A world at time zero with nobody in it.
    pub fn new(order: Order) -> Self {
        let seed = match order {
            Order::Fifo => 0,
            Order::Seeded(seed) => seed,
        };
        let handle = Handle::new(World::new(seed));
        Self {
            handle,
            order,
            steps_max: SIMULATION_STEPS_MAX_DEFAULT,
            steps_at_once_max: u64::MAX,
            steps_at_once: (Instant::ZERO, 0),
            tasks: Vec::new(),
            free: Vec::new(),
            after_step: None,
        }
    }

    /// A world whose order and random bytes come from a seed.
    ///
    /// A race is found by many of them; the one that fails is named in the test's output:
    ///
    /// ```
    /// # use actor_testkit::Simulation;
    /// for seed in 0..100 {
    ///     let mut simulation = Simulation::seeded(seed);
    ///     simulation.block_on(async { /* the test */ });
    /// }
    /// ```
    pub fn seeded(seed: u64) -> Self {
        Self::new(Order::Seeded(seed))
    }

    /// A world in which tasks run in the order they were woken.
    pub fn fifo() -> Self {
        Self::new(Order::Fifo)
    }

    /// How many steps, which are polls of a task, one call of [`block_on`](Self::block_on),
    /// [`run_until_idle`](Self::run_until_idle) or [`advance`](Self::advance) may take before it
    /// panics. Without this: [`SIMULATION_STEPS_MAX_DEFAULT`].
    pub fn steps_max(self, steps_max: u64) -> Self {
        let mut simulation = self;
        simulation.steps_max = steps_max;
        simulation
    }

    /// How many steps may be taken at one moment before it panics.
    #[cfg(feature = "cluster")]
    pub(crate) fn steps_at_once_max(self, steps_max: u64) -> Self {
        let mut simulation = self;
        simulation.steps_at_once_max = steps_max;
        simulation
    }

    /// Another system that lives in here. For one that is not as
    /// [`ActorSystem::new`] makes it, see [`builder`](Self::builder).
    pub fn system(&self) -> ActorSystem {
        self.builder().build()
    }

    /// A builder of a system that lives in here.
    ///
    /// ```
    /// # use actor_testkit::Simulation;
    /// let simulation = Simulation::fifo();
    /// let bounded = simulation.builder().actors_max(2).build();
    /// let owned = simulation.builder().build_owned();
    /// ```
    pub fn builder(&self) -> SystemBuilder {
        ActorSystem::builder().executor(self.executor())
    }

    /// A system that lives in here, and the record of what happens in it.
    pub fn recorded(&self) -> (ActorSystem, EventRecorder) {
        let recorder = EventRecorder::new(self.executor());
        (self.builder().observer(recorder.clone()).build(), recorder)
    }

    /// What a system that lives in here runs on. It may be used from any thread.
    pub fn executor(&self) -> Executor {
        Executor::custom(Arc::new(self.handle.clone()))
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The time. It begins at zero.
    pub fn now(&self) -> Instant {
        self.handle.time()
    }

    /// Runs a future and all tasks until the future ends. While all wait, time goes to the next
    /// timer, whoever's it is. The other tasks stay where they are then, for the next call.
    ///
    /// The future runs on this thread and may borrow. In it, the short forms that mean the
    /// [current](ActorSystem::current) system mean the process's default one, which does not live
    /// in here: name the system, or have it in [scope](ActorSystem::scope).
    ///
    /// # Panics
    ///
    /// If the future, and with it everybody, waits and no timer is set; and after
    /// [`steps_max`](Self::steps_max) steps. Both say the order. With a panic of the future or of
    /// a task that is no actor's.
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let root = self.handle.admit(None);
        let mut steps = 0;
        loop {
            let Some(task) = self.next(&mut steps) else {
                if !self.go_to_next_timer() {
                    self.panic_for_deadlock();
                }
                continue;
            };
            if task.number != root.number {
                self.run(&task);
                continue;
            }
            let polled = future.as_mut().poll(&mut Context::from_waker(&task.into()));
            self.tell_step(root.place);
            if let Poll::Ready(output) = polled {
                return output;
            }
        }
    }

    /// Runs the tasks until all of them wait, and says how many steps that took. Time does not
    /// move.
    ///
    /// ```
    /// # use actor_core::actor;
    /// # use actor_testkit::Simulation;
    /// # struct Counter(u64);
    /// # #[actor]
    /// # impl Counter {
    /// #     fn add(&mut self, by: u64) -> u64 {
    /// #         self.0 += by;
    /// #         self.0
    /// #     }
    /// # }
    /// let mut simulation = Simulation::fifo();
    /// let system = simulation.system();
    /// let counter = simulation.block_on(async { Counter(40).spawn().on(&system).await }).unwrap();
    /// counter.add(2).cast().unwrap();
    /// simulation.run_until_idle();
    /// assert_eq!(counter.mailbox_stats().unwrap().received, 1);
    /// assert_eq!(simulation.run_until_idle(), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// After [`steps_max`](Self::steps_max) steps: some tasks wake each other without end. With a
    /// panic of a task that is no actor's.
    #[track_caller]
    pub fn run_until_idle(&mut self) -> u64 {
        let mut steps = 0;
        self.run_all(&mut steps);
        self.handle.world().end_turns();
        steps
    }

    /// Lets time pass: runs the tasks until all wait, goes to the next timer that is due in this
    /// time and runs them again, and so on; then it is so much later, and all wait.
    ///
    /// # Panics
    ///
    /// As [`run_until_idle`](Self::run_until_idle).
    #[track_caller]
    pub fn advance(&mut self, time: Duration) {
        let until = self.now() + time;
        let mut steps = 0;
        self.run_all(&mut steps);
        while self.next_due().is_some_and(|due| due <= until) {
            self.go_to_next_timer();
            self.run_all(&mut steps);
        }
        let mut world = self.handle.world();
        world.end_turns();
        world.set_now(until);
    }

    #[track_caller]
    fn run_all(&mut self, steps: &mut u64) {
        while let Some(task) = self.next(steps) {
            self.run(&task);
        }
    }

    /// Whose turn it is, if it is anybody's. That is one step.
    #[track_caller]
    fn next(&mut self, steps: &mut u64) -> Option<Arc<Task>> {
        let mut world = self.handle.world();
        while world.has_ended_places() {
            let ended = world.take_ended();
            drop(world);
            self.bury(&ended);
            world = self.handle.world();
        }
        let ready = world.ready.len();
        if ready == 0 {
            return None;
        }
        if self.steps_at_once.0 != world.now {
            self.steps_at_once = (world.now, 0);
        }
        if *steps >= self.steps_max || self.steps_at_once.1 >= self.steps_at_once_max {
            drop(world);
            self.panic_for_livelock();
        }
        *steps += 1;
        self.steps_at_once.1 += 1;
        let index = match self.order {
            Order::Fifo => 0,
            Order::Seeded(_) => usize::try_from(world.draw() % ready as u64).unwrap_or(0),
        };
        let task = world.take_ready(index)?;
        drop(world);
        task.state().is_queued = false;
        Some(task)
    }

    fn run(&mut self, task: &Arc<Task>) {
        let (origin, is_aborted) = {
            let mut state = task.state();
            (state.origin.take(), state.is_aborted)
        };
        let (slot, living) = match origin {
            Some(Origin::Task(future)) => (self.take_slot(task), Some(Living::new(future, task))),
            Some(Origin::Job(job)) => (self.take_slot(task), Some(Living::new(job(), task))),
            None => (task.slot(), self.take_living(task)),
        };
        // While it runs it is not with the others: if it panics, it is gone.
        let Some(mut living) = living else { return };
        let waker = Waker::from(task.clone());
        let is_over = is_aborted || living.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if is_over {
            self.free.push(slot);
        } else {
            self.tasks[slot] = Some(living);
        }
        self.tell_step(task.place);
    }

    fn take_slot(&mut self, task: &Task) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.tasks.push(None);
            self.tasks.len() - 1
        });
        task.set_slot(slot);
        slot
    }

    /// What runs as this task, if it has begun and not ended: its place may be another's by now.
    fn take_living(&mut self, task: &Arc<Task>) -> Option<Living> {
        let place = self.tasks.get_mut(task.slot())?;
        place.take_if(|living| Arc::ptr_eq(&living.ending.0, task))
    }

    fn living(&self) -> usize {
        self.tasks.iter().flatten().count()
    }

    /// Has somebody look after each step, who is told in which place it was.
    #[cfg(feature = "cluster")]
    pub(crate) fn after_each_step(&mut self, look: impl FnMut(usize) + Send + 'static) {
        self.after_step = Some(Box::new(look));
    }

    fn tell_step(&mut self, place: usize) {
        if let Some(look) = &mut self.after_step {
            look(place);
        }
    }

    /// Drops the tasks of places that have ended.
    fn bury(&mut self, places: &[usize]) {
        let mut begun = Vec::new();
        for (slot, living) in self.tasks.iter_mut().enumerate() {
            if let Some(living) = living.take_if(|living| places.contains(&living.place())) {
                begun.push(living);
                self.free.push(slot);
            }
        }
        let queued = places.iter().flat_map(|place| self.handle.take_waiting(*place)).collect();
        drop_tasks(in_order(begun), queued);
    }

    fn next_due(&self) -> Option<Instant> {
        self.handle.world().next_due()
    }

    /// Goes to the moment when something can happen, if there is one. By a seed all can run then
    /// who wait for that moment, so that any of them may be the first.
    fn go_to_next_timer(&self) -> bool {
        let mut next = self.handle.world().go_to_next_timer();
        let is_any = next.is_some();
        while let Some(waker) = next {
            waker.wake();
            next = match self.order {
                Order::Fifo => None,
                Order::Seeded(_) => self.handle.world().next_timer_of_this_moment(),
            };
        }
        is_any
    }

    #[cold]
    #[track_caller]
    fn panic_for_deadlock(&self) -> ! {
        panic!(
            "a deadlock at {:?}, with Order::{:?}: the future waits, so do all {} tasks, and no timer is set. \
             Either it waits for another thread or runtime, which cannot wake a simulation, or for an answer \
             that nobody in here gives: a probe can. In a task of tokio's, as a `#[tokio::test]` is, tokio keeps \
             the wakers of what yields to it: use a plain `#[test]`",
            self.now(),
            self.order,
            self.living(),
        );
    }

    #[cold]
    #[track_caller]
    fn panic_for_livelock(&self) -> ! {
        let (now, at_once) = self.steps_at_once;
        assert!(
            at_once < self.steps_at_once_max,
            "{at_once} steps at {now:?}, with Order::{:?}, and no time passes: some tasks wake each other, or themselves, for ever",
            self.order,
        );
        panic!(
            "no end after {} steps at {:?}, with Order::{:?}: some tasks wake each other, or timers follow each \
             other, for ever. A test that needs more steps says so by `Simulation::steps_max`",
            self.steps_max,
            self.now(),
            self.order,
        );
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if let (true, Order::Seeded(seed)) = (thread::panicking(), self.order) {
            eprintln!("the simulation's seed was {seed}: Simulation::seeded({seed}) does the same again");
        }
        // Tasks may wake and spawn others while they are dropped, which is then to no effect.
        let (queued, wakers) = self.handle.world().end();
        let begun = in_order(std::mem::take(&mut self.tasks).into_iter().flatten().collect());
        drop_tasks(begun, queued);
        drop(wakers);
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("order", &self.order)
            .field("now", &self.now())
            .field("tasks", &self.living())
            .finish_non_exhaustive()
    }
}
