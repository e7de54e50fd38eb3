//! Systems that end with their owner, and the bound on how many actors live in one.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use actor_core::limits::SYSTEM_STOP_TIMEOUT_DEFAULT;
use actor_core::{
    ActorId, ActorRef, ActorSystem, Exit, ExitListener, OwnedSystem, SpawnError, SpawnOptions, Status,
};
use actor_testkit::{Order, Simulation};

use crate::support::{
    ColocatedDoor, Door, Entry, Gate, Hook, LocalDoor, Log, Message, Probe, SendDoor, act, act_once, fail,
    poll_once, settled, stopped,
};

const SECOND: Duration = Duration::from_secs(1);

fn by_the_system() -> Exit {
    stopped("system shut down")
}

/// Runs a script in virtual time for each door of a system that is owned.
fn for_each_door(script: impl AsyncFn(OwnedSystem, &dyn Fn(ActorSystem) -> AnyDoor)) {
    let doors: [&dyn Fn(ActorSystem) -> AnyDoor; 3] = [
        &|system| AnyDoor::Send(SendDoor::new(system)),
        &|system| AnyDoor::Local(LocalDoor::new(system)),
        &|system| AnyDoor::Colocated(ColocatedDoor::new(system)),
    ];
    for door in doors {
        let mut simulation = Simulation::new(Order::Seeded(7));
        let owned = ActorSystem::builder().executor(simulation.executor()).build_owned();
        simulation.block_on(script(owned, door));
    }
}

/// One of the doors, chosen at run time.
enum AnyDoor {
    Send(SendDoor),
    Local(LocalDoor),
    Colocated(ColocatedDoor),
}

impl AnyDoor {
    async fn start(&self, probe: Probe, options: SpawnOptions) -> Result<ActorRef<Message>, SpawnError> {
        match self {
            Self::Send(door) => door.start(probe, options).await,
            Self::Local(door) => door.start(probe, options).await,
            Self::Colocated(door) => door.start(probe, options).await,
        }
    }

    async fn spawn(&self, probe: Probe) -> ActorRef<Message> {
        self.start(probe, SpawnOptions::new()).await.expect("the probe starts")
    }

    async fn spawn_under(&self, supervisor: &ActorRef<Message>, probe: Probe) -> ActorRef<Message> {
        let options = SpawnOptions::new().supervisor(&supervisor.cell());
        self.start(probe, options).await.expect("the probe starts")
    }
}

/// A probe that says its name when it stops, a while after it was asked to.
fn slow_to_stop(log: &Log, name: &'static str, takes: Duration, system: &ActorSystem) -> Probe {
    let (record, executor) = (log.clone(), system.executor().clone());
    let stop = act(move |_| {
        let (record, executor) = (record.clone(), executor.clone());
        async move {
            record.push(Entry::Said(name));
            // sleep: virtual time.
            executor.sleep(takes).await;
            record.push(Entry::Said("done"));
            Ok(())
        }
    });
    Probe::new(&Log::default()).at(Hook::PostStop, stop)
}

/// A probe that ends only when it is killed.
fn stubborn() -> Probe {
    Probe::new(&Log::default()).at(Hook::PostStop, act(|_| std::future::pending()))
}

#[test]
fn actors_stop_one_after_another_the_youngest_first() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let log = Log::default();
        let mut actors = Vec::new();
        for name in ["first", "second", "third"] {
            actors.push(door.spawn(slow_to_stop(&log, name, SECOND, &owned)).await);
        }
        assert_eq!(owned.actors(), actors.iter().map(ActorRef::cell).collect::<Vec<_>>());
        let began = owned.executor().now();
        let system = owned.clone();

        let report = owned.shut_down(60 * SECOND).await;
        assert!(report.is_clean(), "{report:?}");
        let said = ["third", "done", "second", "done", "first", "done"];
        assert_eq!(log.entries(), said.map(Entry::Said));
        assert_eq!(system.executor().now() - began, 3 * SECOND);
        for actor in &actors {
            assert_eq!((actor.status(), actor.exit()), (Status::Stopped, Some(by_the_system())));
        }
    });
}

