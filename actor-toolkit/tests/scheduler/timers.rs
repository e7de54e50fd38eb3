//! Once and again and again, by the executor's clock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use actor_core::{ActorSystem, Capacity, Exit, MissedTicks, Overflow, SendError, SpawnOptions};
use actor_toolkit::scheduler::{ScheduleError, Scheduler};

use crate::support::{Gate, Listener, MS, Message, Note, heard, held, listener, pass, simulated};

#[test]
fn c31_what_is_due_once_is_sent_once_and_then() {
    simulated(|system| async move {
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let first = scheduler.once(&actor, 10 * MS, Note(1)).unwrap();
        let second = scheduler.once(&actor, 5 * MS, Note(2)).unwrap();
        let cancelled = scheduler.once(&actor, 7 * MS, Note(3)).unwrap();
        pass(&system, 6 * MS).await;
        assert_eq!((heard(&actor).await, first.is_over(), second.is_over()), (vec![2], false, true));
        cancelled.cancel();
        pass(&system, 4 * MS).await;
        assert_eq!((heard(&actor).await, first.sent(), cancelled.sent()), (vec![2, 1], 1, 0));
        assert!(first.is_over() && cancelled.is_over());
        scheduler.once(&actor, Duration::ZERO, Note(4)).unwrap();
        let never = scheduler.once(&actor, Duration::MAX, Note(5)).unwrap();
        pass(&system, 1_000_000 * MS).await;
        assert_eq!((heard(&actor).await, never.is_over()), (vec![2, 1, 4], false));
        never.cancel();
    });
}

#[test]
fn c31_an_interval_ticks_until_it_is_cancelled() {
    simulated(|system| async move {
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let mut number = 0;
        let ticking = scheduler
            .every(&actor, 10 * MS, MissedTicks::Skip, move || {
                number += 1;
                Note(number)
            })
            .unwrap();
        pass(&system, 35 * MS).await;
        assert_eq!((heard(&actor).await, ticking.sent(), ticking.missed()), (vec![1, 2, 3], 3, 0));
        ticking.clone().cancel();
        pass(&system, 100 * MS).await;
        assert_eq!((heard(&actor).await, ticking.is_over()), (vec![1, 2, 3], true));
    });
}

#[test]
fn c31_ticks_that_a_full_mailbox_missed_are_told_by_the_policy() {
    // Due every ten milliseconds; from the second on there is no room until the 47th.
    let table = [
        (MissedTicks::Burst, vec![1, 2, 3, 4, 5, 6], 0),
        (MissedTicks::Skip, vec![1, 2, 3, 4], 2),
        (MissedTicks::Delay, vec![1, 2, 3], 2),
    ];
    for (missed, expected, left_out) in table {
        simulated(|system| async move {
            let (scheduler, gate) = (Scheduler::new(&system), Gate::default());
            let actor = held(&system, 1, &gate).await;
            let mut number = 0;
            let ticking = scheduler
                .every(&actor, 10 * MS, missed, move || {
                    number += 1;
                    Note(number)
                })
                .unwrap();
            pass(&system, 47 * MS).await;
            gate.open();
            pass(&system, 15 * MS).await;
            assert_eq!((heard(&actor).await, ticking.missed()), (expected, left_out), "{missed:?}");
        });
    }
}

#[test]
fn c31_a_mailbox_that_lets_nobody_wait_misses_a_tick() {
    simulated(|system| async move {
        let (scheduler, gate) = (Scheduler::new(&system), Gate::default());
        let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap()).overflow(Overflow::Reject);
        let actor = system.spawn(Listener, (), options).await.unwrap();
        actor.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        let ticking = scheduler.every(&actor, 10 * MS, MissedTicks::Burst, || Note(1)).unwrap();
        pass(&system, 35 * MS).await;
        assert_eq!((ticking.sent(), ticking.missed()), (1, 2));
        gate.open();
        pass(&system, 10 * MS).await;
        assert_eq!(heard(&actor).await, [1, 1]);
    });
}

#[test]
fn c31_schedules_end_with_their_actor_and_cannot_begin_after() {
    simulated(|system| async move {
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let once = scheduler.once(&actor, 50 * MS, Note(1)).unwrap();
        let every = scheduler.every(&actor, 10 * MS, MissedTicks::Skip, || Note(2)).unwrap();
        pass(&system, 15 * MS).await;
        actor.stop_and_wait(None, None).await.unwrap();
        pass(&system, 100 * MS).await;
        assert_eq!((once.sent(), once.is_over(), every.sent(), every.is_over()), (0, true, 1, true));
        let exit = Some(Exit::Stopped(None));
        let refused = scheduler.once(&actor, MS, Note(3)).unwrap_err();
        assert_eq!(refused, SendError::Stopped(Note(3), exit.clone()));
        let refused = scheduler.every(&actor, MS, MissedTicks::Skip, || Note(4)).unwrap_err();
        assert_eq!(refused, ScheduleError::Stopped(exit));
    });
}

#[test]
fn c31_a_period_of_zero_is_an_error_at_the_call() {
    simulated(|system| async move {
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let refused = scheduler.every(&actor, Duration::ZERO, MissedTicks::Burst, || Note(1)).unwrap_err();
        assert_eq!(refused, ScheduleError::ZeroPeriod);
        assert!(refused.to_string().contains("zero"), "{refused}");
        pass(&system, MS).await;
        assert_eq!(heard(&actor).await, []);
    });
}

#[test]
fn c31_what_panics_in_a_schedule_fails_its_actor_alone() {
    simulated(|system| async move {
        let (scheduler, actor, other) =
            (Scheduler::new(&system), listener(&system).await, listener(&system).await);
        let bad = move || -> Note { panic!("no message") };
        let ticking = scheduler.every(&actor, 10 * MS, MissedTicks::Skip, bad).unwrap();
        let fine = scheduler.every(&other, 10 * MS, MissedTicks::Skip, || Note(1)).unwrap();
        assert!(matches!(actor.wait(None).await.unwrap(), Exit::Panicked(_)));
        pass(&system, 25 * MS).await;
        assert_eq!((ticking.is_over(), fine.sent(), heard(&other).await), (true, 3, vec![1, 1, 1]));
    });
}

#[test]
fn c31_without_a_timer_it_is_the_caller_who_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let system = ActorSystem::new();
        let (scheduler, actor) = (Scheduler::new(&system), listener(&system).await);
        let ways: &[&dyn Fn()] = &[
            &|| _ = scheduler.once(&actor, MS, Note(1)),
            &|| _ = scheduler.once_at(&actor, Duration::MAX, Note(1)),
            &|| _ = scheduler.every(&actor, Duration::MAX, MissedTicks::Skip, || Note(1)),
            #[cfg(feature = "cron")]
            &|| _ = scheduler.cron(&actor, "* * * * *", || Note(1)),
        ];
        for schedule in ways {
            assert!(catch_unwind(AssertUnwindSafe(schedule)).is_err());
        }
        // Which has harmed nobody.
        assert_eq!((heard(&actor).await, actor.exit()), (vec![], None));
    });
}
