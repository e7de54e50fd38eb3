//! cargo run --example durable_supervision
//!
//! A supervisor and its child that survive their process: with them what was decided, and how often.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorSystem, Strategy};
use actor_durable::supervise::{
    ChildSpec, DurableSupervisor, SupervisorCommand, SupervisorReply, SupervisorSpec,
};
use actor_durable::{
    AskError, Durable, DurableActor, DurableId, DurableRef, DurableSystem, NoError, NotApplied, RedbStore,
    Turn,
};
use serde::{Deserialize, Serialize};

/// Counts its jobs, and fails if it is told to.
struct Worker;

#[derive(Serialize, Deserialize)]
enum Job {
    Count,
    Fail,
}

impl Durable for Worker {
    const TYPE: &'static str = "worker";
    type State = u64;
    type Command = Job;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }
}

impl DurableActor for Worker {
    async fn handle(&self, job: Job, jobs: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        *jobs += 1;
        match job {
            Job::Count => Ok(*jobs),
            Job::Fail => panic!("so it was told"),
        }
    }
}

/// How many jobs were done, and how often the worker was started again.
async fn run(file: &Path) -> Result<(u64, u64), Box<dyn Error>> {
    let builder = DurableSystem::builder(&ActorSystem::current(), Arc::new(RedbStore::open(file).await?));
    let system = builder.register(Worker).register_event_sourced(DurableSupervisor).start().await?;

    // The same again changes nothing, so each run begins so.
    let shift = system.actor::<DurableSupervisor>("shift")?;
    let spec = SupervisorSpec::new(Strategy::OneForOne).intensity(100, Duration::from_secs(60));
    shift.call(SupervisorCommand::Begin(spec)).await?;
    let child = ChildSpec::new::<Worker>("first", "worker-1")?;
    shift.call(SupervisorCommand::SpawnChild(child)).await?;

    let worker = system.actor::<Worker>("worker-1")?;
    let failed = job(&worker, || Job::Fail).await;
    assert!(matches!(failed, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{failed:?}");
    // Its supervisor has it resume, as it was before it failed.
    let jobs = job(&worker, || Job::Count).await?;

    let SupervisorReply::Tree(tree) = shift.call(SupervisorCommand::Tree).await? else {
        return Err("a tree was asked for".into());
    };
    let restarts = tree.children().map(|child| child.restarts).sum();
    system.shutdown(Duration::from_secs(5)).await?;
    Ok((jobs, restarts))
}

/// Has a job done, once the supervisor has the worker started.
async fn job(worker: &DurableRef<Worker>, job: impl Fn() -> Job) -> Result<u64, AskError<NoError>> {
    loop {
        match worker.call(job()).await {
            Err(AskError::NotApplied(NotApplied::Suspended)) => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

const PAUSE: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (jobs, restarts) = run(&std::env::temp_dir().join("durable_supervision.redb")).await?;
    Ok(writeln!(io::stdout(), "{jobs} jobs were done, and the worker was started again {restarts} times")?)
}

#[test]
fn the_supervisor_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("supervision.redb");
    for n in 1..=3 {
        // With a runtime all of a run is gone, as with a process.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(run(&file)).unwrap(), (n, n));
    }
}
