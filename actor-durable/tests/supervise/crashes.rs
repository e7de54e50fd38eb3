//! The process ends at each step of a failure's way: from the child to its supervisor, from there to the one above, and back.

use std::future::{IntoFuture, poll_fn};
use std::task::Poll;

use actor_durable::DurableSystem;
use actor_durable::supervise::{Directive, SupervisorDecision};

use super::recovery::begin_tower;
use super::{
    Work, World, begin, child, decisions, lock, one_for_one, settle, spawn, tree, value, values, worker,
};

/// More steps than a failure's way has.
const STEPS: usize = 60;

/// Lets others run for one step.
async fn step() {
    let mut has_waited = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Puts a poisonous command into a worker's inbox, and gives it so many steps.
async fn poison(system: &DurableSystem, id: &str, steps: usize) {
    worker(system, id).send(Work::Panic).await.expect("it is stored");
    for _ in 0..steps {
        step().await;
    }
}

#[test]
fn d39_d40_a_failure_leads_to_one_decision_wherever_the_process_ends() {
    let mut ways = [0; 2];
    for steps in 0..STEPS {
        let mut world = World::seeded(steps as u64);
        world.run(async |system| {
            begin(system, "s", one_for_one().intensity(100, std::time::Duration::from_secs(10_000))).await;
            spawn(system, "s", child("a", Directive::Restart)).await;
            super::add(system, "a", 5).await;
        });
        let decided = world.run_and_crash(async |system| {
            poison(system, "a", steps).await;
            decisions(system.store(), "s").await.len()
        });
        ways[decided.min(1)] += 1;
        world.run(async |system| {
            // The letter is tried until it is given up.
            crate::stage::pass(system, std::time::Duration::from_secs(100)).await;
            assert_eq!(value(system, "a").await, Some(0), "after {steps} steps");
            let decisions = decisions(system.store(), "s").await;
            let dead = system.store().dead_letters(worker(system, "a").id(), None, 10).await;
            assert_eq!(dead.expect("it is there").len(), 1);
            // Each attempt has failed once; one may have been cut off before it was counted.
            let restarts = decisions.iter().filter(|(_, it)| *it == SupervisorDecision::Restart).count();
            assert_eq!(restarts, decisions.len(), "no failure was decided upon twice: {decisions:?}");
            assert!((5..=6).contains(&restarts), "after {steps} steps: {decisions:?}");
            let tree = tree(system, "s").await;
            assert_eq!(super::children(&tree)[0].2, restarts as u64);
        });
        assert_eq!(*lock(&world.log.starts), ["a"]);
    }
    assert!(ways.iter().all(|count| *count > 0), "it ended before the decision and after it: {ways:?}");
}

#[test]
fn d38_d40_an_escalation_is_not_repeated_wherever_the_process_ends() {
    let mut ways = [0; 2];
    for steps in 0..STEPS {
        let mut world = World::seeded(steps as u64);
        world.run(async |system| begin_tower(system, Directive::Restart).await);
        let climbed = world.run_and_crash(async |system| {
            tree(system, "top").await;
            settle(system).await;
            // A caller's command is not tried again.
            let worker = worker(system, "a");
            let mut call = Box::pin(worker.call(Work::Panic).into_future());
            let mut is_over = false;
            for _ in 0..steps {
                if !is_over {
                    is_over = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
                }
                step().await;
            }
            decisions(system.store(), "top").await.len()
        });
        ways[climbed.min(1)] += 1;
        world.run(async |system| {
            settle(system).await;
            crate::stage::pass(system, std::time::Duration::from_secs(20)).await;
            let [low, top] = [decisions(system.store(), "s").await, decisions(system.store(), "top").await];
            if low.is_empty() {
                // It ended before the failure was stored, so there was none.
                assert_eq!(values(system, ["a", "b"]).await, [Some(1), Some(2)], "after {steps} steps");
                assert!(top.is_empty());
                return;
            }
            assert_eq!(low, [("a".to_owned(), SupervisorDecision::Escalate)], "after {steps} steps");
            assert_eq!(top, [("s".to_owned(), SupervisorDecision::Restart)], "after {steps} steps");
            assert_eq!(values(system, ["a", "b"]).await, [Some(0), Some(0)], "after {steps} steps");
        });
        assert_eq!(*lock(&world.log.starts), ["a", "b"]);
    }
    assert!(ways.iter().all(|count| *count > 0), "it ended before it had climbed and after: {ways:?}");
}
