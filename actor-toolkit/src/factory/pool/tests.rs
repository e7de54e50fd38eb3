//! What a pool says to what it is told, job by job.

use std::time::Duration;

use actor_core::{Backoff, Instant};

use super::{Arrangement, Order, Outcome, Pool, Refusal, Route, Rules, Tags};
use crate::factory::settings::{DeadMan, ShedMode};

const MS: Duration = Duration::from_millis(1);

fn at(ms: u32) -> Instant {
    Instant::ZERO + ms * MS
}

fn rules(route: Route) -> Rules {
    let backoff = Backoff::exponential(10 * MS, 40 * MS).jitter(0.0);
    let (arrangement, in_a_row_max) = (Arrangement::Fifo, 2);
    Rules { route, in_a_row_max, arrangement, limit: None, rate: None, dead_man: None, backoff }
}

fn tags(pick: u64) -> Tags {
    Tags { number: 0, pick, rank: 0, level: 0, is_discardable: true, expires_at: Instant::FAR }
}

/// A pool whose workers are up.
fn pool(rules: Rules, workers: usize) -> Pool<u32> {
    let mut pool = Pool::new(rules, 0, Instant::ZERO);
    pool.resize(workers, Instant::ZERO);
    for worker in (0..).take(workers) {
        assert_eq!(pool.poll_order(), Some(Order::Launch(worker)));
        pool.handle_launched(worker, true, Instant::ZERO, 0);
    }
    assert_eq!(pool.poll_order(), None);
    pool
}

/// Whom the pool gives which job, and with which ticket.
fn assigned(pool: &mut Pool<u32>) -> Option<(u32, u32, u64)> {
    match pool.poll_order()? {
        Order::Assign { worker, ticket, job, .. } => Some((worker, job, ticket)),
        other => panic!("{other:?} instead of a job"),
    }
}

#[test]
fn a18_whoever_was_idle_last_is_first() {
    let mut pool = pool(rules(Route::Idle), 3);
    for job in 0..5 {
        pool.submit(job, tags(0), at(0)).unwrap();
    }
    assert_eq!(assigned(&mut pool), Some((2, 0, 1)));
    assert_eq!(assigned(&mut pool), Some((1, 1, 2)));
    assert_eq!(assigned(&mut pool), Some((0, 2, 3)));
    assert_eq!(assigned(&mut pool), None);
    pool.handle_finished(1, 2, Outcome::Done, at(0)).unwrap();
    assert_eq!(assigned(&mut pool), Some((1, 3, 4)));
    assert!(pool.handle_finished(1, 2, Outcome::Done, at(0)).is_none(), "that one is over");
    assert!(pool.handle_finished(9, 4, Outcome::Done, at(0)).is_none(), "there is no such worker");
    assert_eq!(pool.handle_returned(0, 7, (9, tags(0)), Outcome::Lost, at(0)), Err(9));
}

#[test]
fn a17_each_life_waits_longer_and_a_long_one_is_forgiven() {
    let mut pool = pool(rules(Route::Idle), 1);
    let mut now = at(0);
    for delay in [10, 20, 40, 40] {
        pool.handle_ended(0, false, now, 0);
        // Of one that is down nothing new is heard.
        pool.handle_ended(0, false, now, 0);
        assert_eq!(pool.next_timeout(), Some(now + delay * MS));
        pool.handle_timeout(now + delay * MS / 2);
        assert_eq!(pool.poll_order(), None);
        now = now + delay * MS;
        pool.handle_timeout(now);
        assert_eq!(pool.poll_order(), Some(Order::Restart(0)));
        pool.handle_started(0, now);
    }
    now = now + 80 * MS;
    pool.handle_ended(0, true, now, 0);
    assert_eq!(pool.next_timeout(), Some(now + 10 * MS));
    pool.handle_timeout(now + 10 * MS);
    assert_eq!(pool.poll_order(), Some(Order::Launch(0)), "there is nobody to live again");
    pool.handle_launched(0, false, now + 10 * MS, 0);
    assert_eq!(pool.next_timeout(), Some(now + 30 * MS));
}

#[test]
fn a17_a_job_that_is_returned_is_the_next_and_waits_for_its_worker() {
    for (route, elsewhere) in
        [(Route::Idle, true), (Route::Sticky, true), (Route::Key, false), (Route::Turn, false)]
    {
        let mut pool = pool(rules(route), 2);
        pool.submit(7, tags(0), at(0)).unwrap();
        let Some(Order::Assign { worker, ticket, job, tags }) = pool.poll_order() else {
            panic!("{route:?}")
        };
        pool.handle_returned(worker, ticket, (job, tags), Outcome::Fatal, at(0)).unwrap();
        let again = assigned(&mut pool).map(|(worker, job, _)| (worker, job));
        assert_eq!(again, elsewhere.then_some((1 - worker, 7)), "{route:?}");
        if !elsewhere {
            pool.handle_ended(worker, false, at(0), 0);
            pool.handle_timeout(at(10));
            assert_eq!(pool.poll_order(), Some(Order::Restart(worker)));
            pool.handle_started(worker, at(10));
            assert_eq!(assigned(&mut pool).map(|(worker, job, _)| (worker, job)), Some((worker, 7)));
        }
    }
}

