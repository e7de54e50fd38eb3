//! Restarts: what a life takes with it, and what the next one finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor_core::{
    ActorCell, ActorRef, CallError, CallFailure, Control, Exit, SpawnError, SpawnOptions, Status,
};

use crate::support::{
    Door, Ending, Entry, Gate, Hook, Log, Message, Probe, act, fail, panics, settled, stopped,
};

/// Waits until the supervisor has heard of a suspension, which is the last it heard of.
async fn suspended(parent: &ActorRef<Message>, child: &ActorRef<Message>) {
    while child.status() != Status::Suspended {
        settled(parent).await;
    }
    settled(parent).await;
}

pub(super) async fn a_restarted_actor_keeps_all_but_the_message_in_hand(door: impl Door) {
    let (above, log, gate) = (Log::default(), Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&above)).await;
    settled(&parent).await;
    above.take();
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let child = door.restartable(&parent, SpawnOptions::new().name("kept"), make).await;
    door.system().groups().join("all", &child.cell()).unwrap();
    assert_eq!(settled(&child).await, 0);
    let id = child.id();
    assert_eq!(log.take(), [Entry::PreStart, Entry::PostStart]);

    // A call that falls, and what came behind it.
    let asked = {
        let (child, gate) = (child.clone(), gate.clone());
        async move {
            let fall = |port| {
                let port = Arc::new(std::sync::Mutex::new(Some(port)));
                Message::Do(act(move |_| {
                    let (gate, port) = (gate.clone(), port.clone());
                    async move {
                        let _in_hand: Option<actor_core::ReplyPort<u32>> = port.lock().unwrap().take();
                        gate.pass().await;
                        panic!("fell")
                    }
                }))
            };
            child.call(fall).await
        }
    };
    let mut asked = std::pin::pin!(asked);
    crate::support::held(asked.as_mut(), gate.reached()).await;
    child.cast(Message::Note(1)).unwrap();
    gate.open();
    assert!(matches!(asked.await, Err(CallError::Failed(CallFailure::NoReply))));
    suspended(&parent, &child).await;
    let suspension = Entry::Suspended(id, Exit::Panicked("fell".into()), None);
    assert_eq!(above.take(), [Entry::Started(id), suspension]);
    assert_eq!(log.take(), [Entry::Dropped]);

    // Between two lives.
    assert_eq!(child.status(), Status::Suspended);
    assert_eq!(door.system().where_is("kept"), Some(child.cell()));
    assert_eq!(door.system().groups().members("all"), [child.cell()]);
    assert_eq!(parent.cell().children(), [child.cell()]);
    child.cast(Message::Note(2)).unwrap();

    child.cell().restart();
    assert_eq!(settled(&child).await, 2);
    settled(&parent).await;
    assert_eq!(log.take(), [Entry::PreStart, Entry::PostStart, Entry::Note(1), Entry::Note(2)]);
    assert_eq!(above.take(), [Entry::Started(id)]);
    assert_eq!((child.id(), child.name(), child.status()), (id, Some("kept"), Status::Running));
    assert_eq!(door.system().groups().members("all"), [child.cell()]);
}

pub(super) async fn whatever_ended_the_life_it_can_begin_again(door: impl Door) {
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    let log = Log::default();
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    let ends: [(Ending, Exit); 5] = [
        (|child| child.stop(Some("why")), stopped("why")),
        (|child| child.drain(), Exit::Drained),
        (|child| child.kill(), Exit::Killed),
        (|child| child.cast(Message::Do(fail("ill"))).unwrap(), Exit::Failed("ill".into())),
        (|child| child.cast(Message::Do(panics("fell"))).unwrap(), Exit::Panicked("fell".into())),
    ];
    // Twice, since a life must leave nothing to the next.
    for (end, exit) in ends.iter().chain(&ends) {
        child.send(Message::Note(1)).await.unwrap();
        assert_eq!((settled(&child).await, settled(&parent).await), (1, 0));
        let _ = (log.take(), above.take());
        let ended = child.wait(None);
        let mut ended = std::pin::pin!(ended);
        assert!(crate::support::poll_once(ended.as_mut()).await.is_pending());
        end(&child);
        assert_eq!(ended.await, Ok(exit.clone()));
        suspended(&parent, &child).await;
        let is_whole = matches!(exit, Exit::Stopped(_) | Exit::Drained);
        let count = if is_whole { door.kept(1) } else { None };
        assert_eq!(above.take(), [Entry::Suspended(child.id(), exit.clone(), count)]);
        let expected = if is_whole { &[Entry::PostStop, Entry::Dropped][..] } else { &[Entry::Dropped] };
        assert_eq!(log.take(), expected, "{exit}");
        child.cell().restart();
    }
    assert_eq!(settled(&child).await, 0);
}

