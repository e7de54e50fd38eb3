//! The workers of one factory and the jobs that wait for them: told what happens, it says
//! what to do. It runs nobody's code and holds whatever stands for a job.
//!
//! ```text
//!                          ┌─ refused: draining, expired, over the rate, shed
//!  submit ─► route ────────┼─ a worker that is idle ───────► Order::Assign
//!                          └─ a queue: of the factory, or of a worker ─┐
//!  finished, returned ─► the worker's next job ◄───────────────────────┘
//!
//!            launched                ended
//!  Starting ──────────► Up ────────────────► Down ── its delay is over ─► Starting
//!                        │ shrunk away, and nothing left to do
//!                        ▼
//!                      Vacant
//! ```
//!
//! Nothing here looks at all workers but a change of their number. The idle ones lie on a
//! stack, the busy ones in a list by the start of their job, and where the least loaded is
//! wanted, each in the list of its load.

mod bucket;
mod feed;
mod life;
mod links;
mod queue;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use actor_core::{Backoff, Instant};

use self::bucket::Bucket;
use self::links::{Links, Loads};
pub(super) use self::queue::{Arrangement, Queue};
use super::keys::Keys;
use super::settings::{DeadMan, RateLimit, ShedMode};

/// How a worker is found for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// By its pick, the hash of its key; a key stays where its jobs are.
    Key,
    /// Whoever is idle.
    Idle,
    /// Whoever is idle, unless a job of its key is under way: then after that one.
    Sticky,
    /// One after another.
    Turn,
    /// Whoever has least to do.
    Least,
    /// By its pick, which a router has made.
    Picked,
}

/// What the pool knows of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tags {
    /// Which of all jobs it is. The pool sets it.
    pub(super) number: u64,
    /// The hash of its key, or what a router picked; see [`Route`].
    pub(super) pick: u64,
    /// The lowest first, where ranks are looked at.
    pub(super) rank: i64,
    /// Its priority, the lowest first, where that is looked at.
    pub(super) level: u8,
    pub(super) is_discardable: bool,
    /// Not to be begun at this time or later; [`Instant::FAR`] if it does not matter.
    pub(super) expires_at: Instant,
}

/// Why the pool gave a job up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Expired,
    Shed,
    RateLimited,
    Draining,
}

/// What became of a job that a worker had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// It is gone, and its worker lives.
    Lost,
    /// It is gone, and its worker with it, which is heard of otherwise too.
    Fatal,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order<J> {
    /// Give the worker the job.
    Assign { worker: u32, ticket: u64, job: J, tags: Tags },
    /// The job will not run.
    Discard { job: J, refusal: Refusal },
    /// Make a new worker for this place.
    Launch(u32),
    /// Let the worker live again.
    Restart(u32),
    /// The worker has had its job in hand for too long.
    Stuck(u32, Duration),
    /// End the worker's life at once.
    Kill(u32),
    /// The worker is not needed any more.
    Retire(u32),
    /// It was drained, and nothing is left to do.
    Drained,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) completed: u64,
    pub(super) lost: u64,
    pub(super) returned: u64,
    /// Jobs that were accepted, and given up.
    pub(super) discarded: u64,
    pub(super) expired: u64,
    pub(super) shed: u64,
    pub(super) rate_limited: u64,
    pub(super) stuck: u64,
    pub(super) restarts: u64,
    /// Jobs that wait now.
    pub(super) waiting: usize,
    /// Jobs that workers have now.
    pub(super) in_hand: usize,
    /// Workers that could begin a job now.
    pub(super) idle: usize,
}

/// What a pool is made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) route: Route,
    /// Under [`Route::Sticky`], after how many jobs that waited for it alone a worker has one
    /// that waits for anybody.
    pub(super) in_a_row_max: u32,
    pub(super) arrangement: Arrangement,
    pub(super) limit: Option<(usize, ShedMode)>,
    pub(super) rate: Option<RateLimit>,
    pub(super) dead_man: Option<DeadMan>,
    pub(super) backoff: Backoff,
}

/// See the module.
pub(super) struct Pool<J> {
    rules: Rules,
    bucket: Option<Bucket>,
    workers: Vec<Worker<J>>,
    /// How many workers there shall be: the first ones.
    target: usize,
    /// Jobs that wait for any worker, or for one to be there at all.
    shared: Queue<J>,
    /// Under [`Route::Sticky`], the keys that have jobs, and those after the first.
    groups: Keys<Queue<J>>,
    /// Under [`Route::Key`], where a key's jobs are that had some when the pool was resized,
    /// and how many. Empty again when they are done.
    pinned: Keys<(u32, usize)>,
    /// Idle workers, and some that were: each is looked at when it is taken.
    stack: Vec<u32>,
    loads: Loads,
    /// With a dead man's switch, who has a job, by its start.
    busy: Links,
    /// When each worker that is down may live again.
    downs: BTreeSet<(Instant, u32)>,
    /// Whose turn it is.
    turn: usize,
    numbers: u64,
    tickets: u64,
    /// Waiting jobs that expire.
    mortal: usize,
    is_draining: bool,
    is_drained: bool,
    counts: Counts,
    orders: VecDeque<Order<J>>,
    /// How many workers were looked at, to find some.
    #[cfg(test)]
    looks: u64,
}