#[test]
fn many_actors_are_known_in_the_order_of_their_beginning() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let mut actors = Vec::new();
        for _ in 0..100 {
            actors.push(door.spawn(Probe::new(&Log::default())).await.cell());
        }
        for gone in [80, 41, 3] {
            actors.remove(gone).stop_and_wait(None, None).await.unwrap();
        }
        assert_eq!(owned.actors(), actors);
    });
}

#[test]
fn who_is_refused_a_name_is_not_known() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let named = || SpawnOptions::new().name("one");
        let first = door.start(Probe::new(&Log::default()), named()).await.unwrap();
        let second = door.start(Probe::new(&Log::default()), named()).await;
        assert!(matches!(second, Err(SpawnError::NameTaken(_))), "{second:?}");
        assert_eq!(owned.actors(), [first.cell()]);
    });
}

#[test]
fn whoever_does_not_stop_leaves_time_for_the_others() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let log = Log::default();
        let polite = door.spawn(slow_to_stop(&log, "polite", SECOND, &owned)).await;
        let parent = door.spawn(stubborn()).await;
        let child = door.spawn_under(&parent, Probe::new(&Log::default())).await;
        let other = door.spawn(stubborn()).await;
        let (system, began) = (owned.clone(), owned.executor().now());

        let report = owned.shut_down(16 * SECOND).await;
        // Half of the time for the first, half of the rest for the next.
        assert_eq!((&*report.killed, &*report.left), (&[other.id(), parent.id()][..], &[][..]));
        assert_eq!(system.executor().now() - began, (8 + 4 + 1) * SECOND);
        assert_eq!(log.entries(), ["polite", "done"].map(Entry::Said));
        assert_eq!(polite.exit(), Some(by_the_system()));
        assert_eq!([&parent, &child, &other].map(|actor| actor.exit()), [(); 3].map(|()| Some(Exit::Killed)));
    });
}

#[test]
fn without_time_everybody_is_killed() {
    for_each_door(async |owned, door| {
        let actor = door(owned.clone()).spawn(stubborn()).await;
        let report = owned.shut_down(Duration::ZERO).await;
        assert_eq!(report.killed, [actor.id()]);
        assert_eq!(actor.wait(None).await, Ok(Exit::Killed));
    });
}

#[test]
fn a_bounded_system_that_has_ended_says_so_and_not_that_it_is_full() {
    for_each_door(async |owned, door| {
        let owned = ActorSystem::builder().executor(owned.executor().clone()).actors_max(2).build_owned();
        let door = door(owned.clone());
        door.spawn(Probe::new(&Log::default())).await;
        assert!(owned.shut_down(SECOND).await.is_clean());
        for _ in 0..5 {
            let late = door.start(Probe::new(&Log::default()), SpawnOptions::new()).await;
            assert!(matches!(late, Err(SpawnError::SystemStopping)), "{late:?}");
        }
    });
}

#[test]
fn a_system_that_ends_takes_nobody_in() {
    for_each_door(async |owned, door| {
        let system = owned.clone();
        let (log, said, inside) = (Log::default(), Log::default(), system.clone());
        // What an actor of the system spawns as it stops.
        let spawn = {
            let said = said.clone();
            act(move |_| {
                let (said, log, inside) = (said.clone(), log.clone(), inside.clone());
                async move {
                    let options = SpawnOptions::new().name("late");
                    let late = inside.spawn(Probe::new(&log), (), options).await;
                    let is_refused = matches!(late, Err(SpawnError::SystemStopping));
                    said.push(Entry::Said(if is_refused { "refused" } else { "let in" }));
                    Ok(())
                }
            })
        };
        let door = door(system.clone());
        door.spawn(Probe::new(&Log::default()).at(Hook::PostStop, spawn)).await;
        assert!(owned.shut_down(SECOND).await.is_clean());
        assert_eq!(said.entries(), [Entry::Said("refused")]);

        let options = SpawnOptions::new().name("later");
        let later = door.start(Probe::new(&Log::default()), options).await;
        assert!(matches!(later, Err(SpawnError::SystemStopping)), "{later:?}");
        assert_eq!((system.where_is("late"), system.where_is("later")), (None, None));
    });
}