pub(super) async fn the_reason_of_a_stop_ends_with_the_life(door: impl Door) {
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let child = door.restartable(&parent, SpawnOptions::new(), || Probe::new(&Log::default())).await;
    assert_eq!(child.stop_and_wait(Some("first"), None).await, Ok(stopped("first")));
    suspended(&parent, &child).await;
    child.cell().restart();
    assert_eq!(settled(&child).await, 0);
    assert_eq!(child.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
}

pub(super) async fn a_released_actor_ends_with_its_life(door: impl Door) {
    let (above, log, gate) = (Log::default(), Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&above)).await;
    settled(&parent).await;
    above.take();
    let make = {
        let (log, gate) = (log.clone(), gate.clone());
        move || Probe::new(&log).at(Hook::Handle, gate.act())
    };
    let child = door.restartable(&parent, SpawnOptions::new().name("gone"), make).await;
    child.cast(Message::Note(1)).unwrap();
    gate.reached().await;
    child.cast(Message::Note(2)).unwrap();
    child.cell().release();
    child.stop(None);
    gate.open();
    assert_eq!(child.wait(None).await, Ok(Exit::Stopped(None)));
    settled(&parent).await;
    let id = child.id();
    assert_eq!(above.take(), [Entry::Started(id), Entry::Terminated(id, Exit::Stopped(None), door.kept(1))]);
    let hooks = [Entry::PreStart, Entry::PostStart, Entry::Note(1), Entry::PostStop];
    assert_eq!(log.take()[..4], hooks);
    assert_eq!((child.status(), door.system().where_is("gone")), (Status::Stopped, None));
    assert_eq!(parent.cell().children(), []);
    child.cell().restart();
    assert_eq!(child.status(), Status::Stopped);
}

pub(super) async fn a_released_actor_ends_at_once_when_suspended(door: impl Door) {
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    let make = || Probe::new(&Log::default());
    let child = door.restartable(&parent, SpawnOptions::new().name("gone"), make).await;
    child.cast(Message::Do(fail("ill"))).unwrap();
    suspended(&parent, &child).await;
    let _ = above.take();
    child.cast(Message::Note(1)).unwrap();
    child.cell().release();
    let ill = Exit::Failed("ill".into());
    assert_eq!(child.wait(None).await, Ok(ill.clone()));
    settled(&parent).await;
    assert_eq!(above.take(), [Entry::Failed(child.id(), ill)]);
    assert_eq!((child.status(), door.system().where_is("gone")), (Status::Stopped, None));
    assert_eq!(parent.cell().children(), []);
    assert!(child.cast(Message::Note(2)).is_err());
}

pub(super) async fn who_was_to_decide_is_gone(door: impl Door) {
    let ends: [(Ending, bool); 4] = [
        (|parent| parent.stop(None), false),
        (|parent| parent.stop(None), true),
        (|parent| parent.kill(), true),
        (|parent| parent.cast(Message::Do(panics("fell"))).unwrap(), false),
    ];
    for (end, is_suspended) in ends {
        let parent = door.spawn(Probe::new(&Log::default())).await;
        let child = door.restartable(&parent, SpawnOptions::new(), || Probe::new(&Log::default())).await;
        let mut exit = Exit::Killed;
        if is_suspended {
            exit = stopped("before");
            child.stop(Some("before"));
            suspended(&parent, &child).await;
        }
        end(&parent);
        parent.wait(None).await.unwrap();
        assert_eq!(child.wait(None).await, Ok(exit));
        assert_eq!(child.status(), Status::Stopped);
    }
    // Set free, it is as any other.
    let parent = door.spawn(Probe::new(&Log::default())).await;
    for is_suspended in [false, true] {
        let child = door.restartable(&parent, SpawnOptions::new(), || Probe::new(&Log::default())).await;
        if is_suspended {
            child.kill();
            suspended(&parent, &child).await;
        }
        child.cell().unlink(&parent.cell());
        child.kill();
        assert_eq!(child.wait(None).await, Ok(Exit::Killed));
        while child.status() != Status::Stopped {
            settled(&parent).await;
        }
    }
}

