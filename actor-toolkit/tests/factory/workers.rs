//! A17: workers, whoever they are, and what becomes of those that die.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Backoff, Exit, ReplyPort, SpawnError};
use actor_toolkit::factory::{
    Assignment, DeadMan, DiscardReason, FactoryBuilder, FactoryEvent, FactoryUpdate, Place, Routing,
    SettingsError, UpdateError, WORKERS_MAX, Worker,
};

use super::support::{Log, MS, Message, Task, dispatch, dispatch_notes, hands, pass, simulate};

#[test]
fn a17_a_worker_that_panics_is_replaced_and_the_other_jobs_are_done() {
    simulate(async |system| {
        for (routing, task) in [
            (Routing::Queuer, Task::Panic),
            (Routing::KeyPersistent, Task::Fail),
            (Routing::StickyQueuer, Task::Panic),
            (Routing::RoundRobin, Task::Fail),
            (Routing::LeastLoaded, Task::Panic),
        ] {
            let log = Log::default();
            let name = format!("{routing:?}");
            let factory = hands(3, &log).routing(routing).spawn_in(&system).await.unwrap();
            dispatch_notes(&factory, 0..10);
            dispatch(&factory, 77, task);
            dispatch_notes(&factory, 10..20);
            pass(&system, MS).await;
            let mut numbers = log.numbers();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "{name}");
            assert_eq!(log.get().discarded, [(77, None, DiscardReason::Lost)], "{name}");
            let stats = factory.stats().await.unwrap();
            assert_eq!((stats.completed, stats.lost, stats.restarts), (20, 1, 1), "{name}");
            assert_eq!((stats.idle, stats.waiting, stats.in_hand), (3, 0, 0), "{name}");
            factory.drain_and_wait(None).await.unwrap();
        }
    });
}

#[test]
fn a17_a_worker_comes_again_after_its_backoff_and_its_jobs_wait_for_it() {
    simulate(async |system| {
        let log = Log::default();
        let backoff = Backoff::exponential(10 * MS, 40 * MS).jitter(0.0);
        let factory = hands(1, &log).backoff(backoff).spawn_in(&system).await.unwrap();
        for delay in [10, 20, 40, 40] {
            dispatch(&factory, 0, Task::Panic);
            dispatch(&factory, 0, Task::Note(delay));
            pass(&system, (delay - 1) * MS).await;
            let before = log.numbers().len();
            pass(&system, 2 * MS).await;
            assert_eq!(log.numbers().len(), before + 1, "after {delay} ms");
        }
        assert_eq!(log.discarded(DiscardReason::Lost), 4);
    });
}

#[test]
fn a17_a_job_that_waits_in_a_dead_workers_queue_is_done_without_a_nudge() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).routing(Routing::KeyPersistent).spawn_in(&system).await.unwrap();
        for number in 0..3 {
            dispatch(&factory, 5, Task::Panic);
            dispatch(&factory, 5, Task::Note(number));
        }
        pass(&system, MS).await;
        assert_eq!(log.numbers(), [0, 1, 2]);
        assert_eq!(log.discarded(DiscardReason::Lost), 3);
    });
}

struct Reluctant {
    tries: Arc<AtomicU32>,
}

impl Worker for Reluctant {
    type Key = u32;
    type Message = u32;
    type State = ();

    async fn pre_start(&self, _: &Place<u32, u32>) -> Result<(), ActorError> {
        match self.tries.fetch_add(1, Ordering::Relaxed) {
            1 | 2 => Err("not yet".into()),
            3 => panic!("not yet either"),
            _ => Ok(()),
        }
    }

    async fn handle(&self, _: &u32, message: u32, (): &mut ()) -> Result<(), ActorError> {
        if message == 0 { Err("no".into()) } else { Ok(()) }
    }
}

#[test]
fn a17_a_replacement_that_does_not_start_is_tried_again_and_the_factory_lives() {
    simulate(async |system| {
        let tries = Arc::<AtomicU32>::default();
        let of = tries.clone();
        let factory = FactoryBuilder::new(move || Reluctant { tries: of.clone() });
        let factory = factory.backoff(Backoff::exponential(MS, 9 * MS)).spawn_in(&system).await.unwrap();
        factory.dispatch(0, 0).unwrap();
        factory.dispatch(0, 1).unwrap();
        pass(&system, 100 * MS).await;
        assert_eq!(tries.load(Ordering::Relaxed), 5);
        assert_eq!(factory.stats().await.unwrap().completed, 1);
    });
}

