//! Jobs that begin again when their worker dies with them.

use actor_core::{Backoff, Capacity};
use actor_toolkit::factory::{DiscardReason, FactoryBuilder, Job, Retry, Routing};

use super::support::{HandsRef, Log, MS, Message, Task, dispatch, hands, pass, simulate};

fn retry(factory: &HandsRef, key: u32, task: Task, retry: Retry) {
    factory.dispatch_job(Job::new(key, Message::Do(task)).retry(retry)).unwrap();
}

#[test]
fn a17_a_job_that_may_be_retried_begins_again() {
    simulate(async |system| {
        for (times, begun) in [(Retry::Never, 1), (Retry::Times(1), 2), (Retry::Times(3), 4)] {
            let log = Log::default();
            let factory = hands(2, &log).spawn_in(&system).await.unwrap();
            retry(&factory, 5, Task::Panic, times);
            retry(&factory, 6, Task::Fail, times);
            retry(&factory, 7, Task::Note(7), times);
            pass(&system, MS).await;
            assert_eq!(log.numbers(), [7]);
            let stats = factory.stats().await.unwrap();
            assert_eq!(stats.returned, 2 * (begun - 1), "{times:?}");
            assert_eq!((stats.lost, stats.restarts), (2, 2 * begun), "{times:?}");
            assert_eq!(log.discarded(DiscardReason::Lost), 2);
        }
    });
}

#[test]
fn a17_a_job_is_retried_until_it_is_done() {
    simulate(async |system| {
        let log = Log::default();
        let tries = log.clone();
        let work = move |key: u32, (): ()| {
            let log = tries.clone();
            async move {
                log.get().begun.push(key);
                let times = log.get().begun.iter().filter(|begun| **begun == key).count();
                assert!(times > 5, "not yet");
                log.get().done.push((0, key, key));
                Ok(())
            }
        };
        // One at a time: whoever is retried is before those that wait.
        let builder = FactoryBuilder::closure(work).backoff(Backoff::exponential(MS, 2 * MS));
        let factory = builder.spawn_in(&system).await.unwrap();
        for key in 0..3 {
            factory.dispatch_job(Job::new(key, ()).retry(Retry::Always)).unwrap();
        }
        pass(&system, 100 * MS).await;
        assert_eq!(log.numbers(), [0, 1, 2]);
        assert_eq!(log.get().begun.len(), 18);
        assert!(log.get().begun.is_sorted());
    });
}

#[test]
fn a17_jobs_of_a_key_stay_in_order_when_one_is_retried() {
    simulate(async |system| {
        for routing in [Routing::KeyPersistent, Routing::StickyQueuer] {
            let log = Log::default();
            let tries = log.clone();
            let work = move |key: u32, number: u32| {
                let log = tries.clone();
                async move {
                    log.get().begun.push(number);
                    let times = log.get().begun.iter().filter(|begun| **begun == number).count();
                    assert!(times > 2 || !number.is_multiple_of(3), "not yet");
                    log.get().done.push((0, key, number));
                    Ok(())
                }
            };
            let builder = FactoryBuilder::closure(work).workers(3).backoff(Backoff::NONE).routing(routing);
            let factory = builder.spawn_in(&system).await.unwrap();
            for number in 0..60 {
                factory.dispatch_job(Job::new(number % 7, number).retry(Retry::Always)).unwrap();
            }
            factory.drain_and_wait(None).await.unwrap();
            for key in 0..7 {
                let of_key: Vec<u32> =
                    log.get().done.iter().filter(|it| it.1 == key).map(|it| it.2).collect();
                assert!(of_key.is_sorted(), "{of_key:?}");
            }
            assert_eq!(log.numbers().len(), 60);
        }
    });
}

#[test]
fn a17_a_retry_ends_with_its_time_and_with_its_factory() {
    simulate(async |system| {
        let log = Log::default();
        let backoff = Backoff::exponential(10 * MS, 10 * MS).jitter(0.0);
        let factory = hands(1, &log).backoff(backoff).spawn_in(&system).await.unwrap();
        let job = Job::new(3, Message::Do(Task::Panic)).retry(Retry::Always).ttl(35 * MS);
        factory.dispatch_job(job).unwrap();
        pass(&system, 100 * MS).await;
        assert_eq!(log.get().discarded, [(3, Some(Task::Panic), DiscardReason::Expired)]);
        assert_eq!(factory.stats().await.unwrap().returned, 4);
        retry(&factory, 4, Task::Panic, Retry::Always);
        pass(&system, 15 * MS).await;
        factory.kill_and_wait(None).await.unwrap();
        pass(&system, MS).await;
        assert_eq!(log.get().discarded.last(), Some(&(4, Some(Task::Panic), DiscardReason::Ended)));
    });
}

#[test]
fn a17_what_workers_report_is_not_lost_in_a_full_mailbox() {
    simulate(async |system| {
        let log = Log::default();
        let builder = hands(4, &log).mailbox(Capacity::try_from(1).unwrap());
        let factory = builder.spawn_in(&system).await.unwrap();
        let mut sent = 0;
        for number in 0..400 {
            let job = match number % 10 {
                3 => Job::new(number, Message::Do(Task::Panic)).retry(Retry::Times(2)),
                number => Job::new(number, Message::Do(Task::Note(number))),
            };
            factory.send(job).await.unwrap();
            sent += 1;
            // More than fits, whoever takes its turn.
            if factory.dispatch(0, Task::Note(0).into()).is_ok() {
                sent += 1;
            }
        }
        pass(&system, 100 * MS).await;
        let stats = factory.stats().await.unwrap();
        assert_eq!((stats.completed + stats.lost, stats.lost), (sent, 40));
        assert_eq!((stats.in_hand, stats.waiting, stats.idle), (0, 0, 4));
        dispatch(&factory, 0, Task::Note(7));
        factory.drain_and_wait(None).await.unwrap();
    });
}
