//! Supervisors that are durable, over children that are. What the tests share is here: a worker that fails as it is asked, and a
//! world in which processes end.

mod adoption;
mod crashes;
mod days;
mod decisions;
mod idle;
mod lost;
mod orders;
mod recovery;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor_core::{ActorError, Restart, Strategy};
use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::store::{Entry, Store};
use actor_durable::supervise::{
    ChildSpec, ChildStage, Directive, DurableSupervisor, OnFailure, SupervisorCommand, SupervisorEvent,
    SupervisorReply, SupervisorSpec, SupervisorTree,
};
use actor_durable::{
    AskError, Durable, DurableActor, DurableId, DurableRef, DurableSystem, MemoryStore, NoError, NotApplied,
    Sequence, Turn, decode,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};

use crate::stage::pass;

/// A number, and ways to fail. Its releases differ in the version of the state.
#[derive(Clone, Debug, Default)]
struct Worker<const RELEASE: u32> {
    log: Arc<Log>,
}

/// What happened to all workers.
#[derive(Debug, Default)]
struct Log {
    starts: Mutex<Vec<String>>,
    recoveries: Mutex<Vec<String>>,
    /// Whose `on_recover` fails.
    broken: Mutex<BTreeSet<String>>,
    /// Whose `on_start` fails.
    unwilling: Mutex<BTreeSet<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Work {
    Add(i64),
    Get,
    Panic,
    End,
    Timer(Duration),
    /// Records a child by this name; less than nothing if it cannot.
    Adopt(String),
}

impl<const RELEASE: u32> Durable for Worker<RELEASE> {
    const TYPE: &'static str = "worker";
    const STATE_VERSION: u32 = RELEASE;
    type State = i64;
    type Command = Work;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }

    fn is_query(command: &Work) -> bool {
        matches!(command, Work::Get)
    }

    async fn on_recover(&self, id: &DurableId, _: &mut i64) -> Result<(), ActorError> {
        if lock(&self.log.broken).contains(id.as_str()) {
            return Err("it is broken".into());
        }
        lock(&self.log.recoveries).push(id.to_string());
        Ok(())
    }
}

impl<const RELEASE: u32> DurableActor for Worker<RELEASE> {
    async fn on_start(&self, _: &mut i64, turn: &mut Turn<'_, Self>) -> Result<(), ActorError> {
        if lock(&self.log.unwilling).contains(turn.id().as_str()) {
            return Err("it does not begin".into());
        }
        lock(&self.log.starts).push(turn.id().to_string());
        Ok(())
    }

    async fn handle(&self, command: Work, n: &mut i64, turn: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        match command {
            Work::Add(by) => *n += by,
            Work::Get => {}
            Work::Panic => {
                // Nothing of that is kept.
                *n = -1;
                panic!("so it was asked");
            }
            Work::End => turn.end(),
            Work::Adopt(name) if turn.add_child::<Self>(&name, "x", "").is_err() => return Ok(-1),
            Work::Adopt(_) => {}
            Work::Timer(delay) => turn.timer(delay, &Work::Add(1000)).expect("it has a form"),
        }
        Ok(*n)
    }
}

/// One store, and processes over it.
struct World {
    simulation: Simulation,
    store: Arc<dyn Store>,
    log: Arc<Log>,
}

impl World {
    fn new() -> Self {
        Self::seeded(9)
    }

    fn seeded(seed: u64) -> Self {
        let simulation = Simulation::seeded(seed);
        let store = Arc::new(MemoryStore::on(simulation.executor()));
        Self { simulation, store, log: Arc::default() }
    }

    fn process<const RELEASE: u32>(&self) -> impl Future<Output = DurableSystem> + use<RELEASE> {
        let builder = DurableSystem::builder(&self.simulation.system(), self.store.clone())
            .register(Worker::<RELEASE> { log: self.log.clone() })
            .register_event_sourced(DurableSupervisor);
        async move { builder.start().await.expect("the store gives a lease") }
    }

    /// Runs a future in a process, which ends gracefully after it.
    fn run<R>(&mut self, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
        let system = self.process::<1>();
        self.simulation.block_on(async {
            let system = system.await;
            let result = body(&system).await;
            system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
            result
        })
    }

    /// Runs a future in a process of which nothing is left after it but what is stored.
    fn run_and_crash<R>(&mut self, body: impl AsyncFnOnce(&DurableSystem) -> R) -> R {
        let system = self.process::<1>();
        self.simulation.block_on(async {
            let system = system.await;
            let result = body(&system).await;
            system.abandon().await;
            pass(&system, LEASE_DEFAULT).await;
            result
        })
    }
}