#[test]
fn an_owner_that_is_dropped_ends_its_system_in_the_same_order() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let log = Log::default();
        let first = door.spawn(slow_to_stop(&log, "first", SECOND, &owned)).await;
        let stubborn = door.spawn(stubborn()).await;
        let third = door.spawn(slow_to_stop(&log, "third", SECOND, &owned)).await;
        let (system, began) = (owned.clone(), owned.executor().now());
        drop(owned);
        let refused = door.start(Probe::new(&Log::default()), SpawnOptions::new()).await;
        assert!(matches!(refused, Err(SpawnError::SystemStopping)), "{refused:?}");

        assert_eq!(first.wait(None).await, Ok(by_the_system()));
        assert_eq!((stubborn.exit(), third.exit()), (Some(Exit::Killed), Some(by_the_system())));
        assert_eq!(log.entries(), ["third", "done", "first", "done"].map(Entry::Said));
        let half = (SYSTEM_STOP_TIMEOUT_DEFAULT - SECOND) / 2;
        assert_eq!(system.executor().now() - began, SECOND + half + SECOND);
    });
}

#[test]
fn a_shutdown_that_is_dropped_goes_on_in_the_background() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let log = Log::default();
        let first = door.spawn(slow_to_stop(&log, "first", SECOND, &owned)).await;
        let second = door.spawn(slow_to_stop(&log, "second", SECOND, &owned)).await;
        let mut shutdown = Box::pin(owned.shut_down(60 * SECOND));
        assert!(poll_once(shutdown.as_mut()).await.is_pending());
        drop(shutdown);
        assert_eq!(first.wait(None).await, Ok(by_the_system()));
        assert_eq!(second.exit(), Some(by_the_system()));
        assert_eq!(log.entries(), ["second", "done", "first", "done"].map(Entry::Said));
    });
}

#[test]
fn a_supervisor_in_another_system_does_not_keep_a_child_alive() {
    for_each_door(async |owned, door| {
        let elsewhere = SendDoor::new(ActorSystem::on(owned.executor().clone()));
        let log = Log::default();
        // It restarts whoever is suspended.
        let supervisor = elsewhere.spawn(Probe::new(&log)).await;
        let options = SpawnOptions::new().supervisor(&supervisor.cell());
        let make = || (Probe::new(&Log::default()), ());
        let child = owned.spawn_restartable(make, options).await.unwrap();
        let local = door(owned.clone()).spawn_under(&supervisor, Probe::new(&Log::default())).await;
        let other = door(owned.clone()).spawn(Probe::new(&Log::default())).await;
        assert!(owned.shut_down(SECOND).await.is_clean());
        assert_eq!(
            [&child, &local, &other].map(|actor| actor.exit()),
            [(); 3].map(|()| Some(by_the_system()))
        );
        // Their supervisor's system has no part in it.
        settled(&supervisor).await;
        let terminated: Vec<_> = log.entries().into_iter().skip(4).collect();
        let kept = match &door(elsewhere.system().clone()) {
            AnyDoor::Local(_) => None,
            _ => Some(0),
        };
        let ends = [
            Entry::Terminated(local.id(), by_the_system(), kept),
            Entry::Terminated(child.id(), by_the_system(), Some(0)),
        ];
        assert_eq!(terminated, ends);
        assert_eq!(supervisor.kill_and_wait(None).await, Ok(Exit::Killed));
    });
}

#[test]
fn actors_that_supervise_each_other_in_a_ring_end_too() {
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let mut ring = Vec::new();
        for _ in 0..3 {
            ring.push(door.spawn(Probe::new(&Log::default())).await.cell());
        }
        for (actor, next) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            actor.link(next).unwrap();
        }
        assert!(owned.shut_down(SECOND).await.is_clean());
        // The youngest is asked, and takes the others with it, each its own child.
        let exits: Vec<_> = ring.iter().map(|actor| actor.exit()).collect();
        assert_eq!(exits, [Some(Exit::Killed), Some(Exit::Killed), Some(by_the_system())]);
    });
}

