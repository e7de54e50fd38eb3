//! Who counts which chunk, as a machine: no node, no clock. `coordinator.rs` tells
//! it what happened and does what it says.
//!
//! ```text
//!  chunks ─┬─► first: one for each worker ─┐
//!          ├─► waiting: whoever has room ──┼─► next() ─► in flight ─► counted
//!          │      ▲                        │                 │
//!          │      └──── unanswered ────────┼─────────────────┘
//!          └─► apart: for a worker that is killed with it
//! ```
//!
//! A chunk is in one of these places at any time, and leaves the last one when its
//! count is merged. So it is counted once, however often it was sent.

use std::collections::VecDeque;

/// How many chunks a worker has at once: enough to be busy while an answer and the
/// next chunk are on their way, few enough that little is lost with it.
pub(crate) const IN_FLIGHT_MAX: usize = 4;

/// A chunk, by its place in the list of all.
pub(crate) type ChunkId = usize;

/// A worker, by its place in the list of all.
pub(crate) type WorkerId = usize;

/// Whether one of the workers is to be killed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// All live.
    Spare,
    /// One dies, with a chunk that is set apart for it.
    Kill,
}

impl Plan {
    /// How many chunks there must be: one for each worker, and one to die with.
    pub(crate) fn chunks_min(self, workers: usize) -> usize {
        workers + usize::from(self == Plan::Kill)
    }
}

/// Where all the chunks are.
#[derive(Debug)]
pub(crate) struct Schedule {
    waiting: VecDeque<ChunkId>,
    apart: Option<ChunkId>,
    workers: Vec<Worker>,
    /// Who gets the next chunk that comes back.
    heir: Option<WorkerId>,
    chunks: usize,
    counted: usize,
    retried: u64,
}

#[derive(Debug, Default)]
struct Worker {
    /// Its own first chunk: nobody else gets it, however slow this one starts.
    first: Option<ChunkId>,
    in_flight: usize,
    is_lost: bool,
}

impl Schedule {
    /// Of at least [`chunks_min`](Plan::chunks_min) chunks.
    pub(crate) fn new(chunks: usize, workers: usize, plan: Plan) -> Self {
        let mut waiting: VecDeque<_> = (0..chunks).collect();
        let apart = (plan == Plan::Kill).then(|| waiting.pop_front()).flatten();
        let mut worker = || Worker { first: waiting.pop_front(), ..Worker::default() };
        let workers = (0..workers).map(|_| worker()).collect();
        Self { waiting, apart, workers, heir: None, chunks, counted: 0, retried: 0 }
    }

    /// The next chunk to send, and to whom. `None` while all who are left have
    /// enough, or there is nothing to send.
    pub(crate) fn next(&mut self) -> Option<(WorkerId, ChunkId)> {
        let has_room = |worker: &Worker| !worker.is_lost && worker.in_flight < IN_FLIGHT_MAX;
        let open = self.workers.iter_mut().enumerate().filter(|(_, worker)| has_room(worker));
        let (id, worker) = open.min_by_key(|(_, worker)| (worker.first.is_none(), worker.in_flight))?;
        let chunk = worker.first.take().or_else(|| self.waiting.pop_front())?;
        worker.in_flight += 1;
        Some((id, chunk))
    }

    /// The chunk that was set apart for `victim`, once half of all is counted.
    pub(crate) fn take_apart(&mut self, victim: WorkerId) -> Option<ChunkId> {
        if self.counted * 2 < self.chunks {
            return None;
        }
        let chunk = self.apart.take()?;
        self.workers[victim].in_flight += 1;
        Some(chunk)
    }

    /// A worker's count has been merged.
    pub(crate) fn on_counted(&mut self, worker: WorkerId) {
        self.workers[worker].in_flight -= 1;
        self.counted += 1;
    }

    /// A worker did not answer, and is sent nothing more. `was_sent`: the chunk had
    /// left for it.
    pub(crate) fn on_unanswered(&mut self, worker: WorkerId, chunk: ChunkId, was_sent: bool) {
        self.retried += u64::from(was_sent);
        let lost = &mut self.workers[worker];
        lost.in_flight -= 1;
        lost.is_lost = true;
        self.waiting.extend(lost.first.take());
        match self.heir.take() {
            Some(heir) => self.workers[heir].first = Some(chunk),
            None => self.waiting.push_front(chunk),
        }
    }

