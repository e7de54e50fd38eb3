//! However a factory ends, it says of each job that did not run that it did not.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use actor_core::{ActorError, ActorSystem, Capacity, Exit, Overflow, Shutdown, SpawnOptions};
use actor_testkit::{Order, Simulation};
use actor_toolkit::factory::{
    Discard, DiscardReason, FactoryEvent, FactoryHooks, FactoryRef, FactoryUpdate, Job, JobError, Queueing,
    Retry, Routing, ShedMode,
};

use super::support::{
    HandsRef, Log, MS, Message, Task, dispatch, dispatch_notes, hands, pass, simulate, yield_once,
};

fn routing(number: u32) -> Routing<u32, Message> {
    match number {
        0 => Routing::Queuer,
        1 => Routing::StickyQueuer,
        2 => Routing::KeyPersistent,
        3 => Routing::RoundRobin,
        _ => Routing::LeastLoaded,
    }
}

#[test]
fn a17_a_drain_finishes_what_was_taken() {
    simulate(async |system| {
        for number in 0..5 {
            let log = Log::default();
            let factory = hands(7, &log).routing(routing(number)).spawn_in(&system).await.unwrap();
            for number in 0..999 {
                dispatch(&factory, number % 50, Task::Take(number, MS));
            }
            factory.drain();
            dispatch(&factory, 0, Task::Note(1_000));
            assert_eq!(factory.wait(None).await, Ok(Exit::Drained));
            assert_eq!(log.numbers().len(), 999, "{number}");
            assert_eq!(log.get().discarded, [(0, Some(Task::Note(1_000)), DiscardReason::Draining)]);
            // As often as one likes.
            assert_eq!(factory.drain_and_wait(None).await, Ok(Exit::Drained));
        }
    });
}

#[test]
fn a17_a_drain_is_over_when_nothing_is_left() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).spawn_in(&system).await.unwrap();
        assert_eq!(factory.drain_and_wait(Some(MS)).await, Ok(Exit::Drained), "at once");
        let factory = hands(2, &log).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(0, 10 * MS));
        dispatch(&factory, 1, Task::Panic);
        let now = || system.executor().now();
        let begin = now();
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(now() - begin, 10 * MS, "as soon as the last job is done");
        // Nobody will ever run these.
        let factory = hands(0, &log).spawn_in(&system).await.unwrap();
        dispatch_notes(&factory, 0..5);
        assert_eq!(factory.drain_and_wait(Some(MS)).await, Ok(Exit::Drained));
        assert_eq!(log.discarded(DiscardReason::Draining), 5);
    });
}

/// Gives a factory jobs that run, wait, and lie in its mailbox, and says how many.
async fn fill(factory: &HandsRef, system: &ActorSystem) -> u32 {
    for key in 0..3 {
        dispatch(factory, key, Task::Hang);
    }
    for number in 10..30 {
        dispatch(factory, number, Task::Note(number));
    }
    pass(system, MS).await;
    for number in 30..40 {
        dispatch(factory, number, Task::Note(number));
    }
    33
}

