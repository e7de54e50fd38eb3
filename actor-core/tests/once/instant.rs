//! `spawn_instant`: what becomes of a start whose runtime goes away, and of what it holds.
//! Its other promises are in `suite/`.

use std::future::pending;
use std::sync::Arc;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Colocation, Exit, SpawnError, SpawnOptions, Status,
};
use actor_testkit::{Order, Simulation};

use crate::support::pass;

const MS: std::time::Duration = std::time::Duration::from_millis(1);

/// All of it panics when it is dropped, also while something else panics.
struct Shard(Arc<str>, ActorSystem);

impl Drop for Shard {
    fn drop(&mut self) {
        // What has ended is not found any more when its things are dropped; the arguments
        // may be the hook's that is dropped first.
        let is_found = self.1.where_is("brittle").is_some();
        if is_found && &*self.0 != "arguments" {
            eprintln!("{} is dropped while the name is held", self.0);
            std::process::abort();
        }
        panic!("{}", self.0);
    }
}

struct Brittle(#[expect(dead_code, reason = "dropped")] Shard);

impl Actor for Brittle {
    type Msg = Shard;
    type State = ();
    type Arguments = Shard;

    async fn pre_start(&self, _: &ActorRef<Shard>, _: Shard) -> Result<(), ActorError> {
        pending().await
    }
}

#[test]
fn a_start_whose_runtime_goes_away_is_cancelled() {
    for is_colocated in [false, true] {
        for is_begun in [false, true] {
            let mut simulation = Simulation::new(Order::Fifo);
            let system = simulation.system();
            let options = match is_colocated {
                true => SpawnOptions::new().colocate(&Colocation::new(&system)),
                false => SpawnOptions::new(),
            };
            let shard = |what: &str| Shard(what.into(), system.clone());
            let spawned =
                system.spawn_instant(Brittle(shard("actor")), shard("arguments"), options.name("brittle"));
            let (actor, starting) = spawned.unwrap();
            for _ in 0..3 {
                actor.cast(shard("message")).unwrap();
            }
            if is_begun {
                simulation.block_on(pass(&system, MS));
                assert_eq!(actor.status(), Status::Starting);
            }
            drop(simulation);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let started = runtime.block_on(starting);
            assert!(matches!(started, Err(SpawnError::Startup(Exit::Cancelled))), "{started:?}");
            assert_eq!(runtime.block_on(actor.wait(None)), Ok(Exit::Cancelled));
            assert_eq!((actor.status(), system.where_is("brittle")), (Status::Stopped, None));
        }
    }
}
