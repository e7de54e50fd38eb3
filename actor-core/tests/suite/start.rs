//! From the spawn to the first message.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use actor_core::{
    ActorSystem, Attachment, Capacity, Exit, SendError, SpawnError, SpawnOptions, Status, WeakActorRef,
    limits,
};

use crate::support::{
    Act, Door, Entry, Gate, Hook, Log, Message, Probe, act, dead, fail, held, panics, settled, stopped,
};

pub(super) async fn a01_pre_start_error_goes_to_the_spawner(door: impl Door) {
    let exit = startup_failure(&door, fail("no disk")).await;
    assert_eq!(exit, Exit::Failed("no disk".into()));
}

pub(super) async fn a01_pre_start_panic_goes_to_the_spawner(door: impl Door) {
    let exit = startup_failure(&door, panics("no luck")).await;
    assert_eq!(exit, Exit::Panicked("no luck".into()));
}

/// Spawns an actor whose `pre_start` fails, checks that nothing of it is left,
/// and gives the reason that the spawner was told.
async fn startup_failure(door: &impl Door, failure: Act) -> Exit {
    let log = Log::default();
    let weak = Arc::new(Mutex::new(None::<WeakActorRef<Message>>));
    let seen = weak.clone();
    let remember = act(move |myself| {
        *seen.lock().unwrap() = Some(myself.downgrade());
        async { Ok(()) }
    });
    let probe = Probe::new(&log).at(Hook::PreStart, remember).at(Hook::PreStart, failure);

    let refused = door.start(probe, SpawnOptions::new().name("phoenix")).await;

    assert_eq!(log.entries(), [Entry::PreStart]);
    assert_eq!(door.system().registered(), []);
    let weak = weak.lock().unwrap().take().expect("pre_start ran");
    assert!(weak.upgrade().is_none(), "something still holds the actor");
    let again = door.start(Probe::new(&log), SpawnOptions::new().name("phoenix")).await;
    assert_eq!(again.expect("the name is free").name(), Some("phoenix"));
    match refused {
        Err(SpawnError::Startup(exit)) => exit,
        other => panic!("{other:?}"),
    }
}

/// However a start comes to nothing, what `pre_start` had made goes with it.
pub(super) async fn a01_what_pre_start_had_made_goes_when_it_fails(door: impl Door) {
    for way in 0..4 {
        let (log, gate) = (Log::default(), Gate::new());
        let other = door.spawn(Probe::new(&Log::default())).await;
        let (watched, ticks) = (other.cell(), Arc::new(Mutex::new(None::<Attachment>)));
        let held_timer = ticks.clone();
        let make = act(move |myself| {
            let (watched, held_timer) = (watched.clone(), held_timer.clone());
            async move {
                let (system, me) = (ActorSystem::current(), myself.cell());
                system.groups().join("early", &me)?;
                me.watch(&watched);
                *held_timer.lock().unwrap() = Some(me.attach(std::future::pending()));
                let options = SpawnOptions::new().name("kid").supervisor(&me);
                system.spawn(Probe::new(&Log::default()), (), options).await?;
                Ok(())
            }
        });
        let probe = Probe::new(&log).at(Hook::PreStart, make).at(Hook::PreStart, gate.act());
        let probe = match way {
            0 => probe.at(Hook::PreStart, fail("no")),
            1 => probe.at(Hook::PreStart, panics("oh no")),
            _ => probe,
        };
        let mut spawning = Box::pin(door.start(probe, SpawnOptions::new().name("early")));
        held(spawning.as_mut(), gate.reached()).await;
        let find = |name| door.system().where_is(name).expect("the name is held");
        let (cell, kid) = (find("early"), find("kid"));
        assert_eq!((cell.children(), kid.status() < Status::Stopping), (vec![kid.clone()], true));
        let exit = match way {
            0 | 1 => {
                gate.open();
                assert!(spawning.await.is_err());
                [Exit::Failed("no".into()), Exit::Panicked("oh no".into())][way].clone()
            }
            2 => {
                cell.kill();
                assert!(spawning.await.is_err());
                Exit::Killed
            }
            _ => {
                drop(spawning);
                Exit::Cancelled
            }
        };
        assert_eq!(cell.wait(None).await, Ok(exit.clone()));
        assert_eq!(kid.wait(None).await, Ok(Exit::Killed), "{exit}");
        assert_eq!((door.system().registered(), door.system().groups().names()), (vec![], vec![]));
        assert!(ticks.lock().unwrap().take().expect("pre_start ran").is_over());
        // There was no state yet, and there is nobody to be told.
        other.stop_and_wait(None, None).await.unwrap();
        assert_eq!(log.entries(), [Entry::PreStart]);
    }
}

