//! Places in a world: the tasks of one place can be held up, slowed down or ended together, and
//! have a wall clock of their own. A node of a simulated cluster is one, in each of its lives; a
//! simulation without a cluster has one place.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

use actor_core::Instant;

use super::trace::Trace;
use super::witness::Witness;
use super::world::{Handle, Task, World};

/// Where tasks live that share a fate.
#[derive(Default)]
pub(super) struct Place {
    standing: Standing,
    /// Woken while they may not run.
    pub(super) waiting: VecDeque<Arc<Task>>,
    /// How long each step of its tasks takes.
    pub(super) step_cost: Duration,
    /// Nobody in it runs before.
    pub(super) rests_until: Instant,
    pub(super) clock: WallClock,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Runs,
    Frozen,
    Ended,
}

/// What a wall clock shows compared with the world's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WallClock {
    /// By how many nanoseconds it was later at some moment.
    ahead: i128,
    /// That moment.
    since: Instant,
    /// How many millionths of the time since then it has gained.
    drift_ppm: i32,
}

#[cfg(feature = "cluster")]
impl WallClock {
    pub(crate) fn set_forward(&mut self, by: Duration) {
        self.ahead += nanos(by);
    }

    pub(crate) fn set_back(&mut self, by: Duration) {
        self.ahead -= nanos(by);
    }

    /// What it has gained by now it keeps.
    pub(crate) fn drift(&mut self, ppm: i32, now: Instant) {
        *self = Self { ahead: self.ahead_at(now), since: now, drift_ppm: ppm };
    }
}

impl WallClock {
    /// What it shows where a clock that is right shows this.
    pub(super) fn shows(&self, right: Duration, now: Instant) -> Duration {
        let ahead = self.ahead_at(now);
        let by = u64::try_from(ahead.unsigned_abs()).map_or(Duration::MAX, Duration::from_nanos);
        if ahead < 0 { right.saturating_sub(by) } else { right.saturating_add(by) }
    }

    fn ahead_at(&self, now: Instant) -> i128 {
        self.ahead + nanos(now - self.since) * i128::from(self.drift_ppm) / 1_000_000
    }
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

impl World {
    pub(super) fn is_alive(&self, place: usize) -> bool {
        !self.is_over && self.places[place].standing != Standing::Ended
    }

    pub(super) fn may_run(&self, place: usize) -> bool {
        let place = &self.places[place];
        place.standing == Standing::Runs && place.rests_until <= self.now
    }

    /// Takes the tasks of a place out of the queue until they may run again.
    pub(super) fn set_aside(&mut self, place: usize) {
        let ready = std::mem::take(&mut self.ready);
        let (its, others) = ready.into_iter().partition(|task| task.place == place);
        self.ready = others;
        let mut its: VecDeque<Arc<Task>> = its;
        self.places[place].waiting.append(&mut its);
    }

    /// Queues those who wait in a place, if they may run.
    fn let_run(&mut self, place: usize) {
        if self.may_run(place) {
            let mut waiting = std::mem::take(&mut self.places[place].waiting);
            self.ready.append(&mut waiting);
        }
    }

    pub(super) fn wake_at_end_of_rest(&mut self, task: &Task) {
        let end = RestEnds { handle: task.handle(), place: task.place };
        let at = self.places[task.place].rests_until;
        self.wake_at(at, Arc::new(end).into());
    }

    pub(super) fn has_ended_places(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The places that have ended since this was last asked.
    pub(super) fn take_ended(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ended)
    }

    pub(crate) fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    pub(crate) fn witness(&mut self) -> &mut Option<Box<Witness>> {
        &mut self.witness
    }
}

impl Handle {
    /// A new place, and the way into the world for those who are there.
    pub(crate) fn new_place(&self) -> Handle {
        let mut world = self.world();
        world.places.push(Place::default());
        let place = world.places.len() - 1;
        drop(world);
        Handle { shared: self.shared.clone(), place }
    }

    /// What this place is called where somebody looks.
    pub(crate) fn name_place(&self, name: &str) {
        if let Some(witness) = &mut self.world().witness {
            witness.name_place(self.place, name.to_owned());
        }
    }

    /// Which of the world's places this is.
    pub(crate) fn number(&self) -> usize {
        self.place
    }

    /// Ends this place: nothing of it runs any more, what is spawned in it is dropped at once, and its tasks are dropped
    /// before the next step of anybody.
    pub(crate) fn end_place(&self) {
        let mut world = self.world();
        if world.places[self.place].standing == Standing::Ended {
            return;
        }
        world.set_aside(self.place);
        let place = self.place;
        world.places[place].standing = Standing::Ended;
        world.ended.push(place);
    }

    /// Holds up everybody in this place.
    pub(crate) fn freeze(&self) {
        let mut world = self.world();
        if world.places[self.place].standing == Standing::Runs {
            world.places[self.place].standing = Standing::Frozen;
            world.set_aside(self.place);
        }
    }

    /// Lets everybody in this place go on.
    pub(crate) fn thaw(&self) {
        let mut world = self.world();
        if world.places[self.place].standing == Standing::Frozen {
            world.places[self.place].standing = Standing::Runs;
            world.let_run(self.place);
        }
    }

    /// Lets each step of this place's tasks take so long, one after the other.
    pub(crate) fn set_step_cost(&self, cost: Duration) {
        self.world().places[self.place].step_cost = cost;
    }

    pub(crate) fn set_clock(&self, clock: WallClock) {
        self.world().places[self.place].clock = clock;
    }

    /// The tasks of this place that were queued when it ended.
    pub(super) fn take_waiting(&self, place: usize) -> VecDeque<Arc<Task>> {
        std::mem::take(&mut self.world().places[place].waiting)
    }
}

/// The end of the rest of a slow place.
struct RestEnds {
    handle: Handle,
    place: usize,
}

impl Wake for RestEnds {
    fn wake(self: Arc<Self>) {
        self.handle.world().let_run(self.place);
    }
}
