//! Turns that are staged together: what one of them does takes no other with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_durable::store::Headers;
use actor_durable::{Durability, Durable, DurableActor, DurableId, DurableRef, DurableSystem, NoError, Turn};
use serde::{Deserialize, Serialize};

use crate::stage::{World, pass};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Step {
    Add(i64),
    Panic,
    Get,
}

/// Adds up, and remembers two messages. It counts how often ten were added.
#[derive(Clone, Default)]
struct Jar<const MODE: u8>(Arc<AtomicU32>);

const THROUGH: u8 = 0;
const BACK: u8 = 1;
const LAZY: u8 = 2;

const INTERVAL: Duration = Duration::from_millis(100);

impl<const MODE: u8> Durable for Jar<MODE> {
    const TYPE: &'static str = "jar";
    const DURABILITY: Durability = match MODE {
        THROUGH => Durability::WriteThrough,
        BACK => Durability::WriteBack(INTERVAL),
        _ => Durability::Lazy,
    };
    const REMEMBERED: usize = 2;
    type State = i64;
    type Command = Step;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }

    fn is_query(step: &Step) -> bool {
        matches!(step, Step::Get)
    }
}

impl<const MODE: u8> DurableActor for Jar<MODE> {
    async fn handle(&self, step: Step, n: &mut i64, _: &mut Turn<'_, Self>) -> Result<i64, NoError> {
        match step {
            Step::Add(by) => {
                if by == 10 {
                    self.0.fetch_add(1, Ordering::Relaxed);
                }
                *n += by;
            }
            Step::Panic => panic!("so it was asked"),
            Step::Get => {}
        }
        Ok(*n)
    }
}

fn jar<const MODE: u8>(system: &DurableSystem) -> DurableRef<Jar<MODE>> {
    system.actor("a").expect("a good id")
}

/// Runs it in each mode but the volatile one.
macro_rules! in_each_mode {
    ($test:ident) => {{
        $test::<THROUGH>();
        $test::<BACK>();
        $test::<LAZY>();
    }};
}

/// A message that lies in the inbox was handled as a caller's, and is forgotten before its letter's turn comes.
async fn come_by_both_ways<const MODE: u8>(system: &DurableSystem) -> DurableRef<Jar<MODE>> {
    let jar = jar::<MODE>(system);
    jar.call(Step::Add(1)).await.expect("it is answered");
    jar.send(Step::Panic).await.expect("it is stored");
    pass(system, Duration::from_millis(10)).await;
    let id = jar.new_message_id();
    // It waits behind the one that is tried again and again.
    jar.send_with(id, Headers::new(), &Step::Add(10)).await.expect("it is stored");
    assert_eq!(jar.call(Step::Add(10)).id(id).await.ok(), Some(11));
    for n in 1..=3 {
        assert_eq!(jar.call(Step::Add(100)).await.ok(), Some(11 + n * 100));
    }
    pass(system, Duration::from_secs(3)).await;
    jar
}

fn what_came_by_both_ways_is_handled_once<const MODE: u8>() {
    let (mut world, jars) = (World::new(), Jar::<MODE>::default());
    let tens = jars.0.clone();
    world.run_with(
        |builder| builder.register(jars),
        async |system| {
            let jar = come_by_both_ways::<MODE>(system).await;
            for n in 1..=5 {
                assert_eq!(jar.call(Step::Add(1_000)).await.ok(), Some(311 + n * 1_000));
            }
            let head = system.store().head(jar.id()).await.expect("memory").expect("it is there");
            assert_eq!((tens.load(Ordering::Relaxed), head.epoch.0), (1, 1), "in one activation");
            system.passivate(jar.id()).await;
            pass(system, Duration::from_secs(5)).await;
            assert_eq!(jar.call(Step::Get).await.ok(), Some(5_311));
            let head = system.store().head(jar.id()).await.expect("memory").expect("it is there");
            assert_eq!(head.waiting, 0);
        },
    );
}

#[test]
fn what_came_by_both_ways_and_was_forgotten_meanwhile_is_handled_once() {
    in_each_mode!(what_came_by_both_ways_is_handled_once);
}
