//! How many jobs may wait, for how long, and how many may come.

use std::sync::Arc;
use std::time::Duration;

use actor_core::limits::MESSAGES_PER_TURN;
use actor_core::{Capacity, SpawnError};
use actor_toolkit::factory::{
    CapacityController, DeadMan, Discard, DiscardReason, FactoryBuilder, FactoryStats, FactoryUpdate, Job,
    JobError, ORDERS_PER_MESSAGE, QUEUE_JOBS_DEFAULT, Queueing, RateLimit, Routing, ShedMode, WORKERS_MAX,
};

use tokio::sync::Notify;

use super::support::{
    HandsRef, Log, MS, Message, Task, dispatch, dispatch_notes, hands, pass, simulate, yield_once,
};

fn routings() -> [Routing<u32, Message>; 6] {
    [
        Routing::Queuer,
        Routing::StickyQueuer,
        Routing::KeyPersistent,
        Routing::RoundRobin,
        Routing::LeastLoaded,
        Routing::Custom(Box::new(|key: &u32, _: &Message, _: &actor_toolkit::factory::Workers<'_>| {
            *key as usize
        })),
    ]
}

fn keep(factory: &HandsRef, number: u32) {
    factory.dispatch_job(Job::new(number, Message::Do(Task::Note(number))).keep()).unwrap();
}

#[test]
fn a17_what_is_over_the_limit_is_shed_exactly() {
    simulate(async |system| {
        for (mode, kept) in [(ShedMode::Newest, 3..8), (ShedMode::Oldest, 103..108)] {
            let log = Log::default();
            let builder = hands(3, &log).discard(Discard::Static { limit: 5, mode });
            let factory = builder.spawn_in(&system).await.unwrap();
            for number in 0..3 {
                dispatch(&factory, number, Task::Take(number, MS));
            }
            dispatch_notes(&factory, 3..108);
            factory.drain_and_wait(None).await.unwrap();
            assert_eq!(log.discarded(DiscardReason::Shed), 100);
            let mut numbers = log.numbers();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..3).chain(kept).collect::<Vec<_>>(), "{mode:?}");
        }
    });
}

/// A factory that has much to do at once does not keep its thread for it.
#[test]
fn a17_much_at_once_lets_others_run() {
    const JOBS: u32 = 20_000;
    simulate(async |system| {
        let (log, gate) = (Log::default(), Arc::new(Notify::new()));
        let opened = gate.clone();
        let work = move |_: u32, _: Message| {
            let opened = opened.clone();
            async move {
                opened.notified().await;
                Ok(())
            }
        };
        let builder = FactoryBuilder::closure(work).on_discard(log.handler()).mailbox(Capacity::Unbounded);
        let factory = builder.spawn_in(&system).await.unwrap();
        let job = |number| Job::new(number, Message::Do(Task::Note(number)));
        factory.dispatch_job(job(0)).unwrap();
        for number in 1..=JOBS {
            factory.dispatch_job(job(number).ttl(5 * MS)).unwrap();
        }
        pass(&system, 9 * MS).await;
        // All of them have expired when the first is done. Whoever runs meanwhile sees some.
        gate.notify_one();
        let mut seen = vec![0];
        while *seen.last().unwrap() < JOBS as usize {
            yield_once().await;
            seen.push(log.discarded(DiscardReason::Expired));
        }
        let turn = MESSAGES_PER_TURN as usize * ORDERS_PER_MESSAGE;
        // By a seed the factory may be next a few times.
        let is_partway = |seen: &usize| (1..JOBS as usize).contains(seen) && seen.is_multiple_of(turn);
        assert!(seen.iter().any(is_partway), "{seen:?}");
    });
}

#[test]
fn a17_a_limit_of_zero_leaves_the_job_in_hand() {
    simulate(async |system| {
        for mode in [ShedMode::Newest, ShedMode::Oldest] {
            for routing in routings() {
                let log = Log::default();
                let name = format!("{routing:?} {mode:?}");
                let builder = hands(1, &log).routing(routing).discard(Discard::Static { limit: 0, mode });
                let factory = builder.spawn_in(&system).await.unwrap();
                for number in 0..4 {
                    dispatch(&factory, 1, Task::Take(number, MS));
                }
                factory.drain_and_wait(None).await.unwrap();
                assert_eq!(log.numbers(), [0], "{name}");
                assert_eq!(log.discarded(DiscardReason::Shed), 3, "{name}");
            }
        }
    });
}

#[test]
fn a17_a_queue_has_a_limit_though_nobody_gave_it_one() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(1, &log).mailbox(Capacity::Unbounded).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Hang);
        let jobs = u32::try_from(QUEUE_JOBS_DEFAULT).unwrap() + 9;
        dispatch_notes(&factory, 0..jobs);
        pass(&system, MS).await;
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.waiting, stats.shed), (QUEUE_JOBS_DEFAULT, 9));
        factory.kill();
    });
}

