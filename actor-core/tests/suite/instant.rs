//! Spawns that give the address at once.

use std::sync::{Arc, Mutex};

use actor_core::{Exit, SendError, SpawnError, SpawnOptions, Status};

use crate::support::{
    Act, Door, Entry, Gate, Hook, Log, Message, Probe, act, dead, fail, panics, settled, stopped,
};

pub(super) async fn messages_queue_before_an_instant_start(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
    let (actor, starting) = door.instant(probe, SpawnOptions::new().name("early")).unwrap();
    // Where others run beside this one, it may have begun by now.
    assert!(matches!(actor.status(), Status::Unstarted | Status::Starting));
    assert_eq!(door.system().where_is("early"), Some(actor.cell()));
    actor.cast(Message::Note(1)).unwrap();
    gate.reached().await;
    assert_eq!(actor.status(), Status::Starting);
    actor.send(Message::Note(2)).await.unwrap();
    gate.open();
    starting.await.unwrap();
    assert_eq!(settled(&actor).await, 2);
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Note(1), Entry::Note(2)]);
}

pub(super) async fn a_stop_before_an_instant_start_waits_for_it(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
    let (actor, starting) = door.instant(probe, SpawnOptions::new()).unwrap();
    actor.cast(Message::Note(1)).unwrap();
    actor.stop(Some("never mind"));
    assert!(actor.status() <= Status::Starting);
    gate.open();
    starting.await.unwrap();
    assert_eq!(actor.wait(None).await, Ok(stopped("never mind")));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn a_drain_before_an_instant_start_handles_what_had_come(door: impl Door) {
    let (log, gate) = (Log::default(), Gate::new());
    let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
    let (actor, starting) = door.instant(probe, SpawnOptions::new()).unwrap();
    actor.cast(Message::Note(1)).unwrap();
    actor.cast(Message::Note(2)).unwrap();
    actor.drain();
    assert_eq!(actor.cast(Message::Note(3)), Err(SendError::Stopped(Message::Note(3), None)));
    gate.open();
    starting.await.unwrap();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    let hooks =
        [Entry::PreStart, Entry::PostStart, Entry::Note(1), Entry::Note(2), Entry::PostStop, Entry::Dropped];
    assert_eq!(log.entries(), hooks);
}

pub(super) async fn a11_a_kill_before_an_instant_start_ends_it(door: impl Door) {
    for is_begun in [false, true] {
        let (log, gate) = (Log::default(), Gate::new());
        let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
        let (actor, starting) = door.instant(probe, SpawnOptions::new().name("early")).unwrap();
        actor.cast(Message::Note(1)).unwrap();
        if is_begun {
            gate.reached().await;
        }
        actor.kill();
        assert_eq!(startup(starting.await), Exit::Killed);
        assert_eq!((actor.status(), actor.wait(None).await), (Status::Stopped, Ok(Exit::Killed)));
        assert_eq!(door.system().registered(), []);
        let mut hooks = log.entries();
        if !is_begun {
            // On a thread of its own it may have come as far as this.
            hooks.retain(|entry| *entry != Entry::PreStart);
        }
        assert_eq!(hooks, if is_begun { vec![Entry::PreStart] } else { vec![] });
    }
}

/// Why a start failed.
fn startup(outcome: Result<(), SpawnError>) -> Exit {
    match outcome {
        Err(SpawnError::Startup(exit)) => exit,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn what_can_be_known_at_once_is_told_at_once(door: impl Door) {
    let (first_log, second_log) = (Log::default(), Log::default());
    let options = SpawnOptions::new().name("taken");
    let (first, starting) = door.instant(Probe::new(&first_log), options.clone()).unwrap();
    // Taken from the spawn on, whether or not the actor has started.
    let refused = door.instant(Probe::new(&second_log), options);
    assert!(matches!(refused, Err(SpawnError::NameTaken(name)) if &*name == "taken"));
    let refused = door.instant(Probe::new(&second_log), SpawnOptions::new().name(""));
    assert!(matches!(refused, Err(SpawnError::Options(_))));
    starting.await.unwrap();
    settled(&first).await;
    assert_eq!(door.system().where_is("taken"), Some(first.cell()));
    assert_eq!(first_log.entries(), [Entry::PreStart, Entry::PostStart]);
    assert_eq!(second_log.entries(), []);
}

pub(super) async fn a01_an_instant_start_that_fails_is_told_to_nobody_else(door: impl Door) {
    let failures: [(Act, Exit); 2] = [
        (fail("no disk"), Exit::Failed("no disk".into())),
        (panics("no luck"), Exit::Panicked("no luck".into())),
    ];
    let parent_log = Log::default();
    let parent = door.spawn(Probe::new(&parent_log)).await;
    settled(&parent).await;
    parent_log.take();
    for (failure, exit) in failures {
        let log = Log::default();
        let probe = Probe::new(&log).at(Hook::PreStart, failure);
        let options = SpawnOptions::new().name("phoenix").supervisor(&parent.cell());
        let (actor, starting) = door.instant(probe, options).unwrap();
        let weak = actor.downgrade();
        assert_eq!(startup(starting.await), exit);
        // Who has the address is told as of any actor's end.
        assert_eq!((actor.status(), actor.wait(None).await), (Status::Stopped, Ok(exit.clone())));
        assert_eq!(actor.cast(Message::Note(1)), Err(SendError::Stopped(Message::Note(1), Some(exit))));
        drop(actor);
        assert!(weak.upgrade().is_none(), "something still holds the actor");
        assert_eq!((log.entries(), door.system().registered()), (vec![Entry::PreStart], vec![]));
        assert_eq!(parent.cell().children(), []);
    }
    settled(&parent).await;
    assert_eq!(parent_log.entries(), []);
}

pub(super) async fn an_instant_start_is_linked_after_pre_start(door: impl Door) {
    let (parent_log, gate) = (Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&parent_log)).await;
    settled(&parent).await;
    parent_log.take();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = {
        let seen = seen.clone();
        act(move |myself| {
            seen.lock().unwrap().push(myself.cell().supervisor());
            async { Ok(()) }
        })
    };
    let probe = Probe::new(&Log::default())
        .at(Hook::PreStart, see.clone())
        .at(Hook::PreStart, gate.act())
        .at(Hook::PostStart, see);
    let (child, starting) = door.instant(probe, SpawnOptions::new().supervisor(&parent.cell())).unwrap();
    gate.reached().await;
    assert_eq!(parent.cell().children(), []);
    gate.open();
    starting.await.unwrap();
    assert_eq!(parent.cell().children(), [child.cell()]);
    settled(&child).await;
    assert_eq!(*seen.lock().unwrap(), [None, Some(parent.cell())]);
    settled(&parent).await;
    assert_eq!(parent_log.entries(), [Entry::Started(child.id())]);
}

pub(super) async fn no_instant_start_under_a_supervisor_that_drains_or_stopped(door: impl Door) {
    let gate = Gate::new();
    let draining = door.spawn(Probe::new(&Log::default())).await;
    draining.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    draining.drain();
    for supervisor in [draining.cell(), dead(&door).await] {
        let log = Log::default();
        let options = SpawnOptions::new().name("orphan").supervisor(&supervisor);
        let (orphan, starting) = door.instant(Probe::new(&log), options).unwrap();
        let refused = starting.await;
        assert!(matches!(refused, Err(SpawnError::SupervisorStopping)), "{refused:?}");
        assert_eq!(orphan.wait(None).await, Ok(Exit::Cancelled));
        assert_eq!(log.entries(), [Entry::PreStart, Entry::Dropped]);
        assert_eq!((door.system().registered(), supervisor.children()), (vec![], vec![]));
    }
    gate.open();
    assert_eq!(draining.wait(None).await, Ok(Exit::Drained));
}

pub(super) async fn a_supervisor_may_stop_before_an_instant_start(door: impl Door) {
    for is_begun in [false, true] {
        let (log, gate) = (Log::default(), Gate::new());
        let parent = door.spawn(Probe::new(&Log::default())).await;
        let probe = Probe::new(&log).at(Hook::PreStart, gate.act());
        let (child, starting) = door.instant(probe, SpawnOptions::new().supervisor(&parent.cell())).unwrap();
        if is_begun {
            gate.reached().await;
        }
        parent.stop_and_wait(None, None).await.unwrap();
        gate.open();
        let refused = starting.await;
        assert!(matches!(refused, Err(SpawnError::SupervisorStopping)), "{refused:?}");
        assert_eq!(child.wait(None).await, Ok(Exit::Cancelled));
        assert_eq!(
            (log.entries(), parent.cell().children()),
            (vec![Entry::PreStart, Entry::Dropped], vec![])
        );
    }
}

pub(super) async fn an_instant_start_goes_on_when_nobody_asks_what_became_of_it(door: impl Door) {
    let gate = Gate::new();
    let probe = Probe::new(&Log::default()).at(Hook::PreStart, gate.act()).at(Hook::Handle, gate.act());
    let (actor, starting) = door.instant(probe, SpawnOptions::new()).unwrap();
    drop(starting);
    actor.cast(Message::Note(1)).unwrap();
    // Nor does it need an address.
    let weak = actor.downgrade();
    drop(actor);
    gate.reached().await;
    gate.open();
    gate.reached().await;
    let actor = weak.upgrade().expect("it handles its message");
    gate.open();
    assert_eq!(settled(&actor).await, 1);
}
