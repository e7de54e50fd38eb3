//! What is told of a factory, and what may be changed while it runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{ActorError, Exit};
use actor_toolkit::factory::{
    CapacityController, Discard, DiscardReason, FactoryEvent, FactoryHooks, FactoryStats, FactoryUpdate,
    RateLimit, Retry, ShedMode, Workers,
};
use actor_toolkit::factory::{Job, Routing};

use super::support::{HandsRef, Log, MS, Message, Task, dispatch, dispatch_notes, hands, pass, simulate};

#[test]
fn a17_what_is_counted_is_exact() {
    simulate(async |system| {
        for routing in [Routing::Queuer, Routing::KeyPersistent] {
            let log = Log::default();
            let discard = Discard::Static { limit: 3, mode: ShedMode::Newest };
            let factory = hands(1, &log).routing(routing).discard(discard).spawn_in(&system).await.unwrap();
            dispatch(&factory, 0, Task::Take(0, 10 * MS));
            dispatch(&factory, 0, Task::Panic);
            dispatch_notes(&factory, 1..3);
            dispatch_notes(&factory, 3..7);
            pass(&system, MS).await;
            assert_eq!(factory.active_workers().await.unwrap(), 1);
            assert_eq!(factory.queue_depth().await.unwrap(), 3);
            assert_eq!(factory.available_capacity().await.unwrap(), 0);
            let job = Job::new(0, Message::Do(Task::Panic)).retry(Retry::Times(1)).keep();
            factory.dispatch_job(job).unwrap();
            pass(&system, 20 * MS).await;
            let stats = factory.stats().await.unwrap();
            let mut expected = FactoryStats::default();
            expected.workers = 1;
            expected.idle = 1;
            expected.accepted = 5;
            expected.refused = 4;
            expected.completed = 3;
            expected.lost = 2;
            expected.returned = 1;
            expected.shed = 4;
            expected.restarts = 3;
            assert_eq!(stats, expected);
        }
    });
}

#[test]
fn a17_an_observer_is_told_of_each_thing_once() {
    simulate(async |system| {
        let log = Log::default();
        let events = Arc::new(Mutex::new(Vec::new()));
        let of = events.clone();
        let observer = move |event: &FactoryEvent| of.lock().unwrap().push(event.clone());
        let discard = Discard::Static { limit: 1, mode: ShedMode::Oldest };
        let factory = hands(1, &log).discard(discard).observer(observer).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(0, 10 * MS));
        pass(&system, 4 * MS).await;
        dispatch_notes(&factory, 1..3);
        pass(&system, 10 * MS).await;
        dispatch(&factory, 0, Task::Panic);
        pass(&system, MS).await;
        factory.resize(2).await.unwrap();
        pass(&system, MS).await;
        factory.drain_and_wait(None).await.unwrap();
        let events = std::mem::take(&mut *events.lock().unwrap());
        let (worker, zero) = (0, Duration::ZERO);
        let expected = [
            FactoryEvent::Accepted,
            FactoryEvent::Assigned { worker, waited: zero },
            FactoryEvent::Accepted,
            FactoryEvent::Accepted,
            FactoryEvent::Discarded(DiscardReason::Shed),
            FactoryEvent::Completed { worker, took: 10 * MS },
            FactoryEvent::Assigned { worker, waited: 6 * MS },
            FactoryEvent::Completed { worker, took: zero },
            FactoryEvent::Accepted,
            FactoryEvent::Assigned { worker, waited: zero },
            FactoryEvent::Lost { worker, took: zero },
            FactoryEvent::Resized { workers: 2 },
            FactoryEvent::WorkerStarted { worker: 1 },
            FactoryEvent::Draining,
            FactoryEvent::Drained,
        ];
        let mut expected = expected.into_iter();
        let mut next = expected.next();
        for event in &events {
            // Lives are told in between, beside the jobs.
            if Some(event) == next.as_ref() {
                next = expected.next();
            } else {
                let is_life =
                    matches!(event, FactoryEvent::WorkerStarted { .. } | FactoryEvent::WorkerEnded { .. });
                assert!(is_life, "{event:?} instead of {next:?}: {events:#?}");
            }
        }
        assert_eq!(next, None, "{events:#?}");
        let count = |wanted: fn(&FactoryEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
        let begun = count(|event| matches!(event, FactoryEvent::WorkerStarted { .. }));
        let ended = count(|event| matches!(event, FactoryEvent::WorkerEnded { .. }));
        assert_eq!((begun, ended), (3, 1));
    });
}

#[test]
fn a17_an_observer_is_told_of_each_life_once() {
    simulate(async |system| {
        let log = Log::default();
        let lives = Arc::new(Mutex::new(Vec::new()));
        let of = lives.clone();
        let observer = move |event: &FactoryEvent| match event {
            FactoryEvent::WorkerStarted { worker } => of.lock().unwrap().push((*worker, "started")),
            FactoryEvent::WorkerEnded { worker, .. } => of.lock().unwrap().push((*worker, "ended")),
            _ => {}
        };
        let factory = hands(2, &log).observer(observer).spawn_in(&system).await.unwrap();
        assert_eq!(*lives.lock().unwrap(), [(0, "started"), (1, "started")]);
        factory.resize(5).await.unwrap();
        pass(&system, MS).await;
        for _ in 0..3 {
            dispatch(&factory, 0, Task::Panic);
            pass(&system, MS).await;
        }
        let mut heard = std::mem::take(&mut *lives.lock().unwrap());
        let ended = heard.iter().filter(|(_, what)| *what == "ended").count();
        assert_eq!((ended, heard.len()), (3, 5 + 2 * 3), "{heard:?}");
        // Of each worker in turn.
        heard.sort_by_key(|(worker, _)| *worker);
        for lives in heard.chunk_by(|one, next| one.0 == next.0) {
            let is_in_turn = lives
                .iter()
                .map(|life| life.1)
                .eq(["started", "ended"].into_iter().cycle().take(lives.len()));
            assert!(is_in_turn, "{lives:?}");
        }
    });
}