#[test]
fn a17_what_must_stay_is_shed_by_neither_mode() {
    simulate(async |system| {
        for (mode, expected) in
            [(ShedMode::Newest, vec![99, 1, 2, 3, 4]), (ShedMode::Oldest, vec![99, 2, 3, 4])]
        {
            for routing in [Routing::Queuer, Routing::KeyPersistent] {
                let log = Log::default();
                let builder = hands(1, &log).routing(routing).discard(Discard::Static { limit: 2, mode });
                let factory = builder.spawn_in(&system).await.unwrap();
                dispatch(&factory, 0, Task::Take(99, MS));
                dispatch(&factory, 1, Task::Note(1));
                for number in 2..5 {
                    keep(&factory, number);
                }
                dispatch(&factory, 5, Task::Note(5));
                factory.drain_and_wait(None).await.unwrap();
                assert_eq!(log.numbers(), expected, "{mode:?}");
            }
        }
    });
}

#[test]
fn a17_the_oldest_of_the_lowest_priority_is_shed_first() {
    simulate(async |system| {
        let log = Log::default();
        let builder = hands(1, &log).queueing(Queueing::priority());
        let discard = Discard::Static { limit: 3, mode: ShedMode::Oldest };
        let factory = builder.discard(discard).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(99, MS));
        for (number, priority) in [(1, 0), (2, 4), (3, 4), (4, 1), (5, 3)] {
            let job = Job::new(number, Message::Do(Task::Note(number))).priority(priority);
            factory.dispatch_job(job).unwrap();
        }
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(log.numbers(), [99, 1, 4, 5]);
        let shed: Vec<u32> = log.get().discarded.iter().map(|(key, ..)| *key).collect();
        assert_eq!(shed, [2, 3]);
    });
}

#[test]
fn a17_a_limit_that_changes_is_asked_for_at_its_interval() {
    simulate(async |system| {
        let log = Log::default();
        let update = |stats: &FactoryStats| match stats.waiting {
            0 => 10,
            1 => panic!("a limit that panics"),
            _ => 1,
        };
        let discard = Discard::Dynamic {
            limit: 4,
            mode: ShedMode::Newest,
            interval: 10 * MS,
            update: Box::new(update),
        };
        let factory = hands(1, &log).discard(discard).spawn_in(&system).await.unwrap();
        let dispatched = async |count: u32| {
            dispatch_notes(&factory, 0..count);
            // Longer than the job that is in hand takes, not so long that it is asked.
            factory.stats().await.unwrap().waiting
        };
        dispatch(&factory, 0, Task::Take(0, 21 * MS));
        assert_eq!(dispatched(20).await, 4, "until it is asked");
        pass(&system, 11 * MS).await;
        assert_eq!(dispatched(20).await, 4, "those that wait are not shed for nothing");
        pass(&system, 20 * MS).await;
        dispatch(&factory, 0, Task::Take(0, 15 * MS));
        assert_eq!(dispatched(20).await, 10);
        factory.stop_and_wait(None, None).await.unwrap();
    });
}

#[test]
fn a17_what_has_expired_does_not_begin() {
    simulate(async |system| {
        for routing in routings() {
            let log = Log::default();
            let name = format!("{routing:?}");
            let factory = hands(1, &log).routing(routing).spawn_in(&system).await.unwrap();
            let job =
                |number: u32, ttl: Duration| Job::new(1, Message::Do(Task::Take(number, 10 * MS))).ttl(ttl);
            // The first takes longer than it may wait: that is looked at before it begins.
            for (number, ttl) in [(0, 5), (1, 9), (2, 10), (3, 11), (4, 1_000)] {
                factory.dispatch_job(job(number, ttl * MS)).unwrap();
            }
            factory.dispatch_job(job(5, Duration::ZERO)).unwrap();
            factory.drain_and_wait(None).await.unwrap();
            assert_eq!(log.numbers(), [0, 3, 4], "{name}");
            assert_eq!(log.discarded(DiscardReason::Expired), 3, "{name}");
        }
    });
}

#[test]
fn a17_five_of_ten_are_over_the_rate_with_every_routing() {
    simulate(async |system| {
        for routing in routings() {
            let log = Log::default();
            let name = format!("{routing:?}");
            let rate = RateLimit { max: 5, refill: 1, interval: 1_000 * MS, initial: 5 };
            let factory = hands(2, &log).routing(routing).rate_limit(rate).spawn_in(&system).await.unwrap();
            dispatch_notes(&factory, 0..10);
            pass(&system, MS).await;
            assert_eq!((log.numbers().len(), log.discarded(DiscardReason::RateLimited)), (5, 5), "{name}");
            pass(&system, 2_000 * MS).await;
            dispatch_notes(&factory, 0..10);
            pass(&system, MS).await;
            assert_eq!((log.numbers().len(), log.discarded(DiscardReason::RateLimited)), (7, 13), "{name}");
        }
    });
}

