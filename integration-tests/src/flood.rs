//! Senders that never stop, and a caller beside them: what a guest of the tests does to an
//! actor that takes nothing, and what its neighbours feel of it. The senders can be called back, so that
//! calls with them and without are measured in turns.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actor_cluster::{NodeServer, RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};

use tokio::task::JoinHandle;

use crate::echo::Say;

/// The group that every flood's gauge is a member of.
pub const GAUGES: &str = "gauges";

/// The name of the actor that takes nothing.
pub const STUCK: &str = "stuck";

/// The name of the actor beside it.
pub const SWIFT: &str = "swift";

/// How many bytes a message of the flood carries.
pub const LOAD_BYTES: usize = 1024;

/// How many calls between two reports are remembered.
const CALLS_KEPT: usize = 1 << 18;

/// How many of them a report tells of.
const CALLS_TOLD: usize = 4096;

/// What a gauge understands.
#[derive(Debug, RemoteMessage)]
pub enum Gauge {
    /// Starts so many senders.
    Begin(u32),
    /// Ends them; those that wait for room give up.
    End,
    /// Answers what there was since it was asked last.
    #[rpc]
    Report(ReplyPort<Report>),
}

/// What a guest has done.
#[derive(Clone, Debug, PartialEq, Eq, Wire)]
pub struct Report {
    /// How many messages were taken for the actor that takes nothing, in all.
    pub sent: u64,
    /// How many calls to the other were answered since.
    pub calls: u64,
    /// How long each of these took, in ascending order: as many as fit in a message, evenly spread.
    pub took: Vec<Duration>,
    /// What the guest's process takes of the machine's memory, in KiB.
    pub resident_kib: u64,
}

impl Report {
    /// How long a call took that one in a hundred was slower than.
    pub fn p99(&self) -> Duration {
        p99(&self.took)
    }
}

/// The hundredth from above, of many in ascending order.
pub fn p99(took: &[Duration]) -> Duration {
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}

/// What this process takes of the machine's memory, without the pages of its program's own file:
/// those come as code is first run, and say nothing of what it holds.
///
/// # Panics
///
/// If the operating system does not say.
pub fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is a status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it has the line");
    line.trim().trim_end_matches(" kB").trim().parse().expect("it is a number")
}

/// Runs the flood of one guest.
#[derive(Debug)]
pub struct Flood {
    stuck: ActorRef<Say>,
    swift: ActorRef<Say>,
}

/// What a flood's tasks share.
#[derive(Debug, Default)]
pub struct Counts {
    sent: AtomicU64,
    calls: Mutex<Calls>,
    senders: Mutex<Vec<JoinHandle<()>>>,
}

/// Calls since the last report. In memory that is taken once, so that measuring grows nothing.
#[derive(Debug)]
struct Calls {
    made: u64,
    took: Vec<Duration>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { made: 0, took: Vec::with_capacity(CALLS_KEPT) }
    }
}

impl Flood {
    /// A flood of what the peers publish; `None` unless they do.
    pub fn of(node: &NodeServer) -> Option<Self> {
        Some(Self { stuck: node.find(STUCK).ok()?, swift: node.find(SWIFT).ok()? })
    }
}

impl Actor for Flood {
    type Msg = Gauge;
    type State = Arc<Counts>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Gauge>, (): ()) -> Result<Arc<Counts>, ActorError> {
        let counts = Arc::new(Counts::default());
        tokio::spawn(call(self.swift.clone(), counts.clone()));
        Ok(counts)
    }

    async fn handle(
        &self,
        _: &ActorRef<Gauge>,
        gauge: Gauge,
        counts: &mut Arc<Counts>,
    ) -> Result<(), ActorError> {
        match gauge {
            Gauge::Begin(senders) => {
                for _ in 0..senders {
                    let sender = tokio::spawn(send(self.stuck.clone(), counts.clone()));
                    locked(&counts.senders).push(sender);
                }
            }
            Gauge::End => locked(&counts.senders).drain(..).for_each(|sender| sender.abort()),
            // Whoever asks and goes away misses it.
            Gauge::Report(port) => drop(port.send(counts.report())),
        }
        Ok(())
    }
}

impl Counts {
    fn report(&self) -> Report {
        let mut calls = locked(&self.calls);
        calls.took.sort_unstable();
        let step = calls.took.len().div_ceil(CALLS_TOLD).max(1);
        // From above, so that the slowest are among them.
        let mut took: Vec<_> = calls.took.iter().rev().step_by(step).copied().collect();
        took.reverse();
        calls.took.clear();
        Report {
            sent: self.sent.load(Ordering::Relaxed),
            calls: std::mem::take(&mut calls.made),
            took,
            resident_kib: resident_kib(),
        }
    }
}

async fn send(stuck: ActorRef<Say>, counts: Arc<Counts>) {
    while stuck.send(Say::Load(vec![7; LOAD_BYTES])).await.is_ok() {
        counts.sent.fetch_add(1, Ordering::Relaxed);
    }
}

async fn call(swift: ActorRef<Say>, counts: Arc<Counts>) {
    loop {
        let begun = Instant::now();
        if swift.call(Say::HowMany).await.is_err() {
            return;
        }
        let mut calls = locked(&counts.calls);
        calls.made += 1;
        if calls.took.len() < CALLS_KEPT {
            calls.took.push(begun.elapsed());
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