#[test]
fn a_bound_on_actors_is_exact() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = ActorSystem::builder().executor(simulation.executor()).actors_max(2).build();
    simulation.block_on(async {
        let door = LocalDoor::new(system.clone());
        let probe = || Probe::new(&Log::default());
        let first = door.spawn(probe()).await;
        let failed = door.start(probe().at(Hook::PreStart, fail("no")), SpawnOptions::new()).await;
        assert!(matches!(failed, Err(SpawnError::Startup(_))), "{failed:?}");
        let named = || SpawnOptions::new().name("name");
        let second = door.start(probe(), named()).await.unwrap();
        for _ in 0..2 {
            let third = system.spawn(probe(), (), SpawnOptions::new()).await;
            assert!(matches!(third, Err(SpawnError::TooManyActors(2))), "{third:?}");
        }
        let instant = door.spawn_instant(probe(), (), SpawnOptions::new());
        assert!(matches!(instant, Err(SpawnError::TooManyActors(2))), "{instant:?}");

        // One ends, one may come: not with a name that is taken, nor if its start is given up.
        assert_eq!(first.kill_and_wait(None).await, Ok(Exit::Killed));
        for _ in 0..2 {
            let taken = system.spawn(probe(), (), named()).await;
            assert!(matches!(taken, Err(SpawnError::NameTaken(_))), "{taken:?}");
            let gate = Gate::new();
            let held = probe().at(Hook::PreStart, gate.act());
            let mut given_up = Box::pin(system.spawn(held, (), SpawnOptions::new()));
            assert!(poll_once(given_up.as_mut()).await.is_pending());
        }
        let third = door.spawn(probe()).await;
        // It counts from before its start until after its end, however often it lives.
        let fourth = system.spawn(probe(), (), SpawnOptions::new()).await;
        assert!(matches!(fourth, Err(SpawnError::TooManyActors(2))), "{fourth:?}");
        for actor in [second, third] {
            assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
        }
    });
}

/// Spawns in the place of whoever ends, on the thread and at the moment of its end.
struct Successor(ActorSystem, Log);

impl ExitListener for Successor {
    fn on_exit(&self, _: ActorId, _: &Exit) {
        let Self(system, log) = self;
        match system.spawn_instant(Probe::new(&Log::default()), (), SpawnOptions::new()) {
            Ok(_) => log.push(Entry::Said("let in")),
            Err(error) => panic!("{error}"),
        }
        let error = system.spawn_instant(Probe::new(&Log::default()), (), SpawnOptions::new());
        assert!(matches!(error, Err(SpawnError::TooManyActors(1))), "{error:?}");
    }
}

/// Whoever hears of an end may have the place at once, as it may have the name.
#[test]
fn the_place_of_who_has_ended_is_free_for_who_hears_of_it() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = ActorSystem::builder().executor(simulation.executor()).actors_max(1).build();
    simulation.block_on(async {
        let door = LocalDoor::new(system.clone());
        let actor = door.spawn(Probe::new(&Log::default())).await;
        let log = Log::default();
        actor.watch_with(Arc::new(Successor(system.clone(), log.clone())));
        assert_eq!(actor.kill_and_wait(None).await, Ok(Exit::Killed));
        assert_eq!(log.entries(), [Entry::Said("let in")]);
    });
}

/// What runs code that never awaits cannot be ended: it is named, and time is kept.
#[tokio::test]
async fn who_cannot_be_ended_is_left() {
    let owned = OwnedSystem::new();
    let door = LocalDoor::new(owned.clone());
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let below = door.system().clone();
    let below = SendDoor::new(below).spawn_under(&actor, Probe::new(&Log::default())).await;
    let (free, blocked) = mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let block = act_once(move || async move {
        let _ = entered.send(());
        let _ = blocked.recv();
    });
    actor.cast(Message::Do(block)).unwrap();
    inside.await.unwrap();
    let report = owned.shut_down(Duration::from_millis(20)).await;
    // What it supervised is killed for it.
    assert_eq!((report.killed, report.left), (vec![actor.id()], vec![actor.id()]));
    assert_eq!((actor.exit(), below.exit()), (None, Some(Exit::Killed)));
    drop(free);
    assert_eq!(actor.wait(None).await, Ok(Exit::Killed));
}

/// Where no runtime is current there is nobody to wait for them in turn.
#[test]
fn an_owner_that_is_dropped_outside_a_runtime_asks_all_to_stop() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let owned = OwnedSystem::new();
    let door = SendDoor::new(owned.clone());
    let actors = runtime.block_on(async {
        let parent = door.spawn(Probe::new(&Log::default())).await;
        let child = door.spawn_under(&parent, Probe::new(&Log::default())).await;
        [parent, child]
    });
    drop(owned);
    // The runtime has no timer either.
    let exits = runtime.block_on(async { (actors[0].wait(None).await, actors[1].wait(None).await) });
    assert_eq!(exits, (Ok(by_the_system()), Ok(Exit::Killed)));
}