#[test]
fn a17_every_job_that_did_not_run_is_reported_whatever_the_end() {
    type End = fn(&HandsRef);
    let ends: [(&str, End); 4] = [
        ("stop", |factory| factory.stop(None)),
        ("kill", |factory| factory.kill()),
        ("mailbox drained", |factory| factory.cell().drain_mailbox()),
        ("fails", |factory| {
            let update = FactoryUpdate::new().hooks(Fails { at: "draining" });
            let factory = factory.clone();
            factory.clone().cell().attach(async move {
                factory.update(update).await.unwrap();
                factory.drain();
            });
        }),
    ];
    simulate(async |system| {
        for (name, end) in ends {
            for number in 0..5 {
                let log = Log::default();
                let queueing = if number % 2 == 0 { Queueing::Fifo } else { Queueing::priority() };
                let builder = hands(3, &log).routing(routing(number)).queueing(queueing).stop_timeout(5 * MS);
                let factory = builder.spawn_in(&system).await.unwrap();
                let sent = fill(&factory, &system).await;
                end(&factory);
                let exit = factory.wait(None).await.unwrap();
                pass(&system, MS).await;
                let mut heard = BTreeMap::<u32, u32>::new();
                log.get().discarded.iter().for_each(|(key, ..)| *heard.entry(*key).or_default() += 1);
                assert!(heard.values().all(|times| *times == 1), "{name} {number} {exit}: {heard:?}");
                let done = log.numbers().len();
                assert_eq!(heard.len() + done, sent as usize, "{name} {number} {exit}: {heard:?}");
                // By key, two of them may have met at one worker.
                if number != 2 {
                    assert_eq!(log.discarded(DiscardReason::Lost), 3, "{name} {number}");
                }
                let with_message = log.get().discarded.iter().filter(|(_, task, _)| task.is_some()).count();
                assert_eq!(with_message, log.discarded(DiscardReason::Ended), "{name} {number}");
            }
        }
    });
}

#[test]
fn a17_a_system_that_ends_has_its_factories_report() {
    for order in [Order::Fifo, Order::Seeded(7)] {
        let mut simulation = Simulation::new(order);
        let executor = simulation.executor();
        simulation.block_on(async {
            let system = ActorSystem::builder().executor(executor).build_owned();
            let log = Log::default();
            let builder = hands(3, &log).routing(Routing::KeyPersistent).stop_timeout(5 * MS);
            let factory = builder.spawn_in(&system).await.unwrap();
            let sent = fill(&factory, &system).await;
            let report = system.shut_down(1_000 * MS).await;
            assert!(report.is_clean(), "{report:?}");
            let heard = log.get().discarded.len();
            assert_eq!(heard + log.numbers().len(), sent as usize);
        });
    }
}

#[test]
fn a17_a_runtime_that_goes_away_has_its_factories_report() {
    let log = Log::default();
    let mut simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    let sent = simulation.block_on(async {
        let factory = hands(3, &log).spawn_in(&system).await.unwrap();
        fill(&factory, &system).await
    });
    drop(simulation);
    let heard = log.get().discarded.len();
    assert_eq!(heard + log.numbers().len(), sent as usize);
}

#[test]
fn a17_what_came_beside_a_full_mailbox_is_reported_too() {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = simulation.system();
    simulation.block_on(async {
        let log = Log::default();
        let builder = hands(1, &log).mailbox(Capacity::try_from(1).unwrap());
        let factory = builder.spawn_in(&system).await.unwrap();
        pass(&system, MS).await;
        let job = Job::new(1, Message::Do(Task::Panic)).retry(Retry::Always);
        factory.dispatch_job(job).unwrap();
        // The factory hands it on, and the worker has its turn before the factory's next one.
        yield_once().await;
        dispatch(&factory, 2, Task::Note(2));
        factory.kill();
        factory.wait(None).await.unwrap();
        pass(&system, MS).await;
        let mut discarded = log.get().discarded.clone();
        discarded.sort_by_key(|(key, ..)| *key);
        let ended = |key, task| (key, Some(task), DiscardReason::Ended);
        assert_eq!(discarded, [ended(1, Task::Panic), ended(2, Task::Note(2))]);
    });
}

/// Begins a future, which has to wait.
async fn begin<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let is_ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
    assert!(!is_ready, "it waits");
    future
}

#[test]
fn a17_a_job_that_goes_back_to_somebody_who_left_is_reported() {
    simulate(async |system| {
        let log = Log::default();
        let builder = hands(1, &log).discard(Discard::Static { limit: 0, mode: ShedMode::Newest });
        let factory = builder.spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Hang);
        pass(&system, MS).await;
        let job = |number| Job::new(number, Message::Do(Task::Note(number)));
        let (stays, leaves) = (begin(factory.offer(job(1))).await, begin(factory.offer(job(2))).await);
        pass(&system, MS).await;
        // The refusal is there, and nobody looks at it.
        drop(leaves);
        assert_eq!(log.get().discarded, [(2, Some(Task::Note(2)), DiscardReason::Shed)]);
        assert!(matches!(stays.await, Err(JobError::Refused(job, DiscardReason::Shed)) if job.key == 1));
        assert_eq!(log.get().discarded.len(), 1, "who has it back knows");
    });
}