#[test]
fn a17_who_has_been_busy_for_longest_is_stuck_first() {
    let dead_man = Some(DeadMan { timeout: 10 * MS, is_killing: true });
    let mut pool = pool(Rules { dead_man, ..rules(Route::Turn) }, 3);
    assert_eq!(pool.next_timeout(), None);
    for job in 0..3 {
        pool.submit(job, tags(0), at(job)).unwrap();
        assert!(assigned(&mut pool).is_some());
    }
    pool.handle_finished(0, 1, Outcome::Done, at(5)).unwrap();
    assert_eq!(pool.next_timeout(), Some(at(11)));
    pool.handle_timeout(at(11));
    assert_eq!(pool.poll_order(), Some(Order::Stuck(1, 10 * MS)));
    assert_eq!(pool.poll_order(), Some(Order::Kill(1)));
    assert_eq!(pool.poll_order(), None);
    assert_eq!(pool.next_timeout(), Some(at(12)));
    let shorter = Some(DeadMan { timeout: 4 * MS, is_killing: false });
    pool.set_dead_man(shorter, at(11));
    assert_eq!(pool.next_timeout(), Some(at(5)), "long ago");
    pool.handle_timeout(at(11));
    // The one that was found before is found by this one too.
    assert_eq!(pool.poll_order(), Some(Order::Stuck(1, 10 * MS)));
    assert_eq!(pool.poll_order(), Some(Order::Stuck(2, 9 * MS)));
    assert_eq!((pool.poll_order(), pool.next_timeout()), (None, None));
    pool.set_dead_man(shorter, at(11));
    assert_eq!(pool.next_timeout(), None, "it is the same");
}

#[test]
fn a17_the_line_of_a_key_goes_on_when_its_first_is_shed() {
    let limit = Some((3, ShedMode::Oldest));
    let mut pool = pool(Rules { limit, ..rules(Route::Sticky) }, 1);
    // One runs. Of key 5 one waits, and another behind it.
    for (job, pick) in [(0, 4), (1, 5), (2, 5), (3, 6)] {
        pool.submit(job, tags(pick), at(0)).unwrap();
    }
    assert_eq!(assigned(&mut pool), Some((0, 0, 1)));
    pool.submit(4, tags(7), at(0)).unwrap();
    assert_eq!(pool.poll_order(), Some(Order::Discard { job: 1, refusal: Refusal::Shed }));
    let mut ticket = 1;
    for expected in [3, 2, 4] {
        pool.handle_finished(0, ticket, Outcome::Done, at(0)).unwrap();
        let (worker, job, next) = assigned(&mut pool).unwrap();
        assert_eq!((worker, job), (0, expected));
        ticket = next;
    }
}

#[test]
fn a18_what_waits_behind_another_job_goes_on_when_its_worker_is_down() {
    let mut pool = pool(rules(Route::Sticky), 2);
    for (job, pick) in [(0, 5), (1, 6), (2, 5), (3, 5), (4, 5), (5, 7)] {
        pool.submit(job, tags(pick), at(0)).unwrap();
    }
    assert_eq!(assigned(&mut pool), Some((1, 0, 1)));
    assert_eq!(assigned(&mut pool), Some((0, 1, 2)));
    // After two more of its key, worker 1 has the one of another.
    for (ticket, job, next) in [(1, 2, 3), (3, 3, 4), (4, 5, 5)] {
        pool.handle_finished(1, ticket, Outcome::Done, at(0)).unwrap();
        assert_eq!(assigned(&mut pool), Some((1, job, next)));
    }
    pool.handle_finished(0, 2, Outcome::Done, at(0)).unwrap();
    assert_eq!(assigned(&mut pool), None, "the last of key 5 waits for worker 1");
    pool.handle_finished(1, 5, Outcome::Fatal, at(0)).unwrap();
    pool.handle_ended(1, false, at(0), 0);
    assert_eq!(assigned(&mut pool), Some((0, 4, 6)));
    assert_eq!((assigned(&mut pool), pool.counts().waiting), (None, 0));
}

#[test]
fn a18_nobody_looks_at_all_workers() {
    const WORKERS: usize = 10_000;
    const JOBS: u32 = 20_000;
    for route in [Route::Key, Route::Idle, Route::Sticky, Route::Turn, Route::Least, Route::Picked] {
        let mut pool = pool(rules(route), WORKERS);
        let mut in_hand = Vec::new();
        (pool.looks, pool.loads.looks) = (0, 0);
        for job in 0..JOBS {
            let key = u64::from(job % 777).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            pool.submit(job, tags(key), at(0)).unwrap();
            while let Some((worker, _, ticket)) = assigned(&mut pool) {
                in_hand.push((worker, ticket));
            }
            // Half of them are done at once.
            if job % 2 == 0
                && let Some((worker, ticket)) = in_hand.pop()
            {
                pool.handle_finished(worker, ticket, Outcome::Done, at(0)).unwrap();
            }
        }
        let looks = pool.looks + pool.loads.looks;
        assert!(looks <= u64::from(JOBS), "{route:?} looked {looks} times for {JOBS} jobs");
    }
}
