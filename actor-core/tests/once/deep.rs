//! Long chains of supervision.

use std::thread;

use actor_core::{ActorSystem, Exit};

use crate::support::{Door, Log, Order, Probe, SendDoor, Simulation, join_all, settled};

const DEPTH: usize = 2000;
/// Far too little for a step of recursion per level.
const STACK_BYTES: usize = 256 * 1024;

#[test]
fn a_long_chain_ends_without_recursion() {
    let on_a_small_stack = thread::Builder::new().stack_size(STACK_BYTES);
    let simulation = || {
        let mut simulation = Simulation::new(Order::Fifo);
        let system = simulation.system();
        simulation.block_on(end_a_chain(system));
    };
    on_a_small_stack.spawn(simulation).unwrap().join().unwrap();
}

async fn end_a_chain(system: ActorSystem) {
    let door = SendDoor::new(system);
    let mut chain = vec![door.spawn(Probe::new(&Log::default())).await];
    for level in 1..DEPTH {
        let child = door.spawn_under(&chain[level - 1], Probe::new(&Log::default())).await;
        chain.push(child);
    }
    settled(&chain[DEPTH - 1]).await;
    chain[0].kill();
    let exits = join_all(chain.iter().map(|actor| actor.wait(None))).await;
    assert_eq!(exits, vec![Ok(Exit::Killed); DEPTH]);
    for actor in &chain {
        assert_eq!((actor.cell().supervisor(), actor.cell().children()), (None, vec![]));
    }
}