#[test]
fn a17_an_observer_that_comes_later_is_told_times_from_then_on() {
    simulate(async |system| {
        let log = Log::default();
        pass(&system, 1_000 * MS).await;
        let factory = hands(1, &log).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(0, 10 * MS));
        dispatch(&factory, 1, Task::Take(1, 10 * MS));
        pass(&system, 4 * MS).await;
        let events = Arc::new(Mutex::new(Vec::new()));
        let of = events.clone();
        let observer = move |event: &FactoryEvent| of.lock().unwrap().push(event.clone());
        factory.update(FactoryUpdate::new().observer(observer)).await.unwrap();
        pass(&system, 20 * MS).await;
        let worker = 0;
        let expected = [
            FactoryEvent::Completed { worker, took: 6 * MS },
            FactoryEvent::Assigned { worker, waited: 6 * MS },
            FactoryEvent::Completed { worker, took: 10 * MS },
        ];
        assert_eq!(*events.lock().unwrap(), expected);
    });
}

struct Says(Log);

impl FactoryHooks<u32, Message> for Says {
    fn draining(&self, _: &HandsRef) -> Result<(), ActorError> {
        self.0.get().stops += 100;
        Ok(())
    }
}

#[test]
fn a17_everything_may_be_set_anew() {
    simulate(async |system| {
        let (log, new) = (Log::default(), Log::default());
        let factory = hands(1, &log).spawn_in(&system).await.unwrap();
        let events = Log::default();
        let of = events.clone();
        let update = FactoryUpdate::new()
            .workers(2)
            .discard(Discard::Static { limit: 1, mode: ShedMode::Oldest })
            .on_discard(new.handler())
            .hooks(Says(new.clone()))
            .observer(move |_: &FactoryEvent| of.get().stops += 1);
        factory.update(update).await.unwrap();
        pass(&system, MS).await;
        assert_eq!(factory.available_capacity().await.unwrap(), 2);
        for number in 0..5 {
            dispatch(&factory, number, Task::Take(number, 10 * MS));
        }
        pass(&system, 30 * MS).await;
        assert_eq!(new.discarded(DiscardReason::Shed), 2);
        let mut numbers = log.numbers();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 4]);
        let rate = RateLimit { max: 1, refill: 1, interval: 1_000 * MS, initial: 1 };
        let update = FactoryUpdate::new()
            .rate_limit(Some(rate))
            .capacity(Some(CapacityController::new(10 * MS, |_: &FactoryStats| 5)));
        factory.update(update).await.unwrap();
        dispatch_notes(&factory, 10..14);
        pass(&system, 11 * MS).await;
        assert_eq!(new.discarded(DiscardReason::RateLimited), 3);
        assert_eq!(factory.stats().await.unwrap().workers, 5);
        factory.update(FactoryUpdate::new().rate_limit(None)).await.unwrap();
        dispatch_notes(&factory, 20..24);
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(log.numbers().len(), 3 + 1 + 4);
        assert_eq!(new.get().stops, 100);
        assert!(events.get().stops > 10);
        assert!(log.get().discarded.is_empty(), "the former handler is told nothing");
    });
}

/// Part of a setting, whose destructor panics.
struct Brittle;

impl Brittle {
    fn hold(&self) {}
}

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("a setting's destructor");
    }
}

impl FactoryHooks<u32, Message> for Brittle {}

#[test]
fn a17_a_setting_whose_destructor_panics_is_replaced_all_the_same() {
    simulate(async |system| {
        let log = Log::default();
        let brittle = || {
            let (of_limit, of_capacity, of_observer) = (Brittle, Brittle, Brittle);
            let limit = move |_: &FactoryStats| {
                of_limit.hold();
                7
            };
            let workers = move |stats: &FactoryStats| {
                of_capacity.hold();
                stats.workers
            };
            let discard =
                Discard::Dynamic { limit: 7, mode: ShedMode::Newest, interval: MS, update: Box::new(limit) };
            FactoryUpdate::new()
                .discard(discard)
                .capacity(Some(CapacityController::new(MS, workers)))
                .hooks(Brittle)
                .observer(move |_: &FactoryEvent| of_observer.hold())
        };
        let factory = hands(1, &log).spawn_in(&system).await.unwrap();
        factory.update(brittle()).await.unwrap();
        let update = FactoryUpdate::new()
            .discard(Discard::Never)
            .capacity(None)
            .hooks(Says(log.clone()))
            .observer(|_: &FactoryEvent| {});
        factory.update(update).await.unwrap();
        dispatch_notes(&factory, 0..20);
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!((log.numbers().len(), log.get().stops), (20, 101));
        // Nor does it abort the process if several panic when the factory ends.
        let router_part = Brittle;
        let router = move |_: &u32, _: &Message, _: &Workers<'_>| {
            router_part.hold();
            0
        };
        let builder = hands(1, &log).routing(Routing::Custom(Box::new(router)));
        let factory = builder.spawn_in(&system).await.unwrap();
        factory.update(brittle()).await.unwrap();
        assert_eq!(factory.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    });
}
