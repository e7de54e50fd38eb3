//! What an end looks like to everybody else: what each carries, and in which order.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use actor_core::{ActorCell, ActorId, ActorSystem, Exit, ExitListener, SpawnError, SpawnOptions, Status};

use super::stop::says;
use crate::support::{
    Act, Door, Ending, Entry, Gate, Hook, Log, Message, Probe, act, act_once, dead, fail, held, panics,
    settled, stopped,
};

/// A probe that comes to a gate, and speaks, three times in one hook.
fn at_three_gates(hook: Hook, log: &Log, gate: &Gate) -> Probe {
    (0..3).fold(Probe::new(log), |probe, _| probe.at(hook, gate.act()).at(hook, says(log, "went on")))
}

/// Brings an actor that has started into a hook.
fn enter(hook: Hook, actor: &actor_core::ActorRef<Message>, gone: &ActorCell) {
    match hook {
        Hook::PreStart | Hook::PostStart => {}
        Hook::Handle => actor.cast(Message::Note(1)).unwrap(),
        Hook::Supervise => _ = actor.cell().watch(gone),
        Hook::PostStop => actor.stop(Some("first")),
    }
}

pub(super) async fn a11_a_kill_ends_any_hook_at_any_await_point(door: impl Door) {
    let gone = dead(&door).await;
    for (hook, passed) in Hook::ALL.into_iter().flat_map(|hook| (0..3).map(move |passed| (hook, passed))) {
        let (log, above, gate) = (Log::default(), Log::default(), Gate::new());
        let parent = door.spawn(Probe::new(&above)).await;
        settled(&parent).await;
        above.take();
        let options = SpawnOptions::new().name("victim").supervisor(&parent.cell());
        let mut spawning = pin!(door.start(at_three_gates(hook, &log, &gate), options));
        let to_the_gate = async {
            for _ in 0..passed {
                gate.reached().await;
                gate.open();
            }
            gate.reached().await;
        };
        let cell = if hook == Hook::PreStart {
            held(spawning.as_mut(), to_the_gate).await;
            let cell = door.system().where_is("victim").expect("the name is held");
            cell.kill();
            assert!(matches!(spawning.await, Err(SpawnError::Startup(Exit::Killed))));
            cell
        } else {
            let actor = spawning.await.expect("it starts");
            enter(hook, &actor, &gone);
            to_the_gate.await;
            actor.kill();
            actor.cell()
        };
        assert_eq!(cell.wait(None).await, Ok(Exit::Killed));
        let mut hooks = vec![Entry::PreStart, Entry::PostStart];
        match hook {
            Hook::PreStart => _ = hooks.pop(),
            Hook::PostStart => {}
            Hook::Handle => hooks.push(Entry::Note(1)),
            Hook::Supervise => hooks.push(Entry::Down(gone.id(), Exit::Stopped(None))),
            Hook::PostStop => hooks.push(Entry::PostStop),
        }
        hooks.extend(std::iter::repeat_n(Entry::Said("went on"), passed));
        hooks.extend((hook != Hook::PreStart).then_some(Entry::Dropped));
        assert_eq!(log.entries(), hooks, "killed in {hook:?}");
        // No state is shown, whatever it looks like; what never was is not told at all.
        settled(&parent).await;
        let mut expected = vec![Entry::Started(cell.id()), Entry::Terminated(cell.id(), Exit::Killed, None)];
        match hook {
            Hook::PreStart => expected.clear(),
            Hook::PostStart => _ = expected.remove(0),
            _ => {}
        }
        assert_eq!(above.take(), expected, "{hook:?}");
        assert_eq!((door.system().registered(), parent.cell().children()), (vec![], vec![]));
    }
}