    /// Somebody has come in the place of a worker that is being lost, and will get
    /// the first of the chunks that come back.
    pub(crate) fn on_replaced(&mut self) -> WorkerId {
        let newcomer = self.workers.len();
        self.workers.push(Worker::default());
        self.heir = Some(newcomer);
        newcomer
    }

    /// Whether every chunk is counted.
    pub(crate) fn is_done(&self) -> bool {
        self.counted == self.chunks
    }

    /// How many chunks were sent to a worker that did not answer.
    pub(crate) fn retried(&self) -> u64 {
        self.retried
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn drain(schedule: &mut Schedule) -> Vec<(WorkerId, ChunkId)> {
        std::iter::from_fn(|| schedule.next()).collect()
    }

    #[test]
    fn everybody_starts_with_a_chunk_and_has_a_bounded_number() {
        let mut schedule = Schedule::new(100, 3, Plan::Spare);
        let sent = drain(&mut schedule);
        assert_eq!(sent[..3], [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(sent.len(), 3 * IN_FLIGHT_MAX);
        schedule.on_counted(1);
        assert_eq!(drain(&mut schedule), [(1, 3 * IN_FLIGHT_MAX)]);
    }

    #[test]
    fn the_fewest_chunks_are_enough_to_kill_one() {
        for workers in 2..5 {
            let chunks = Plan::Kill.chunks_min(workers);
            let mut schedule = Schedule::new(chunks, workers, Plan::Kill);
            assert_eq!(schedule.take_apart(0), None);
            let sent = drain(&mut schedule);
            assert_eq!(sent.len(), workers);
            sent.iter().for_each(|(worker, _)| schedule.on_counted(*worker));
            assert!(!schedule.is_done());
            let apart = schedule.take_apart(0).unwrap();
            assert_eq!(schedule.take_apart(0), None);
            schedule.on_unanswered(0, apart, true);
            assert_eq!(drain(&mut schedule), [(1, apart)]);
            schedule.on_counted(1);
            assert!(schedule.is_done());
            assert_eq!(schedule.retried(), 1);
        }
    }

    #[test]
    fn who_replaces_the_killed_one_gets_a_chunk_of_its() {
        let mut schedule = Schedule::new(3, 2, Plan::Kill);
        drain(&mut schedule).iter().for_each(|(worker, _)| schedule.on_counted(*worker));
        let apart = schedule.take_apart(0).unwrap();
        let newcomer = schedule.on_replaced();
        assert_eq!(schedule.next(), None);
        schedule.on_unanswered(0, apart, true);
        assert_eq!(drain(&mut schedule), [(newcomer, apart)]);
    }

    #[test]
    fn a_chunk_that_never_left_is_not_retried() {
        let mut schedule = Schedule::new(2, 2, Plan::Spare);
        let sent = drain(&mut schedule);
        schedule.on_unanswered(sent[0].0, sent[0].1, false);
        assert_eq!(schedule.retried(), 0);
        assert_eq!(drain(&mut schedule), [(sent[1].0, sent[0].1)]);
    }

    proptest! {
        /// Whatever order answers come in and whoever is lost: each chunk is counted
        /// once, as long as somebody is left.
        #[test]
        fn every_chunk_is_counted_once(
            extra in 0_usize..40,
            workers in 2_usize..6,
            picks: Vec<(prop::sample::Index, bool)>,
        ) {
            let chunks = Plan::Spare.chunks_min(workers) + extra;
            let mut schedule = Schedule::new(chunks, workers, Plan::Spare);
            let (mut flying, mut counted, mut lost) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
            let mut picks = picks.into_iter();
            while !schedule.is_done() {
                flying.extend(drain(&mut schedule));
                let pick = picks.next().map(|(pick, is_loss)| (pick.index(flying.len()), is_loss));
                let (at, is_loss) = pick.unwrap_or((0, false));
                let (worker, chunk) = flying.swap_remove(at);
                if lost.contains(&worker) || (is_loss && lost.len() + 1 < workers) {
                    lost.insert(worker);
                    schedule.on_unanswered(worker, chunk, true);
                } else {
                    schedule.on_counted(worker);
                    prop_assert!(counted.insert(chunk), "{} was counted twice", chunk);
                }
            }
            prop_assert_eq!(counted.len(), chunks);
        }
    }
}
