//! What a probe hears, how long it waits, and what its panics say.

use std::pin::pin;
use std::time::Duration;

use actor_core::{ActorSystem, Exit, Instant, ReplyPort, SendError, SpawnOptions, SupervisionEvent, call};
use actor_testkit::{Probe, Simulation};

use crate::{Counter, CounterMessage, CounterRef, SECOND, counter, panic_of, poll_once};

#[derive(Debug, PartialEq)]
enum Word {
    Number(u32),
    Text(&'static str),
}

use Word::{Number, Text};

/// A simulation with a probe, to which some words have been sent.
fn told(words: impl IntoIterator<Item = Word>) -> (Simulation, ActorSystem, Probe<Word>) {
    let simulation = Simulation::seeded(7);
    let system = simulation.system();
    let probe = Probe::new(&system);
    for word in words {
        probe.actor_ref().cast(word).unwrap();
    }
    (simulation, system, probe)
}

#[test]
fn messages_come_in_order_however_they_are_expected() {
    let (mut simulation, _, mut probe) = told((1..=7).map(Number));
    simulation.block_on(async {
        assert_eq!(probe.expect_next().await, Number(1));
        assert_eq!(probe.expect(|word| matches!(word, Number(2))).await, Number(2));
        assert_eq!(probe.expect_eq(Number(3)).await, Number(3));
        let four = probe.expect_some(|word| match word {
            Number(number) => Some(number),
            Text(_) => None,
        });
        assert_eq!(four.await, 4);
        assert_eq!(probe.expect_eventually(|word| *word == Number(6)).await, Number(6));
        assert_eq!(probe.try_next(), Some(Number(7)));
        assert_eq!(probe.try_next(), None);
    });
    assert_eq!(simulation.now().elapsed().as_nanos(), 0);
}

#[test]
fn without_waiting_there_is_what_has_come() {
    let (mut simulation, _, mut probe) = told([Number(1), Number(2), Number(3)]);
    assert_eq!(probe.try_next(), None, "nothing has run yet");
    simulation.run_until_idle();
    assert_eq!(probe.try_next(), Some(Number(1)));
    assert_eq!(probe.received(), [Number(2), Number(3)]);
    assert_eq!(probe.received(), []);
}

#[test]
fn what_has_been_sent_is_seen_in_no_time_whatever_the_order() {
    for seed in 0..20 {
        let mut simulation = Simulation::seeded(seed);
        let mut probe = Probe::new(&simulation.system());
        simulation.block_on(probe.expect_none_within(Duration::ZERO));
        probe.actor_ref().cast(Number(1)).unwrap();
        let text = panic_of(|| simulation.block_on(probe.expect_none_within(Duration::ZERO)));
        assert!(text.starts_with("no message was expected for 0ns"), "{text}");
    }
}

#[test]
fn a_message_that_is_not_the_expected_one_is_shown() {
    let texts = [
        panic_of(|| {
            let (mut simulation, _, mut probe) = told([Number(1)]);
            simulation.block_on(probe.expect(|word| matches!(word, Text(_))))
        }),
        panic_of(|| {
            let (mut simulation, _, mut probe) = told([Number(1)]);
            simulation.block_on(probe.expect_eq(Text("one")))
        }),
        panic_of(|| {
            let (mut simulation, _, mut probe) = told([Number(1)]);
            simulation.block_on(probe.expect_some(|_| None::<()>));
        }),
        panic_of(|| {
            let (mut simulation, _, mut probe) = told([Number(1)]);
            simulation.block_on(probe.expect_none_within(SECOND));
        }),
    ];
    let place = |text: &str| text.contains("at actor-testkit/tests/probe.rs:");
    assert!(texts.iter().all(|text| place(text) && text.ends_with("; Number(1) came")), "{texts:#?}");
    assert!(texts[1].starts_with("Text(\"one\") was expected at "), "{texts:#?}");
}

#[test]
fn the_line_that_expects_is_named() {
    let (mut simulation, _, mut probe) = told([]);
    let line = line!() + 1;
    let text = panic_of(|| simulation.block_on(async { probe.expect_next().await }));
    assert!(text.contains(&format!("tests/probe.rs:{line}:")), "{text}");
}

#[test]
fn what_does_not_come_is_waited_for_so_long() {
    let (mut simulation, system, mut probe) = told([]);
    let text = panic_of(|| simulation.block_on(probe.expect_next()));
    assert!(text.starts_with("a message was expected at ") && text.ends_with("none came until 3s"), "{text}");
    let mut probe = Probe::<Word>::builder().timeout(SECOND / 2).spawn(&system);
    let text = panic_of(|| simulation.block_on(probe.expect_next()));
    assert!(text.ends_with("none came until 3.5s"), "{text}");
    // What was passed over is told.
    for word in [Number(1), Number(2)] {
        probe.actor_ref().cast(word).unwrap();
    }
    let text = panic_of(|| simulation.block_on(probe.expect_eventually(|_| false)));
    assert_eq!(text.matches("a main::probe::Word").count(), 2, "{text}");
    // So is the end of the probe itself.
    probe.actor_ref().kill();
    let text = panic_of(|| simulation.block_on(probe.expect_next()));
    assert!(text.ends_with("the probe itself has ended: killed"), "{text}");
}

#[test]
fn nothing_comes_within_a_time_that_passes() {
    let (mut simulation, system, mut probe) = told([]);
    simulation.block_on(probe.expect_none_within(SECOND * 5));
    assert_eq!(simulation.now().elapsed(), SECOND * 5);
    let (actor, executor) = (probe.actor_ref(), system.executor().clone());
    simulation.block_on(async {
        let late = async {
            // sleep: virtual time.
            executor.sleep(SECOND).await;
            actor.cast(Number(1)).unwrap();
        };
        tokio::join!(probe.expect_none_within(SECOND / 2), late);
        assert_eq!(probe.expect_next().await, Number(1));
    });
}

#[test]
fn within_a_time_all_expectations_share_it() {
    let (mut simulation, system, mut probe) = told([]);
    let executor = system.executor().clone();
    let mut within = |time, inner| {
        let before = executor.now();
        let script = probe
            .within(time, async |probe| probe.within(inner, async |probe| probe.expect_next().await).await);
        let text = panic_of(|| simulation.block_on(script));
        assert!(text.starts_with("a message was expected"), "{text}");
        executor.now() - before
    };
    // The narrower one counts, and one that is longer than the usual does too.
    assert_eq!(within(SECOND, SECOND * 2), SECOND);
    assert_eq!(within(SECOND * 2, SECOND), SECOND);
    assert_eq!(within(SECOND * 9, SECOND * 8), SECOND * 8);

    // What is no expectation is bounded too; afterwards, the usual counts again.
    let script = probe.within(SECOND, async |_| executor.sleep(SECOND * 5).await); // sleep: virtual time.
    let text = panic_of(|| simulation.block_on(script));
    assert!(text.starts_with("all was expected to be done within 1s at "), "{text}");
    let script = probe.within(SECOND, async |probe| {
        executor.sleep(SECOND / 4).await; // sleep: virtual time.
        probe.within(SECOND * 5, async |_| executor.sleep(SECOND * 5).await).await; // sleep: virtual time.
    });
    let text = panic_of(|| simulation.block_on(script));
    let left = "all was expected to be done within 750ms, which is what another `within` had left, at ";
    assert!(text.starts_with(left), "{text}");
    simulation.block_on(async {
        let mut script = Box::pin(probe.within(SECOND, async |probe| probe.expect_next().await));
        assert!(poll_once(script.as_mut()).await.is_pending());
    });
    let before = executor.now();
    panic_of(|| simulation.block_on(probe.expect_next()));
    assert_eq!(executor.now() - before, SECOND * 3);
}

#[test]
fn a_dropped_expectation_takes_nothing() {
    let (mut simulation, _, mut probe) = told([]);
    simulation.block_on(async {
        let actor = probe.actor_ref();
        {
            let mut next = pin!(probe.expect_next());
            assert!(poll_once(next.as_mut()).await.is_pending());
            actor.cast(Number(1)).unwrap();
        }
        assert_eq!(probe.expect_next().await, Number(1));
    });
}

#[test]
fn a_call_is_answered_by_the_test() {
    let mut simulation = Simulation::seeded(7);
    let mut probe = Probe::<ReplyPort<u32>>::new(&simulation.system());
    let actor = probe.actor_ref();
    simulation.block_on(async {
        let (answer, ()) = tokio::join!(actor.call(|port| port), async {
            probe.expect_next().await.send(7).unwrap();
        });
        assert_eq!(answer.unwrap(), 7);
    });
    // What comes wakes who waits for it.
    assert_eq!(simulation.now(), Instant::ZERO);
}

#[test]
fn a_probe_stands_for_a_plain_struct() {
    let mut simulation = Simulation::seeded(7);
    let system = simulation.system();
    let mut probe = Probe::<CounterMessage>::builder().name("counter").spawn(&system);
    let found = CounterRef::from(system.where_is_typed("counter").unwrap());
    found.add(2).cast().unwrap();
    simulation.run_until_idle();
    assert!(matches!(probe.try_next(), Some(CounterMessage::Add(2, port)) if port.is_nobody()));
    // Its messages cannot be shown, and their type can.
    found.add(2).cast().unwrap();
    let text = panic_of(|| simulation.block_on(probe.expect(|_| false)));
    assert!(text.ends_with("CounterMessage came"), "{text}");
}

#[test]
fn a_stub_answers_and_hands_the_rest_over() {
    enum Ask {
        Double(u32, ReplyPort<u32>),
        Else(&'static str),
    }
    let mut simulation = Simulation::seeded(7);
    let mut asked = 0;
    let stub = Probe::builder().answering(move |message| match message {
        Ask::Double(number, port) => {
            asked += 1;
            port.send(number * 2 + asked).unwrap();
            None
        }
        other => Some(other),
    });
    let mut probe = stub.spawn(&simulation.system());
    let actor = probe.actor_ref();
    actor.cast(Ask::Else("kept")).unwrap();
    simulation.block_on(async {
        assert_eq!(call!(actor, Ask::Double, 20).unwrap(), 41);
        assert_eq!(call!(actor, Ask::Double, 20).unwrap(), 42);
    });
    assert!(matches!(probe.received()[..], [Ask::Else("kept")]));
}

#[test]
fn the_end_of_a_watched_actor_is_heard_of() {
    let (mut simulation, system, mut probe) = told([Number(1)]);
    simulation.block_on(async {
        let [first, second, third] = [counter(&system).await, counter(&system).await, counter(&system).await];
        for actor in [&first, &second, &third] {
            probe.watch(&actor.cell());
        }
        second.stop(Some("enough"));
        first.kill();
        assert!(third.add(13).await.is_err());
        // In whatever order they came.
        let exit = probe.expect_exit(&third.cell()).await;
        assert!(matches!(exit, Exit::Panicked(text) if text.contains("thirteen")));
        assert_eq!(probe.expect_exit(&first.cell()).await, Exit::Killed);
        assert_eq!(probe.expect_exit(&second.cell()).await, Exit::Stopped(Some("enough".into())));
        // It is told once, and of the dead at once.
        probe.watch(&first.cell());
        assert_eq!(probe.expect_exit(&first.cell()).await, Exit::Killed);
        assert_eq!(probe.expect_next().await, Number(1));
    });
    let text = panic_of(|| {
        simulation.block_on(async {
            let (lives, ends) = (counter(&system).await, counter(&system).await);
            probe.watch(&ends.cell());
            ends.kill();
            probe.expect_exit(&lives.cell()).await
        })
    });
    assert!(text.contains("did not come; [Down {") && text.contains("exit: Killed"), "{text}");
}

#[test]
fn a_probe_may_be_a_supervisor() {
    let (mut simulation, system, mut probe) = told([]);
    simulation.block_on(async {
        let child = Counter(0).spawn().supervisor(&probe.cell()).on(&system).await.unwrap();
        assert!(matches!(probe.expect_event().await, SupervisionEvent::Started(_)));
        assert!(child.add(13).await.is_err());
        let event = probe.expect_event().await;
        assert!(
            matches!(&event, SupervisionEvent::Failed { actor, .. } if *actor == child.cell()),
            "{event:?}"
        );
        assert!(probe.try_event().is_none());
        probe.actor_ref().cast(Text("still there")).unwrap();
        assert_eq!(probe.expect_next().await, Text("still there"));
    });
}

#[test]
fn a_probe_that_is_dropped_takes_no_more() {
    let (mut simulation, system, probe) = told([]);
    let actor = probe.actor_ref();
    simulation.run_until_idle();
    drop(probe);
    simulation.run_until_idle();
    assert_eq!(actor.cast(Number(1)), Err(SendError::Stopped(Number(1), Some(Exit::Stopped(None)))));
    let options = || SpawnOptions::new().name("taken");
    let _first = Probe::<Word>::builder().options(options()).spawn(&system);
    let text = panic_of(|| Probe::<Word>::builder().options(options()).spawn(&system));
    assert!(text.starts_with("no probe can be spawned: "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_works_on_tokio() {
    let system = ActorSystem::new();
    let mut probe = Probe::new(&system);
    let actor = probe.actor_ref();
    // An expectation may wait in a task that moves between threads.
    let mut other = Probe::<ReplyPort<u32>>::new(&system);
    let other_ref = other.actor_ref();
    let answering = tokio::spawn(async move { other.expect_next().await.send(7).unwrap() });
    assert_eq!(other_ref.call(|port| port).await.unwrap(), 7);
    answering.await.unwrap();
    tokio::spawn(async move {
        // sleep: tokio's time is paused.
        tokio::time::sleep(SECOND).await;
        actor.cast(Number(1)).unwrap();
    });
    probe.expect_none_within(SECOND / 2).await;
    assert_eq!(probe.within(SECOND, async |probe| probe.expect_next().await).await, Number(1));
    let counter = counter(&system).await;
    probe.watch(&counter.cell());
    counter.stop(None);
    assert_eq!(probe.expect_exit(&counter.cell()).await, Exit::Stopped(None));
}
