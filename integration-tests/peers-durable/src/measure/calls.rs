//! Calls in this process: of a durable actor on a store in memory, of a volatile one, and of plain ones.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use actor_core::{Actor, ActorRef, ActorSystem, SpawnOptions};
use actor_durable::{DurableActor, DurableRef, DurableSystem, MemoryStore};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region};

use super::Reading;
use crate::actors::{Command, Counter, MapCounter, Plain, PlainCounter, VolatileCounter};
use crate::flags::Task;
use crate::rows::Meter;

/// More than an actor remembers, so that in what is measured each turn forgets one.
const WARM_UP: u64 = 1_500;

pub(super) async fn memory(system: &str, task: &Task) -> Reading {
    match system {
        "ours" => durable(Counter, task).await,
        "plain" => plain(PlainCounter, task).await,
        _ => plain(MapCounter, task).await,
    }
}

pub(super) async fn volatile(system: &str, task: &Task) -> Reading {
    match system {
        "ours" => durable(VolatileCounter, task).await,
        _ => plain(PlainCounter, task).await,
    }
}

async fn durable<A>(actor: A, task: &Task) -> Reading
where
    A: DurableActor<Command = Command, Reply = u64>,
{
    let store = Arc::new(MemoryStore::new());
    let system = DurableSystem::builder(&ActorSystem::process_default(), store).register(actor).start().await;
    let system = system.expect("it starts");
    let counter: DurableRef<A> = system.actor("counter").expect("a good id");
    repeat(task, || async { counter.call(Command::Add(1)).await.unwrap_or_default() }).await
}

async fn plain<A: Actor<Msg = Plain, Arguments = ()>>(actor: A, task: &Task) -> Reading {
    let counter = ActorSystem::process_default().spawn(actor, (), SpawnOptions::new()).await;
    let counter: ActorRef<Plain> = counter.expect("it starts");
    repeat(task, || async { counter.call(|port| Plain::Add(1, port)).await.unwrap_or_default() }).await
}

/// Asks so many times, one after the other. Each answer is one more than the last.
async fn repeat<F: Future<Output = u64>>(task: &Task, ask: impl Fn() -> F) -> Reading {
    for n in 1..=WARM_UP {
        assert_eq!(ask().await, n);
    }
    let count = Count::start();
    let start = Instant::now();
    for n in 1..=task.n {
        assert_eq!(ask().await, WARM_UP + n);
    }
    let taken = start.elapsed().as_nanos() as f64;
    match task.row.meter {
        Meter::Requests => {
            Reading::of(count.map_or(f64::NAN, |count| count.requests() as f64 / task.n as f64))
        }
        Meter::Time | Meter::Instructions => Reading::of(taken / task.n as f64),
    }
}

/// Requests for memory since it was made, by all threads.
struct Count(Region<'static, std::alloc::System>);

impl Count {
    /// `None` in a program whose allocator does not count.
    fn start() -> Option<Self> {
        let region = Region::new(&INSTRUMENTED_SYSTEM);
        drop(black_box(Box::new(1_u8)));
        (region.change().allocations > 0).then(|| Self(Region::new(&INSTRUMENTED_SYSTEM)))
    }

    fn requests(&self) -> usize {
        let change = self.0.change();
        change.allocations + change.reallocations
    }
}