#[test]
fn a17_a_job_that_nobody_waits_to_send_is_reported() {
    simulate(async |system| {
        let log = Log::default();
        let builder = hands(1, &log).mailbox(Capacity::try_from(1).unwrap());
        let factory = builder.spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Note(0));
        let job = |number| Job::new(number, Message::Do(Task::Note(number)));
        let (send, offer) = (begin(factory.send(job(1))).await, begin(factory.offer(job(2))).await);
        drop((send, offer));
        let unsent = |number| (number, Some(Task::Note(number)), DiscardReason::Unsent);
        assert_eq!(log.get().discarded, [unsent(1), unsent(2)]);
        pass(&system, MS).await;
        assert_eq!(log.numbers(), [0]);
    });
}

#[test]
fn a17_a_factory_that_stops_lets_its_workers_finish() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).stop_timeout(50 * MS).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(0, 40 * MS));
        dispatch(&factory, 1, Task::Take(1, 60 * MS));
        dispatch(&factory, 2, Task::Note(2));
        pass(&system, MS).await;
        assert_eq!(factory.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
        pass(&system, 100 * MS).await;
        assert_eq!(log.numbers(), [0]);
        assert_eq!(log.get().stops, 1);
        let mut discarded = log.get().discarded.clone();
        discarded.sort_by_key(|(key, ..)| *key);
        assert_eq!(
            discarded,
            [(1, None, DiscardReason::Lost), (2, Some(Task::Note(2)), DiscardReason::Ended)]
        );
    });
}

/// Hooks that write down when they are called.
#[derive(Clone, Default)]
struct Says(Arc<Mutex<Vec<&'static str>>>);

impl FactoryHooks<u32, Message> for Says {
    fn started(&self, factory: &HandsRef) -> Result<(), ActorError> {
        self.0.lock().unwrap().push("started");
        // Taken in after the hook.
        dispatch(factory, 0, Task::Note(0));
        Ok(())
    }

    fn draining(&self, _: &HandsRef) -> Result<(), ActorError> {
        self.0.lock().unwrap().push("draining");
        Ok(())
    }

    fn stopped(&self, _: &HandsRef) -> Result<(), ActorError> {
        self.0.lock().unwrap().push("stopped");
        Ok(())
    }
}

/// Hooks of which one fails, or panics.
struct Fails {
    at: &'static str,
}

impl Fails {
    fn hook(&self, name: &str) -> Result<(), ActorError> {
        match self.at.strip_prefix("panic ") {
            Some(at) => assert_ne!(at, name, "a hook that panics"),
            None if self.at == name => return Err(format!("not {name}").into()),
            None => {}
        }
        Ok(())
    }
}

impl FactoryHooks<u32, Message> for Fails {
    fn started(&self, _: &FactoryRef<u32, Message>) -> Result<(), ActorError> {
        self.hook("started")
    }

    fn draining(&self, _: &FactoryRef<u32, Message>) -> Result<(), ActorError> {
        self.hook("draining")
    }

    fn stopped(&self, _: &FactoryRef<u32, Message>) -> Result<(), ActorError> {
        self.hook("stopped")
    }
}

#[test]
fn a17_hooks_are_called_in_order_and_may_fail_the_factory() {
    simulate(async |system| {
        let (log, says) = (Log::default(), Says::default());
        let factory = hands(1, &log).hooks(says.clone()).spawn_in(&system).await.unwrap();
        dispatch(&factory, 1, Task::Take(1, MS));
        pass(&system, MS / 2).await;
        assert_eq!(*says.0.lock().unwrap(), ["started"]);
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(*says.0.lock().unwrap(), ["started", "draining", "stopped"]);
        let mut numbers = log.numbers();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1]);

        for at in ["started", "draining", "stopped"] {
            let factory = hands(1, &log).hooks(Fails { at }).spawn_in(&system).await.unwrap();
            let exit = factory.drain_and_wait(None).await.unwrap();
            assert_eq!(exit, Exit::Failed(format!("not {at}").into()));
        }
        for at in ["panic started", "panic draining", "panic stopped"] {
            let factory = hands(1, &log).hooks(Fails { at }).spawn_in(&system).await.unwrap();
            assert_eq!(factory.drain_and_wait(None).await, Ok(Exit::Drained), "{at}");
        }
    });
}