pub(super) async fn a05_a_stop_or_a_drain_in_any_hook_lets_it_finish(door: impl Door) {
    let asks: [(Ending, Exit); 2] =
        [(|actor| actor.stop(Some("why")), stopped("why")), (|actor| actor.drain(), Exit::Drained)];
    let gone = dead(&door).await;
    for (hook, (ask, exit)) in Hook::ALL.into_iter().flat_map(|hook| asks.clone().map(|ask| (hook, ask))) {
        let (log, above, gate) = (Log::default(), Log::default(), Gate::new());
        let parent = door.spawn(Probe::new(&above)).await;
        let probe = match hook {
            Hook::Handle => Probe::new(&log),
            _ => Probe::new(&log).at(hook, gate.act()).at(hook, says(&log, "finished")),
        };
        let options = SpawnOptions::new().name("busy").supervisor(&parent.cell());
        let mut spawning = pin!(door.start(probe, options));
        let actor = if hook == Hook::PreStart {
            held(spawning.as_mut(), gate.reached()).await;
            door.system().where_is_typed::<Message>("busy").expect("the name is held")
        } else {
            let actor = spawning.as_mut().await.expect("it starts");
            if hook == Hook::Handle {
                actor.cast(Message::Do(gate.act())).unwrap();
                actor.cast(Message::Do(says(&log, "finished"))).unwrap();
            } else {
                enter(hook, &actor, &gone);
            }
            gate.reached().await;
            actor
        };
        let was_taken = actor.cast(Message::Note(7)).is_ok();
        assert_eq!(was_taken, hook != Hook::PostStop);
        ask(&actor);
        gate.open();
        if hook == Hook::PreStart {
            assert!(spawning.await.is_ok());
        }
        // What was asked first stands.
        let exit = if hook == Hook::PostStop { stopped("first") } else { exit };
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));

        let is_drained = exit == Exit::Drained;
        let mut expected = vec![Entry::PreStart, Entry::PostStart];
        let finished = Entry::Said("finished");
        match hook {
            Hook::PreStart => expected.insert(1, finished),
            Hook::PostStart => expected.push(finished),
            Hook::Handle => expected.extend(is_drained.then_some(finished)),
            Hook::Supervise => expected.extend([Entry::Down(gone.id(), Exit::Stopped(None)), finished]),
            Hook::PostStop => {}
        }
        expected.extend(is_drained.then_some(Entry::Note(7)));
        expected.push(Entry::PostStop);
        expected.extend((hook == Hook::PostStop).then_some(Entry::Said("finished")));
        expected.push(Entry::Dropped);
        // It drops the state that it was shown.
        settled(&parent).await;
        assert_eq!(log.entries(), expected, "{exit} in {hook:?}");
        let ended = Entry::Terminated(actor.id(), exit, door.kept(is_drained.into()));
        assert_eq!(above.entries()[2..], [Entry::Started(actor.id()), ended]);
    }
}

/// Speaks when it is dropped.
struct Witness(Log);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.push(Entry::Said("dropped from the queue"));
    }
}

/// Looks at an actor that ends at the moment when its watchers are told.
struct Onlooker(ActorCell, ActorSystem, Log);

impl ExitListener for Onlooker {
    fn on_exit(&self, id: ActorId, exit: &Exit) {
        let Self(actor, system, log) = self;
        assert_eq!((actor.id(), actor.exit().as_ref(), actor.status()), (id, Some(exit), Status::Stopping));
        assert_eq!((system.registered(), system.groups().names()), (vec![], vec![]));
        assert_eq!(actor.children(), []);
        assert!(actor.supervisor().is_some(), "the supervisor is told after the watchers");
        log.push(Entry::Said("watchers are told"));
    }
}

