//! What an observer hears, event by event. In a simulation: one thread, one order.

use std::any::type_name;
use std::time::Duration;

use actor_core::{
    ActorChange, ActorId, ActorSystem, Backlog, Capacity, ChildSpec, DeadReason, Event, Exit, MissedTicks,
    Observer, OutputPort, Overflow, Pressure, Recorder, Restart, SpawnOptions, Strategy, Supervisor,
    SupervisorDecision, Unrouted, UnroutedReason, WhenFull,
};
use actor_testkit::{Order, Simulation};

use crate::support::{
    Door, Gate, Hook, Log, Message, Probe, SendDoor, act, act_once, fail, panics, pass, settled,
};

const MS: Duration = Duration::from_millis(1);

/// Runs a script in a system with a recorder.
fn recorded<F: Future>(script: impl FnOnce(SendDoor, Recorder) -> F) -> F::Output {
    let mut simulation = Simulation::new(Order::Fifo);
    let recorder = Recorder::default();
    let system = ActorSystem::builder().executor(simulation.executor()).observer(recorder.clone()).build();
    simulation.block_on(script(SendDoor::new(system), recorder))
}

/// Events in short.
#[derive(Debug, PartialEq)]
enum Short {
    Spawned(ActorId, &'static str),
    Started(ActorId),
    Suspended(ActorId, Exit),
    Ended(ActorId, Exit),
    Handled(ActorId, Duration),
    Broken(ActorId),
    Decided(ActorId, String, SupervisorDecision),
    Pressure(ActorId, Pressure),
    Dead(ActorId, DeadReason),
}

fn shorten(events: Vec<Event>) -> Vec<Short> {
    let short = |event| match event {
        Event::Actor(event) => match event.change {
            ActorChange::Spawned(of) => Short::Spawned(event.actor, of),
            ActorChange::Started => Short::Started(event.actor),
            ActorChange::Suspended(exit) => Short::Suspended(event.actor, exit),
            ActorChange::Ended(exit) => Short::Ended(event.actor, exit),
            other => panic!("{other:?}"),
        },
        Event::Message(event) => {
            assert_eq!(event.message, type_name::<Message>());
            if event.has_ended { Short::Handled(event.actor, event.took) } else { Short::Broken(event.actor) }
        }
        Event::Supervisor(event) => Short::Decided(event.supervisor, event.child.to_string(), event.decision),
        Event::Mailbox(event) => Short::Pressure(event.actor, event.pressure),
        Event::DeadLetter(letter) => {
            assert_eq!(letter.message, type_name::<Message>());
            Short::Dead(letter.to, letter.reason)
        }
        other => panic!("{other:?}"),
    };
    events.into_iter().map(short).collect()
}

const PROBE: fn() -> &'static str = type_name::<Probe>;

#[test]
fn c22_a_life_is_told_from_its_beginning_to_its_end() {
    recorded(|door, recorder| async move {
        let options = SpawnOptions::new().name("told");
        let actor = door.start(Probe::new(&Log::default()), options).await.unwrap();
        let id = actor.id();
        let clock = door.system().executor().clone();
        let sleep = act(move |_| {
            // sleep: virtual time.
            let sleep = clock.sleep(7 * MS);
            async move {
                sleep.await;
                Ok(())
            }
        });
        actor.cast(Message::Do(sleep)).unwrap();
        actor.cast(Message::Note(1)).unwrap();
        assert_eq!(settled(&actor).await, 1);
        actor.stop_and_wait(None, None).await.unwrap();
        let events = recorder.take();
        assert!(events.iter().all(|event| match event {
            Event::Actor(event) => event.name.as_deref() == Some("told"),
            _ => true,
        }));
        let expected = [
            Short::Spawned(id, PROBE()),
            Short::Started(id),
            Short::Handled(id, 7 * MS),
            Short::Handled(id, Duration::ZERO),
            Short::Handled(id, Duration::ZERO),
            Short::Ended(id, Exit::Stopped(None)),
        ];
        assert_eq!(shorten(events), expected);
    });
}

#[test]
fn c22_what_breaks_is_told_and_what_never_started() {
    recorded(|door, recorder| async move {
        let failing = Probe::new(&Log::default()).at(Hook::PreStart, fail("no"));
        assert!(door.start(failing, SpawnOptions::new()).await.is_err());
        let told = shorten(recorder.take());
        let [Short::Spawned(_, _), Short::Ended(_, Exit::Failed(_))] = &told[..] else { panic!("{told:?}") };

        for (order, exit) in [
            (fail("ill"), Exit::Failed("ill".into())),
            (panics("fell"), Exit::Panicked("fell".into())),
            (
                act(|myself| async move {
                    myself.kill();
                    std::future::pending().await
                }),
                Exit::Killed,
            ),
        ] {
            let actor = door.spawn(Probe::new(&Log::default())).await;
            let id = actor.id();
            actor.cast(Message::Do(order)).unwrap();
            assert_eq!(actor.wait(None).await, Ok(exit.clone()));
            let told = shorten(recorder.take());
            let handled = match exit {
                // It came to an end, with an error.
                Exit::Failed(_) => Short::Handled(id, Duration::ZERO),
                _ => Short::Broken(id),
            };
            assert_eq!(
                told,
                [Short::Spawned(id, PROBE()), Short::Started(id), handled, Short::Ended(id, exit)]
            );
        }
    });
}

#[test]
fn c22_a_supervisor_tells_what_it_decides() {
    recorded(|door, recorder| async move {
        let kid = |id| ChildSpec::new(id, || (Probe::new(&Log::default()), ()));
        let builder = Supervisor::builder()
            .strategy(Strategy::OneForAll)
            .child(kid("a"))
            .child(kid("b").restart(Restart::Transient));
        let supervisor = builder.spawn_with(door.system(), SpawnOptions::new()).await.unwrap();
        let (a, b) =
            (supervisor.find::<Message>("a").await.unwrap(), supervisor.find::<Message>("b").await.unwrap());
        pass(door.system(), MS).await;
        recorder.take();
        a.cast(Message::Do(fail("ill"))).unwrap();
        pass(door.system(), MS).await;
        b.stop(None);
        pass(door.system(), MS).await;
        let of_others = |event: &Event| match event {
            Event::Message(_) => false,
            Event::Actor(event) => event.actor != supervisor.id(),
            _ => true,
        };
        let told = shorten(recorder.take().into_iter().filter(of_others).collect());
        let decided = |id: &str, decision| Short::Decided(supervisor.id(), id.to_owned(), decision);
        let shut = || Exit::Stopped(Some("shut down".into()));
        let expected = [
            Short::Suspended(a.id(), Exit::Failed("ill".into())),
            decided("b", SupervisorDecision::Halt),
            Short::Suspended(b.id(), shut()),
            decided("a", SupervisorDecision::Restart),
            Short::Started(a.id()),
            decided("b", SupervisorDecision::Restart),
            Short::Started(b.id()),
            Short::Suspended(b.id(), Exit::Stopped(None)),
            decided("b", SupervisorDecision::Release),
            Short::Ended(b.id(), Exit::Stopped(None)),
        ];
        assert_eq!(told, expected);
    });
}

#[test]
fn c22_every_message_that_dies_is_told_with_its_reason() {
    recorded(|door, recorder| async move {
        for (overflow, pressure, dead) in [
            (Overflow::Reject, Pressure::Refused, None),
            (Overflow::DropNewest, Pressure::DroppedNewest, Some(DeadReason::Dropped)),
            (Overflow::DropOldest, Pressure::DroppedOldest, Some(DeadReason::Dropped)),
        ] {
            let gate = Gate::new();
            let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(overflow);
            let actor = door.start(Probe::new(&Log::default()), options).await.unwrap();
            let id = actor.id();
            actor.cast(Message::Do(gate.act())).unwrap();
            gate.reached().await;
            recorder.take();
            actor.cast(Message::Note(1)).unwrap();
            let _ = actor.cast(Message::Note(2));
            let mut expected = vec![Short::Pressure(id, pressure)];
            expected.extend(dead.map(|reason| Short::Dead(id, reason)));
            assert_eq!(shorten(recorder.take()), expected, "{overflow:?}");
            // What waits when it ends.
            actor.kill_and_wait(None).await.unwrap();
            let expected =
                [Short::Dead(id, DeadReason::Stopped), Short::Broken(id), Short::Ended(id, Exit::Killed)];
            let mut told = shorten(recorder.take());
            told.sort_by_key(|short| format!("{short:?}"));
            let mut expected = Vec::from(expected);
            expected.sort_by_key(|short| format!("{short:?}"));
            assert_eq!(told, expected, "{overflow:?}");
        }
        // Who waits for room is told of once, and what a timer sends too late is dead.
        let gate = Gate::new();
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
        let actor = door.start(Probe::new(&Log::default()), options).await.unwrap();
        let id = actor.id();
        let again = gate.clone();
        actor.cast(Message::Do(act_once(move || async move { again.pass().await }))).unwrap();
        gate.reached().await;
        actor.cast(Message::Note(1)).unwrap();
        recorder.take();
        let ticks = actor.send_interval(5 * MS, MissedTicks::Skip, || Message::Note(2));
        pass(door.system(), 7 * MS).await;
        assert_eq!(shorten(recorder.take()), [Short::Pressure(id, Pressure::Waits)]);
        actor.drain();
        pass(door.system(), MS).await;
        assert!(ticks.is_over());
        assert_eq!(shorten(recorder.take()), [Short::Dead(id, DeadReason::Stopped)]);
    });
}

#[test]
fn c22_what_is_sent_for_others_dies_with_a_letter_too() {
    recorded(|door, recorder| async move {
        let target = door.spawn(Probe::new(&Log::default())).await;
        let callee = door.spawn(Probe::new(&Log::default())).await;
        let asker = door.spawn(Probe::new(&Log::default())).await;
        let (id, gate) = (target.id(), Gate::new());
        // A port's backlog, behind a full mailbox.
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
        let behind = door.start(Probe::new(&Log::default()), options).await.unwrap();
        behind.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        let mut port: OutputPort<u32> = OutputPort::new();
        port.subscribe(&behind, |number| Some(Message::Note(number)));
        (1..=3).for_each(|number| port.send(number).unwrap());
        pass(door.system(), MS).await;
        target.kill_and_wait(None).await.unwrap();
        recorder.take();
        asker.call_and_forward(&callee, None, Message::Ask, &target, Message::Note).unwrap();
        pass(door.system(), MS).await;
        let is_dead = |short: &Short| matches!(short, Short::Dead(..));
        let dead = |events| shorten(events).into_iter().filter(is_dead).collect::<Vec<_>>();
        assert_eq!(dead(recorder.take()), [Short::Dead(id, DeadReason::Stopped)]);
        behind.kill_and_wait(None).await.unwrap();
        pass(door.system(), MS).await;
        // One lay in the mailbox, one waited for its room, one stood behind that.
        assert_eq!(dead(recorder.take()), [1, 2, 3].map(|_| Short::Dead(behind.id(), DeadReason::Stopped)));
    });
}

#[test]
fn an_observer_that_panics_harms_nobody() {
    struct Hostile;
    impl Observer for Hostile {
        fn observe(&self, _: &Event) {
            panic!("an observer");
        }
    }
    let mut simulation = Simulation::new(Order::Fifo);
    let system = ActorSystem::builder().executor(simulation.executor()).observer(Hostile).build();
    simulation.block_on(async {
        let door = SendDoor::new(system);
        let actor = door.spawn(Probe::new(&Log::default())).await;
        actor.cast(Message::Note(1)).unwrap();
        assert_eq!(settled(&actor).await, 1);
        assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
    });
}

#[test]
fn c22_what_an_output_port_loses_is_told() {
    recorded(|door, recorder| async move {
        let gate = Gate::new();
        let options = || SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
        let full = door.start(Probe::new(&Log::default()), options()).await.unwrap();
        full.cast(Message::Do(gate.act())).unwrap();
        gate.reached().await;
        let dead = |events: Vec<Event>| {
            let is_dead = |event: &Event| matches!(event, Event::DeadLetter(_));
            shorten(events.into_iter().filter(is_dead).collect())
        };
        let lost = Short::Dead(full.id(), DeadReason::Dropped);
        for (when_full, told) in [(WhenFull::DropOldest, 1), (WhenFull::Fail, 4)] {
            let mut port = OutputPort::new();
            let note = |number| Some(Message::Note(number));
            let subscription = port.subscribe_with(Backlog::new(2, when_full).unwrap(), &full, note);
            // One that its task has in hand, two that wait, and one too many. The first of all
            // finds room.
            if when_full == WhenFull::DropOldest {
                port.send(0).unwrap();
            }
            port.send(1).unwrap();
            pass(door.system(), MS).await;
            recorder.take();
            for number in 2..=4 {
                port.send(number).unwrap();
            }
            pass(door.system(), MS).await;
            let events = dead(recorder.take());
            assert!(events.iter().all(|event| *event == lost), "{events:?}");
            assert_eq!((events.len(), subscription.dropped()), (told, told as u64));
        }
        gate.open();
    });
}

#[test]
fn c22_what_a_library_saw_is_told() {
    recorded(|door, recorder| async move {
        let event = || Event::Unrouted(Unrouted::of::<Message>("nowhere", UnroutedReason::Unknown));
        door.system().tell(event);
        assert_eq!(recorder.take(), [event()]);
        // Nobody is asked what to tell where nobody listens.
        ActorSystem::on(door.system().executor().clone()).tell(|| panic!("nobody listens"));
        assert_eq!(recorder.take(), []);
    });
}
