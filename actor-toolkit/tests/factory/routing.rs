//! A18: which worker a job goes to.

use std::collections::BTreeMap;

use actor_core::{ActorRef, Capacity};
use actor_toolkit::factory::{Job, JobError, Routing, Workers};

use super::support::{Log, MS, Message, Task, dispatch, dispatch_notes, hands, pass, simulate};

/// Where the jobs of each key were done, and in which order.
fn by_key(log: &Log) -> BTreeMap<u32, (Vec<usize>, Vec<u32>)> {
    let mut keys = BTreeMap::<u32, (Vec<usize>, Vec<u32>)>::new();
    for (worker, key, number) in &log.get().done {
        let (workers, numbers) = keys.entry(*key).or_default();
        workers.push(*worker);
        numbers.push(*number);
    }
    keys
}

#[test]
fn a18_jobs_of_one_key_go_to_one_worker_in_order() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(5, &log).routing(Routing::KeyPersistent).spawn_in(&system).await.unwrap();
        for number in 0..200 {
            dispatch(&factory, number % 23, Task::Take(number, MS));
        }
        factory.drain_and_wait(None).await.unwrap();
        let keys = by_key(&log);
        assert_eq!(keys.len(), 23);
        let mut used = std::collections::BTreeSet::new();
        for (key, (workers, numbers)) in keys {
            assert!(workers.iter().all(|worker| *worker == workers[0]), "{key}");
            assert!(numbers.is_sorted(), "{key}");
            used.insert(workers[0]);
        }
        assert_eq!(used.len(), 5, "23 keys are spread");
    });
}

#[test]
fn a18_a_key_with_jobs_stays_with_its_worker_while_the_pool_grows_and_shrinks() {
    simulate(async |system| {
        for (from, to) in [(2, 7), (7, 2), (3, 4)] {
            let log = Log::default();
            let builder = hands(from, &log).routing(Routing::KeyPersistent);
            let factory = builder.spawn_in(&system).await.unwrap();
            for number in 0..40 {
                dispatch(&factory, number % 10, Task::Take(number, 10 * MS));
            }
            pass(&system, 15 * MS).await;
            factory.resize(to).await.unwrap();
            for number in 40..80 {
                dispatch(&factory, number % 10, Task::Take(number, 10 * MS));
            }
            pass(&system, 5_000 * MS).await;
            for (key, (workers, numbers)) in by_key(&log) {
                assert!(workers.iter().all(|worker| *worker == workers[0]), "{from} {to} {key} {workers:?}");
                assert!(numbers.is_sorted(), "{from} {to} {key}");
                assert_eq!(numbers.len(), 8);
            }
            // Without jobs, a key is wherever the pool's new size says.
            for number in 100..200 {
                dispatch(&factory, number, Task::Note(number));
            }
            pass(&system, MS).await;
            let done = log.get().done.clone();
            assert!(done.iter().filter(|(_, key, _)| *key >= 100).all(|(worker, ..)| *worker < to));
            assert_eq!(factory.available_capacity().await.unwrap(), to);
        }
    });
}

#[test]
fn a18_whoever_is_idle_gets_the_next_job() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(3, &log).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(0, 100 * MS));
        for number in 1..=20 {
            dispatch(&factory, 0, Task::Take(number, 10 * MS));
        }
        // Between two moments at which somebody is done.
        pass(&system, 85 * MS).await;
        assert_eq!(log.numbers().len(), 16, "two workers did eight each");
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(log.numbers().len(), 21);
    });
}

#[test]
fn a18_a_key_that_is_under_way_stays_with_its_worker() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(3, &log).routing(Routing::StickyQueuer).spawn_in(&system).await.unwrap();
        for number in 0..5 {
            dispatch(&factory, 7, Task::Take(number, 10 * MS));
        }
        // Others are idle, and get what is of other keys.
        dispatch(&factory, 8, Task::Take(10, 10 * MS));
        dispatch(&factory, 9, Task::Take(11, 10 * MS));
        pass(&system, 11 * MS).await;
        assert_eq!(factory.stats().await.unwrap().in_hand, 1);
        assert_eq!(factory.queue_depth().await.unwrap(), 3);
        pass(&system, 50 * MS).await;
        let (workers, numbers) = by_key(&log)[&7].clone();
        assert!(workers.iter().all(|worker| *worker == workers[0]));
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        // No more under way: anybody may have it.
        for number in 0..60 {
            dispatch(&factory, number % 6, Task::Take(number, MS));
        }
        factory.drain_and_wait(None).await.unwrap();
        let keys = by_key(&log);
        for key in 0..6 {
            assert!(keys[&key].1.is_sorted(), "in order, also from worker to worker");
        }
    });
}

#[test]
fn a18_a_key_that_always_has_jobs_holds_up_no_other() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).routing(Routing::StickyQueuer).spawn_in(&system).await.unwrap();
        // Each worker has a key that never runs out of jobs.
        for number in 0..100 {
            dispatch(&factory, 1, Task::Take(number, MS));
            dispatch(&factory, 2, Task::Take(number, MS));
        }
        for number in 0..3 {
            dispatch(&factory, 3, Task::Note(1_000 + number));
        }
        pass(&system, 60 * MS).await;
        let others = log.numbers().iter().filter(|number| **number >= 1_000).count();
        assert_eq!(others, 3);
        factory.drain_and_wait(None).await.unwrap();
        for (key, (workers, numbers)) in by_key(&log) {
            assert!(numbers.is_sorted(), "{key}");
            assert!(key == 3 || workers.iter().all(|worker| *worker == workers[0]), "{key} stays");
        }
        assert_eq!(log.numbers().len(), 203);
    });
}