#[test]
fn a17_a_factory_whose_first_workers_do_not_start_does_not_start() {
    simulate(async |system| {
        let made = Arc::<AtomicU32>::default();
        let of = made.clone();
        let make = move || {
            let made = of.fetch_add(1, Ordering::Relaxed);
            Reluctant { tries: Arc::new(AtomicU32::new(u32::from(made == 2))) }
        };
        let error = FactoryBuilder::new(make).workers(4).spawn_in(&system).await.unwrap_err();
        let expected = "worker 2 did not start: the actor did not start: failed: not yet";
        assert!(matches!(&error, SpawnError::Startup(Exit::Failed(text)) if **text == *expected), "{error}");
        assert_eq!(made.load(Ordering::Relaxed), 3);
    });
}

/// A worker that is an actor of its own kind.
struct Own;

enum OwnMessage {
    Job(Assignment<u32, u32>),
    Finish,
}

impl From<Assignment<u32, u32>> for OwnMessage {
    fn from(job: Assignment<u32, u32>) -> Self {
        Self::Job(job)
    }
}

struct OwnState {
    held: Vec<(u32, Assignment<u32, u32>)>,
    place: Place<u32, u32>,
    log: Log,
}

impl Actor for Own {
    type Msg = OwnMessage;
    type State = OwnState;
    type Arguments = (Place<u32, u32>, Log);

    async fn pre_start(
        &self,
        _: &ActorRef<OwnMessage>,
        (place, log): Self::Arguments,
    ) -> Result<OwnState, ActorError> {
        Ok(OwnState { held: Vec::new(), place, log })
    }

    async fn handle(
        &self,
        myself: &ActorRef<OwnMessage>,
        message: OwnMessage,
        state: &mut OwnState,
    ) -> Result<(), ActorError> {
        match message {
            OwnMessage::Job(mut job) => {
                let number = job.take().expect("it is taken once");
                assert_eq!(job.take(), None);
                match number {
                    // Dropped, and the actor lives.
                    13 => {}
                    14 => return Err("no".into()),
                    _ => {
                        state.held.push((number, job));
                        drop(myself.send_after(MS, OwnMessage::Finish));
                    }
                }
            }
            OwnMessage::Finish => {
                for (number, job) in state.held.drain(..) {
                    state.log.get().done.push((state.place.number(), *job.key(), number));
                    job.done();
                }
            }
        }
        Ok(())
    }
}

#[test]
fn a17_an_actor_of_any_kind_may_be_a_worker() {
    simulate(async |system| {
        let log = Log::default();
        let (of, lost) = (log.clone(), log.clone());
        let factory = FactoryBuilder::actors(move |place| (Own, (place, of.clone())))
            .workers(2)
            .backoff(Backoff::NONE)
            .on_discard(move |job: actor_toolkit::factory::Discarded<u32, u32>| {
                lost.get().discarded.push((job.key, None, job.reason));
            })
            .spawn_in(&system)
            .await
            .unwrap();
        for number in 10..18 {
            factory.dispatch(number, number).unwrap();
        }
        pass(&system, 20 * MS).await;
        let mut numbers = log.numbers();
        numbers.sort_unstable();
        assert_eq!(numbers, [10, 11, 12, 15, 16, 17]);
        assert_eq!(log.discarded(DiscardReason::Lost), 2);
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.completed, stats.lost, stats.idle), (6, 2, 2));
    });
}

#[test]
fn a17_a_closure_may_be_a_worker() {
    simulate(async |system| {
        let log = Log::default();
        let of = log.clone();
        let work = move |key: u32, number: u32| {
            let log = of.clone();
            async move {
                log.get().done.push((0, key, number));
                Ok(())
            }
        };
        let factory = FactoryBuilder::closure(work).workers(2).spawn_in(&system).await.unwrap();
        for number in 0..5 {
            factory.dispatch(number, number).unwrap();
        }
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(log.numbers().len(), 5);
    });
}

#[test]
fn a17_jobs_wait_until_a_pool_without_workers_is_resized() {
    simulate(async |system| {
        for routing in [Routing::Queuer, Routing::KeyPersistent, Routing::LeastLoaded, Routing::RoundRobin] {
            let log = Log::default();
            let name = format!("{routing:?}");
            let factory = hands(0, &log).routing(routing).spawn_in(&system).await.unwrap();
            dispatch_notes(&factory, 0..20);
            pass(&system, MS).await;
            assert_eq!(factory.queue_depth().await.unwrap(), 20, "{name}");
            factory.resize(4).await.unwrap();
            pass(&system, MS).await;
            let mut numbers = log.numbers();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "{name}");
        }
    });
}