#[test]
fn a17_a_discard_handler_that_panics_harms_nobody() {
    simulate(async |system| {
        let log = Log::default();
        let calls = Log::default();
        let of = calls.clone();
        let builder =
            hands(2, &log).on_discard(move |job: actor_toolkit::factory::Discarded<u32, Message>| {
                of.get().begun.push(job.key);
                panic!("a handler that panics");
            });
        let observer = |_: &FactoryEvent| panic!("an observer that panics");
        let factory = builder.observer(observer).spawn_in(&system).await.unwrap();
        dispatch(&factory, 1, Task::Panic);
        dispatch(&factory, 2, Task::Note(2));
        pass(&system, MS).await;
        dispatch(&factory, 3, Task::Hang);
        pass(&system, MS).await;
        assert_eq!(calls.get().begun, [1]);
        factory.kill_and_wait(None).await.unwrap();
        pass(&system, MS).await;
        assert_eq!((log.numbers(), calls.get().begun.clone()), (vec![2], vec![1, 3]));
    });
}

#[test]
fn a17_a_drain_by_a_supervisor_finishes_what_was_taken() {
    simulate(async |system| {
        for (within, done, ended, exit) in [(100, 4, 0, Exit::Drained), (5, 0, 4, Exit::Killed)] {
            let log = Log::default();
            let factory = hands(1, &log).spawn_in(&system).await.unwrap();
            dispatch(&factory, 0, Task::Take(0, 10 * MS));
            dispatch_notes(&factory, 1..4);
            let ending = factory.cell();
            let (ended_as, ()) = tokio::join!(ending.shut_down(Shutdown::Drain(within * MS)), async {
                pass(&system, MS).await;
                dispatch(&factory, 4, Task::Note(4));
            });
            assert_eq!(ended_as, exit);
            pass(&system, MS).await;
            assert_eq!((log.numbers().len(), log.discarded(DiscardReason::Draining)), (done, 1));
            let lost = log.discarded(DiscardReason::Ended) + log.discarded(DiscardReason::Lost);
            assert_eq!(lost, ended);
        }
    });
}

/// What its mailbox has was accepted, though it is full and nobody may wait there.
#[test]
fn a17_a_drain_takes_in_what_a_full_mailbox_has() {
    for overflow in [Overflow::Block, Overflow::Reject] {
        simulate(async |system| {
            let log = Log::default();
            let (factory, builder) = hands(1, &log).into_child();
            let options = SpawnOptions::new().mailbox(Capacity::try_from(8).unwrap()).overflow(overflow);
            let actor = system.spawn(factory, builder, options).await.unwrap();
            let factory = FactoryRef::connect(actor).await.unwrap();
            for number in 0..8 {
                dispatch(&factory, 0, Task::Note(number));
            }
            assert!(factory.dispatch(0, Task::Note(8).into()).is_err(), "it is full");
            factory.drain();
            factory.drain();
            assert_eq!(factory.wait(None).await, Ok(Exit::Drained));
            assert_eq!((log.numbers(), log.get().discarded.len()), ((0..8).collect(), 0));
        });
    }
}