#[test]
fn a18_round_robin_is_even() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(4, &log).routing(Routing::RoundRobin).spawn_in(&system).await.unwrap();
        dispatch_notes(&factory, 0..100);
        factory.drain_and_wait(None).await.unwrap();
        for (worker, _, number) in &log.get().done {
            assert_eq!(*worker, *number as usize % 4);
        }
        assert_eq!(log.numbers().len(), 100);
    });
}

#[test]
fn a18_the_least_loaded_gets_the_next_job() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(3, &log).routing(Routing::LeastLoaded).spawn_in(&system).await.unwrap();
        // Each has one that takes long; then the third is done first.
        for (number, time) in [(0, 100), (1, 100), (2, 10)] {
            dispatch(&factory, number, Task::Take(number, time * MS));
        }
        pass(&system, 20 * MS).await;
        // Three to the idle one would be unfair: one each, once the idle one has one too.
        for number in 10..16 {
            dispatch(&factory, number, Task::Take(number, 100 * MS));
        }
        factory.drain_and_wait(None).await.unwrap();
        let mut jobs = [0; 3];
        log.get().done.iter().for_each(|(worker, ..)| jobs[*worker] += 1);
        jobs.sort_unstable();
        assert_eq!(jobs, [3, 3, 3]);
        let last = log.get().done.iter().find(|(.., number)| *number == 10).map(|it| it.0);
        let third = log.get().done.iter().find(|(.., number)| *number == 2).map(|it| it.0);
        assert_eq!(last, third, "the first goes to who is idle");
    });
}

#[test]
fn a18_a_router_of_ones_own_is_listened_to_and_every_number_names_a_worker() {
    simulate(async |system| {
        let log = Log::default();
        let router = |key: &u32, _: &Message, workers: &Workers<'_>| {
            assert_eq!(workers.count(), 3);
            match *key {
                90 => usize::MAX,
                91 => panic!("a router that panics"),
                92 => (0..3).min_by_key(|worker| workers.load(*worker)).unwrap(),
                key => key as usize,
            }
        };
        let routing = Routing::Custom(Box::new(router));
        let factory = hands(3, &log).routing(routing).spawn_in(&system).await.unwrap();
        for key in [0, 1, 2, 3, 4, 5, 90, 91] {
            dispatch(&factory, key, Task::Note(key));
        }
        dispatch(&factory, 0, Task::Take(0, MS));
        dispatch(&factory, 92, Task::Note(92));
        factory.drain_and_wait(None).await.unwrap();
        let worker_of = |number: u32| log.get().done.iter().find(|it| it.2 == number).unwrap().0;
        for key in 0..6 {
            assert_eq!(worker_of(key), key as usize % 3);
        }
        assert_eq!(worker_of(90), usize::MAX % 3);
        assert_eq!(worker_of(91), 0, "one that panics says 0");
        assert_ne!(worker_of(92), 0);
        assert!(log.get().discarded.is_empty());
    });
}

#[test]
fn a18_send_errors_give_the_job_back() {
    simulate(async |system| {
        let log = Log::default();
        let builder = hands(1, &log).mailbox(Capacity::try_from(2).unwrap());
        let factory = builder.spawn_in(&system).await.unwrap();
        // Nobody runs before this task waits.
        let sent = (0..9).filter(|n| factory.dispatch(*n, Task::Note(*n).into()).is_ok()).count();
        assert_eq!(sent, 2);
        let full = factory.dispatch(7, Task::Note(7).into()).unwrap_err();
        assert!(matches!(&full, JobError::NotSent(actor_core::SendError::Full(_))));
        let job = full.into_job().unwrap();
        assert_eq!(job.key, 7);
        factory.send(job).await.unwrap();
        pass(&system, MS).await;
        assert_eq!(log.numbers(), [0, 1, 7]);
        factory.stop_and_wait(None, None).await.unwrap();
        for _ in 0..2 {
            let job = Job::new(8, Message::Do(Task::Note(8))).priority(3);
            let error = factory.send(job).await.unwrap_err();
            assert!(matches!(&error, JobError::NotSent(actor_core::SendError::Stopped(..))), "{error}");
            let error = factory.offer(error.into_job().unwrap()).await.unwrap_err();
            assert_eq!(error.into_job().unwrap().key, 8);
            let error = factory.call(9, |port| Message::Ask(9, port)).await.unwrap_err();
            assert!(matches!(error, JobError::NotSent(_)));
        }
        assert!(log.get().discarded.is_empty(), "who got the job back knows");
    });
}

#[test]
fn a18_a_job_may_be_a_call() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).spawn_in(&system).await.unwrap();
        assert_eq!(factory.call(0, |port| Message::Ask(41, port)).await.unwrap(), 42);
        let job = |port| Job::new(0, Message::Ask(1, port)).keep();
        assert_eq!(factory.call_job(job).await.unwrap(), 2);
    });
}

/// A message that others know.
enum Order {
    Paint(u32),
    Nonsense,
}

#[test]
fn a18_a_gateway_makes_jobs_of_messages_of_another_type() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(2, &log).spawn_in(&system).await.unwrap();
        let job = |order: Order| match order {
            Order::Paint(number) => Job::new(number, Message::Do(Task::Note(number))),
            Order::Nonsense => panic!("what cannot be a job"),
        };
        let gateway: ActorRef<Order> = factory.gateway(&system, job).await.unwrap();
        for order in [Order::Paint(1), Order::Nonsense, Order::Paint(2)] {
            gateway.cast(order).ok().unwrap();
        }
        pass(&system, MS).await;
        let mut numbers = log.numbers();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2]);
        factory.stop_and_wait(None, None).await.unwrap();
        gateway.wait(None).await.unwrap();
    });
}
