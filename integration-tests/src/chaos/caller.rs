//! The one who calls, at its pace, whatever becomes of its calls; and writes down what did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actor_cluster::NodeServer;
use actor_core::ActorRef;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::journal::{Journal, Note, Outcome, call_id};
use super::worker::{WORKERS, Work};
use super::{Chance, Flaw};

/// How often calls are begun, some at once.
const TICK_MILLIS: u64 = 5;

/// How many calls are under way at most. More are not begun, and are counted.
const CALLS_MAX: u32 = 4096;

/// How long most callers wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long one in ten waits.
const HASTE: Duration = Duration::from_millis(25);

/// How many refs to workers that have gone are called all the same.
const FORMER_MAX: usize = 4;

/// Begins calls until it is to rest.
#[derive(Debug)]
pub struct Caller {
    node: Arc<NodeServer>,
    journal: Arc<Journal>,
    number: u8,
    per_second: u64,
    flaw: Flaw,
    rests: AtomicBool,
    under_way: Arc<Semaphore>,
    begun: AtomicU64,
    held_back: AtomicU64,
}

impl Caller {
    /// One that calls so often.
    pub fn new(
        node: Arc<NodeServer>,
        journal: Arc<Journal>,
        number: u8,
        per_second: u64,
        flaw: Flaw,
    ) -> Arc<Self> {
        let under_way = Arc::new(Semaphore::new(CALLS_MAX as usize));
        let (rests, begun, held_back) = Default::default();
        Arc::new(Self { node, journal, number, per_second, flaw, rests, under_way, begun, held_back })
    }

    /// Begins no more calls, and waits for the end of those under way; how many were begun, and how many were not because too
    /// many were under way. `calling` is its run.
    pub async fn rest(&self, calling: Option<JoinHandle<()>>) -> (u64, u64) {
        self.rests.store(true, Ordering::Relaxed);
        if let Some(calling) = calling {
            // It may be about to begin some.
            _ = calling.await;
        }
        // All places are free again. The semaphore is never closed.
        _ = self.under_way.acquire_many(CALLS_MAX).await;
        (self.begun.load(Ordering::Relaxed), self.held_back.load(Ordering::Relaxed))
    }

    /// Calls, at its pace until it is to [rest](Self::rest), those that there are and some that there were.
    ///
    /// # Panics
    ///
    /// If the journal cannot be written: what is not written down cannot be checked.
    pub async fn run(self: Arc<Self>, seed: u64) {
        let mut chance = Chance::seeded(seed);
        let mut ticks = interval(Duration::from_millis(TICK_MILLIS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut due = 0;
        let (mut workers, mut former) = (Vec::new(), Vec::new());
        while !self.rests.load(Ordering::Relaxed) {
            ticks.tick().await;
            self.look(&mut workers, &mut former);
            due += self.per_second * TICK_MILLIS;
            let count = due / 1000;
            due %= 1000;
            self.begin(count, &workers, &former, &mut chance);
        }
    }

    /// Who is there now, and who was.
    fn look(&self, workers: &mut Vec<ActorRef<Work>>, former: &mut Vec<ActorRef<Work>>) {
        let mut now = self.node.group::<Work>(WORKERS);
        now.retain(|worker| !worker.is_local());
        former.extend(workers.drain(..).filter(|worker| !now.contains(worker)));
        let surplus = former.len().saturating_sub(FORMER_MAX);
        former.drain(..surplus);
        *workers = now;
    }

    fn begin(
        self: &Arc<Self>,
        count: u64,
        workers: &[ActorRef<Work>],
        former: &[ActorRef<Work>],
        chance: &mut Chance,
    ) {
        let all = workers.len() + former.len();
        if all == 0 {
            self.held_back.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let mut calls = Vec::new();
        for _ in 0..count {
            let Ok(place) = self.under_way.clone().try_acquire_owned() else {
                self.held_back.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let call = call_id(self.number, self.journal.life, self.begun.fetch_add(1, Ordering::Relaxed));
            // Few to those who have gone: they say so at once.
            let is_former = workers.is_empty() || !former.is_empty() && chance.below(50) == 0;
            let among = if is_former { former } else { workers };
            let worker = among[chance.place(among.len())].clone();
            let patience = if chance.below(10) == 0 { HASTE } else { PATIENCE };
            calls.push((call, worker, patience, place));
        }
        let notes: Vec<Note> = calls.iter().map(|(call, ..)| Note::Begun(*call)).collect();
        self.journal.note(&notes).expect("the journal can be written");
        for (call, worker, patience, place) in calls {
            let caller = self.clone();
            tokio::spawn(async move {
                caller.call(call, worker, patience).await;
                drop(place);
            });
        }
    }

    async fn call(&self, call: u64, worker: ActorRef<Work>, patience: Duration) {
        let began = Instant::now();
        let answer = worker.call_timeout(patience, |port| Work::Run(call, port)).await;
        let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut outcome = Outcome::of(call, &answer);
        if self.flaw.strikes(Flaw::Denies, call) {
            outcome = Outcome::NotSent;
        }
        if !self.flaw.strikes(Flaw::Forgets, call) {
            self.journal.note(&[Note::Ended(call, outcome, micros)]).expect("the journal can be written");
        }
    }
}