pub(super) async fn an_end_has_one_order(door: impl Door) {
    let ends: [(Option<Ending>, Exit); 5] = [
        (Some(|actor| actor.stop(Some("why"))), stopped("why")),
        (Some(|actor| actor.drain()), Exit::Drained),
        (Some(|actor| actor.kill()), Exit::Killed),
        (None, Exit::Failed("ill".into())),
        (None, Exit::Panicked("fell".into())),
    ];
    for (end, exit) in ends {
        let (log, above, gate) = (Log::default(), Log::default(), Gate::new());
        let parent = door.spawn(Probe::new(&above)).await;
        let options = SpawnOptions::new().name("doomed").supervisor(&parent.cell());
        let actor = door.start(Probe::new(&log), options).await.unwrap();
        let child = door.spawn_under(&actor, Probe::new(&Log::default())).await;
        door.system().groups().join("doomed ones", &actor.cell()).unwrap();
        actor.watch_with(Arc::new(Onlooker(actor.cell(), door.system().clone(), log.clone())));
        // Whoever supervises and watches hears in this order.
        parent.cell().watch(&actor.cell());
        settled(&actor).await;
        settled(&child).await;
        settled(&parent).await;
        let _ = (log.take(), above.take());

        actor.cast(Message::Do(gate.act())).unwrap();
        match exit {
            Exit::Failed(_) => actor.cast(Message::Do(fail("ill"))).unwrap(),
            Exit::Panicked(_) => actor.cast(Message::Do(panics("fell"))).unwrap(),
            _ => {}
        }
        let witness = Witness(log.clone());
        actor.cast(Message::Do(act_once(|| async { drop(witness) }))).unwrap();
        gate.reached().await;
        if let Some(end) = end {
            end(&actor);
        }
        gate.open();
        assert_eq!(actor.wait(None).await, Ok(exit.clone()));
        assert_eq!(child.wait(None).await, Ok(Exit::Killed));

        let queue = Entry::Said("dropped from the queue");
        let mut expected = match exit {
            Exit::Stopped(_) => vec![Entry::PostStop, queue],
            Exit::Drained => vec![queue, Entry::PostStop],
            _ => vec![queue],
        };
        expected.extend([Entry::Dropped, Entry::Said("watchers are told")]);
        let last = match &exit {
            Exit::Stopped(_) | Exit::Drained => {
                // A state that is handed over is dropped by whoever got it.
                expected.retain(|entry| *entry != Entry::Dropped || door.kept(0).is_none());
                Entry::Terminated(actor.id(), exit.clone(), door.kept(0))
            }
            Exit::Killed => Entry::Terminated(actor.id(), exit.clone(), None),
            _ => Entry::Failed(actor.id(), exit.clone()),
        };
        settled(&parent).await;
        let mut seen = log.take();
        if door.kept(0).is_some() && matches!(exit, Exit::Stopped(_) | Exit::Drained) {
            assert_eq!(seen.pop(), Some(Entry::Dropped));
        }
        assert_eq!(seen, expected, "{exit}");
        assert_eq!(above.take(), [Entry::Down(actor.id(), exit), last]);
    }
}

pub(super) async fn a15_a_supervisor_may_use_the_name_again_at_once(door: impl Door) {
    let ends: [Ending; 4] = [
        |actor| actor.stop(None),
        |actor| actor.drain(),
        |actor| actor.kill(),
        |actor| actor.cast(Message::Do(panics("fell"))).unwrap(),
    ];
    for end in ends {
        let log = Log::default();
        // In the hook that hears of the end, while the former may not have stopped yet.
        let again: Act = act(|myself| async move {
            let system = ActorSystem::current();
            if system.where_is("post").is_none() {
                let options = SpawnOptions::new().name("post").supervisor(&myself.cell());
                system.spawn(Probe::new(&Log::default()), (), options).await?;
            }
            Ok(())
        });
        let parent = door.spawn(Probe::new(&log).at(Hook::Supervise, again)).await;
        let options = SpawnOptions::new().name("post").supervisor(&parent.cell());
        let first = door.start(Probe::new(&Log::default()), options).await.unwrap();
        settled(&first).await;
        end(&first);
        first.wait(None).await.unwrap();
        settled(&parent).await;
        let second = door.system().where_is_typed::<Message>("post").expect("it was spawned again");
        assert_ne!(first, second);
        settled(&second).await;
        settled(&parent).await;
        assert_eq!(log.entries().last(), Some(&Entry::Started(second.id())));
        parent.kill_and_wait(None).await.unwrap();
        second.wait(None).await.unwrap();
    }
}

