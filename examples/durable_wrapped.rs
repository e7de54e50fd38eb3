//! cargo run --example durable_wrapped
//!
//! A plain actor and a `tower` service that were written for memory, and survive their process: each with a few lines beside it.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, poll_fn, ready};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, ReplyPort};
use actor_durable::{
    DurableId, DurableSystem, RedbStore, ReplyTo, ServiceCalls, WrapActor, WrapService, Wrapped,
};
use serde::{Deserialize, Serialize};
use tower_service::Service;

/// The actor, as it was.
struct Counter;

enum Message {
    Add(u64),
    Get(ReplyPort<u64>),
}

impl Actor for Counter {
    type Msg = Message;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: &ActorRef<Message>, start: u64) -> Result<u64, ActorError> {
        Ok(start)
    }

    async fn handle(&self, _: &ActorRef<Message>, message: Message, n: &mut u64) -> Result<(), ActorError> {
        match message {
            Message::Add(by) => *n += by,
            Message::Get(port) => _ = port.send(*n),
        }
        Ok(())
    }
}

/// Its messages, without their ports.
#[derive(Serialize, Deserialize)]
enum Command {
    Add(u64),
    Get,
}

impl WrapActor for Counter {
    const TYPE: &'static str = "counter";
    type Command = Command;
    type Reply = Option<u64>;

    fn arguments(&self, _: &DurableId) -> u64 {
        0
    }

    fn message(command: Command, to: ReplyTo<Option<u64>>) -> Message {
        match command {
            Command::Add(by) => {
                to.always(None);
                Message::Add(by)
            }
            Command::Get => Message::Get(to.port_as(Some)),
        }
    }
}

/// The service, as it was.
struct Total(u64);

impl Service<u64> for Total {
    type Response = u64;
    type Error = Infallible;
    type Future = Ready<Result<u64, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, by: u64) -> Self::Future {
        self.0 += by;
        ready(Ok(self.0))
    }
}

struct Totals;

impl WrapService for Totals {
    const TYPE: &'static str = "total";
    type Request = u64;
    type Response = u64;
    type Service = Total;

    fn create(&self, _: &DurableId) -> Total {
        Total(0)
    }
}

async fn run(file: &Path) -> Result<(u64, u64), Box<dyn Error>> {
    let builder = DurableSystem::builder(&ActorSystem::current(), Arc::new(RedbStore::open(file).await?));
    let system = builder.wrap(Counter).wrap_service(Totals).start().await?;
    let counter = system.actor::<Wrapped<Counter>>("c1")?;
    counter.call(Command::Add(1)).await?;
    let count = counter.call(Command::Get).await?.ok_or("it was not told")?;
    let mut total = ServiceCalls::<Totals>::new(system.actor("t1")?);
    poll_fn(|cx| total.poll_ready(cx)).await?;
    let total = total.call(10).await?;
    system.shutdown(std::time::Duration::from_secs(5)).await?;
    Ok((count, total))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (count, total) = run(&std::env::temp_dir().join("durable_wrapped.redb")).await?;
    Ok(writeln!(io::stdout(), "the actor has counted {count} runs, and the service has added up {total}")?)
}

#[test]
fn they_go_on_where_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrapped.redb");
    for n in 1..=3 {
        // With a runtime all of a run is gone, as with a process.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(run(&file)).unwrap(), (n, 10 * n));
    }
}
