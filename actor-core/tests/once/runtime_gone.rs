//! The runtime goes away under its actors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use actor_core::{
    Actor, ActorCell, ActorError, ActorRef, ActorSystem, Capacity, Colocation, Exit, LocalSpawner,
    OutputPort, SendError, SpawnError, SpawnOptions, Starting, Status, SubscriptionEnd,
};
use actor_testkit::{Order, Simulation};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Door, Entry, Gate, LocalDoor, Log, Message, Probe, SendDoor, held, poll_once, settled};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

#[test]
fn a_runtime_that_shuts_down_cancels_its_actors() {
    let door = SendDoor::new(ActorSystem::new());
    let (log, held_log, gate) = (Log::default(), Log::default(), Gate::new());
    let doomed = runtime();
    let (parent, held) = doomed.block_on(async {
        let options = SpawnOptions::new().name("idle");
        let parent = door.start(Probe::new(&log), options).await.unwrap();
        let held = door.spawn_under(&parent, Probe::new(&held_log)).await;
        door.system().groups().join("group", &held.cell()).unwrap();
        held.cast(Message::Do(gate.act())).unwrap();
        held.cast(Message::Note(1)).unwrap();
        gate.reached().await;
        (parent, held)
    });
    drop(doomed);

    for actor in [&parent, &held] {
        assert_eq!(actor.status(), Status::Stopped);
        assert_eq!(runtime().block_on(actor.wait(None)), Ok(Exit::Cancelled));
        let refused = SendError::Stopped(Message::Note(2), Some(Exit::Cancelled));
        assert_eq!(actor.cast(Message::Note(2)), Err(refused));
        assert_eq!((actor.cell().supervisor(), actor.cell().children()), (None, vec![]));
    }
    assert_eq!(door.system().registered(), []);
    assert_eq!(door.system().groups().names(), []);
    let mut logs = [log.entries(), held_log.entries()];
    // The parent heard of its child's start, unless it was dropped before.
    logs[0].retain(|entry| !matches!(entry, Entry::Started(_)));
    assert_eq!(logs, [const { [Entry::PreStart, Entry::PostStart, Entry::Dropped] }; 2]);
}

#[test]
fn a_simulation_that_is_dropped_cancels_its_actors() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    let (send, local) = (SendDoor::new(system.clone()), LocalDoor::new(system.clone()));
    let log = Log::default();
    let actors = simulation.block_on(async {
        [
            send.spawn(Probe::new(&log)).await,
            local.start(Probe::new(&log), SpawnOptions::new().name("local")).await.unwrap(),
        ]
    });
    drop(simulation);
    for actor in actors {
        assert_eq!(runtime().block_on(actor.wait(None)), Ok(Exit::Cancelled));
    }
    assert_eq!(system.registered(), []);
}

#[test]
fn a_runtime_that_shuts_down_cancels_those_that_are_suspended() {
    let door = SendDoor::new(ActorSystem::new());
    let log = Log::default();
    // The parent lives on elsewhere, and is told.
    let lasting = runtime();
    let parent = lasting.block_on(door.spawn(Probe::new(&log)));
    lasting.block_on(settled(&parent));
    let doomed = runtime();
    let child = doomed.block_on(async {
        let options = SpawnOptions::new().name("suspended");
        let child = door.restartable(&parent, options, || Probe::new(&Log::default())).await;
        child.cast(Message::Note(1)).unwrap();
        child.kill_and_wait(None).await.unwrap();
        child
    });
    assert_eq!(child.status(), Status::Suspended);
    log.take();
    lasting.block_on(settled(&parent));
    drop(doomed);
    assert_eq!((child.status(), door.system().registered()), (Status::Stopped, vec![]));
    lasting.block_on(settled(&parent));
    // It was killed before it was as much as started.
    let heard = [
        Entry::Suspended(child.id(), Exit::Killed, None),
        Entry::Terminated(child.id(), Exit::Cancelled, None),
    ];
    assert_eq!(log.take(), heard);
}

/// Its task is dropped in the middle of a hook, and those elsewhere are told as of any end.
#[test]
fn whoever_lives_on_hears_of_those_who_were_cancelled() {
    let system = ActorSystem::new();
    let door = SendDoor::new(system.clone());
    let lasting = runtime();
    for is_colocated in [false, true] {
        let (above, aside, gate) = (Log::default(), Log::default(), Gate::new());
        let parent = lasting.block_on(door.spawn(Probe::new(&above)));
        let watcher = lasting.block_on(door.spawn(Probe::new(&aside)));
        let doomed = runtime();
        let child = doomed.block_on(async {
            let options = SpawnOptions::new().supervisor(&parent.cell()).name("doomed");
            let options = if is_colocated { options.colocate(&Colocation::new(&system)) } else { options };
            let child = door.start(Probe::new(&Log::default()), options).await.unwrap();
            child.cast(Message::Do(gate.act())).unwrap();
            gate.reached().await;
            child
        });
        watcher.cell().watch(&child.cell());
        drop(doomed);
        assert_eq!((child.exit(), system.registered()), (Some(Exit::Cancelled), vec![]));
        lasting.block_on(async { assert_eq!((settled(&parent).await, settled(&watcher).await), (0, 0)) });
        let heard = [Entry::Started(child.id()), Entry::Terminated(child.id(), Exit::Cancelled, None)];
        assert_eq!(above.entries()[2..], heard);
        assert_eq!(aside.entries()[2..], [Entry::Down(child.id(), Exit::Cancelled)]);
    }
}

