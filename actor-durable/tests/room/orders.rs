//! What a supervisor says has room of its own in an inbox.

use std::sync::Arc;
use std::time::Duration;

use actor_core::Strategy;
use actor_durable::store::Store;
use actor_durable::supervise::{
    ChildSpec, ChildStage, DurableSupervisor, SupervisorCommand, SupervisorReply, SupervisorSpec,
};
use actor_durable::{DurableRef, DurableSystem};

use super::narrow::{NARROW_MAX, NARROW_RESERVED, Narrow};
use super::player::{Play, Player, body, fill_inbox, player, turns};
use crate::stage::{Tapped, World, pass};

async fn ask(system: &DurableSystem, command: SupervisorCommand) -> SupervisorReply {
    let supervisor: DurableRef<DurableSupervisor> = system.actor("s").expect("a good id");
    let reply = supervisor.call(command).await.expect("it is stored");
    pass(system, Duration::from_secs(2)).await;
    reply
}

#[test]
fn a_stopped_child_whose_inbox_is_full_is_started_and_let_go() {
    let mut world = World::new();
    let narrow: Arc<dyn Store> = Arc::new(Tapped::new(world.store.clone(), Narrow));
    world.crash_with(
        narrow,
        |builder| builder.register(Player).register_event_sourced(DurableSupervisor),
        async |system| {
            ask(system, SupervisorCommand::Begin(SupervisorSpec::new(Strategy::OneForOne))).await;
            // As the dealers `a` and `b` deal to.
            let names = ["a-0", "b-0"];
            for name in names {
                let child = ChildSpec::new::<Player>(name, name).expect("good names");
                let name = child.name.clone();
                ask(system, SupervisorCommand::SpawnChild(child)).await;
                ask(system, SupervisorCommand::StopChild(name)).await;
            }
            let nothing = body(system, Play::Nothing).await;
            for name in names {
                fill_inbox(system, name, &nothing, NARROW_MAX).await;
                for _ in 0..NARROW_RESERVED + 1 {
                    player(system, &name[..1]).call(Play::Deal(1)).await.expect("it is stored");
                }
            }
            pass(system, Duration::from_secs(60)).await;
            let SupervisorReply::Tree(tree) = ask(system, SupervisorCommand::Tree).await else {
                panic!("it was asked for its tree");
            };
            let [a, b] = &tree.children().map(|child| child.spec.name.clone()).collect::<Vec<_>>()[..] else {
                panic!("it has two");
            };
            assert!(tree.children().all(|child| child.stage == ChildStage::Stopped));
            ask(system, SupervisorCommand::StartChild(a.clone())).await;
            ask(system, SupervisorCommand::RemoveChild(b.clone())).await;
            pass(system, Duration::from_secs(60)).await;
            for name in names {
                assert_eq!(turns(system, name).await, (NARROW_MAX + NARROW_RESERVED + 1) as u64);
            }
        },
    );
}
