//! Senders that never stop, and a caller beside them: what a guest of the tests does to an
//! actor that takes nothing, and what its neighbours feel of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actor_cluster::{NodeServer, RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};

use crate::echo::Say;

/// The group that every flood's gauge is a member of.
pub const GAUGES: &str = "gauges";

/// The name of the actor that takes nothing.
pub const STUCK: &str = "stuck";

/// The name of the actor beside it.
pub const SWIFT: &str = "swift";

/// How many bytes a message of the flood carries.
pub const LOAD_BYTES: usize = 1024;

/// What a gauge understands.
#[derive(Debug, RemoteMessage)]
pub enum Gauge {
    /// Starts so many senders.
    Begin(u32),
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
    /// How long a call took that one in a hundred was slower than.
    pub p99: Duration,
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
    calls: Mutex<Vec<Duration>>,
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
                    tokio::spawn(send(self.stuck.clone(), counts.clone()));
                }
            }
            // Whoever asks and goes away misses it.
            Gauge::Report(port) => drop(port.send(counts.report())),
        }
        Ok(())
    }
}

impl Counts {
    fn report(&self) -> Report {
        let mut calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.sort_unstable();
        let p99 = calls.get(calls.len() * 99 / 100).copied().unwrap_or_default();
        Report { sent: self.sent.load(Ordering::Relaxed), calls: calls.len() as u64, p99 }
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
        counts.calls.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
    }
}