#[test]
fn nothing_is_spawned_on_a_thread_that_is_gone() {
    let simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    let door = LocalDoor::new(system.clone());
    let runtime = runtime();
    let mut spawning = Box::pin(door.start(Probe::new(&Log::default()), SpawnOptions::new().name("late")));
    assert!(runtime.block_on(poll_once(spawning.as_mut())).is_pending());
    drop(simulation);
    let refused = runtime.block_on(spawning);
    assert!(matches!(refused, Err(SpawnError::ThreadGone)), "{refused:?}");
    assert_eq!(system.registered(), []);
}

/// Whoever sees an actor stopped may rely on its state being gone, and whoever drops
/// it on its name being free, also if its task was dropped before it ran at all.
#[test]
fn a_cancelled_actors_state_goes_between_the_name_and_the_end() {
    struct LastLook {
        cell: ActorCell,
        seen: Arc<Mutex<Vec<Status>>>,
    }
    impl Drop for LastLook {
        fn drop(&mut self) {
            assert_eq!(ActorSystem::current().registered(), []);
            self.seen.lock().unwrap().push(self.cell.status());
        }
    }
    struct Witness;
    impl Actor for Witness {
        type Msg = ();
        type State = LastLook;
        type Arguments = Arc<Mutex<Vec<Status>>>;

        async fn pre_start(
            &self,
            myself: &ActorRef<()>,
            seen: Self::Arguments,
        ) -> Result<LastLook, ActorError> {
            Ok(LastLook { cell: myself.cell(), seen })
        }
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let doomed = runtime();
    let system = ActorSystem::new();
    // The spawn ends before the actor's task first runs.
    let options = SpawnOptions::new().name("witness");
    let never_ran = doomed.block_on(system.spawn(Witness, seen.clone(), options)).unwrap();
    assert_eq!(never_ran.status(), Status::Starting);
    drop(doomed);
    assert_eq!(*seen.lock().unwrap(), [Status::Stopping]);
    assert_eq!(runtime().block_on(never_ran.wait(None)), Ok(Exit::Cancelled));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb went off");
    }
}