pub(super) async fn a_child_in_its_post_stop_goes_with_its_parent(door: impl Door) {
    let gate = Gate::new();
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let child = door.spawn_under(&parent, Probe::new(&Log::default()).at(Hook::PostStop, gate.act())).await;
    child.stop(None);
    gate.reached().await;
    assert_eq!(child.status(), Status::Stopping);
    parent.stop_and_wait(None, None).await.unwrap();
    assert_eq!(child.wait(None).await, Ok(Exit::Killed));
}

/// Nothing keeps actors from being put under each other, or under themselves.
pub(super) async fn a_circle_of_links_ends_together(door: impl Door) {
    let ends: [(Ending, Exit); 2] =
        [(|actor| actor.stop(None), Exit::Stopped(None)), (|actor| actor.kill(), Exit::Killed)];
    for (end, exit) in ends {
        let mut circle = Vec::new();
        for _ in 0..3 {
            circle.push(door.spawn(Probe::new(&Log::default())).await);
        }
        for (child, parent) in [(0, 1), (1, 2), (2, 0)] {
            circle[child].cell().link(&circle[parent].cell()).unwrap();
        }
        end(&circle[0]);
        let mut exits = Vec::new();
        for actor in &circle {
            exits.push(actor.wait(None).await.unwrap());
            assert_eq!((actor.cell().supervisor(), actor.cell().children()), (None, vec![]));
        }
        assert_eq!(exits, [exit.clone(), Exit::Killed, Exit::Killed]);

        let alone = door.spawn(Probe::new(&Log::default())).await;
        alone.cell().link(&alone.cell()).unwrap();
        assert_eq!(settled(&alone).await, 0);
        end(&alone);
        assert_eq!(alone.wait(None).await, Ok(exit));
        assert_eq!((alone.cell().supervisor(), alone.cell().children()), (None, vec![]));
    }
}

pub(super) async fn what_each_phase_says_to_a_sender(door: impl Door) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let try_it = {
        let seen = seen.clone();
        act(move |myself| {
            let was_taken = myself.cast(Message::Note(0)).is_ok();
            assert_eq!(was_taken, myself.status().admits());
            seen.lock().unwrap().push((myself.status(), was_taken));
            async { Ok(()) }
        })
    };
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let make = {
        let try_it = try_it.clone();
        move || {
            let hooks = [Hook::PreStart, Hook::PostStart, Hook::PostStop];
            hooks.into_iter().fold(Probe::new(&Log::default()), |probe, hook| probe.at(hook, try_it.clone()))
        }
    };
    let actor = door.restartable(&parent, SpawnOptions::new(), make).await;
    actor.cast(Message::Do(try_it.clone())).unwrap();
    settled(&actor).await;
    actor.kill_and_wait(None).await.unwrap();
    while actor.status() != Status::Suspended {
        settled(&parent).await;
    }
    try_it(actor.clone()).await.unwrap();
    actor.cell().restart();
    settled(&actor).await;
    let gate = Gate::new();
    actor.cast(Message::Do(gate.act())).unwrap();
    actor.cast(Message::Do(try_it.clone())).unwrap();
    gate.reached().await;
    actor.cell().release();
    actor.drain();
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    try_it(actor.clone()).await.unwrap();
    let expected = [
        (Status::Starting, true),
        (Status::Starting, true),
        (Status::Running, true),
        (Status::Suspended, true),
        (Status::Starting, true),
        (Status::Starting, true),
        (Status::Draining, false),
        (Status::Stopping, false),
        (Status::Stopped, false),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