fn worker(system: &DurableSystem, id: &str) -> DurableRef<Worker<1>> {
    system.actor(id).expect("a good id")
}

fn supervisor(system: &DurableSystem, id: &str) -> DurableRef<DurableSupervisor> {
    system.actor(id).expect("a good id")
}

/// Asks a supervisor for something that it does not refuse.
async fn ask(system: &DurableSystem, id: &str, command: SupervisorCommand) -> SupervisorReply {
    supervisor(system, id).call(command).await.expect("it is stored")
}

async fn begin(system: &DurableSystem, id: &str, spec: SupervisorSpec) {
    ask(system, id, SupervisorCommand::Begin(spec)).await;
}

/// A permanent worker of that name and id, with the same directive for all failures.
fn child(id: &str, directive: Directive) -> ChildSpec {
    let spec = ChildSpec::new::<Worker<1>>(id, id).expect("a good name");
    spec.on_failure(OnFailure::always(directive))
}

async fn spawn(system: &DurableSystem, id: &str, child: ChildSpec) {
    ask(system, id, SupervisorCommand::SpawnChild(child)).await;
    settle(system).await;
}

/// Lets all that can happen at once happen.
async fn settle(system: &DurableSystem) {
    pass(system, Duration::from_millis(1)).await;
}

async fn add(system: &DurableSystem, id: &str, by: i64) {
    worker(system, id).call(Work::Add(by)).await.expect("it is stored");
}

async fn value(system: &DurableSystem, id: &str) -> Option<i64> {
    worker(system, id).call(Work::Get).await.ok()
}

async fn values<const N: usize>(system: &DurableSystem, ids: [&str; N]) -> Vec<Option<i64>> {
    let mut values = Vec::new();
    for id in ids {
        values.push(value(system, id).await);
    }
    values
}

/// Makes a worker panic in a call, and lets its supervisor decide.
async fn fell(system: &DurableSystem, id: &str) {
    let panicked = worker(system, id).call(Work::Panic).await;
    assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
    settle(system).await;
}

/// Whether a worker says that it waits for its supervisor.
async fn is_suspended(system: &DurableSystem, id: &str) -> bool {
    matches!(worker(system, id).call(Work::Get).await, Err(AskError::NotApplied(NotApplied::Suspended)))
}

async fn tree(system: &DurableSystem, id: &str) -> SupervisorTree {
    match ask(system, id, SupervisorCommand::Tree).await {
        SupervisorReply::Tree(tree) => *tree,
        reply => panic!("{reply:?}"),
    }
}

/// The children of a tree: name, stage, restarts.
fn children(tree: &SupervisorTree) -> Vec<(String, ChildStage, u64)> {
    tree.children().map(|child| (child.spec.name.to_string(), child.stage, child.restarts)).collect()
}

async fn journal(store: &Arc<dyn Store>, id: &str) -> Vec<Entry> {
    let id = DurableId::new(id).expect("a good id");
    store.entries(&id, Sequence::ZERO, 1_000).await.expect("it is there")
}

/// All that a supervisor's journal says.
async fn events(store: &Arc<dyn Store>, id: &str) -> Vec<SupervisorEvent> {
    let entries = journal(store, id).await;
    let bodies = entries.iter().flat_map(|entry| &entry.events);
    bodies.map(|body| decode("an event", body.version, &body.bytes).expect("it is one")).collect()
}

/// The decisions in a supervisor's journal: child, decision.
async fn decisions(
    store: &Arc<dyn Store>,
    id: &str,
) -> Vec<(String, actor_durable::supervise::SupervisorDecision)> {
    let events = events(store, id).await.into_iter();
    let decided = events.filter_map(|event| match event {
        SupervisorEvent::Decided { report, decision, .. } => Some((report.child().to_string(), decision)),
        _ => None,
    });
    decided.collect()
}

/// A supervisor with workers that hold 1, 2, 3 and so on.
async fn begin_with(system: &DurableSystem, id: &str, spec: SupervisorSpec, specs: Vec<ChildSpec>) {
    begin(system, id, spec).await;
    for (spec, n) in specs.into_iter().zip(1..) {
        let id_of_child = spec.target.id.to_string();
        spawn(system, id, spec).await;
        add(system, &id_of_child, n).await;
    }
}

fn one_for_one() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne)
}

fn of_policy(id: &str, restart: Restart) -> ChildSpec {
    child(id, Directive::Restart).restart(restart)
}