/// All that an actor has panics when it is dropped: itself, its state, its queue, and
/// what its hook was at. Two panics that met would abort the process.
struct Powder(#[allow(dead_code, reason = "it is there to be dropped")] Bomb);

impl Actor for Powder {
    type Msg = Bomb;
    type State = Bomb;
    type Arguments = Option<Gate>;

    async fn pre_start(&self, myself: &ActorRef<Bomb>, gate: Option<Gate>) -> Result<Bomb, ActorError> {
        myself.cast(Bomb).map_err(|_| "no room")?;
        myself.cast(Bomb).map_err(|_| "no room")?;
        if let Some(gate) = gate {
            let _bomb = Bomb;
            gate.pass().await;
        }
        Ok(Bomb)
    }

    async fn handle(&self, _: &ActorRef<Bomb>, bomb: Bomb, _: &mut Bomb) -> Result<(), ActorError> {
        std::future::pending::<()>().await;
        drop(bomb);
        Ok(())
    }
}

#[test]
fn whatever_panics_when_dropped_a_cancelled_actor_ends_in_order() {
    for is_colocated in [false, true] {
        let system = ActorSystem::new();
        let doomed = runtime();
        let actors = doomed.block_on(async {
            let mut options = SpawnOptions::new();
            if is_colocated {
                options = options.colocate(&Colocation::new(&system));
            }
            let actors = [
                system.spawn(Powder(Bomb), None, options.clone()).await.unwrap(),
                system.spawn(Powder(Bomb), None, options).await.unwrap(),
            ];
            tokio::task::yield_now().await;
            actors
        });
        drop(doomed);
        for actor in actors {
            assert_eq!(runtime().block_on(actor.wait(None)), Ok(Exit::Cancelled));
        }
    }
}

#[test]
fn whatever_panics_when_dropped_a_spawn_that_is_given_up_ends_in_order() {
    let system = ActorSystem::new();
    let gate = Gate::new();
    runtime().block_on(async {
        let options = SpawnOptions::new().name("early");
        let mut spawning = Box::pin(system.spawn(Powder(Bomb), Some(gate.clone()), options));
        held(spawning.as_mut(), gate.reached()).await;
        let early = system.where_is("early").unwrap();
        // Whoever drops it hears of none of it, or of one.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(spawning)));
        assert_eq!(early.wait(None).await, Ok(Exit::Cancelled));
        assert_eq!(system.registered(), []);
    });
}

/// What waited for a subscriber was lost with the task that was to hand it over, so the
/// subscription is over rather than one with a gap.
#[test]
fn an_output_port_whose_runtime_is_gone_ends_its_subscription() {
    let door = SendDoor::new(ActorSystem::new());
    let gate = Gate::new();
    let lasting = runtime();
    let full = lasting.block_on(async {
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
        let full = door.start(Probe::new(&Log::default()), options).await.unwrap();
        full.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        full
    });
    let mut port = OutputPort::new();
    let subscription = port.subscribe(&full, |number| Some(Message::Note(number)));
    let doomed = runtime();
    doomed.block_on(async {
        for number in 0..5 {
            port.send(number).unwrap();
        }
        tokio::task::yield_now().await;
    });
    assert_eq!(subscription.end(), None);
    drop(doomed);
    assert_eq!((subscription.end(), port.subscriptions()), (Some(SubscriptionEnd::Cancelled), 0));
    gate.open();
    assert_eq!(lasting.block_on(settled(&full)), 1);
}

/// What became of a start whose runtime is gone.
fn cancelled(starting: Starting, actor: &ActorRef<Bomb>) {
    let outcome = runtime().block_on(starting);
    assert!(matches!(outcome, Err(SpawnError::Startup(Exit::Cancelled))), "{outcome:?}");
    assert_eq!(
        (actor.status(), runtime().block_on(actor.wait(None))),
        (Status::Stopped, Ok(Exit::Cancelled))
    );
}

#[test]
fn an_instant_start_ends_with_its_runtime() {
    for is_colocated in [false, true] {
        let system = ActorSystem::new();
        let gate = Gate::new();
        let doomed = runtime();
        let (begun, unbegun) = doomed.block_on(async {
            let mut options = SpawnOptions::new().name("begun");
            let mut place = None;
            if is_colocated {
                place = Some(Colocation::new(&system));
            }
            if let Some(place) = &place {
                options = options.colocate(place);
            }
            let begun = system.spawn_instant(Powder(Bomb), Some(gate.clone()), options.clone()).unwrap();
            gate.reached().await;
            // Its task never runs.
            let unbegun = system.spawn_instant(Powder(Bomb), None, options.name("unbegun")).unwrap();
            unbegun.0.cast(Bomb).unwrap();
            unbegun.0.cast(Bomb).unwrap();
            (begun, unbegun)
        });
        assert_eq!(system.registered(), ["begun".into(), "unbegun".into()]);
        drop(doomed);
        assert_eq!(system.registered(), []);
        cancelled(begun.1, &begun.0);
        cancelled(unbegun.1, &unbegun.0);
    }
}

/// A job that never ran lies in a queue, within nobody's system.
#[test]
fn an_instant_start_ends_with_its_thread() {
    for is_begun in [false, true] {
        let mut simulation = Simulation::new(Order::Fifo);
        let system = simulation.system();
        let spawner = LocalSpawner::new(&system, "doomed").unwrap();
        let gate = Gate::new();
        let (actor, starting) = simulation.block_on(async {
            let options = SpawnOptions::new().name("doomed");
            let spawned = spawner.spawn_instant(|| Powder(Bomb), Some(gate.clone()), options).unwrap();
            if is_begun {
                gate.reached().await;
            }
            spawned.0.cast(Bomb).unwrap();
            spawned.0.cast(Bomb).unwrap();
            system.groups().join("group", &spawned.0.cell()).unwrap();
            spawned
        });
        // Whoever drops it hears of none of it, or of one.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(simulation)));
        assert_eq!((system.registered(), system.groups().names()), (vec![], vec![]));
        cancelled(starting, &actor);
    }
}

#[test]
fn an_instant_start_without_a_runtime_leaves_nothing() {
    let system = ActorSystem::new();
    let doomed = runtime();
    let place = doomed.block_on(async { Colocation::new(&system) });
    drop(doomed);
    let options = SpawnOptions::new().name("nowhere");
    let (actor, starting) =
        system.spawn_instant(Powder(Bomb), None, options.clone().colocate(&place)).unwrap();
    assert_eq!(system.registered(), []);
    cancelled(starting, &actor);
    let spawned = catch_unwind(AssertUnwindSafe(|| system.spawn_instant(Powder(Bomb), None, options)));
    assert!(spawned.is_err(), "there is no runtime");
    assert_eq!(system.registered(), []);
}