#[test]
fn a17_who_offers_a_job_hears_if_it_was_taken() {
    simulate(async |system| {
        let log = Log::default();
        let builder = hands(1, &log).discard(Discard::Static { limit: 1, mode: ShedMode::Newest });
        let factory = builder.spawn_in(&system).await.unwrap();
        let job = |number: u32| Job::new(number, Message::Do(Task::Take(number, 10 * MS)));
        factory.offer(job(1)).await.unwrap();
        factory.offer(job(2)).await.unwrap();
        let error = factory.offer(job(3)).await.unwrap_err();
        assert_eq!(error.to_string(), "the job was refused: the queue was full");
        assert!(matches!(&error, JobError::Refused(job, DiscardReason::Shed) if job.key == 3));
        let error = factory.call(4, |port| Message::Ask(4, port)).await.unwrap_err();
        assert!(matches!(error, JobError::Refused(_, DiscardReason::Shed)));
        assert!(log.get().discarded.is_empty(), "who has it back knows");
        pass(&system, 5 * MS).await;
        assert!(matches!(
            factory.offer(job(5).ttl(Duration::ZERO)).await,
            Err(JobError::Refused(_, DiscardReason::Expired))
        ));
        factory.drain();
        assert!(matches!(factory.offer(job(6)).await, Err(JobError::Refused(_, DiscardReason::Draining))));
        factory.wait(None).await.unwrap();
        assert_eq!(log.numbers(), [1, 2]);
    });
}

#[test]
fn a17_a_controller_says_how_many_workers_there_are() {
    simulate(async |system| {
        let log = Log::default();
        let workers = |stats: &FactoryStats| match stats.waiting {
            0 => 0,
            1 => panic!("a controller that panics"),
            2 => usize::MAX,
            waiting => waiting,
        };
        let controller = CapacityController::new(100 * MS, workers);
        let factory = hands(1, &log).capacity(controller).spawn_in(&system).await.unwrap();
        for number in 0..5 {
            dispatch(&factory, number, Task::Take(number, 1_000 * MS));
        }
        pass(&system, 99 * MS).await;
        assert_eq!(factory.active_workers().await.unwrap(), 1);
        pass(&system, 2 * MS).await;
        assert_eq!(factory.active_workers().await.unwrap(), 4);
        // One waits: it panics. None does: zero is not listened to.
        pass(&system, 3_000 * MS).await;
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.workers, stats.completed), (4, 5));
        factory.update(FactoryUpdate::new().capacity(None)).await.unwrap();
        factory.resize(1).await.unwrap();
        pass(&system, 500 * MS).await;
        assert_eq!(factory.stats().await.unwrap().workers, 1);
    });
}

#[test]
fn a17_settings_that_cannot_be_used_are_errors_of_who_sets_them() {
    simulate(async |system| {
        let log = Log::default();
        let zero = Duration::ZERO;
        let rate = RateLimit { max: 1, refill: 1, interval: zero, initial: 1 };
        let empty = RateLimit { max: 0, interval: MS, ..rate };
        let dead_man = DeadMan { timeout: zero, is_killing: true };
        let dynamic =
            || Discard::Dynamic { limit: 1, mode: ShedMode::Newest, interval: zero, update: Box::new(|_| 1) };
        let backoff = actor_core::Backoff::exponential(2 * MS, MS);
        let controller = || CapacityController::new(zero, |_| 1);
        let builders = [
            (hands(WORKERS_MAX + 1, &log), "1000001 workers are more than 1000000"),
            (hands(1, &log).rate_limit(rate), "the interval of a rate must not be zero"),
            (hands(1, &log).rate_limit(empty), "what a rate's bucket holds must not be zero"),
            (hands(1, &log).dead_man(dead_man), "the timeout of a dead man's switch must not be zero"),
            (hands(1, &log).discard(dynamic()), "the interval of a limit must not be zero"),
            (hands(1, &log).capacity(controller()), "the interval of a capacity controller must not be zero"),
            (hands(1, &log).backoff(backoff), "the backoff cannot be used"),
        ];
        for (builder, expected) in builders {
            let error = builder.spawn_in(&system).await.unwrap_err();
            assert!(
                matches!(error, SpawnError::Startup(_)) && error.to_string().contains(expected),
                "{error}"
            );
        }
        assert!(log.get().starts.is_empty());
        let factory = hands(1, &log).spawn_in(&system).await.unwrap();
        let updates = [
            FactoryUpdate::new().rate_limit(Some(rate)),
            FactoryUpdate::new().dead_man(Some(dead_man)),
            FactoryUpdate::new().discard(dynamic()),
            FactoryUpdate::new().capacity(Some(controller())),
            FactoryUpdate::new().backoff(backoff),
            FactoryUpdate::new().workers(0),
        ];
        for update in updates {
            // All or nothing.
            factory.update(update.on_discard(|_| panic!("not this one"))).await.unwrap_err();
        }
        dispatch(&factory, 0, Task::Panic);
        pass(&system, MS).await;
        assert_eq!(log.discarded(DiscardReason::Lost), 1);
    });
}
