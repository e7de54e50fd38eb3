//! Long chains of supervision.

use std::thread;

use actor_core::{Actor, ActorError, ActorRef, Exit, SpawnOptions};
use actor_testkit::{Order, Simulation};

use crate::support::{ColocatedDoor, Door, Ending, LocalDoor, Log, Probe, SendDoor, join_all, settled};

const DEPTH: usize = 2048;
/// Far too little for a step of recursion per level.
const STACK_BYTES: usize = 128 * 1024;

/// An actor that ends with its child.
struct Heir;

impl Actor for Heir {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

/// Runs a script on a stack of little room, where all of the simulation runs.
fn on_a_small_stack(script: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(script).unwrap().join().unwrap();
}

#[test]
fn a_long_chain_ends_without_recursion() {
    on_a_small_stack(|| {
        let mut simulation = Simulation::new(Order::Fifo);
        let door = SendDoor::new(simulation.system());
        simulation.block_on(end_chains(door));
    });
}

#[test]
fn a_long_chain_in_one_task_ends_without_recursion() {
    on_a_small_stack(|| {
        let mut simulation = Simulation::new(Order::Fifo);
        let door = ColocatedDoor::new(simulation.system());
        simulation.block_on(end_chains(door));
    });
}

#[test]
fn a_long_chain_on_one_thread_ends_without_recursion() {
    on_a_small_stack(|| {
        let mut simulation = Simulation::new(Order::Fifo);
        let door = LocalDoor::new(simulation.system());
        simulation.block_on(end_chains(door));
    });
}

async fn end_chains(door: impl Door) {
    let ends: [(Ending, Exit); 3] = [
        (|root| root.kill(), Exit::Killed),
        (|root| root.stop(None), Exit::Stopped(None)),
        (|root| root.drain(), Exit::Drained),
    ];
    for (end, exit) in ends {
        let mut chain = vec![door.spawn(Probe::new(&Log::default())).await];
        for level in 1..DEPTH {
            let child = door.spawn_under(&chain[level - 1], Probe::new(&Log::default())).await;
            chain.push(child);
        }
        settled(&chain[DEPTH - 1]).await;
        end(&chain[0]);
        let mut exits = join_all(chain.iter().map(|actor| actor.wait(None))).await;
        assert_eq!(exits.remove(0), Ok(exit));
        assert_eq!(exits, vec![Ok(Exit::Killed); DEPTH - 1]);
        for actor in &chain {
            assert_eq!((actor.cell().supervisor(), actor.cell().children()), (None, vec![]));
        }
    }
    // A death climbs as far.
    let mut chain = vec![door.spawn_with(Heir, (), SpawnOptions::new()).await.unwrap()];
    for level in 1..DEPTH {
        let options = SpawnOptions::new().supervisor(&chain[level - 1].cell());
        chain.push(door.spawn_with(Heir, (), options).await.unwrap());
    }
    chain[DEPTH - 1].kill();
    let exits = join_all(chain.iter().map(|actor| actor.wait(None))).await;
    assert!(exits[..DEPTH - 1].iter().all(|exit| matches!(exit, Ok(Exit::Stopped(Some(_))))));
    assert_eq!(exits[DEPTH - 1], Ok(Exit::Killed));
}