#[test]
fn a17_a_pool_grows_and_shrinks_and_those_that_leave_finish_first() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(4, &log).spawn_in(&system).await.unwrap();
        for number in 0..4 {
            dispatch(&factory, number, Task::Take(number, 10 * MS));
        }
        pass(&system, MS).await;
        factory.resize(1).await.unwrap();
        dispatch_notes(&factory, 10..14);
        pass(&system, 20 * MS).await;
        assert_eq!(log.numbers().len(), 8);
        assert_eq!(log.get().stops, 3, "three have ended in peace");
        assert_eq!(factory.available_capacity().await.unwrap(), 1);
        factory.resize(3).await.unwrap();
        pass(&system, MS).await;
        assert_eq!(factory.available_capacity().await.unwrap(), 3);
        let mut starts = log.get().starts.clone();
        starts[4..].sort_unstable();
        assert_eq!(starts, [0, 1, 2, 3, 1, 2]);
        for size in [0, WORKERS_MAX + 1] {
            let error = factory.resize(size).await.unwrap_err();
            let expected =
                if size == 0 { SettingsError::NoWorkers } else { SettingsError::TooManyWorkers(size) };
            assert!(matches!(error, UpdateError::Settings(error) if error == expected));
        }
        assert_eq!(factory.stats().await.unwrap().workers, 3);
    });
}

#[test]
fn a17_a_stuck_worker_is_found_when_its_setting_says_and_replaced() {
    simulate(async |system| {
        let log = Log::default();
        let stuck = Log::default();
        let (of, clock) = (stuck.clone(), system.executor().clone());
        let begin = clock.now();
        let observer = move |event: &FactoryEvent| {
            if let FactoryEvent::WorkerStuck { worker, busy_for } = event {
                assert_eq!(*busy_for, 50 * MS);
                let now = u32::try_from((clock.now() - begin).as_millis()).unwrap();
                of.get().done.push((*worker, 0, now));
            }
        };
        let dead_man = DeadMan { timeout: 50 * MS, is_killing: true };
        let builder = hands(2, &log).dead_man(dead_man).observer(observer);
        let factory = builder.spawn_in(&system).await.unwrap();
        // An idle worker is never stuck.
        pass(&system, 500 * MS).await;
        assert!(stuck.numbers().is_empty());
        dispatch(&factory, 0, Task::Hang);
        pass(&system, 20 * MS).await;
        dispatch(&factory, 1, Task::Take(1, 49 * MS));
        dispatch(&factory, 2, Task::Note(2));
        pass(&system, 100 * MS).await;
        assert_eq!(stuck.numbers(), [550], "exactly when it is due");
        let mut done = log.numbers();
        done.sort_unstable();
        assert_eq!(done, [1, 2]);
        assert_eq!(log.get().discarded, [(0, None, DiscardReason::Lost)]);
        assert_eq!(factory.available_capacity().await.unwrap(), 2);
    });
}

#[test]
fn a17_the_dead_mans_switch_may_be_set_while_a_job_hangs() {
    simulate(async |system| {
        let log = Log::default();
        let dead_man = |ms: u32, is_killing| Some(DeadMan { timeout: ms * MS, is_killing });
        let factory =
            hands(1, &log).dead_man(dead_man(10_000, true).unwrap()).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Hang);
        pass(&system, 100 * MS).await;
        factory.update(FactoryUpdate::new().dead_man(dead_man(150, false))).await.unwrap();
        pass(&system, 49 * MS).await;
        assert_eq!(factory.stats().await.unwrap().stuck, 0);
        pass(&system, 2 * MS).await;
        let stats = factory.stats().await.unwrap();
        // Told, and left alone.
        assert_eq!((stats.stuck, stats.in_hand, stats.restarts), (1, 1, 0));
        factory.update(FactoryUpdate::new().dead_man(None)).await.unwrap();
        factory.update(FactoryUpdate::new().dead_man(dead_man(30, true))).await.unwrap();
        pass(&system, 31 * MS).await;
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.stuck, stats.in_hand, stats.restarts), (2, 0, 1));
    });
}