pub(super) async fn a_new_life_begins_when_the_children_of_the_former_are_gone(door: impl Door) {
    let (above, gate) = (Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&above)).await;
    let make = || {
        Probe::new(&Log::default()).at(
            Hook::PreStart,
            act(|myself| async move {
                let probe = Probe::new(&Log::default());
                let options = SpawnOptions::new().name("grandchild").supervisor(&myself.cell());
                actor_core::ActorSystem::current().spawn(probe, (), options).await?;
                Ok(())
            }),
        )
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    let first: ActorCell = door.system().where_is("grandchild").unwrap();
    // It does not die before the gate opens.
    let held = ActorRef::<Message>::from_cell(first.clone()).unwrap();
    held.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    child.cast(Message::Do(fail("ill"))).unwrap();
    suspended(&parent, &child).await;
    assert_eq!(first.status(), Status::Stopped);
    assert_eq!(child.cell().children(), []);
    child.cell().restart();
    assert_eq!(settled(&child).await, 0);
    let second = door.system().where_is("grandchild").unwrap();
    assert_ne!(first, second);
    assert_eq!(child.cell().children(), [second]);
}

pub(super) async fn a_restart_that_fails_can_be_tried_again(door: impl Door) {
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    settled(&parent).await;
    above.take();
    let lives = Arc::new(AtomicU32::new(0));
    let make = {
        let lives = lives.clone();
        move || {
            let probe = Probe::new(&Log::default());
            match lives.fetch_add(1, Ordering::SeqCst) {
                1 => probe.at(Hook::PreStart, fail("no")),
                2 => probe.at(Hook::PreStart, panics("oh no")),
                3 => panic!("nothing to start"),
                4 => probe.at(Hook::PostStart, fail("not yet")),
                _ => probe,
            }
        }
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    child.cast(Message::Do(fail("ill"))).unwrap();
    let exits = [
        Exit::Failed("ill".into()),
        Exit::Failed("no".into()),
        Exit::Panicked("oh no".into()),
        Exit::Panicked("nothing to start".into()),
        Exit::Failed("not yet".into()),
    ];
    child.cast(Message::Note(1)).unwrap();
    let mut heard = vec![Entry::Started(child.id())];
    for exit in exits {
        suspended(&parent, &child).await;
        heard.push(Entry::Suspended(child.id(), exit, None));
        assert_eq!(above.entries(), heard);
        child.cell().restart();
        while child.status() == Status::Suspended && above.entries().len() == heard.len() {
            settled(&parent).await;
        }
    }
    assert_eq!(settled(&child).await, 1);
    assert_eq!(lives.load(Ordering::SeqCst), 6);
}

pub(super) async fn what_is_asked_of_a_suspended_actor_is_asked_of_its_next_life(door: impl Door) {
    let (above, log) = (Log::default(), Log::default());
    let parent = door.spawn(Probe::new(&above)).await;
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    let asked: [(Ending, Exit); 3] = [
        (|child| child.stop(Some("again")), stopped("again")),
        (|child| child.drain(), Exit::Drained),
        (|child| child.kill(), Exit::Killed),
    ];
    for (ask, exit) in asked {
        child.stop(None);
        suspended(&parent, &child).await;
        let _ = (above.take(), log.take());
        // The end of the life that is yet to begin.
        let ended = child.wait(None);
        let mut ended = std::pin::pin!(ended);
        assert!(crate::support::poll_once(ended.as_mut()).await.is_pending());
        ask(&child);
        child.cell().restart();
        assert_eq!(ended.await, Ok(exit.clone()));
        suspended(&parent, &child).await;
        let heard = above.take();
        assert!(matches!(heard.last(), Some(Entry::Suspended(_, last, _)) if *last == exit), "{heard:?}");
        child.cell().restart();
        assert_eq!(settled(&child).await, 0);
    }
}

pub(super) async fn watches_are_of_actors_and_watching_is_of_lives(door: impl Door) {
    let (above, log, aside) = (Log::default(), Log::default(), Log::default());
    let parent = door.spawn(Probe::new(&above)).await;
    let make = {
        let log = log.clone();
        move || Probe::new(&log)
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    let other = door.spawn(Probe::new(&aside)).await;
    other.cell().watch(&child.cell());
    child.cell().watch(&other.cell());
    child.kill();
    suspended(&parent, &child).await;
    child.cell().restart();
    assert_eq!((settled(&child).await, settled(&other).await), (0, 0));
    // A restart is no end.
    assert_eq!(aside.take(), [Entry::PreStart, Entry::PostStart]);
    let third = door.spawn(Probe::new(&Log::default())).await;
    child.cell().watch(&third.cell());
    let _ = log.take();
    other.stop_and_wait(None, None).await.unwrap();
    third.stop_and_wait(None, None).await.unwrap();
    settled(&child).await;
    // The former life's watch went with it.
    assert_eq!(log.take(), [Entry::Down(third.id(), Exit::Stopped(None))]);
    let witness = door.spawn(Probe::new(&aside)).await;
    settled(&witness).await;
    let _ = aside.take();
    witness.cell().watch(&child.cell());
    child.cell().release();
    child.kill_and_wait(None).await.unwrap();
    settled(&witness).await;
    assert_eq!(aside.take(), [Entry::Down(child.id(), Exit::Killed)]);
}

/// An actor, a state and arguments that all panic when they are dropped.
struct Brittle;

struct Shard(&'static str);

impl Drop for Shard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

struct BrittleActor(#[expect(dead_code, reason = "dropped")] Shard);

impl actor_core::Actor for BrittleActor {
    type Msg = Brittle;
    type State = Shard;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Brittle>, (): ()) -> Result<Shard, actor_core::ActorError> {
        Ok(Shard("state"))
    }
}

pub(super) async fn whatever_panics_when_dropped_the_life_ends_in_order(door: impl Door) {
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    let options = SpawnOptions::new().supervisor(&parent.cell());
    let child = door.spawn_restartable(|| (BrittleActor(Shard("actor")), ()), options).await.unwrap();
    for _ in 0..3 {
        assert_eq!(child.kill_and_wait(None).await, Ok(Exit::Panicked("actor".into())));
        while child.status() != Status::Suspended {
            settled(&parent).await;
        }
        child.cast(Brittle).unwrap();
        child.cell().restart();
    }
}

pub(super) async fn what_makes_an_actor_may_panic_when_it_is_dropped(door: impl Door) {
    let above = Log::default();
    let parent = door.spawn(Probe::new(&above)).await;
    let shard = Shard("make");
    let make = move || {
        let _held = &shard;
        Probe::new(&Log::default())
    };
    let child = door.restartable(&parent, SpawnOptions::new(), make).await;
    child.cell().release();
    assert_eq!(child.kill_and_wait(None).await, Ok(Exit::Killed));
    // Once more after its task is over.
    assert_eq!((settled(&parent).await, settled(&parent).await), (0, 0));
    assert_eq!(child.status(), Status::Stopped);
}

pub(super) async fn only_a_supervised_actor_is_restartable(door: impl Door) {
    let spawned =
        door.spawn_restartable(|| (Probe::new(&Log::default()), ()), SpawnOptions::new().name("alone")).await;
    assert!(matches!(spawned, Err(SpawnError::Options(_))), "{spawned:?}");
    // A start that fails is the spawner's business, here as elsewhere.
    let log = Log::default();
    let parent = door.spawn(Probe::new(&log)).await;
    let options = SpawnOptions::new().name("alone").supervisor(&parent.cell());
    let make = || (Probe::new(&Log::default()).at(Hook::PreStart, fail("no")), ());
    let spawned = door.spawn_restartable(make, options.clone()).await;
    assert!(matches!(spawned, Err(SpawnError::Startup(Exit::Failed(_)))), "{spawned:?}");
    let make = || -> (Probe, ()) { panic!("nothing to start") };
    let spawned = door.spawn_restartable(make, options).await;
    assert!(matches!(spawned, Err(SpawnError::Startup(Exit::Panicked(_)))), "{spawned:?}");
    settled(&parent).await;
    assert_eq!(log.take(), [Entry::PreStart, Entry::PostStart]);
    assert_eq!(door.system().where_is("alone"), None);
}

pub(super) async fn asking_for_what_cannot_be_changes_nothing(door: impl Door) {
    let ask: [fn(&ActorCell); 2] = [ActorCell::restart, ActorCell::release];
    let plain = door.spawn(Probe::new(&Log::default())).await;
    for ask in ask {
        ask(&plain.cell());
        assert_eq!(settled(&plain).await, 0);
    }
    // A restart of one that runs is not remembered.
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let child = door.restartable(&parent, SpawnOptions::new(), || Probe::new(&Log::default())).await;
    child.cell().restart();
    child.stop(None);
    suspended(&parent, &child).await;
    settled(&parent).await;
    assert_eq!(child.status(), Status::Suspended);
    let controls: &Control = &child;
    assert_eq!(controls.status(), Status::Suspended);
}