/// The task that waits for them in turn needs a timer, and does not get far without.
#[test]
fn without_a_timer_all_are_asked_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let owned = OwnedSystem::new();
        let door = SendDoor::new(owned.clone());
        let first = door.spawn(Probe::new(&Log::default())).await;
        let stubborn = door.spawn(stubborn()).await;
        drop(owned);
        assert_eq!(first.wait(None).await, Ok(by_the_system()));
        assert_eq!(stubborn.kill_and_wait(None).await, Ok(Exit::Killed));
    });
}

#[tokio::test]
async fn nothing_is_left_of_a_system() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let (tasks, other) = (metrics.num_alive_tasks(), SendDoor::new(ActorSystem::new()));
    let owned = OwnedSystem::new();
    let door = SendDoor::new(owned.clone());
    let bystander = other.spawn(Probe::new(&Log::default())).await;
    for _ in 0..100 {
        let parent = door.spawn(Probe::new(&Log::default())).await;
        let child = door.spawn_under(&parent, Probe::new(&Log::default())).await;
        owned.groups().join("all", &child.cell()).unwrap();
        parent.cell().attach(std::future::pending::<()>());
        child.send_interval(Duration::from_secs(60), Default::default(), || Message::Note(0));
    }
    assert!(owned.actors().len() == 200 && metrics.num_alive_tasks() > tasks + 200);
    let system = owned.clone();
    assert!(owned.shut_down(Duration::from_secs(60)).await.is_clean());
    assert_eq!(system.groups().names(), []);
    assert_eq!((bystander.status(), metrics.num_alive_tasks()), (Status::Running, tasks + 1));
    assert_eq!(bystander.kill_and_wait(None).await, Ok(Exit::Killed));
}

/// Spawns on many threads while the system ends: each is refused or ended.
#[test]
fn whoever_was_let_in_is_ended() {
    for _ in 0..20 {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let owned = OwnedSystem::new();
        let (system, handle) = (owned.clone(), runtime.handle().clone());
        let (said, heard) = mpsc::channel();
        let spawner = thread::spawn(move || {
            let mut actors = Vec::new();
            loop {
                match handle.block_on(system.spawn(Probe::new(&Log::default()), (), SpawnOptions::new())) {
                    Ok(actor) => actors.push(actor),
                    Err(SpawnError::SystemStopping) => return actors,
                    Err(other) => panic!("{other}"),
                }
                let _ = said.send(());
            }
        });
        heard.recv().unwrap();
        let report = runtime.block_on(owned.shut_down(Duration::from_secs(60)));
        assert!(report.is_clean(), "{report:?}");
        let actors = spawner.join().unwrap();
        assert!(actors.iter().all(|actor| actor.status() == Status::Stopped));
    }
}

#[tokio::test(start_paused = true)]
async fn time_is_the_systems_clock() {
    let owned = OwnedSystem::new();
    let actor = SendDoor::new(owned.clone()).spawn(stubborn()).await;
    let began = tokio::time::Instant::now();
    let report = owned.shut_down(4 * SECOND).await;
    assert_eq!((report.killed, began.elapsed()), (vec![actor.id()], 2 * SECOND));
}

/// It would wait for the hook it stands in. The owner is dropped with that, and the rest of
/// the system ends in the background.
#[test]
fn a_hook_that_ends_its_own_system_is_told_of_its_mistake() {
    if !cfg!(debug_assertions) {
        return;
    }
    for_each_door(async |owned, door| {
        let door = door(owned.clone());
        let other = door.spawn(Probe::new(&Log::default())).await;
        let actor = door.spawn(Probe::new(&Log::default())).await;
        let end = act_once(move || async move { drop(owned.shut_down(SECOND).await) });
        actor.cast(Message::Do(end)).unwrap();
        let exit = actor.wait(None).await;
        assert!(
            matches!(&exit, Ok(Exit::Panicked(text)) if text.contains("waits for its own end")),
            "{exit:?}"
        );
        assert_eq!(other.wait(None).await, Ok(by_the_system()));
    });
}
