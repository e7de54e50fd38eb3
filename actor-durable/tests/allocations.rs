//! What a call of a durable actor allocates once it has been made before. A program of its own, because it counts what the
//! global allocator is asked for.

use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorSystem;
use actor_durable::{
    Durability, Durable, DurableActor, DurableId, DurableRef, DurableSystem, MemoryStore, Turn,
};
use allocation_counter::measure;
use tokio::runtime::{Builder, Runtime};

/// So many calls are counted, after as many that are not.
const CALLS: u64 = 3_000;

/// In memory, a turn that changes the state asks for no more, each time: the mean, with room for the nodes of trees.
const TURN_REQUESTS_MAX: u64 = 9;

macro_rules! counter {
    ($name:ident, $type:literal, $durability:expr) => {
        struct $name;

        impl Durable for $name {
            const TYPE: &'static str = $type;
            const DURABILITY: Durability = $durability;
            type State = u64;
            type Command = u64;
            type Reply = u64;
            type Error = String;

            fn create(&self, _: &DurableId) -> u64 {
                0
            }
        }

        impl DurableActor for $name {
            async fn handle(&self, by: u64, n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, String> {
                *n += by;
                Ok(*n)
            }
        }
    };
}

counter!(Volatile, "volatile", Durability::Volatile);
counter!(Kept, "kept", Durability::WriteThrough);

/// One thread, so that all of it is counted.
fn begin<A: DurableActor>(actor: A) -> (Runtime, DurableRef<A>) {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime can be made");
    let builder = DurableSystem::builder(&ActorSystem::new(), Arc::new(MemoryStore::new())).register(actor);
    let system = runtime.block_on(builder.start()).expect("it starts");
    let counter = system.actor("counter").expect("a good id");
    (runtime, counter)
}

/// Requests for memory by so many calls, the second time.
fn requests<A, F>(runtime: &Runtime, counter: &DurableRef<A>, call: impl Fn(u64) -> F) -> u64
where
    A: Durable<Command = u64, Reply = u64, Error = String>,
    F: Future<Output = u64>,
{
    let before = runtime.block_on(async { counter.call(0).await }).expect("it is there");
    let calls = |from: u64| {
        runtime.block_on(async {
            for n in 1..=CALLS {
                assert_eq!(call(1).await, from + n);
            }
        });
    };
    calls(before);
    measure(|| calls(before + CALLS)).count_total
}

#[test]
fn a_call_of_a_volatile_actor_allocates_nothing() {
    let (runtime, counter) = begin(Volatile);
    let counter = &counter;
    assert_eq!(
        requests(&runtime, counter, |by| async move { counter.call(by).await.expect("an answer") }),
        0
    );
}

#[test]
fn a_call_with_a_timeout_of_a_volatile_actor_allocates_nothing() {
    let (runtime, counter) = begin(Volatile);
    let counter = &counter;
    let ask = |by| async move { counter.call(by).timeout(Duration::from_secs(5)).await.expect("an answer") };
    assert_eq!(requests(&runtime, counter, ask), 0);
}

#[test]
fn a_turn_in_memory_allocates_little() {
    let (runtime, counter) = begin(Kept);
    let counter = &counter;
    let requests =
        requests(&runtime, counter, |by| async move { counter.call(by).await.expect("an answer") });
    let mean = requests as f64 / CALLS as f64;
    assert!(requests <= TURN_REQUESTS_MAX * CALLS, "{mean} each");
}