#[test]
fn a17_a_worker_that_was_told_as_stuck_is_killed_once_that_is_set() {
    simulate(async |system| {
        let log = Log::default();
        let dead_man = |is_killing| DeadMan { timeout: 10 * MS, is_killing };
        let factory = hands(2, &log).dead_man(dead_man(false)).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Hang);
        pass(&system, 20 * MS).await;
        dispatch(&factory, 1, Task::Take(1, 9 * MS));
        factory.update(FactoryUpdate::new().dead_man(Some(dead_man(false)))).await.unwrap();
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.stuck, stats.restarts), (1, 0), "nothing was changed");
        factory.update(FactoryUpdate::new().dead_man(Some(dead_man(true)))).await.unwrap();
        pass(&system, 20 * MS).await;
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.stuck, stats.restarts, stats.idle), (2, 1, 2));
        assert_eq!(log.numbers(), [1], "it was in time");
        assert_eq!(log.get().discarded, [(0, None, DiscardReason::Lost)]);
    });
}

#[test]
fn a17_a_worker_that_somebody_ends_is_replaced() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).spawn_in(&system).await.unwrap();
        for end in [0, 1, 2] {
            let workers = factory.cell().children();
            match end {
                0 => workers[0].kill(),
                1 => workers[0].stop(None),
                // It cannot live again.
                _ => {
                    workers[0].release();
                    workers[0].stop(None);
                }
            }
            pass(&system, MS).await;
            assert_eq!(factory.available_capacity().await.unwrap(), 2, "{end}");
            dispatch_notes(&factory, 0..4);
        }
        // Taken away from its factory, which finds out when it has a job for it.
        let workers = factory.cell().children();
        workers[0].unlink(&factory.cell());
        workers[0].kill_and_wait(None).await.unwrap();
        dispatch_notes(&factory, 0..4);
        dispatch(&factory, 0, Task::Take(9, MS));
        dispatch_notes(&factory, 0..4);
        pass(&system, 5 * MS).await;
        assert_eq!(log.numbers().len(), 21);
        assert!(log.get().discarded.is_empty());
    });
}

#[test]
fn a17_a_factory_under_a_supervisor_comes_again() {
    use actor_core::{ChildSpec, SpawnOptions, Supervisor};
    use actor_toolkit::factory::{FactoryMessage, FactoryRef};

    simulate(async |system: ActorSystem| {
        let log = Log::default();
        let of = log.clone();
        let child = ChildSpec::new("hands", move || hands(2, &of).into_child());
        let supervisor = Supervisor::builder().child(child);
        let supervisor = supervisor.spawn_with(&system, SpawnOptions::new()).await.unwrap();
        let actor = supervisor.find::<FactoryMessage<u32, Message>>("hands").await.unwrap();
        let factory = FactoryRef::connect(actor).await.unwrap();
        dispatch(&factory, 0, Task::Hang);
        dispatch(&factory, 1, Task::Hang);
        dispatch(&factory, 2, Task::Note(2));
        pass(&system, MS).await;
        factory.kill();
        dispatch(&factory, 3, Task::Note(3));
        pass(&system, MS).await;
        assert_eq!(log.numbers(), [3], "what was in the mailbox is the next life's");
        let mut discarded = log.get().discarded.clone();
        discarded.sort_by_key(|(key, ..)| *key);
        let expected = [
            (0, None, DiscardReason::Lost),
            (1, None, DiscardReason::Lost),
            (2, Some(Task::Note(2)), DiscardReason::Ended),
        ];
        assert_eq!(discarded, expected);
        assert_eq!(factory.available_capacity().await.unwrap(), 2);
        // An address of the former life reaches this one, and its settings.
        let new = Log::default();
        let again = FactoryRef::connect(factory.actor().clone()).await.unwrap();
        again.update(FactoryUpdate::new().on_discard(new.handler())).await.unwrap();
        for key in 5..8 {
            dispatch(&factory, key, Task::Hang);
        }
        pass(&system, MS).await;
        supervisor.kill_and_wait(None).await.unwrap();
        pass(&system, MS).await;
        assert_eq!((new.get().discarded.len(), log.get().discarded.len()), (3, 3));
    });
}

/// Whoever spawns one may have to be `Send`: the compiler is asked here.
#[test]
fn a17_a_task_may_spawn_a_factory_of_closures() {
    fn sent<T: Send>(task: T) -> T {
        task
    }
    simulate(async |system| {
        let task = sent(async move {
            let work = |_: u32, port: ReplyPort<u32>| async move {
                _ = port.send(42);
                Ok::<(), ActorError>(())
            };
            let factory = FactoryBuilder::closure(work).spawn_in(&system).await.unwrap();
            factory.call(7, |port| port).await.unwrap()
        });
        assert_eq!(task.await, 42);
    });
}
