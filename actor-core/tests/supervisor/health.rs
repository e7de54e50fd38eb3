//! Children that are asked how they are.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_core::{HealthCheck, Restart, Shutdown, Supervisor};

use super::family::{Ask, Cradle, Diary, MS, states};

const EVERY: HealthCheck =
    HealthCheck { interval: Duration::from_millis(10), timeout: Duration::from_millis(5), threshold: 3 };

pub(super) async fn c09_checks_that_fail_in_a_row_are_one_restart(cradle: impl Cradle) {
    let diary = Diary::default();
    let checks = Arc::new(AtomicU32::new(0));
    // Two fail, one does not, three fail, and then it is well.
    let answers = [false, false, true, false, false, false];
    let check = {
        let checks = checks.clone();
        move |_| {
            let number = checks.fetch_add(1, Ordering::SeqCst) as usize;
            let is_healthy = answers.get(number).copied().unwrap_or(true);
            async move { is_healthy }
        }
    };
    let spec = cradle.kid("a", &diary).restart(Restart::Transient).health(EVERY, check);
    let supervisor = cradle.spawn(Supervisor::builder().child(spec)).await.unwrap();
    cradle.pass(55 * MS).await;
    assert_eq!((checks.load(Ordering::SeqCst), diary.take()), (5, "+a".to_owned()));
    cradle.pass(10 * MS).await;
    assert_eq!((checks.load(Ordering::SeqCst), diary.take()), (6, "-a +a".to_owned()));
    cradle.pass(500 * MS).await;
    assert!(checks.load(Ordering::SeqCst) > 50);
    assert_eq!((states(&supervisor).await, diary.take()), (vec!["a:Running:1".to_owned()], String::new()));
    // Nobody asks one that has ended.
    assert!(supervisor.end_child("a").await.is_ok());
    let asked = checks.load(Ordering::SeqCst);
    cradle.pass(100 * MS).await;
    assert_eq!(checks.load(Ordering::SeqCst), asked);
}

pub(super) async fn c09_a_slow_check_and_one_that_panics_have_failed(cradle: impl Cradle) {
    let diary = Diary::default();
    let once = HealthCheck { threshold: 1, ..EVERY };
    // It hangs, so a call of it takes too long, and a stop does as well.
    let slow = cradle
        .kid("a", &diary)
        .shutdown(Shutdown::Stop(20 * MS))
        .health(once, |a| async move { a.call(Ask::Count).await.is_ok() });
    let panics = cradle.kid("b", &diary).restart(Restart::Temporary).health(once, |_| async {
        assert_eq!(1, 2, "it is not well");
        pending().await
    });
    let supervisor = cradle.spawn(Supervisor::builder().child(slow).child(panics)).await.unwrap();
    supervisor.find::<Ask>("a").await.unwrap().cast(Ask::Hang).unwrap();
    cradle.pass(12 * MS).await;
    assert_eq!(states(&supervisor).await, ["a:Running:0"]);
    assert_eq!(diary.take(), "+a +b -b");
    cradle.pass(4 * MS).await;
    assert_eq!(states(&supervisor).await, ["a:Stopping:0"]);
    cradle.pass(20 * MS).await;
    assert_eq!((states(&supervisor).await, diary.take()), (vec!["a:Running:1".to_owned()], "+a".to_owned()));
}

/// What is said of a life that has ended is not held against the next one.
pub(super) async fn c09_a_check_of_a_former_life_does_not_count(cradle: impl Cradle) {
    for falls in [true, false] {
        let diary = Diary::default();
        let once = HealthCheck { threshold: 1, ..EVERY };
        let (clock, checks) = (cradle.system().executor().clone(), Arc::new(AtomicU32::new(0)));
        let check = {
            let (clock, checks) = (clock.clone(), checks.clone());
            move |_| {
                let is_first = checks.fetch_add(1, Ordering::SeqCst) == 0;
                // sleep: virtual time.
                let sleep = clock.sleep(4 * MS);
                async move {
                    sleep.await;
                    !is_first
                }
            }
        };
        let supervisor = cradle
            .spawn(Supervisor::builder().child(cradle.kid("a", &diary).health(once, check)))
            .await
            .unwrap();
        cradle.pass(12 * MS).await;
        assert_eq!(checks.load(Ordering::SeqCst), 1, "the check has begun");
        if falls {
            supervisor.find::<Ask>("a").await.unwrap().cast(Ask::Fall).unwrap();
        } else {
            supervisor.end_child("a").await.unwrap();
            supervisor.restart_child("a").await.unwrap();
        }
        cradle.pass(20 * MS).await;
        let restarts = u32::from(falls);
        assert_eq!(states(&supervisor).await, [format!("a:Running:{restarts}")]);
        assert!(checks.load(Ordering::SeqCst) > 1);
    }
}

/// It panics when it is dropped.
struct Shard;

impl Drop for Shard {
    fn drop(&mut self) {
        panic!("shard");
    }
}

pub(super) async fn a_check_may_panic_when_it_is_given_up(cradle: impl Cradle) {
    let diary = Diary::default();
    let once = HealthCheck { threshold: 1, ..EVERY };
    let spec = cradle.kid("a", &diary).health(once, |_| {
        let shard = Shard;
        async move {
            let _held = shard;
            pending().await
        }
    });
    let supervisor = cradle.spawn(Supervisor::builder().child(spec)).await.unwrap();
    cradle.pass(17 * MS).await;
    assert_eq!(
        (states(&supervisor).await, diary.take()),
        (vec!["a:Running:1".to_owned()], "+a -a +a".into())
    );
    cradle.pass(12 * MS).await;
    // In the midst of a check.
    assert!(supervisor.end_child("a").await.is_ok());
    cradle.pass(100 * MS).await;
    assert_eq!((states(&supervisor).await, diary.take()), (vec!["a:Ended:1".to_owned()], "-a".into()));
}
