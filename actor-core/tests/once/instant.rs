//! `spawn_instant`: an address before there is an actor.

use std::future::pending;
use std::sync::Arc;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Colocation, Exit, SpawnError, SpawnOptions, Starting, Status,
};

use crate::support::{
    Ending, Entry, Hook, Log, Message, Order, Probe, Simulation, fail, pass, settled, stopped,
};

const MS: std::time::Duration = std::time::Duration::from_millis(1);

fn places(system: &ActorSystem) -> [SpawnOptions; 2] {
    [SpawnOptions::new(), SpawnOptions::new().colocate(&Colocation::new(system))]
}

fn instant(system: &ActorSystem, probe: Probe, options: SpawnOptions) -> (ActorRef<Message>, Starting) {
    system.spawn_instant(probe, (), options).expect("the options are fine")
}

#[test]
fn what_is_sent_before_the_start_is_handled_after_it() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    simulation.block_on(async {
        for options in places(&system) {
            let log = Log::default();
            let (actor, starting) = instant(&system, Probe::new(&log), options.name("early"));
            assert_eq!((actor.status(), system.where_is("early")), (Status::Unstarted, Some(actor.cell())));
            let taken = system.spawn_instant(Probe::new(&log), (), SpawnOptions::new().name("early"));
            assert!(matches!(taken, Err(SpawnError::NameTaken(name)) if *name == *"early"));
            actor.cast(Message::Note(1)).unwrap();
            assert_eq!(log.entries(), []);
            starting.await.unwrap();
            assert_eq!(settled(&actor).await, 1);
            assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Note(1)]);
            actor.stop_and_wait(None, None).await.unwrap();
        }
    });
}

#[test]
fn what_is_asked_before_the_start() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    simulation.block_on(async {
        let asked: [(Ending, Exit, bool); 3] = [
            (|actor| actor.stop(Some("early")), stopped("early"), true),
            (|actor| actor.drain(), Exit::Drained, true),
            (|actor| actor.kill(), Exit::Killed, false),
        ];
        for options in places(&system) {
            for (ask, exit, starts) in &asked {
                let log = Log::default();
                let (actor, starting) = instant(&system, Probe::new(&log), options.clone().name("early"));
                ask(&actor);
                let waited = actor.wait(None);
                let started = starting.await;
                if *starts {
                    assert!(started.is_ok(), "{started:?}");
                } else {
                    assert!(matches!(started, Err(SpawnError::Startup(Exit::Killed))), "{started:?}");
                }
                assert_eq!(waited.await, Ok(exit.clone()));
                assert_eq!((actor.status(), system.where_is("early")), (Status::Stopped, None));
            }
            // Not waiting for it changes nothing, and a start that fails is told.
            let (actor, starting) = instant(&system, Probe::new(&Log::default()), options.clone());
            drop(starting);
            assert_eq!(settled(&actor).await, 0);
            let probe = Probe::new(&Log::default()).at(Hook::PreStart, fail("no"));
            let (_, starting) = instant(&system, probe, options.clone());
            assert!(matches!(starting.await, Err(SpawnError::Startup(Exit::Failed(why))) if *why == *"no"));
            // A supervisor that stops meanwhile.
            let parent = system.spawn(Probe::new(&Log::default()), (), SpawnOptions::new()).await.unwrap();
            let under = options.supervisor(&parent.cell());
            let (actor, starting) = instant(&system, Probe::new(&Log::default()), under);
            parent.stop(None);
            parent.wait(None).await.unwrap();
            let started = starting.await;
            // It was linked and killed, or not linked any more.
            assert!(matches!(started, Ok(()) | Err(SpawnError::SupervisorStopping)), "{started:?}");
            assert!(matches!(actor.wait(None).await, Ok(Exit::Killed | Exit::Cancelled)));
        }
    });
}

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
