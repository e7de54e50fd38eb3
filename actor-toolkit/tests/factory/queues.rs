//! A19: in which order jobs run that wait.

use std::num::NonZeroU32;

use actor_core::SpawnError;
use actor_toolkit::factory::{
    Discard, DiscardReason, Job, JobError, PRIORITIES_MAX, Queueing, Routing, ShedMode,
};

use super::support::{HandsRef, Log, MS, Message, Task, dispatch, hands, pass, simulate};

fn send(factory: &HandsRef, number: u32, priority: u8) {
    let job = Job::new(0, Message::Do(Task::Note(number))).priority(priority);
    factory.dispatch_job(job).unwrap();
}

#[test]
fn a19_first_in_first_out() {
    simulate(async |system| {
        let log = Log::default();
        let factory = hands(1, &log).spawn_in(&system).await.unwrap();
        for number in 0..50 {
            // Without priorities, nobody looks at them.
            send(&factory, number, (number % 7) as u8);
        }
        factory.drain_and_wait(None).await.unwrap();
        assert!(log.numbers().is_sorted());
        assert_eq!(log.numbers().len(), 50);
    });
}

#[test]
fn a19_the_urgent_that_comes_last_runs_next() {
    simulate(async |system| {
        for routing in [Routing::Queuer, Routing::KeyPersistent, Routing::StickyQueuer, Routing::LeastLoaded]
        {
            let log = Log::default();
            let builder = hands(1, &log).routing(routing).queueing(Queueing::priority());
            let factory = builder.spawn_in(&system).await.unwrap();
            dispatch(&factory, 0, Task::Take(99, MS));
            for (number, priority) in [(4, 4), (30, 3), (20, 2), (31, 3), (10, 1), (0, 0)] {
                send(&factory, number, priority);
            }
            // Of the middle one, if it does not say.
            dispatch(&factory, 0, Task::Note(21));
            factory.drain_and_wait(None).await.unwrap();
            assert_eq!(log.numbers(), [99, 0, 10, 20, 21, 30, 31, 4]);
        }
    });
}

#[test]
fn a19_a_lower_priority_has_its_turn_after_so_many_of_higher_ones() {
    simulate(async |system| {
        for (ageing, expected) in
            [(NonZeroU32::new(3), [99, 1, 2, 3, 50, 4, 5, 6, 51, 7]), (None, [99, 1, 2, 3, 4, 5, 6, 7, 8, 9])]
        {
            let log = Log::default();
            let queueing = Queueing::Priority { levels: 2, ageing };
            let factory = hands(1, &log).queueing(queueing).spawn_in(&system).await.unwrap();
            dispatch(&factory, 0, Task::Take(99, MS));
            pass(&system, MS / 2).await;
            for number in 50..53 {
                send(&factory, number, 1);
            }
            for number in 1..10 {
                send(&factory, number, 0);
            }
            factory.drain_and_wait(None).await.unwrap();
            assert_eq!(log.numbers()[..10], expected);
        }
    });
}

#[test]
fn a19_a_priority_that_is_not_there_is_an_error_of_who_asks() {
    simulate(async |system| {
        let log = Log::default();
        let queueing = Queueing::Priority { levels: 3, ageing: None };
        let factory = hands(1, &log).queueing(queueing).spawn_in(&system).await.unwrap();
        let job = || Job::new(5, Message::Do(Task::Note(5))).priority(3);
        let error = factory.dispatch_job(job()).unwrap_err();
        assert_eq!(error.to_string(), "the factory has the priorities 0 to 2, and not 3");
        assert!(matches!(error, JobError::NoSuchPriority(Job { key: 5, .. }, 3)));
        assert!(matches!(factory.send(job()).await, Err(JobError::NoSuchPriority(..))));
        assert!(matches!(factory.offer(job()).await, Err(JobError::NoSuchPriority(..))));
        send(&factory, 6, 2);
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(log.numbers(), [6]);
        for levels in [0, PRIORITIES_MAX + 1, u8::MAX] {
            let queueing = Queueing::Priority { levels, ageing: None };
            let error = hands(1, &log).queueing(queueing).spawn_in(&system).await.unwrap_err();
            assert!(matches!(error, SpawnError::Startup(_)));
            let expected = format!("a factory has from 1 to {PRIORITIES_MAX} priorities, not {levels}");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    });
}

#[test]
fn a19_a_rank_of_ones_own_orders_what_waits() {
    simulate(async |system| {
        let log = Log::default();
        let rank = |key: &u32, _: &Message| match *key {
            77 => panic!("a rank that panics"),
            key => -i64::from(key),
        };
        let builder = hands(1, &log).queueing(Queueing::ranked(rank));
        let discard = Discard::Static { limit: 6, mode: ShedMode::Oldest };
        let factory = builder.discard(discard).spawn_in(&system).await.unwrap();
        dispatch(&factory, 0, Task::Take(99, MS));
        pass(&system, MS / 2).await;
        for (number, key) in [(1, 5), (2, 9), (3, 77), (4, 9), (5, 5), (6, 7)] {
            dispatch(&factory, key, Task::Note(number));
        }
        // The one that panics would run last, so it goes.
        dispatch(&factory, 6, Task::Note(7));
        factory.drain_and_wait(None).await.unwrap();
        assert_eq!(log.numbers(), [99, 2, 4, 6, 7, 1, 5]);
        assert_eq!(log.get().discarded, [(77, Some(Task::Note(3)), DiscardReason::Shed)]);
    });
}
