//! One of the processes: a node with a worker and a caller, which does what it is asked.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::NodeServer;
use actor_core::{ActorRef, SpawnOptions};
use tokio::task::JoinHandle;

use super::Flaw;
use super::caller::Caller;
use super::journal::Journal;
use super::worker::{WORKERS, Work, Worker};
use crate::guest::{connected, leave, start, stay_connected};
use crate::process::{Guest, Order};

/// What the invitation says: where to write, how often to call, what to do wrong, by which seed.
pub const DIRECTORY: &str = "directory";
/// As [`DIRECTORY`].
pub const PER_SECOND: &str = "per-second";
/// As [`DIRECTORY`].
pub const FLAW: &str = "flaw";
/// As [`DIRECTORY`].
pub const SEED: &str = "seed";
/// As [`DIRECTORY`].
pub const NUMBER: &str = "number";

/// Short, so that faults end sessions, and some do not.
const HEARTBEAT: Duration = Duration::from_millis(250);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(1000);
const RESUME_TIMEOUT: Duration = Duration::from_millis(1000);

/// Runs until it is to stop. It is asked to
///
/// - `know ADDRESS..`: stay connected with those;
/// - `call`: begin;
/// - `peers`: with how many it is connected;
/// - `replace`: replace its worker by another one, with its messages lost;
/// - `rest`: call no more; the answer comes once all calls have ended.
///
/// # Errors
///
/// If the invitation lacks something; what keeps the node from starting.
pub async fn run(mut guest: Guest) -> Result<(), Box<dyn Error>> {
    let told = guest.invitation().clone();
    let setting = |key: &str| told.setting(key).ok_or_else(|| format!("the invitation has no {key}"));
    let number: u8 = setting(NUMBER)?.parse()?;
    let seed: u64 = setting(SEED)?.parse()?;
    let flaw = Flaw::named(setting(FLAW)?).ok_or("there is no such flaw")?;
    let journal = Arc::new(Journal::begin(Path::new(setting(DIRECTORY)?), number)?);
    let node = start(&told, |builder| {
        builder.heartbeat(HEARTBEAT, HEARTBEAT_TIMEOUT).resume_timeout(RESUME_TIMEOUT)
    })
    .await?;
    let mut worker = employ(&node, &journal, flaw).await?;
    let caller = Caller::new(node.clone(), journal.clone(), number, setting(PER_SECOND)?.parse()?, flaw);
    told.seeds.iter().for_each(|seed| stay_connected(&node, seed));
    let seed = seed ^ u64::from(number) << 32 ^ u64::from(journal.life);
    let mut calling: Option<JoinHandle<()>> = None;
    guest.ready(node.addresses());
    while let Order::Ask(question) = guest.next().await {
        let text = question.text().to_owned();
        match text.split_once(' ').unwrap_or((&text, "")) {
            ("know", addresses) => {
                let others =
                    addresses.split(' ').filter(|other| !told.seeds.iter().any(|seed| seed == other));
                others.for_each(|address| stay_connected(&node, address));
                question.answer("known");
            }
            ("call", _) => {
                calling.get_or_insert_with(|| tokio::spawn(caller.clone().run(seed)));
                question.answer("begun");
            }
            ("peers", _) => question.answer(connected(&node)),
            ("replace", _) => {
                worker.kill();
                worker = employ(&node, &journal, flaw).await?;
                question.answer("replaced");
            }
            ("rest", _) => {
                let (begun, held_back) = caller.rest(calling.take()).await;
                question.answer(format!("{begun} {held_back}"));
            }
            _ => question.refuse("it is no question"),
        }
    }
    drop(caller);
    leave(node).await;
    Ok(())
}

async fn employ(
    node: &NodeServer,
    journal: &Arc<Journal>,
    flaw: Flaw,
) -> Result<ActorRef<Work>, Box<dyn Error>> {
    let worker = Worker { journal: journal.clone(), flaw };
    let worker = node.system().spawn(worker, (), SpawnOptions::new()).await?;
    node.join_group(WORKERS, &worker)?;
    Ok(worker)
}
