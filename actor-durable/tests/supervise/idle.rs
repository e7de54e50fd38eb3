//! A child that is stopped gives its memory back as any other actor does, unless letters wait for it.

use std::time::Duration;

use actor_durable::supervise::{ChildSpec, DurableSupervisor, SupervisorCommand};
use actor_durable::{Durable, DurableActor, DurableId, DurableRef, DurableSystem, NoError, Turn};

use super::decisions::name;
use super::{ask, begin, one_for_one, settle, spawn};
use crate::stage::{World, pass};

/// Adds up.
struct Idler;

impl Durable for Idler {
    const TYPE: &'static str = "idler";
    const IDLE_MAX: Option<Duration> = Some(Duration::ZERO);
    type State = u64;
    type Command = u64;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }
}

impl DurableActor for Idler {
    async fn handle(&self, by: u64, n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        *n += by;
        Ok(*n)
    }
}

fn idler(system: &DurableSystem) -> DurableRef<Idler> {
    system.actor("a").expect("a good id")
}

async fn epoch(system: &DurableSystem) -> u64 {
    let head = system.store().head(idler(system).id()).await.expect("it is in memory");
    head.expect("there is one").epoch.0
}

#[test]
fn a_child_that_is_stopped_is_in_memory_only_while_letters_wait_for_it() {
    World::new().run_with(
        |builder| builder.register(Idler).register_event_sourced(DurableSupervisor),
        async |system| {
            begin(system, "s", one_for_one()).await;
            spawn(system, "s", ChildSpec::new::<Idler>("a", "a").expect("good names")).await;
            ask(system, "s", SupervisorCommand::StopChild(name("a"))).await;
            pass(system, Duration::from_secs(2)).await;
            assert!(!system.is_active(idler(system).id()), "it has nothing to do");
            let before = epoch(system).await;
            idler(system).send(5).await.expect("it is stored");
            pass(system, Duration::from_secs(60)).await;
            assert!(epoch(system).await <= before + 1, "it waits for its order with the letter");
            ask(system, "s", SupervisorCommand::StartChild(name("a"))).await;
            settle(system).await;
            assert_eq!(idler(system).call(1).await.ok(), Some(6));
        },
    );
}