pub(super) async fn a02_hooks_run_in_order(door: impl Door) {
    let log = Log::default();
    let actor = door.spawn(Probe::new(&log)).await;
    for number in 1..=3 {
        actor.cast(Message::Note(number)).unwrap();
    }
    assert_eq!(settled(&actor).await, 3);
    assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(
        log.entries(),
        [
            Entry::PreStart,
            Entry::PostStart,
            Entry::Note(1),
            Entry::Note(2),
            Entry::Note(3),
            Entry::PostStop,
            Entry::Dropped
        ]
    );
}

pub(super) async fn messages_wait_for_the_start(door: impl Door) {
    let log = Log::default();
    let to_itself = |number| {
        act(move |myself| {
            myself.cast(Message::Note(number)).unwrap();
            async { Ok(()) }
        })
    };
    let probe = Probe::new(&log).at(Hook::PreStart, to_itself(1)).at(Hook::PostStart, to_itself(2));
    let actor = door.spawn(probe).await;
    // Once for post_start, which runs after the spawn; then for what it cast.
    settled(&actor).await;
    assert_eq!(settled(&actor).await, 2);
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Note(1), Entry::Note(2)]);
}

pub(super) async fn a_stop_before_the_start_waits_for_it(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
    let mut spawning = pin!(door.start(probe, SpawnOptions::new().name("early")));
    held(spawning.as_mut(), gate.reached()).await;

    let cell = door.system().where_is("early").expect("the name is held from before the start");
    assert_eq!(cell.status(), Status::Starting);
    cell.stop(Some("never mind"));
    assert_eq!(cell.status(), Status::Starting);
    gate.open();

    let actor = spawning.await.expect("pre_start succeeded");
    assert_eq!(actor.wait(None).await, Ok(stopped("never mind")));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn a_drain_before_the_start_handles_what_had_come(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
    let mut spawning = pin!(door.start(probe, SpawnOptions::new().name("early")));
    held(spawning.as_mut(), gate.reached()).await;

    let early = door.system().where_is_typed::<Message>("early").expect("the name is held");
    early.cast(Message::Note(1)).unwrap();
    early.cast(Message::Note(2)).unwrap();
    early.drain();
    assert_eq!(early.cast(Message::Note(3)), Err(SendError::Stopped(Message::Note(3), None)));
    gate.open();

    let actor = spawning.await.expect("pre_start succeeded");
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    assert_eq!(
        log.entries(),
        [Entry::PreStart, Entry::PostStart, Entry::Note(1), Entry::Note(2), Entry::PostStop, Entry::Dropped]
    );
}

pub(super) async fn dropping_the_spawn_in_pre_start_leaves_nothing(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let parent_log = Log::default();
    let parent = door.spawn(Probe::new(&parent_log)).await;
    let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
    let options = SpawnOptions::new().name("dropped").supervisor(&parent.cell());
    let mut spawning = Box::pin(door.start(probe, options));
    held(spawning.as_mut(), gate.reached()).await;
    let cell = door.system().where_is("dropped").expect("the name is held");
    door.system().groups().join("group", &cell).unwrap();

    drop(spawning);

    assert_eq!(cell.wait(None).await, Ok(Exit::Cancelled));
    assert_eq!(cell.status(), Status::Stopped);
    assert_eq!(door.system().registered(), []);
    assert_eq!(door.system().groups().names(), []);
    assert_eq!(log.entries(), [Entry::PreStart]);
    assert_eq!(parent.cell().children(), []);
    settled(&parent).await;
    assert_eq!(parent_log.entries(), [Entry::PreStart, Entry::PostStart]);
}

pub(super) async fn dropping_the_spawn_unpolled_leaves_nothing(door: impl Door) {
    let log = Log::default();
    drop(door.start(Probe::new(&log), SpawnOptions::new().name("dropped")));
    assert_eq!(door.system().registered(), []);
    door.spawn(Probe::new(&Log::default())).await;
    assert_eq!(log.entries(), []);
}

pub(super) async fn no_start_under_a_supervisor_that_drains_or_stopped(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let draining = door.spawn(Probe::new(&Log::default())).await;
    draining.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    draining.drain();
    assert_eq!(draining.status(), Status::Draining);

    // One in its `post_stop`, and one between two lives.
    let ending = Gate::new();
    let stopping = door.spawn(Probe::new(&Log::default()).at(Hook::PostStop, ending.act())).await;
    stopping.stop(None);
    ending.reached().await;
    let above = door.spawn(Probe::new(&Log::default())).await;
    let make = || Probe::new(&Log::default());
    let suspended = door.restartable(&above, SpawnOptions::new(), make).await;
    suspended.kill_and_wait(None).await.unwrap();
    assert_eq!(suspended.status(), Status::Suspended);

    for supervisor in [draining.cell(), stopping.cell(), suspended.cell(), dead(&door).await] {
        let options = SpawnOptions::new().name("orphan").supervisor(&supervisor);
        let refused = door.start(Probe::new(&log), options).await;
        assert!(matches!(refused, Err(SpawnError::SupervisorStopping)), "{refused:?}");
        assert_eq!(log.take(), [Entry::PreStart, Entry::Dropped]);
        assert_eq!(door.system().registered(), []);
        assert_eq!(supervisor.children(), []);
    }
    gate.open();
    assert_eq!(draining.wait(None).await, Ok(Exit::Drained));
    ending.open();
    assert_eq!(stopping.wait(None).await, Ok(Exit::Stopped(None)));
}

pub(super) async fn the_system_of_a_hook_is_its_actors(door: impl Door) {
    let log = Log::default();
    let gone = dead(&door).await;
    let say = |log: &Log| {
        let log = log.clone();
        act(move |_| {
            let log = log.clone();
            async move {
                log.push(Entry::System(ActorSystem::current().incarnation()));
                Ok(())
            }
        })
    };
    let probe = Hook::ALL.into_iter().fold(Probe::new(&log), |probe, hook| probe.at(hook, say(&log)));
    let actor = door.spawn(probe).await;
    actor.cell().watch(&gone);
    settled(&actor).await;
    actor.cast(Message::Note(1)).unwrap();
    settled(&actor).await;
    assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));

    let own = Entry::System(door.system().incarnation());
    let hooks = [
        Entry::PreStart,
        Entry::PostStart,
        Entry::Down(gone.id(), Exit::Stopped(None)),
        Entry::Note(1),
        Entry::PostStop,
    ];
    let mut expected: Vec<Entry> = hooks.into_iter().flat_map(|hook| [hook, own.clone()]).collect();
    expected.push(Entry::Dropped);
    assert_eq!(log.entries(), expected);
    let outside = ActorSystem::current().incarnation();
    assert_eq!(outside, ActorSystem::process_default().incarnation());
    assert_ne!(outside, door.system().incarnation());
}

pub(super) async fn unusable_options_are_an_error(door: impl Door) {
    let log = Log::default();
    let too_long = "x".repeat(limits::NAME_BYTES_MAX + 1);
    let longest = "x".repeat(limits::NAME_BYTES_MAX);
    for name in ["", "a\nb", too_long.as_str()] {
        let refused = door.start(Probe::new(&log), SpawnOptions::new().name(name)).await;
        assert!(matches!(refused, Err(SpawnError::Options(_))), "{name:?}: {refused:?}");
    }
    let too_large = Capacity::try_from(limits::MAILBOX_CAPACITY_MAX + 1).unwrap();
    let refused = door.start(Probe::new(&log), SpawnOptions::new().mailbox(too_large)).await;
    assert!(matches!(refused, Err(SpawnError::Options(_))), "{refused:?}");
    assert!(matches!(Capacity::try_from(0), Err(SpawnError::Options(_))));
    assert_eq!(log.entries(), []);

    let largest = Capacity::try_from(limits::MAILBOX_CAPACITY_MAX).unwrap();
    let options = SpawnOptions::new().name(longest.as_str()).mailbox(largest);
    assert_eq!(door.start(Probe::new(&log), options).await.unwrap().name(), Some(longest.as_str()));
}
