//! Recoveries: an actor's first answer, when the process knows nothing of it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actor_core::ActorSystem;
use actor_durable::{DurableRef, DurableSystem, EventSourced, NoError, RedbStore};
use tokio::task::JoinSet;

use super::Reading;
use crate::actors::{Command, Remembering, Snapshotted};
use crate::flags::Task;
use crate::rows::Past;

const NAME: &str = "ledger";

/// So many at a time, so that a commit has many.
const CALLERS: u64 = 250;

pub(super) async fn measure(past: Past, task: &Task) -> Reading {
    match past {
        Past::Snapshot => recover::<Snapshotted>(task).await,
        Past::History => recover::<Remembering>(task).await,
    }
}

async fn recover<A: EventSourced<Command = Command, Reply = u64, Error = NoError>>(task: &Task) -> Reading {
    let began = Instant::now();
    let store = RedbStore::open(&task.place).await.expect("the file is there");
    let opened = began.elapsed();
    let system = begin(store).await;
    let actor: DurableRef<A> = system.actor(name::<A>()).expect("a good id");
    let began = Instant::now();
    let n = actor.call(Command::Get).await.expect("it recovers");
    let taken = began.elapsed();
    assert_eq!(n, task.n, "each event once");
    system.shutdown(Duration::from_secs(10)).await.expect("it ends");
    let note = format!("the file was opened, and its sums checked, in {:.0} ms", opened.as_secs_f64() * 1e3);
    Reading { value: taken.as_secs_f64() * 1e3, note: Some(note) }
}

/// Makes a file with both actors and so many events of each, one to a turn.
///
/// # Errors
///
/// What keeps it from being made.
pub(crate) fn prepare(file: &Path, events: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let system = begin(RedbStore::open(file).await.map_err(|error| error.to_string())?).await;
        fill::<Snapshotted>(&system, events).await;
        fill::<Remembering>(&system, events).await;
        system.shutdown(Duration::from_secs(60)).await.map_err(|error| error.to_string())
    })
}

async fn begin(store: RedbStore) -> DurableSystem {
    let builder = DurableSystem::builder(&ActorSystem::process_default(), Arc::new(store));
    let builder = builder.register_event_sourced(Snapshotted).register_event_sourced(Remembering);
    builder.start().await.expect("it starts")
}

async fn fill<A: EventSourced<Command = Command, Reply = u64, Error = NoError>>(
    system: &DurableSystem,
    events: u64,
) {
    let actor: DurableRef<A> = system.actor(name::<A>()).expect("a good id");
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let actor = actor.clone();
        let turns = events / CALLERS + u64::from(caller < events % CALLERS);
        callers.spawn(async move {
            for _ in 0..turns {
                actor.call(Command::Add(1)).await.expect("it is stored");
            }
        });
    }
    callers.join_all().await;
    assert_eq!(actor.call(Command::Get).await.ok(), Some(events));
}

/// Two types have no actor in common.
fn name<A: EventSourced>() -> String {
    format!("{NAME}-{}", A::TYPE)
}