struct Worker<J> {
    life: Life,
    /// Whether there is an actor that could live again.
    has_actor: bool,
    /// Shrunk away: it ends when it has nothing to do.
    is_leaving: bool,
    is_idle: bool,
    /// Whether it lies on the stack.
    is_stacked: bool,
    hand: Option<InHand>,
    /// How many jobs it had in a row that waited for it alone.
    in_a_row: u32,
    queue: Queue<J>,
    up_since: Instant,
    /// Lives in a row that were short.
    streak: u32,
}

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Vacant,
    Starting,
    Up,
    /// It lost its job by dying; its end is still to be heard of.
    Dying,
    Down(Instant),
}

/// The job that a worker has.
#[derive(Clone, Copy, Debug)]
pub(super) struct InHand {
    ticket: u64,
    pick: u64,
    pub(super) since: Instant,
    /// Whether the life has ended that it was given to.
    is_orphan: bool,
}

/// A worker's number, as lists and orders have it.
fn number(worker: usize) -> u32 {
    u32::try_from(worker).expect("a pool has no more workers than WORKERS_MAX")
}

/// The start of a job that nobody timed.
const UNTIMED: Instant = Instant::ZERO;

impl<J> Pool<J> {
    /// A pool without workers, whose jobs and tickets are numbered from there on.
    pub(super) fn new(rules: Rules, numbers: u64, now: Instant) -> Self {
        Self {
            bucket: rules.rate.map(|rate| Bucket::new(rate, now)),
            shared: Queue::new(rules.arrangement),
            rules,
            workers: Vec::new(),
            target: 0,
            groups: Keys::default(),
            pinned: Keys::default(),
            stack: Vec::new(),
            loads: Loads::default(),
            busy: Links::default(),
            downs: BTreeSet::new(),
            turn: 0,
            numbers,
            tickets: numbers,
            mortal: 0,
            is_draining: false,
            is_drained: false,
            counts: Counts::default(),
            orders: VecDeque::new(),
            #[cfg(test)]
            looks: 0,
        }
    }

    /// The next thing to do; `None` when there is nothing for now.
    #[inline]
    pub(super) fn poll_order(&mut self) -> Option<Order<J>> {
        if self.orders.is_empty() && self.is_draining && !self.is_drained {
            self.end_if_drained();
        }
        self.orders.pop_front()
    }

    /// Whether it matters at what time a job comes or ends. If not, `now` may be anything
    /// then: to ask a clock costs as much as to route a job.
    pub(super) fn is_timed(&self) -> bool {
        self.mortal > 0 || self.bucket.is_some() || self.rules.dead_man.is_some()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many workers there shall be.
    pub(super) fn target(&self) -> usize {
        self.target
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// How much a worker has to do: what it has in hand and what waits for it alone.
    pub(super) fn load(&self, worker: usize) -> usize {
        self.workers.get(worker).map_or(0, Worker::load)
    }

    /// Whether a worker would begin a job at once.
    pub(super) fn is_idle(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.is_idle)
    }

    /// Whether nobody has this place.
    #[cfg(test)]
    fn is_vacant(&self, worker: u32) -> bool {
        self.workers.get(worker as usize).is_none_or(|worker| worker.life == Life::Vacant)
    }

    /// How many jobs a queue may hold beside those that run.
    pub(super) fn set_limit(&mut self, limit: Option<(usize, ShedMode)>) {
        self.rules.limit = limit;
    }

    pub(super) fn limit(&self) -> Option<(usize, ShedMode)> {
        self.rules.limit
    }

    pub(super) fn set_rate(&mut self, rate: Option<RateLimit>, now: Instant) {
        self.rules.rate = rate;
        self.bucket = rate.map(|rate| Bucket::new(rate, now));
    }

    pub(super) fn set_backoff(&mut self, backoff: Backoff) {
        self.rules.backoff = backoff;
    }
}

impl<J> Worker<J> {
    fn vacant(arrangement: Arrangement) -> Self {
        Self {
            life: Life::Vacant,
            has_actor: false,
            is_leaving: false,
            is_idle: false,
            is_stacked: false,
            hand: None,
            in_a_row: 0,
            queue: Queue::new(arrangement),
            up_since: Instant::ZERO,
            streak: 0,
        }
    }

    fn load(&self) -> usize {
        self.queue.len() + usize::from(self.hand.is_some())
    }
}
