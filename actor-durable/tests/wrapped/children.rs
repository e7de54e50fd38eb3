//! A plain actor with a child of its own, which has a name: one life's child is gone when the next life begins one.

use std::sync::Arc;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, SpawnOptions};
use actor_durable::store::Store;
use actor_durable::testing::FaultMode;
use actor_durable::{
    AskError, DurableId, DurableRef, DurableSystem, NotApplied, ReplyTo, WrapActor, Wrapped,
};
use serde::{Deserialize, Serialize};

use super::{End, failing, process};
use crate::stage::World;

/// What ends at another time depends on it.
const SEEDS: u64 = 10;

struct Parent;

struct Child;

impl Actor for Child {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
enum Do {
    Add(u64),
    /// These change the state first.
    Fail,
    Panic,
    /// Ends `myself`.
    Stop,
}

impl Actor for Parent {
    type Msg = (Do, ReplyTo<u64>);
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Self::Msg>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn post_start(&self, myself: &ActorRef<Self::Msg>, _: &mut u64) -> Result<(), ActorError> {
        let options = SpawnOptions::new().name("child").supervisor(&myself.cell());
        ActorSystem::current().spawn(Child, (), options).await?;
        Ok(())
    }

    async fn handle(
        &self,
        myself: &ActorRef<Self::Msg>,
        (what, to): Self::Msg,
        n: &mut u64,
    ) -> Result<(), ActorError> {
        match what {
            Do::Add(by) => *n += by,
            Do::Fail => {
                *n += 1_000;
                return Err("so it was asked".into());
            }
            Do::Panic => {
                *n += 1_000;
                panic!("so it was asked")
            }
            Do::Stop => myself.stop(None),
        }
        to.always(*n);
        Ok(())
    }
}

impl WrapActor for Parent {
    const TYPE: &'static str = "parent";
    type Command = Do;
    type Reply = u64;

    fn arguments(&self, _: &DurableId) {}

    fn message(command: Do, to: ReplyTo<u64>) -> Self::Msg {
        (command, to)
    }
}

fn parent(system: &DurableSystem) -> DurableRef<Wrapped<Parent>> {
    system.actor("p").expect("a good id")
}

async fn add(system: &DurableSystem) -> u64 {
    parent(system).call(Do::Add(1)).await.expect("it is stored")
}

fn each_seed(store: impl Fn(&World) -> Arc<dyn Store>, body: impl AsyncFn(&DurableSystem)) {
    for seed in 0..SEEDS {
        let mut world = World::seeded(seed);
        let store = store(&world);
        process(&mut world, store, |builder| builder.wrap(Parent), End::InPeace, &body);
    }
}

#[test]
fn a_passivation_is_noticed_by_no_caller_though_a_child_has_a_name() {
    each_seed(
        |world| world.store.clone(),
        async |system| {
            assert_eq!(add(system).await, 1);
            system.passivate(parent(system).id()).await;
            assert_eq!(add(system).await, 2);
            parent(system).call(Do::Stop).await.expect("it is stored");
            assert_eq!(add(system).await, 3, "its own stop is a passivation");
        },
    );
}

#[test]
fn a_life_after_a_refusal_or_a_panic_begins_a_child_of_that_name() {
    each_seed(
        |world| world.store.clone(),
        async |system| {
            assert_eq!(add(system).await, 1);
            let refused = parent(system).call(Do::Fail).await;
            assert!(matches!(refused, Err(AskError::Refused(_))), "{refused:?}");
            let panicked = parent(system).call(Do::Panic).await;
            assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
            assert_eq!(add(system).await, 2);
        },
    );
}

#[test]
fn an_activation_after_one_that_was_lost_begins_a_child_of_that_name() {
    let faulty = |world: &World| -> Arc<dyn Store> { Arc::new(failing(world, 3, FaultMode::LoseAnswer)) };
    each_seed(faulty, async |system| {
        assert_eq!(add(system).await, 1);
        let lost = parent(system).call(Do::Add(1)).await;
        assert!(matches!(lost, Err(AskError::Unknown { .. })), "{lost:?}");
        assert_eq!(add(system).await, 3, "it was stored");
    });
}
